"""Changes that break runs in flight. A replay has to find each of them, or it is no gate.

Apart from the tests, because a worker loads a workflow's module into its sandbox.
"""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.order.acts import OrderEnded, SubOrderEnded
    from domain.order.cart import StartOrder
    from domain.order.lines import Placement, PricedOrder, StartSubOrder
    from workflows.order import Order
    from workflows.placing import Placing
    from workflows.sub_order import SubOrder


@workflow.defn(name="Order")
class AnAddedSleep(Order):
    @workflow.init
    def __init__(self, start: StartOrder) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: StartOrder) -> OrderEnded:
        await workflow.sleep(timedelta(seconds=1))
        return await super().run(start)


class _Swapped(Placing):
    async def _take_stock(self, priced: PricedOrder) -> None:
        await super()._record(priced)

    async def _record(self, priced: PricedOrder) -> Placement:
        await super()._take_stock(priced)
        return Placement(order_no=self._no, amount_due_fen=priced.amount_due_fen, pay_by=workflow.now())


@workflow.defn(name="Order")
class TwoStepsSwapped(Order):
    """The stock is taken after the order is recorded, instead of before."""

    @workflow.init
    def __init__(self, start: StartOrder) -> None:
        super().__init__(start)
        self._placing = _Swapped(start, self._steps)

    @workflow.run
    async def run(self, start: StartOrder) -> OrderEnded:
        return await super().run(start)


@workflow.defn(name="Order")
class AnotherStep(Order):
    """The goods are released where they should be deducted; both steps answer alike."""

    @workflow.init
    def __init__(self, start: StartOrder) -> None:
        super().__init__(start)
        self._selling.run = self._placing.undo  # type: ignore[method-assign]

    @workflow.run
    async def run(self, start: StartOrder) -> OrderEnded:
        return await super().run(start)


@workflow.defn(name="SubOrder")
class AStepLeftOut(SubOrder):
    """Nobody hands the parcel over."""

    @workflow.init
    def __init__(self, start: StartSubOrder) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: StartSubOrder) -> SubOrderEnded:
        return await super().run(start)

    async def _send_out(self) -> None:
        return
