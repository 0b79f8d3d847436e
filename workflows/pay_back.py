"""Giving back what was paid for: a business act of its own, after the pivot. It can't be cancelled."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.coupons import CouponActivities, CouponsOf
    from activities.options import LOCAL, OUTSIDE
    from activities.orders import Closed, CloseSubOrders, OrderActivities, PayBack
    from activities.payment import MakeRefund, PaymentActivities
    from activities.stock import GoodsActivities, GoodsOf, Restock, StockActivities
    from domain.acts import Cancel, cancel_reason
    from workflows.board import Board
    from workflows.patience import patiently


async def close_sub_orders(order_no: str, sub_order_no: str | None, cancel: Cancel, board: Board) -> Closed:
    """Close one sub-order, or (None) every one that is left, all or none. The database decides between this and a
    shipment that comes at the same moment.

    Not a local activity: that the cancel was accepted must be on record before anything is closed, or a worker's
    death in between would leave closed sub-orders and nobody to pay for them.
    """
    ask = CloseSubOrders(
        order_no=order_no,
        sub_order_no=sub_order_no,
        actor=cancel.actor,
        reason=cancel_reason(cancel.actor),
        note=cancel.note,
        at=workflow.now(),
    )
    return await patiently(
        lambda: workflow.execute_activity_method(
            OrderActivities.close_sub_orders, ask, summary="close what has not shipped", **OUTSIDE
        ),
        topic="cancel",
        board=board,
    )


async def bring_back(order_no: str, owed: PayBack, board: Board) -> None:
    """The goods first, since they can be sold again at once; then the coupons; then the money, however long the
    provider takes."""
    if owed.restock:
        lines = Restock(order_no=order_no, reason_key=owed.key, lines=owed.restock)
        await patiently(
            lambda: workflow.execute_local_activity_method(StockActivities.restock, lines, **LOCAL),
            topic="restock",
            board=board,
        )
    for sub_order_no in owed.put_back:
        goods = GoodsOf(sub_order_no=sub_order_no)
        await patiently(
            lambda goods=goods: workflow.execute_local_activity_method(  # type: ignore[misc]
                GoodsActivities.put_back_goods, goods, **LOCAL
            ),
            topic="restock",
            board=board,
        )
    if owed.coupons:
        coupons = CouponsOf(order_no=order_no, at=workflow.now())
        await patiently(
            lambda: workflow.execute_local_activity_method(CouponActivities.give_back_coupons, coupons, **LOCAL),
            topic="coupons",
            board=board,
        )
    if owed.refund_no is not None:
        await refund(owed.refund_no, board)


async def refund(refund_no: str, board: Board) -> None:
    await patiently(
        lambda: workflow.execute_activity_method(
            PaymentActivities.refund,
            MakeRefund(refund_no=refund_no),
            summary=f"pay back, refund {refund_no}",
            **OUTSIDE,
        ),
        topic="refund",
        board=board,
    )
