"""The split, and what follows it: a run for each sub-order, and the order's status, which is folded from theirs."""

import asyncio
import contextlib
from collections.abc import Collection
from datetime import timedelta
from itertools import chain, repeat

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import (
    ChildWorkflowError,
    FailureError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.options import PAUSES
    from activities.orders import Owed, SplitOrder
    from activities.splitting import SplitActivities
    from activities.stock import GoodsActivities, StockOf
    from activities.sub_orders import SubOrderActivities, SubOrderOf
    from domain.order.acts import Cancel, SubOrderEnded, SubOrderNews, closing_answer
    from domain.order.attention import AttentionTopic, of_sub_order
    from domain.order.cart import StartOrder
    from domain.order.lines import StartSubOrder, SubOrderPlan
    from domain.order.status import ENDED, Answer, CloseReason, Status, fold
    from workflows import run_names
    from workflows.closing import Closing, close_sub_orders, tell_closed
    from workflows.give_back import give_back
    from workflows.operator_view import OperatorView
    from workflows.steps import Steps
    from workflows.sub_order import SubOrder

Child = ChildWorkflowHandle[SubOrder, SubOrderEnded]


class Fulfilment:
    """The sub-orders of one order. The order's run shows their trouble too, because an operator looks there first."""

    def __init__(self, start: StartOrder, view: OperatorView, steps: Steps) -> None:
        self._start = start
        self._no = start.order_no
        self._view = view
        self._steps = steps
        self._plans: dict[str, SubOrderPlan] = {}
        self._ended: set[str] = set()
        self._ended_before: dict[str, SubOrderEnded] = {}
        self._asked: set[str] = set()  # sub-orders whose runs this one did not start: they are asked to tell their end
        self._told_ended: set[str] = set()
        self.statuses: dict[str, Status] = {}  # by sub-order number
        self.close_reason: CloseReason | None = None
        self.unfinished: list[asyncio.Task[None]] = []  # what must be done before the run may end

    @property
    def status(self) -> Status:
        return fold(self.statuses.values()).status if self.statuses else Status.AWAITING_SHIPMENT

    async def split(self) -> None:
        """The pivot. Raises Closing when the order is closed."""
        request = SplitOrder(order_no=self._no, terms=self._start.terms, at=workflow.now())
        done = await self._steps.local(SplitActivities.split_order, request, AttentionTopic.SPLIT)
        if done.closed is not None:  # lost try: it may have heard a cancel first
            raise Closing(done.closed)
        self._plans = {plan.sub_order_no: plan for plan in done.sub_orders}
        self.statuses = {number: self.statuses.get(number, Status.AWAITING_SHIPMENT) for number in self._plans}

    async def release_goods(self) -> None:
        """Release the goods that were set aside in warehouses for an order that closes and is not split."""
        # lost try: it may have set goods aside for the sub-orders and not have written these down.
        order = StockOf(order_no=self._no)
        await self._steps.local(GoodsActivities.release_goods, order, AttentionTopic.STOCK)

    async def run(self) -> None:
        """Follow every sub-order until it is received or closed."""
        self._show()
        follows = [asyncio.create_task(self._follow(plan)) for plan in self._plans.values()]
        done, _ = await workflow.wait(follows, return_when=asyncio.FIRST_EXCEPTION)
        for follow in done:
            follow.result()  # a bug in one parks the order; the others' runs go on by themselves

    def hear(self, news: SubOrderNews) -> None:
        if news.sub_order_no in self._ended:
            return  # it came late
        self.statuses[news.sub_order_no] = news.status
        if news.status in ENDED:
            self._told_ended.add(news.sub_order_no)
        if not self._plans:
            # Applied again by a reset, in the run's first task. A replay may have it before the updates of that task
            # and not after them, so nothing may be sent here.
            return
        if news.topic:
            self._view.mirror(of_sub_order(news.sub_order_no, news.topic), news.text)
        self._show()

    async def cancel(self, cancel: Cancel) -> Answer:
        """Close every sub-order that is left, all or none, then give back what is owed. The database decides
        between this and a shipment that comes at the same moment."""
        await workflow.wait_condition(lambda: bool(self._plans))
        closed = await close_sub_orders(self._no, None, cancel, self._steps)
        if closed.refused is not None:
            return Answer(status=closed.refused.status, refused=closed.refused)
        assert closed.reason is not None
        self.close_reason = closed.reason
        for number in closed.closed:
            await tell_closed(number, closed.reason)
        self.give_back(closed.owed)
        return closing_answer(closed.reason, cancel.actor)

    def give_back(self, owed: Owed) -> None:
        """Give back beside the story, which does not end before it is done. The keys make a repeat harmless."""
        self.unfinished.append(asyncio.create_task(give_back(self._no, owed, self._steps)))

    def ended_before(self, ended: Collection[SubOrderEnded]) -> None:
        """Take over which sub-orders have ended before this run began: their runs are not started again."""
        self._ended_before = {one.sub_order_no: one for one in ended}

    async def _follow(self, plan: SubOrderPlan) -> None:
        number = plan.sub_order_no
        ended = self._ended_before.get(number) or await self._until_its_end(plan)
        for topic in [topic for topic in self._view.waiting if topic.startswith(number)]:
            self._view.mirror(topic, None)
        self.close_reason = ended.close_reason or self.close_reason
        self.hear(SubOrderNews(sub_order_no=number, status=ended.status))
        self._ended.add(number)

    async def _until_its_end(self, plan: SubOrderPlan) -> SubOrderEnded:
        """Start the sub-order's run and wait for its end. One that was terminated is started again: it reads from
        the database how far it had come, so nothing is done twice.

        When the order's run starts over, the sub-order's run may still be there, started by the order's earlier run.
        Once that is terminated, the next round starts a new one."""
        topic = of_sub_order(plan.sub_order_no, AttentionTopic.SUB_ORDER_RUN)
        for pause in chain(PAUSES[1:], repeat(PAUSES[-1])):
            try:
                child = await self._start_child(plan)
                await self._view.healed(topic)
                return await child
            except WorkflowAlreadyStartedError:
                ended = await self._end_of_earlier_run(plan.sub_order_no, pause)
                if ended is not None:
                    return ended
            except ChildWorkflowError as error:
                if is_cancelled_exception(error) and workflow.cancellation_reason() is None:
                    raise
                await self._view.needs_person(topic, f"ended before its time, starts again: {error.cause}")
                await self._view.pause(pause, f"before sub-order {plan.index} starts again")
        raise AssertionError("unreachable: the pauses never end")

    async def _end_of_earlier_run(self, number: str, longest: timedelta) -> SubOrderEnded | None:
        """Wait for the end of a run that this one did not start. It tells its end once it is asked to, and the database
        knows it."""
        if number not in self._asked:
            self._asked.add(number)
            with contextlib.suppress(FailureError):  # it is just ending
                run = workflow.get_external_workflow_handle(run_names.sub_order_id(number))
                await run.signal("tell_your_end")
        if (ended := await self._has_ended(number)) is not None:
            return ended
        await self._view.pause(longest, f"before looking for {number} again", lambda: number in self._told_ended)
        return await self._has_ended(number)

    async def _has_ended(self, number: str) -> SubOrderEnded | None:
        facts = await self._steps.local(
            SubOrderActivities.sub_order_facts, SubOrderOf(sub_order_no=number), AttentionTopic.SUB_ORDER_FACTS
        )
        if facts.status not in ENDED:
            return None
        return SubOrderEnded(sub_order_no=number, status=facts.status, close_reason=facts.close_reason)

    async def _start_child(self, plan: SubOrderPlan) -> Child:
        cart, terms = self._start.cart, self._start.terms
        return await workflow.start_child_workflow(
            SubOrder.run,
            StartSubOrder(
                order_no=self._no,
                buyer_id=cart.buyer_id,
                plan=plan,
                address=cart.address,
                dispatch_window_s=terms.dispatch_window_s,
                transit_window_s=terms.transit_window_s,
                receipt_window_s=terms.receipt_window_s,
                backorder_window_s=terms.backorder_window_s,
            ),
            id=run_names.sub_order_id(plan.sub_order_no),
            # A terminated order must not take paid parcels with it: each sub-order ends in good order by itself.
            parent_close_policy=ParentClosePolicy.ABANDON,
            static_summary=f"part {plan.index}: {plan.merchant}, {plan.warehouse or 'virtual'}, {plan.pay_fen} fen",
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(run_names.ORDER_NO, self._no),
                    SearchAttributePair(run_names.BUYER_ID, str(cart.buyer_id)),
                    SearchAttributePair(run_names.MERCHANTS, [plan.merchant]),
                    SearchAttributePair(run_names.ORDER_STATUS, Status.AWAITING_SHIPMENT.value),
                    SearchAttributePair(run_names.AMOUNT_FEN, plan.pay_fen),
                ]
            ),
        )

    def _show(self) -> None:
        self._view.stage(run_names.ORDER_STATUS, self.status.value)
        self._view.show()
