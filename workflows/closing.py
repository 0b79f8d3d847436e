"""How an order closes: before the pivot as a whole; after it what has not shipped, by sub-orders or by pieces."""

from collections.abc import Sequence
from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from activities.orders import Owed
    from activities.sub_orders import Closed, ClosePieces, CloseSubOrders, PiecesClosed, SubOrderActivities
    from domain.order.acts import Cancel, CancelPieces, OrderClosed, cancel_reason
    from domain.order.attention import AttentionTopic
    from domain.order.status import CloseReason
    from workflows import run_names
    from workflows.steps import Steps


class Closing(Exception):
    """Raised by the story itself: the order ends here, for this reason, and gives everything back."""

    def __init__(self, reason: CloseReason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class SplitAfterAll:
    """The order was to close, and the order book has it split already: it goes on, and closes by its sub-orders.

    `owed` is what closings of single lines before the split have decided to give back."""

    owed: Sequence[Owed]


@dataclass(frozen=True)
class PaidAfterAll:
    """The order was to close unpaid, and the order book has its payment: it goes on."""


async def close_sub_orders(order_no: str, sub_order_no: str | None, cancel: Cancel, steps: Steps) -> Closed:
    """Close one sub-order, or (None) every one that is left, all or none. The database decides between this and a
    shipment that comes at the same moment.

    Not a local activity: that the cancel was accepted must be on record before anything is closed, or a worker's
    death in between would leave closed sub-orders and nobody to give back what was paid for them.
    """
    ask = CloseSubOrders(
        order_no=order_no,
        sub_order_no=sub_order_no,
        actor=cancel.actor,
        reason=cancel_reason(cancel.actor),
        note=cancel.note,
        at=workflow.now(),
    )
    return await steps.regular(
        SubOrderActivities.close_sub_orders, ask, AttentionTopic.CANCEL, "close what has not shipped"
    )


async def close_pieces(sub_order_no: str, key: str, cancel: CancelPieces, steps: Steps) -> PiecesClosed:
    """Close pieces of a sub-order. Not a local activity, for the reason that `close_sub_orders` gives."""
    ask = ClosePieces(
        key=key,
        sub_order_no=sub_order_no,
        lines=cancel.lines,
        actor=cancel.actor,
        reason=cancel_reason(cancel.actor),
        note=cancel.note,
        at=workflow.now(),
    )
    return await steps.regular(
        SubOrderActivities.close_pieces, ask, AttentionTopic.CANCEL, "close pieces that have not shipped"
    )


async def tell_closed(sub_order_no: str, reason: CloseReason) -> None:
    """Tell a sub-order's run that it is closed. Whoever closed it gives back what is owed."""
    # By its id: after a reset its run may be there without being a child of this run.
    run = workflow.get_external_workflow_handle(run_names.sub_order_id(sub_order_no))
    try:
        await run.signal("closed_with_order", OrderClosed(reason=reason))
    except FailureError:
        # It ended, or is being started again: then it reads in the database that it is closed.
        workflow.logger.info("sub-order %s was not there to be told that it is closed", sub_order_no)
