"""A cap on a buyer's unpaid orders: nobody hoards stock without paying, however many placements come at once."""

import asyncio

from domain.order.lines import RefusalCode
from tests.support.shop import Person, Shop
from tests.support.stories import FAR

CAP = 5


async def test_thirty_placements_of_one_buyer_at_once_make_as_many_orders_as_may_be_open(shop: Shop) -> None:
    sku, person = await shop.sku(pieces=100), Person()
    asked = [shop.cart([sku], person, expected_fen=1000) for _ in range(30)]
    answers = await asyncio.gather(*(shop.ask(one, unpaid_orders_per_buyer=CAP, **FAR) for one in asked))
    taken = [answer.order_no for answer in answers if answer.refusal is None]
    refused = [answer.refusal for answer in answers if answer.refusal is not None]
    assert len(taken) == CAP
    assert {refusal.code for refusal in refused} <= {RefusalCode.TOO_MANY_UNPAID, RefusalCode.NOT_ACCEPTED}
    assert RefusalCode.TOO_MANY_UNPAID in {refusal.code for refusal in refused}
    for answer in answers:
        if answer.refusal is not None:
            await shop.ended(answer.order_no)
    assert (await shop.level(sku))["reserved"] == CAP
    await asyncio.gather(*(shop.cancel(order_no) for order_no in taken))
    again = await shop.ask(asked[0], unpaid_orders_per_buyer=CAP, **FAR)
    assert again.refusal is None, "closed orders do not count"
    await shop.cancel(again.order_no)


async def test_an_order_that_needs_no_payment_does_not_count(shop: Shop) -> None:
    person = Person()
    held = await shop.place([await shop.sku()], person, unpaid_orders_per_buyer=1, **FAR)
    free = await shop.sku(price_fen=0)
    await shop.place([free], person, price_fen=0, unpaid_orders_per_buyer=1)
    await shop.cancel(held)
