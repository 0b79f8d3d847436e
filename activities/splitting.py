"""The split, as a story sees it: planned with what lies in the warehouses, set aside there, then written down."""

from collections.abc import Sequence

from temporalio import activity

from activities.orders import LinesToSplit, OrderBook, RecordSplit, SplitDone, SplitOrder
from activities.stock import Allocation, PhysicalLedger
from domain.order.lines import SubOrderPlan
from domain.order.product import DeliveryMode
from domain.splitting.model import BACKORDER, Warehouse
from domain.splitting.plan import check_units, cut, plan, replan


class SplitActivities:
    def __init__(self, book: OrderBook, physical: PhysicalLedger) -> None:
        self._book = book
        self._physical = physical

    @activity.defn
    async def split_order(self, request: SplitOrder) -> SplitDone:
        """Idempotency key: the order, in each of both ledgers. Killed in between, the repeat gets what was set
        aside."""
        order = await self._book.lines_to_split(request.order_no)
        if order.closed is not None:
            return SplitDone(sub_orders=[], closed=order.closed)

        def planned(shelves: Sequence[Warehouse]) -> tuple[SplitDone, list[Allocation]]:
            plans = [_stocked(part, shelves) for part in _plan(request, order, shelves)]
            check_units(plans)  # here, where a rule that was added may be wrong and nothing is set aside yet
            return SplitDone(sub_orders=plans), [goods for part in plans for goods in _set_aside(part)]

        merchants = {line.sku: line.merchant for line in order.lines}
        kept = await self._physical.allocate(request.order_no, merchants, planned, SplitDone)
        return await self._book.record_split(
            RecordSplit(order_no=request.order_no, plan=kept.sub_orders, at=request.at)
        )


def _plan(request: SplitOrder, order: LinesToSplit, shelves: Sequence[Warehouse]) -> list[SubOrderPlan]:
    """A plan made at placement is kept; only what has run out since becomes a back-order."""
    if order.plan is not None:
        return replan(order.plan, order.lines, shelves, order.shipping_fen)
    parts = cut(order.lines, shelves, request.terms)
    return plan(request.order_no, order.lines, parts, order.shipping_fen)


def _stocked(part: SubOrderPlan, shelves: Sequence[Warehouse]) -> SubOrderPlan:
    """Whether its warehouse is one of our ledger's. A merchant without any keeps its goods itself."""
    ours = any((site.merchant, site.warehouse) == (part.merchant, part.warehouse) for site in shelves)
    return part.model_copy(update={"stocked": ours and part.delivery_mode is DeliveryMode.PHYSICAL})


def _set_aside(part: SubOrderPlan) -> list[Allocation]:
    """Nothing yet for a back-order."""
    if not part.stocked or part.warehouse is None or BACKORDER in part.flags:
        return []
    return [
        Allocation(
            sub_key=part.sub_order_no,
            sku=line.sku,
            warehouse=part.warehouse,
            quantity=line.quantity,
            line_no=line.line_no,
        )
        for line in part.lines
    ]
