"""Selling what is paid: the last step before the split."""

from collections.abc import Collection

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.coupons import CouponActivities, CouponsOf
    from activities.orders import CloseLines, OrderActivities, Owed
    from activities.stock import StockActivities, StockOf
    from domain.order.attention import AttentionTopic
    from domain.order.cart import StartOrder
    from domain.order.status import CloseReason
    from workflows.closing import Closing
    from workflows.steps import Steps


class Selling:
    """Key of each step: the order's number and the step's name."""

    def __init__(self, start: StartOrder, steps: Steps) -> None:
        self._start = start
        self._no = start.order_no
        self._steps = steps

    async def run(self) -> Owed | None:
        """Deduct what was reserved, and what is only taken at payment as far as it is there. Returns what is owed for
        lines that are gone by now. Raises Closing when that is all of them, or the platform would rather close."""
        gone = await self._deduct()
        if gone and (self._start.terms.shortage_closes_order or gone >= self._all_lines):
            raise Closing(CloseReason.OUT_OF_STOCK)
        if self._start.cart.coupons:
            await self._redeem_coupons()
        return await self._close_lines(gone) if gone else None

    @property
    def _all_lines(self) -> set[int]:
        return {line.line_no for line in self._start.cart.lines}

    async def _deduct(self) -> set[int]:
        """The lines for which there was too little."""
        order = StockOf(order_no=self._no)
        sold = await self._steps.local(StockActivities.deduct_stock, order, AttentionTopic.STOCK)
        return {short.line_no for short in sold.short}

    async def _redeem_coupons(self) -> None:
        used = CouponsOf(order_no=self._no, at=workflow.now())
        await self._steps.local(CouponActivities.redeem_coupons, used, AttentionTopic.COUPONS)

    async def _close_lines(self, gone: Collection[int]) -> Owed:
        closing = CloseLines(order_no=self._no, lines=sorted(gone), at=workflow.now())
        return await self._steps.local(OrderActivities.close_lines, closing, AttentionTopic.STOCK)
