"""Cases of after-sale on the real servers: each way to each ending."""

from domain.after_sale import CaseStatus
from tests.after_sale import Counter, received
from tests.shop import Shop
from tests.trade import merchant


async def test_returned_inspected_and_refunded(shop: Shop) -> None:
    at, sku = Counter(shop), await shop.sku(merchant=merchant())
    order_no, number = await received(shop, (sku, 2))
    case_no = await at.sent_back(number, {1: 2})
    assert (await at.inspect(case_no, {1: 2}, sellable={1: 1})).refused is None
    ended = await at.when(case_no, CaseStatus.REFUNDED)
    assert ended.amount_fen == 2_000
    view = await shop.show(order_no)
    assert [(refund.amount_fen, refund.state) for refund in view.refunds] == [(2_000, "DONE")]
    assert await shop.level(sku) == {"sellable_total": 10, "available": 9, "reserved": 0, "deducted": 1}
    assert view.sub_orders[0].after_sale == "SETTLED"
