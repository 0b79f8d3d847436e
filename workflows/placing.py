"""Placing an order: screen, price, take what was promised, record; or refuse, with nothing held."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.catalog import PriceCart, PricingActivities
    from activities.coupons import CouponActivities, CouponsOf, TakeCoupons
    from activities.orders import OrderActivities, RecordOrder
    from activities.risk import RiskActivities, ScreenBuyer
    from activities.stock import ReleaseStock, StockActivities
    from domain.order.attention import AttentionTopic
    from domain.order.cart import StartOrder
    from domain.order.lines import Placement, PricedOrder, Refusal, RefusalCode
    from domain.order.refusals import coupon_gone, goods_gone
    from domain.order.reservation import ReserveStock, StockLine
    from workflows.steps import Steps


class NotTaken(Exception):
    """The order is refused: an answer, not a failure. `to_operators` may say more than the caller is told."""

    def __init__(self, refusal: Refusal, to_operators: str = "") -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal
        self.to_operators = to_operators or refusal.detail


class Placing:
    """Key of each step: the order's number and the step's name."""

    def __init__(self, start: StartOrder, steps: Steps) -> None:
        self._start = start
        self._no = start.order_no
        self._steps = steps

    async def run(self) -> tuple[Placement, list[str]]:
        """Returns the placement, and the merchants whose goods are in it. Raises NotTaken."""
        await self._screen()
        priced = await self._price()
        await self._take_stock(priced)
        if priced.coupons:
            await self._take_coupons(priced)
        return await self._record(priced), priced.merchants

    async def undo(self, *, closed: bool = False) -> None:
        """Give everything back, in the reverse order of its taking; with nothing to give back it succeeds. When the
        order is `closed`, what was sold goes back too."""
        # lost try: it may have come further than this one, which finds another price or no coupon any more. So all is
        # given back, and not only what this try has seen.
        if self._start.cart.coupons:
            await self._give_back_coupons()
        await self._give_back_goods(sold=closed)

    async def _screen(self) -> None:
        ask = ScreenBuyer(order_no=self._no, cart=self._start.cart, now=workflow.now())
        screened = await self._steps.local(RiskActivities.screen_buyer, ask, AttentionTopic.SCREENING)
        if not screened.passed:
            refused = Refusal(code=RefusalCode.NOT_ACCEPTED, detail="this order can't be taken")
            raise NotTaken(refused, screened.reason)

    async def _price(self) -> PricedOrder:
        ask = PriceCart(order_no=self._no, cart=self._start.cart, terms=self._start.terms, at=workflow.now())
        priced = await self._steps.local(PricingActivities.price_cart, ask, AttentionTopic.PRICING)
        if priced.refusal is not None:
            raise NotTaken(priced.refusal)
        assert priced.order is not None
        return priced.order

    async def _take_stock(self, priced: PricedOrder) -> None:
        wanted = ReserveStock(
            order_no=self._no,
            buyer_id=self._start.cart.buyer_id,
            at=workflow.now(),
            lines=[
                StockLine(line_no=line.line_no, sku=line.sku, quantity=line.quantity, policy=line.policy)
                for line in priced.lines
            ],
        )
        reserved = await self._steps.local(StockActivities.reserve_stock, wanted, AttentionTopic.STOCK)
        refused = goods_gone(reserved, priced)
        if refused is not None:
            raise NotTaken(refused)

    async def _take_coupons(self, priced: PricedOrder) -> None:
        buyer_id = self._start.cart.buyer_id
        wanted = TakeCoupons(order_no=self._no, buyer_id=buyer_id, coupons=priced.coupons, at=workflow.now())
        taken = await self._steps.local(CouponActivities.take_coupons, wanted, AttentionTopic.COUPONS)
        refused = coupon_gone(taken, self._start.cart)
        if refused is not None:
            raise NotTaken(refused)

    async def _record(self, priced: PricedOrder) -> Placement:
        now = workflow.now()
        window = timedelta(seconds=self._start.terms.payment_window_s)
        record = RecordOrder(
            order_no=self._no,
            caller=self._start.caller,
            cart=self._start.cart,
            terms=self._start.terms,
            priced=priced,
            placed_at=now,
            pay_by=now + window if priced.amount_due_fen > 0 else None,
        )
        placement = await self._steps.local(OrderActivities.record_order, record, AttentionTopic.RECORD)
        if placement.refusal is not None:
            raise NotTaken(placement.refusal)
        return placement

    async def _give_back_goods(self, *, sold: bool) -> None:
        held = ReleaseStock(order_no=self._no, sold=sold)
        await self._steps.local(StockActivities.release_stock, held, AttentionTopic.STOCK)

    async def _give_back_coupons(self) -> None:
        taken = CouponsOf(order_no=self._no, at=workflow.now())
        await self._steps.local(CouponActivities.give_back_coupons, taken, AttentionTopic.COUPONS)
