"""Giving back what a closing or a case of after-sale has decided to owe. It can't be cancelled."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.coupons import CouponActivities, CouponsOf
    from activities.orders import Owed
    from activities.payment import MakeRefund, PaymentActivities
    from activities.stock import GoodsActivities, GoodsOf, Restock, StockActivities
    from domain.order.attention import AttentionTopic
    from workflows.steps import Steps


async def give_back(order_no: str, owed: Owed, steps: Steps) -> None:
    """The goods first, since they can be sold again at once; then the coupons; then the money, however long the
    provider takes."""
    if owed.restock:
        lines = Restock(order_no=order_no, reason_key=owed.key, lines=owed.restock)
        await steps.local(StockActivities.restock, lines, AttentionTopic.RESTOCK)
    for sub_order_no in owed.reshelve:
        goods = GoodsOf(sub_order_no=sub_order_no)
        await steps.local(GoodsActivities.reshelve_goods, goods, AttentionTopic.RESTOCK)
    for pieces in owed.reshelve_pieces:
        await steps.local(GoodsActivities.reshelve_pieces, pieces, AttentionTopic.RESTOCK)
    if owed.coupons:
        coupons = CouponsOf(order_no=order_no, at=workflow.now())
        await steps.local(CouponActivities.give_back_coupons, coupons, AttentionTopic.COUPONS)
    if owed.refund_no is not None:
        await refund(owed.refund_no, steps)


async def refund(refund_no: str, steps: Steps) -> None:
    wanted = MakeRefund(refund_no=refund_no)
    await steps.regular(PaymentActivities.refund, wanted, AttentionTopic.REFUND, f"refund {refund_no} at the provider")
