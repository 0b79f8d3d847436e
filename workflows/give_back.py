"""Giving back what was paid for: a business act of its own, after the pivot. It can't be cancelled."""

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from activities.coupons import CouponActivities, CouponsOf
    from activities.options import LOCAL, REGULAR
    from activities.orders import Owed
    from activities.payment import REFUND_TOPIC, MakeRefund, PaymentActivities
    from activities.stock import GoodsActivities, GoodsOf, Restock, StockActivities
    from activities.sub_orders import Closed, ClosePieces, CloseSubOrders, PiecesClosed, SubOrderActivities
    from domain.order.acts import Cancel, CancelPieces, OrderClosed, cancel_reason
    from domain.order.status import CloseReason
    from workflows import run_names
    from workflows.operator_view import OperatorView
    from workflows.waiting import patiently


async def close_sub_orders(order_no: str, sub_order_no: str | None, cancel: Cancel, view: OperatorView) -> Closed:
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
            SubOrderActivities.close_sub_orders, ask, summary="close what has not shipped", **REGULAR
        ),
        topic="cancel",
        view=view,
    )


async def close_pieces(sub_order_no: str, key: str, cancel: CancelPieces, view: OperatorView) -> PiecesClosed:
    """Close pieces of a sub-order. Not a local activity, for the same reason as above."""
    ask = ClosePieces(
        key=key,
        sub_order_no=sub_order_no,
        lines=cancel.lines,
        actor=cancel.actor,
        reason=cancel_reason(cancel.actor),
        note=cancel.note,
        at=workflow.now(),
    )
    return await patiently(
        lambda: workflow.execute_activity_method(
            SubOrderActivities.close_pieces, ask, summary="close pieces that have not shipped", **REGULAR
        ),
        topic="cancel",
        view=view,
    )


async def tell_closed(sub_order_no: str, reason: CloseReason) -> None:
    """Tell a sub-order's run that it was closed from elsewhere, which sees to goods and money."""
    # By its id: after a reset its run may be there without being a child of this run.
    run = workflow.get_external_workflow_handle(run_names.sub_order_id(sub_order_no))
    try:
        await run.signal("closed_with_order", OrderClosed(reason=reason))
    except FailureError:
        # It ended, or is being started again: then it reads in the database that it is closed.
        workflow.logger.info("sub-order %s was not there to be told that it is closed", sub_order_no)


async def give_back(order_no: str, owed: Owed, view: OperatorView) -> None:
    """The goods first, since they can be sold again at once; then the coupons; then the money, however long the
    provider takes."""
    if owed.restock:
        lines = Restock(order_no=order_no, reason_key=owed.key, lines=owed.restock)
        await patiently(
            lambda: workflow.execute_local_activity_method(StockActivities.restock, lines, **LOCAL),
            topic="restock",
            view=view,
        )
    for sub_order_no in owed.put_back:
        goods = GoodsOf(sub_order_no=sub_order_no)
        await patiently(
            lambda goods=goods: workflow.execute_local_activity_method(  # type: ignore[misc]
                GoodsActivities.reshelve_goods, goods, **LOCAL
            ),
            topic="restock",
            view=view,
        )
    for pieces in owed.put_back_pieces:
        await patiently(
            lambda pieces=pieces: workflow.execute_local_activity_method(  # type: ignore[misc]
                GoodsActivities.reshelve_pieces, pieces, **LOCAL
            ),
            topic="restock",
            view=view,
        )
    if owed.coupons:
        coupons = CouponsOf(order_no=order_no, at=workflow.now())
        await patiently(
            lambda: workflow.execute_local_activity_method(CouponActivities.give_back_coupons, coupons, **LOCAL),
            topic="coupons",
            view=view,
        )
    if owed.refund_no is not None:
        await refund(owed.refund_no, view)


async def refund(refund_no: str, view: OperatorView) -> None:
    await patiently(
        lambda: workflow.execute_activity_method(
            PaymentActivities.refund,
            MakeRefund(refund_no=refund_no),
            summary=f"pay back, refund {refund_no}",
            **REGULAR,
        ),
        topic=REFUND_TOPIC,
        view=view,
    )
