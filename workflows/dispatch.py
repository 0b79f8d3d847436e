"""How a sub-order leaves: it waits for its ship date and its goods, then it is handed over, or granted."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.merchant import GrantGoods, HandOver, HandOverLine, MerchantActivities
    from activities.stock import GoodsActivities, GoodsOf, TakeGoods
    from activities.sub_orders import SubOrderFacts
    from domain.order.attention import AttentionTopic
    from domain.order.lines import StartSubOrder
    from domain.order.product import DeliveryMode
    from domain.order.reservation import StockLine
    from domain.splitting.model import BACKORDER
    from workflows.operator_view import OperatorView
    from workflows.steps import Steps
    from workflows.waiting import within

LOOK_AGAIN = timedelta(hours=1)  # for the goods of a back-order; `try_again` looks at once


class Dispatch:
    """Key of each step: the sub-order's number and the step's name."""

    def __init__(self, start: StartSubOrder, view: OperatorView, steps: Steps) -> None:
        self._start = start
        self._plan = start.plan
        self._view = view
        self._steps = steps
        self.ships_from = start.plan.ships_from

    @property
    def goods(self) -> GoodsOf:
        return GoodsOf(sub_order_no=self._plan.sub_order_no)

    @property
    def _wanted(self) -> TakeGoods:
        plan = self._plan
        lines = [StockLine(line_no=line.line_no, sku=line.sku, quantity=line.quantity) for line in plan.lines]
        return TakeGoods(sub_order_no=plan.sub_order_no, warehouse=plan.warehouse or "", lines=lines)

    async def until_ship_date(self, moved_on: Callable[[], bool]) -> None:
        """A presale does not leave before its date (00:00 UTC), which may be moved meanwhile."""
        while self.ships_from is not None and not moved_on():
            if not await self._within_date(self.ships_from, moved_on):
                return

    async def _within_date(self, day: date, moved_on: Callable[[], bool]) -> bool:
        """Whether something has happened before the date."""
        left = datetime.combine(day, time(), UTC) - workflow.now()
        return await within(left, lambda: moved_on() or self.ships_from != day, f"presale: until it ships from {day}")

    async def until_goods_are_there(self, moved_on: Callable[[], bool]) -> bool:
        """Wait for the goods of a back-order, until the promised date. False when they did not come by then."""
        if BACKORDER not in self._plan.flags or not self._plan.stocked:
            return True
        promised = workflow.now() + timedelta(seconds=self._start.backorder_window_s)
        while not moved_on():
            taken = await self._steps.local(GoodsActivities.take_goods, self._wanted, AttentionTopic.BACK_ORDER)
            if taken.taken:
                return True
            left = promised - workflow.now()
            if left <= timedelta(0):
                return False
            await self._view.pause(min(left, LOOK_AGAIN), "back-order: until its goods are looked for again", moved_on)
        return True

    async def send(self) -> SubOrderFacts:
        """Give it to the merchant, however long that takes. Returns how far the sub-order has come by then."""
        lines = [
            HandOverLine(line_no=line.line_no, sku=line.sku, title=line.title, quantity=line.quantity)
            for line in self._plan.lines
        ]
        if self._plan.delivery_mode is DeliveryMode.VIRTUAL:
            return await self._grant(lines)
        return await self._hand_over(lines)

    async def left_the_warehouse(self) -> None:
        if self._plan.stocked:
            await self._steps.local(GoodsActivities.ship_goods, self.goods, AttentionTopic.WAREHOUSE_STOCK)

    async def _hand_over(self, lines: list[HandOverLine]) -> SubOrderFacts:
        plan = self._plan
        parcel = HandOver(
            sub_order_no=plan.sub_order_no,
            order_no=self._start.order_no,
            merchant=plan.merchant,
            warehouse=plan.warehouse or plan.merchant,
            address=self._start.address,
            lines=lines,
        )
        return await self._steps.regular(
            MerchantActivities.hand_over,
            parcel,
            AttentionTopic.HAND_OVER,
            f"hand over to {plan.merchant}, {plan.warehouse}",
        )

    async def _grant(self, lines: list[HandOverLine]) -> SubOrderFacts:
        plan = self._plan
        goods = GrantGoods(
            sub_order_no=plan.sub_order_no,
            order_no=self._start.order_no,
            merchant=plan.merchant,
            buyer_id=self._start.buyer_id,
            lines=lines,
        )
        return await self._steps.regular(
            MerchantActivities.grant_goods, goods, AttentionTopic.HAND_OVER, f"grant virtual goods of {plan.merchant}"
        )
