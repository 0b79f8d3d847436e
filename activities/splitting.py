"""The split, as a story sees it: planned with what lies in the warehouses, set aside there, then written down."""

from collections.abc import Sequence

from temporalio import activity

from activities.orders import LinesToSplit, OrderBook, RecordSplit, SplitDone, SplitOrder
from activities.stock import Plan, Warehouses
from domain.order import SubOrderPlan
from domain.plan import cut, plan, replan
from domain.split_model import Warehouse


class SplitActivities:
    def __init__(self, book: OrderBook, warehouses: Warehouses) -> None:
        self._book = book
        self._warehouses = warehouses

    @activity.defn
    async def split_order(self, request: SplitOrder) -> SplitDone:
        """Key: the order, in each of both ledgers. Killed in between, the repeat gets what was set aside."""
        order = await self._book.lines_to_split(request.order_no)
        wanted: dict[str, set[str]] = {}
        for line in order.lines:
            wanted.setdefault(line.merchant, set()).add(line.sku)

        def planned(shelves: Sequence[Warehouse]) -> Plan:
            return Plan(sub_orders=_plan(request, order, shelves))

        kept = await self._warehouses.set_aside(request.order_no, wanted, planned)
        return await self._book.record_split(
            RecordSplit(order_no=request.order_no, plan=kept.sub_orders, at=request.at)
        )


def _plan(request: SplitOrder, order: LinesToSplit, shelves: Sequence[Warehouse]) -> list[SubOrderPlan]:
    """A plan made at placement stands; only what has run out since becomes a back-order."""
    if order.plan is not None:
        return replan(order.plan, order.lines, shelves, order.shipping_fen)
    parts = cut(order.lines, shelves, request.terms)
    return plan(request.order_no, order.lines, parts, order.shipping_fen)
