"""What each party does to an order over HTTP, and what it is told when the order's state says no."""

import asyncio
from typing import Any

from domain.order.ownership import Role
from domain.order.status import Status
from tests.support.shop import Person, Shop
from tests.support.stories import suspicious
from tests.support.web import Web, new_key, new_name, problem


def scan(event_id: str, kind: str) -> dict[str, Any]:
    return {"event_id": event_id, "kind": kind, "place": "Hangzhou", "at": "2026-11-12T08:00:00Z"}


async def test_an_order_goes_from_checkout_to_the_review_over_http(web: Web, shop: Shop) -> None:
    person, merchant, carrier = Person(), new_name("merchant"), new_name("carrier")
    order_no, (sub,) = await web.paid([merchant], person)
    seller, courier, buyer = web.party(Role.MERCHANT, merchant), web.party(Role.CARRIER, carrier), web.buyer(person)
    at = f"/sub-orders/{sub}"
    steps = [
        (seller, "ship", {"carrier": carrier, "tracking_no": "T1"}, "SHIPPED"),
        (courier, "track", scan("e1", "picked_up"), "SHIPPED"),
        (courier, "track", scan("e1", "picked_up"), "SHIPPED"),
        (courier, "deliver", None, "SHIPPED"),
        (buyer, "confirm-receipt", None, "COMPLETED"),
        (buyer, "review", {"rating": 5, "text": "crisp"}, "REVIEWED"),
    ]
    for party, act, body, status in steps:
        answer = await party.post(f"{at}/{act}", body)
        assert (answer.status_code, answer.json()) == (200, {"number": sub, "status": status}), act
    shown = (await buyer.get(f"/orders/{order_no}")).json()
    assert shown["status"] == "REVIEWED"
    assert [one["kind"] for one in shown["sub_orders"][0]["tracking"]] == ["picked_up"]
    actors = {event["action"]: event["actor"] for event in shown["events"]}
    assert actors["SHIP"] == "MERCHANT"
    assert actors["DELIVER"] == "CARRIER"
    assert actors["CONFIRM_RECEIPT"] == "BUYER"


async def test_the_scan_of_the_delivery_delivers(web: Web) -> None:
    merchant, carrier = new_name("merchant"), new_name("carrier")
    order_no, (sub,) = await web.paid([merchant], Person())
    parcel = {"carrier": carrier, "tracking_no": "T1"}
    await web.party(Role.MERCHANT, merchant).post(f"/sub-orders/{sub}/ship", parcel)
    courier = web.party(Role.CARRIER, carrier)
    for _ in range(2):
        assert (await courier.post(f"/sub-orders/{sub}/track", scan("e9", "delivered"))).status_code == 200
    shown = (await courier.get(f"/orders/{order_no}")).json()
    assert shown["sub_orders"][0]["delivered_at"]


async def test_a_cancel_after_shipping_is_refused_and_told_what_is_possible(web: Web, shop: Shop) -> None:
    person, merchant = Person(), new_name("merchant")
    order_no, (sub,) = await web.paid([merchant], person)
    parcel = {"carrier": "SF", "tracking_no": "T1"}
    await web.party(Role.MERCHANT, merchant).post(f"/sub-orders/{sub}/ship", parcel)
    refused = problem(await web.buyer(person).post(f"/orders/{order_no}/cancel"), 409, "not-allowed-now")
    assert refused["order_status"] == "SHIPPED"
    assert refused["action"] == "CANCEL"
    assert refused["allowed"] == ["CONFIRM_RECEIPT"]
    assert "allowed now" in refused["detail"]
    assert (await shop.show(order_no)).status is Status.SHIPPED


async def test_what_comes_after_the_end_is_refused_with_nothing_allowed(web: Web, shop: Shop) -> None:
    person = Person()
    order_no = await web.place([await shop.sku()], person)
    assert (await web.buyer(person).post(f"/orders/{order_no}/cancel", {"note": "no"})).status_code == 200
    await shop.ended(order_no)
    refused = problem(await web.operator.post(f"/orders/{order_no}/cancel"), 409, "not-allowed-now")
    assert (refused["order_status"], refused["allowed"]) == ("CLOSED", [])


async def test_a_merchant_cancels_its_own_sub_order_and_no_other(web: Web, shop: Shop) -> None:
    ours, theirs, person = new_name("merchant"), new_name("merchant"), Person()
    order_no, numbers = await web.paid([ours, theirs], person)
    owners = {sub.merchant: sub.sub_order_no for sub in (await shop.show(order_no)).sub_orders}
    assert sorted(owners.values()) == sorted(numbers)
    merchant = web.party(Role.MERCHANT, ours)
    problem(await merchant.post(f"/orders/{owners[theirs]}/cancel"), 404, "no-such-order")
    problem(await merchant.post(f"/orders/{order_no}/cancel"), 403, "not-for-your-role")
    assert (await merchant.post(f"/orders/{owners[ours]}/cancel")).json()["status"] == "CLOSED"
    view = await shop.show(order_no)
    assert {sub.merchant: sub.close_reason for sub in view.sub_orders} == {ours: "CANCELLED_BY_MERCHANT", theirs: None}


async def test_the_same_key_is_the_same_act(web: Web, shop: Shop) -> None:
    person, merchant = Person(), new_name("merchant")
    _, (sub,) = await web.paid([merchant], person)
    seller, key = web.party(Role.MERCHANT, merchant), new_key()
    parcel = {"carrier": "SF", "tracking_no": "T1"}
    answers = await asyncio.gather(*(seller.post(f"/sub-orders/{sub}/ship", parcel, key=key) for _ in range(5)))
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    confirmed = await web.buyer(person).post(f"/sub-orders/{sub}/confirm-receipt", key=key)
    assert confirmed.json()["status"] == "COMPLETED", "another party's act under an equal key is another act"


async def test_one_party_can_not_take_anothers_key(web: Web, shop: Shop) -> None:
    """Keys are the caller's: an operator's cancel does not answer for the merchant's."""
    person, merchant = Person(), new_name("merchant")
    order_no, (sub,) = await web.paid([merchant], person)
    key = new_key()
    assert (await web.party(Role.MERCHANT, merchant).post(f"/orders/{sub}/cancel", key=key)).status_code == 200
    problem(await web.operator.post(f"/orders/{sub}/cancel", key=key), 409, "not-allowed-now")
    assert (await shop.show(order_no)).status is Status.CLOSED


async def test_an_operator_decides_a_review_in_its_own_name(web: Web, shop: Shop) -> None:
    person = await suspicious(shop)
    order_no = await web.place([await shop.sku()], person)
    await shop.pay(order_no)
    await shop.when(order_no, lambda view: view.risk_verdict == "REVIEW" and bool(view.attention))
    decided = await web.operator.post(f"/orders/{order_no}/decide-risk", {"approved": True, "note": "fine"})
    assert decided.status_code == 200, decided.text
    assert len(await shop.split(order_no)) == 1
    authors = await shop.sql("SELECT author FROM risk_decisions WHERE order_no = :no", no=int(order_no))
    assert [row.author for row in authors] == ["ann"]
    again = await web.operator.post(f"/orders/{order_no}/decide-risk", {"approved": False, "note": "no"})
    problem(again, 409, "not-allowed-now")
    buyers = (await web.buyer(person).get(f"/orders/{order_no}")).json()
    assert buyers["risk_verdict"] is None
