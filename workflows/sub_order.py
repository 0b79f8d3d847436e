"""A sub-order's story: handed over, shipped, delivered, received; or closed by itself before it ships."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from activities.orders import Owed
    from activities.sub_orders import (
        RecordDelivered,
        RecordReceived,
        RecordRescheduled,
        RecordShipped,
        SubOrderActivities,
        SubOrderFacts,
        SubOrderOf,
    )
    from domain.order.acts import (
        Cancel,
        CancelPieces,
        ConfirmReceipt,
        Deliver,
        OrderClosed,
        Reschedule,
        Ship,
        SubOrderEnded,
        SubOrderNews,
        cancel_reason,
        closing_answer,
    )
    from domain.order.attention import AttentionTopic
    from domain.order.lines import StartSubOrder
    from domain.order.pieces import by_line
    from domain.order.status import Actor, Answer, CloseReason, Status
    from workflows import run_names
    from workflows.closing import close_pieces, close_sub_orders, tell_closed
    from workflows.dispatch import Dispatch
    from workflows.give_back import give_back
    from workflows.operator_view import OperatorView
    from workflows.steps import Steps
    from workflows.waiting import Background, heeding_cancel, within


@workflow.defn(name="SubOrder")
class SubOrder:
    """One merchant's warehouse, one parcel. Key of each step: the sub-order's number and the step's name."""

    @workflow.init
    def __init__(self, start: StartSubOrder) -> None:
        self._start = start
        self._plan = start.plan
        self._no = start.plan.sub_order_no
        self._view = OperatorView(start.order_no, self._no, self._describe, Status.AWAITING_SHIPMENT)
        self._steps = Steps(self._view)
        self._view.listener = self._tell_trouble
        self._dispatch = Dispatch(start, self._view, self._steps)
        self._shipped = False
        self._delivered = False
        self._received = False
        self._close_reason: CloseReason | None = None
        self._tracking = ""
        self._not_cancelled = ""
        self._end_is_wanted = False
        self._background = Background()
        self._unfinished: list[asyncio.Task[None]] = []
        self._left = {line.line_no: line.quantity for line in self._plan.lines}
        self._given_back: set[str] = set()  # the keys of what is being given back, or was

    @workflow.run
    async def run(self, start: StartSubOrder) -> SubOrderEnded:
        return await heeding_cancel(self._story(), self._operator_cancels)

    async def _story(self) -> SubOrderEnded:
        self._view.show()
        await self._until_it_may_leave()
        if self._close_reason is None:
            await self._send_until_shipped()
        if self._close_reason is None:
            self._tell_order()
            await self._travel()
            await self._receive()
        return await self._end()

    # --- the steps

    async def _until_it_may_leave(self) -> None:
        """A presale waits for its date, a back-order for its goods; either may be closed meanwhile."""
        await self._dispatch.until_ship_date(self._moved_on)
        if not await self._dispatch.until_goods_are_there(self._moved_on):
            await self._close(Cancel(actor=Actor.CLOCK, note="the goods did not come by the promised date"))

    async def _send_until_shipped(self) -> None:
        """The merchant gets it, however long it takes, unless it ships or is closed first."""
        sending = self._background.start(self._send_out())

        def moved_on() -> bool:
            return self._moved_on() or self._background.check()

        await self._within_or_overdue(
            AttentionTopic.DISPATCH, self._start.dispatch_window_s, moved_on, "not shipped in time"
        )
        sending.cancel()
        await self._view.healed(AttentionTopic.HAND_OVER)
        if self._close_reason is None:
            await self._dispatch.left_the_warehouse()

    async def _send_out(self) -> None:
        self._pick_up_from(await self._dispatch.send())

    def _moved_on(self) -> bool:
        return self._shipped or self._close_reason is not None

    def _pick_up_from(self, facts: SubOrderFacts) -> None:
        """Take over what the database knows: how far an earlier run had come, and what it still owed."""
        # What was asked before a cancel may come after it.
        self._left = {no: min(pieces, self._left.get(no, 0)) for no, pieces in by_line(facts.left).items()}
        for owed in facts.owed:
            self._give_back(owed)
        self._close_reason = self._close_reason or facts.close_reason
        self._shipped |= facts.status in (Status.SHIPPED, Status.COMPLETED, Status.REVIEWED)
        self._received |= facts.status in (Status.COMPLETED, Status.REVIEWED)
        self._delivered |= facts.delivered
        self._dispatch.ships_from = facts.ships_from

    async def _travel(self) -> None:
        """Wait until it is delivered. A parcel that is long under way needs a person to ask the carrier."""

        def arrived() -> bool:
            return self._delivered or self._received

        await self._within_or_overdue(
            AttentionTopic.TRANSIT, self._start.transit_window_s, arrived, "not delivered in time"
        )

    async def _within_or_overdue(
        self, topic: AttentionTopic, window_s: int, done: Callable[[], bool], overdue: str
    ) -> None:
        """Wait for what others do; overdue, it needs a person, and still waits. The database is asked before that:
        a message whose worker died may have been written down and then lost."""
        window = timedelta(seconds=window_s)
        while not await within(window, done, f"{topic}: until it is overdue"):
            await self._catch_up()
            if not done():
                await self._view.needs_person(topic, f"{overdue}: {window}")
        await self._view.healed(topic)

    async def _catch_up(self) -> None:
        this = SubOrderOf(sub_order_no=self._no)
        facts = await self._steps.local(SubOrderActivities.sub_order_facts, this, AttentionTopic.SUB_ORDER_FACTS)
        self._pick_up_from(facts)

    async def _receive(self) -> None:
        """The buyer confirms, or the clock does."""
        window = timedelta(seconds=self._start.receipt_window_s)
        if not await within(window, lambda: self._received, "until the clock confirms the receipt"):
            await self._record_received(Actor.CLOCK)

    async def _end(self) -> SubOrderEnded:
        """No message that was accepted is left unhandled, nothing owed is left undone; then the last words."""
        self._show_status()
        await workflow.wait_condition(
            lambda: workflow.all_handlers_finished() and all(task.done() for task in self._unfinished)
        )
        for task in self._unfinished:
            task.result()  # a bug in one parks the run
        self._view.clear()
        if self._end_is_wanted:
            await self._send(SubOrderNews(sub_order_no=self._no, status=self._status))
            await workflow.wait_condition(workflow.all_handlers_finished)
        return SubOrderEnded(sub_order_no=self._no, status=self._status, close_reason=self._close_reason)

    # --- what parties do

    @workflow.update(description="A presale's ship date has changed")
    async def reschedule(self, changed: Reschedule) -> Answer:
        record = RecordRescheduled(
            sub_order_no=self._no, actor=changed.actor, ships_from=changed.ships_from, at=workflow.now()
        )
        answer = await self._steps.local(SubOrderActivities.record_rescheduled, record, AttentionTopic.SHIPPING_RECORD)
        if answer.refused is None:
            self._dispatch.ships_from = changed.ships_from
            self._view.show()
        return answer

    @workflow.update(description="The merchant gave the parcel to a carrier")
    async def ship(self, shipment: Ship) -> Answer:
        record = RecordShipped(
            sub_order_no=self._no,
            actor=shipment.actor,
            carrier=shipment.carrier,
            tracking_no=shipment.tracking_no,
            at=workflow.now(),
        )
        answer = await self._steps.local(SubOrderActivities.record_shipped, record, AttentionTopic.SHIPPING_RECORD)
        if answer.refused is None:
            self._shipped = True
            self._tracking = f"{shipment.carrier} {shipment.tracking_no}"
            self._show_status()
        return answer

    @workflow.update(description="The carrier delivered the parcel")
    async def deliver(self, delivery: Deliver) -> Answer:
        record = RecordDelivered(sub_order_no=self._no, actor=delivery.actor, at=workflow.now())
        answer = await self._steps.local(SubOrderActivities.record_delivered, record, AttentionTopic.DELIVERY_RECORD)
        if answer.refused is None:
            self._shipped = self._delivered = True  # shipped too, should that message have been lost
        return answer

    @workflow.update(description="The buyer has the goods")
    async def confirm_receipt(self, confirmed: ConfirmReceipt) -> Answer:
        return await self._record_received(confirmed.actor)

    @workflow.update(description="Close this sub-order by itself, before it ships")
    async def cancel(self, cancel: Cancel) -> Answer:
        return await self._close(cancel)

    @workflow.update(description="Cancel some pieces, before they ship")
    async def cancel_pieces(self, cancel: CancelPieces) -> Answer:
        return await self._close_pieces(cancel)

    @workflow.signal(description="The order was closed, with all that is left of it")
    def closed_with_order(self, closed: OrderClosed) -> None:
        # Shown by the story, and not here: where a reset applies it again, a replay may have it before the updates of
        # the same task and not after them.
        self._close_reason = closed.reason

    @workflow.signal(description="The order's run did not start this one: it wants to be told of the end")
    def tell_your_end(self) -> None:
        self._end_is_wanted = True

    @workflow.signal(description="Something was mended: try again now")
    def try_again(self) -> None:
        self._view.try_again()

    def _operator_cancels(self) -> None:
        """The cancel button of the Temporal UI: the same as the platform's cancel, and refused when it is."""
        self._unfinished.append(asyncio.create_task(self._try_operators_cancel()))

    async def _try_operators_cancel(self) -> None:
        answer = await self._close(Cancel(note="cancelled in Temporal"))
        if answer.refused is not None:
            self._not_cancelled = answer.refused.reason
            self._view.show()

    # --- what steps and acts are made of

    async def _record_received(self, actor: Actor) -> Answer:
        record = RecordReceived(sub_order_no=self._no, actor=actor, at=workflow.now())
        answer = await self._steps.local(SubOrderActivities.record_received, record, AttentionTopic.RECEIPT_RECORD)
        if answer.refused is None:
            self._shipped = self._received = True
            self._show_status()
        return answer

    async def _close(self, cancel: Cancel) -> Answer:
        closed = await close_sub_orders(self._start.order_no, self._no, cancel, self._steps)
        if closed.refused is not None:
            return Answer(status=closed.refused.status, refused=closed.refused)
        assert closed.reason is not None
        self._give_back(closed.owed)
        await self._follow_closing(closed.closed, closed.reason)
        return closing_answer(closed.reason, cancel.actor)

    async def _close_pieces(self, cancel: CancelPieces) -> Answer:
        """The key is the update's id: asked again under it, by whichever run, they are closed once."""
        act = workflow.current_update_info()
        assert act is not None
        closed = await close_pieces(self._no, act.id, cancel, self._steps)
        if closed.refused is not None:
            return Answer(status=closed.refused.status, refused=closed.refused)
        self._left = by_line(closed.left)
        self._give_back(closed.owed)
        await self._follow_closing(closed.closed, cancel_reason(cancel.actor))
        return Answer(status=self._status)

    async def _follow_closing(self, numbers: Sequence[str], reason: CloseReason) -> None:
        """Take over what was closed: this sub-order, or others that held nothing but gifts for its goods."""
        if self._no in numbers:
            self._close_reason = reason
        self._show_status()
        for number in numbers:
            if number != self._no:
                await tell_closed(number, reason)

    def _give_back(self, owed: Owed) -> None:
        """Give back beside the story, which does not end before it is done. The keys make a repeat harmless."""
        if owed.key in self._given_back:
            return
        self._given_back.add(owed.key)
        giving = give_back(self._start.order_no, owed, self._steps)
        self._unfinished.append(asyncio.create_task(giving))

    @property
    def _status(self) -> Status:
        if self._close_reason is not None:
            return Status.CLOSED
        if self._received:
            return Status.COMPLETED
        if self._shipped:
            return Status.SHIPPED
        return Status.EXCEPTION if self._view.waiting else Status.AWAITING_SHIPMENT

    def _show_status(self) -> None:
        self._view.stage(run_names.ORDER_STATUS, self._status.value)
        if self._close_reason is not None:
            self._view.stage(run_names.CLOSE_REASON, self._close_reason.value)
        self._view.show()

    def _tell_order(self, topic: str = "", text: str | None = None) -> None:
        news = SubOrderNews(sub_order_no=self._no, status=self._status, topic=topic, text=text)
        self._unfinished.append(asyncio.create_task(self._send(news)))

    async def _tell_trouble(self, topic: str, text: str | None) -> None:
        self._show_status()
        self._tell_order(topic, text)

    async def _send(self, news: SubOrderNews) -> None:
        order = workflow.get_external_workflow_handle(run_names.order_id(self._start.order_no))
        try:
            await order.signal("sub_order_news", news)
        except FailureError:
            # The order's run was terminated. The database still folds the order's status.
            workflow.logger.warning("order %s was not there to hear of %s", self._start.order_no, self._no)

    def _describe(self) -> list[str]:
        plan = self._plan
        return [
            f"## Sub-order {self._no}: {self._status}",
            f"- part {plan.index} of order {self._start.order_no}",
            f"- {plan.merchant}, {plan.warehouse or 'virtual goods'}: paid {plan.pay_fen} fen",
            *([f"- presale, ships from {self._dispatch.ships_from}"] if plan.ships_from else []),
            *[f"- {flag.lower()}" for flag in plan.flags],
            *[f"- {self._left.get(line.line_no, 0)} × {line.title} ({line.sku})" for line in plan.lines],
            *([f"- shipped with {self._tracking}"] if self._tracking else []),
            *([f"- not cancelled: {self._not_cancelled}"] if self._not_cancelled else []),
        ]
