"""Giving back what was paid for: a business act of its own, after the pivot. It can't be cancelled."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.options import LOCAL, OUTSIDE
    from activities.orders import PayBack
    from activities.payment import MakeRefund, PaymentActivities
    from activities.stock import Restock, StockActivities
    from workflows.board import Board
    from workflows.patience import patiently


async def bring_back(order_no: str, owed: PayBack, board: Board) -> None:
    """The goods first, since they can be sold again at once; then the money, however long the provider takes."""
    if owed.restock:
        lines = Restock(order_no=order_no, reason_key=owed.key, lines=owed.restock)
        await patiently(
            lambda: workflow.execute_local_activity_method(StockActivities.restock, lines, **LOCAL),
            topic="restock",
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
