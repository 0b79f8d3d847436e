"""After-sale over HTTP: who may do what, what each is shown, and what is told when the state says no."""

from typing import Any

import httpx

from domain.after_sale.case import CaseStatus
from domain.order.ownership import Role
from tests.support.after_sale import Counter
from tests.support.shop import Person, Shop
from tests.support.web import Web, new_key, new_name, problem

ASK = {"kind": "RETURN_AND_REFUND", "lines": [{"line_no": 1, "quantity": 1}], "reason": "cracked"}
PARCEL = {"carrier": "SF", "tracking_no": "R1"}
FOUND = {"accepted": [{"line_no": 1, "quantity": 1}], "sellable": [{"line_no": 1, "quantity": 1}]}


async def received(web: Web, shop: Shop, merchant: str, person: Person) -> str:
    _, (sub,) = await web.paid([merchant], person)
    await shop.ship(sub)
    await shop.confirm(sub)
    return sub


async def asked(web: Web, sub: str, person: Person, **more: Any) -> httpx.Response:
    return await web.buyer(person).post(f"/sub-orders/{sub}/after-sales", ASK, key=new_key(), **more)


async def test_a_case_goes_from_the_request_to_the_refund_over_http(web: Web, shop: Shop) -> None:
    person, merchant = Person(), new_name("merchant")
    sub = await received(web, shop, merchant, person)
    opened = await asked(web, sub, person)
    assert opened.status_code == 201, opened.text
    case = opened.json()
    at = opened.headers["Location"]
    assert at == f"/after-sales/{sub}A01"
    assert (case["quoted_fen"], case["lines"][0]["amount_fen"], case["allowed"]) == (1_000, 1_000, ["WITHDRAW"])
    buyer, seller = web.buyer(person), web.party(Role.MERCHANT, merchant)
    assert (await seller.get(at)).json()["allowed"] == ["AGREE", "REFUSE"]
    steps = [
        (seller, "agree", None, "AWAITING_RETURN"),
        (buyer, "send-back", PARCEL, "RETURNING"),
        (seller, "inspect", FOUND, "REFUNDING"),
    ]
    for party, act, told, status in steps:
        answer = await party.post(f"{at}/{act}", told)
        assert (answer.status_code, answer.json()["case_no"]) == (200, case["case_no"]), answer.text
        assert answer.json()["status"] in (status, "REFUNDED")
    await Counter(shop).when(case["case_no"], CaseStatus.REFUNDED)
    shown = (await buyer.get(at)).json()
    assert (shown["amount_fen"], shown["lines"][0]["accepted"], shown["allowed"]) == (1_000, 1, [])
    mine = (await web.buyer(person).get("/orders", tab="after_sale")).json()["items"]
    assert [(item["sub_order_no"], item["after_sale"]) for item in mine] == [(sub, "SETTLED")]
    parts = (await web.buyer(person).get(f"/orders/{sub}")).json()["sub_orders"]
    assert parts[0]["cases"] == [case["case_no"]]


async def test_an_operator_overrules_what_the_merchant_refuses(web: Web, shop: Shop) -> None:
    person, merchant = Person(), new_name("merchant")
    at = (await asked(web, await received(web, shop, merchant, person), person)).headers["Location"]
    refused = await web.party(Role.MERCHANT, merchant).post(f"{at}/refuse", {"reason": "worn"})
    assert (refused.json()["status"], refused.json()["said"]) == ("DISPUTED", "worn")
    overruled = await web.operator.post(f"{at}/overrule", {"note": "it is not"})
    assert overruled.json()["status"] == "AWAITING_RETURN"


async def test_what_the_state_does_not_allow_is_told_with_what_it_does(web: Web, shop: Shop) -> None:
    person, merchant = Person(), new_name("merchant")
    at = (await asked(web, await received(web, shop, merchant, person), person)).headers["Location"]
    no = problem(await web.buyer(person).post(f"{at}/send-back", PARCEL), 409, "not-allowed-now")
    assert (no["case_status"], no["action"], no["allowed"]) == ("REQUESTED", "SEND_BACK", ["WITHDRAW"])
    too_many = {**FOUND, "accepted": [{"line_no": 1, "quantity": 9}]}
    problem(await web.party(Role.MERCHANT, merchant).post(f"{at}/inspect", too_many), 409, "not-allowed-now")
    problem(await web.operator.post(f"{at}/overrule", {}), 422, "invalid")


async def test_a_request_that_can_not_be_is_a_409_and_the_key_stays_free(web: Web, shop: Shop) -> None:
    person, merchant = Person(), new_name("merchant")
    _, (sub,) = await web.paid([merchant], person)
    key, buyer = new_key(), web.buyer(person)
    problem(await buyer.post(f"/sub-orders/{sub}/after-sales", ASK, key=key), 409, "not-allowed-now")
    await shop.ship(sub)
    first = await buyer.post(f"/sub-orders/{sub}/after-sales", ASK, key=key)
    again = await buyer.post(f"/sub-orders/{sub}/after-sales", ASK, key=key)
    assert (first.status_code, again.json()) == (201, first.json())
    other = {**ASK, "reason": "another"}
    problem(await buyer.post(f"/sub-orders/{sub}/after-sales", other, key=key), 422, "idempotency-key-reused")
    problem(await buyer.post(f"/sub-orders/{sub}/after-sales", ASK), 422, "invalid")


async def test_a_case_is_nobodys_but_its_parties(web: Web, shop: Shop) -> None:
    person, merchant = Person(), new_name("merchant")
    sub = await received(web, shop, merchant, person)
    problem(await asked(web, sub, Person()), 404, "no-such-order")
    at = (await asked(web, sub, person)).headers["Location"]
    others = (web.buyer(Person()), web.party(Role.MERCHANT, new_name("merchant")))
    for other, act in zip(others, ("withdraw", "agree"), strict=True):
        told = problem(await other.get(at), 404, "no-such-case")
        assert told == problem(await other.get(at[:-1] + "7"), 404, "no-such-case") | {"instance": at}
        problem(await other.post(f"{at}/{act}"), 404, "no-such-case")
    problem(await web.party(Role.CARRIER, "SF").get(at), 403, "not-for-your-role")
    problem(await web.buyer(person).post(f"{at}/agree"), 403, "not-for-your-role")
    assert (await web.operator.get(at)).json()["status"] == "REQUESTED"


async def test_the_same_key_is_the_same_act(web: Web, shop: Shop) -> None:
    person, merchant = Person(), new_name("merchant")
    at = (await asked(web, await received(web, shop, merchant, person), person)).headers["Location"]
    seller, key = web.party(Role.MERCHANT, merchant), new_key()
    for _ in range(3):
        assert (await seller.post(f"{at}/agree", key=key)).json()["status"] == "AWAITING_RETURN"
    problem(await seller.post(f"{at}/agree"), 409, "not-allowed-now")
