"""Pieces over HTTP: what they would bring back, and their cancel."""

from domain.order.ownership import Role
from tests.support.shop import Person, Shop
from tests.support.web import Web, new_key, new_name, problem


async def parcel(web: Web, shop: Shop, person: Person, merchant: str) -> tuple[str, str]:
    """Three pieces in one parcel: the order's number and the sub-order's."""
    order_no = await shop.place([await shop.sku(merchant=merchant)], person, quantity=3)
    await shop.pay(order_no)
    (sub,) = await shop.split(order_no)
    return order_no, sub


async def test_the_quote_says_what_the_cancel_then_pays_back(web: Web, shop: Shop) -> None:
    person, merchant = Person(), new_name("merchant")
    order_no, sub = await parcel(web, shop, person, merchant)
    buyer, at = web.buyer(person), f"/sub-orders/{sub}"
    quote = (await buyer.get(f"{at}/refund-quote", line="1=2")).json()
    assert (quote["amount_fen"], quote["shipping_fen"], quote["points"]) == (2_000, 0, 0)
    assert [(line["line_no"], line["quantity"], line["amount_fen"]) for line in quote["lines"]] == [(1, 2, 2_000)]
    assert "platform_fen" not in str(quote)
    key = new_key()
    for _ in range(2):
        answer = await buyer.post(f"{at}/cancel-pieces", {"lines": [{"line_no": 1, "quantity": 2}]}, key=key)
        assert (answer.status_code, answer.json()) == (200, {"number": sub, "status": "AWAITING_SHIPMENT"})
    view = await shop.when(order_no, lambda view: [refund.state for refund in view.refunds] == ["DONE"])
    assert [refund.amount_fen for refund in view.refunds] == [2_000]
    last = await web.party(Role.MERCHANT, merchant).post(
        f"{at}/cancel-pieces", {"lines": [{"line_no": 1, "quantity": 1}]}
    )
    assert last.json()["status"] == "CLOSED"


async def test_more_than_is_left_is_refused_with_the_state(web: Web, shop: Shop) -> None:
    person = Person()
    _, sub = await parcel(web, shop, person, new_name("merchant"))
    buyer, too_many = web.buyer(person), {"lines": [{"line_no": 1, "quantity": 4}]}
    refused = problem(await buyer.post(f"/sub-orders/{sub}/cancel-pieces", too_many), 409, "not-allowed-now")
    assert "of which 3 are left" in refused["detail"]
    assert refused["allowed"] == ["CANCEL"]
    quoted = problem(await buyer.get(f"/sub-orders/{sub}/refund-quote", line="1=4"), 409, "not-allowed-now")
    assert "of which 3 are left" in quoted["detail"]


async def test_pieces_that_say_nothing_or_two_things_are_named(web: Web, shop: Shop) -> None:
    person = Person()
    _, sub = await parcel(web, shop, person, new_name("merchant"))
    buyer, at = web.buyer(person), f"/sub-orders/{sub}"
    for query in ("line=1", "line=1=0", "line=1=1&line=1=2", "", "lines=1=1"):
        problem(await buyer.get(f"{at}/refund-quote?{query}"), 422, "invalid")
    for lines in ([], [{"line_no": 1, "quantity": 1}] * 2, [{"line_no": 1, "quantity": 0}]):
        problem(await buyer.post(f"{at}/cancel-pieces", {"lines": lines}), 422, "invalid")
