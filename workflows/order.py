"""The order's story, from checkout until every sub-order is received or closed.

place: screen → price → take what was promised → record    refused: nothing is kept of it
collect the payment, assess the risk beside it             closed: goods, coupons and money go back
clear the risk                                             rejected: closed, the same
sell: deduct what is paid                                  gone by now: it is refunded at once
---- the pivot: split into sub-orders; before it everything is undone, from here it only moves forward ----
fulfil: a run per sub-order → fold their status            cancelled before shipping: refunded, restocked
"""

import asyncio
from datetime import datetime
from typing import NoReturn

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.orders import (
        CloseOrder,
        OrderActivities,
        OrderClosing,
        OrderOf,
        RecordRefusal,
    )
    from domain.order.acts import Cancel, OrderEnded, SubOrderNews, cancel_reason, closing_answer
    from domain.order.attention import AttentionTopic
    from domain.order.cart import StartOrder
    from domain.order.lines import Placement
    from domain.order.payment import Capture
    from domain.order.precedence import CaptureOutcome, PaymentStage, weigh
    from domain.order.status import Action, Actor, Answer, CloseReason, Status, allowed, refusal
    from domain.risk import Decision, RiskVerdict
    from workflows import run_names
    from workflows.closing import Closing, PaidAfterAll, SplitAfterAll
    from workflows.fulfilment import Fulfilment
    from workflows.give_back import give_back
    from workflows.operator_view import OperatorView
    from workflows.payment_collection import PaymentCollection
    from workflows.placing import NotTaken, Placing
    from workflows.risk_watch import RiskWatch
    from workflows.selling import Selling
    from workflows.steps import Steps
    from workflows.waiting import Background, heeding_cancel, within


@workflow.defn(name="Order")
class Order:
    """One run per order. Its id is the order's number; keys of its steps are the number and the step's name."""

    @workflow.init
    def __init__(self, start: StartOrder) -> None:
        self._start = start
        self._no = start.order_no
        self._view = OperatorView(self._no, "", self._describe, Status.PENDING_PAYMENT)
        self._steps = Steps(self._view)
        self._risk = RiskWatch(self._no, start.terms, self._view, self._steps)
        self._payment = PaymentCollection(self._no, self._steps)
        self._fulfilment = Fulfilment(start, self._view, self._steps)
        self._placing = Placing(start, self._steps)
        self._selling = Selling(start, self._steps)
        self._placement: Placement | None = None
        self._answered = False
        self._pay_by: datetime | None = None
        self._overdue = False
        self._cancelled: CloseReason | None = None
        self._past_pivot = False
        self._ended: OrderEnded | None = None
        self._to_operators = ""  # why it was refused, which checkout's caller is not always told
        self._background = Background()
        self._not_cancelled = ""

    @workflow.run
    async def run(self, start: StartOrder) -> OrderEnded:
        return await heeding_cancel(self._story(), self._operator_cancels)

    async def _story(self) -> OrderEnded:
        while True:
            try:
                await self._place()
                if not self._past_pivot:  # else this run starts over, or catches up, and the order is split already
                    await self._collect_payment()
                    await self._clear_risk()
                    await self._sell()
                await self._split()
                break
            except Closing as closing:  # a refusal, a message or the clock. A bug is none of these, and parks the run
                match await self._close(closing.reason):
                    case OrderEnded() as ended:
                        return await self._end(ended)
                    case SplitAfterAll() | PaidAfterAll() as known:  # the order book knew more than this run
                        self._catch_up(known)
        # The pivot: paid, accepted, sold, and written down as sub-orders. From here the order only moves forward.
        return await self._end(await self._fulfil())

    # --- before the pivot

    async def _place(self) -> None:
        """Screen, price, take what was promised, record; unless this run, or one before it, has done so."""
        if self._placement is not None or await self._came_this_far_before():
            return
        try:
            placement, merchants = await self._placing.run()
        except NotTaken as refused:
            await self._refuse_unless_placed(refused)
        else:
            self._placed(placement, merchants)
            self._beside_the_wait()

    async def _came_this_far_before(self) -> bool:
        """A run that was reset finds in the database what its order is by now, and never takes a step back."""
        facts = await self._steps.local(
            OrderActivities.look_up_order, OrderOf(order_no=self._no), AttentionTopic.RECORD
        )
        if facts.placement is None:
            return False
        if facts.placement.refusal is not None:
            self._refuse(facts.placement)
        self._placed(facts.placement, facts.merchants)
        if facts.close_reason is not None and not facts.split:
            raise Closing(facts.close_reason)
        self._payment.paid |= facts.paid
        self._past_pivot = facts.split
        self._fulfilment.ended_before(facts.ended)
        for owed in facts.owed:
            self._fulfilment.give_back(owed)
        if not self._past_pivot:
            self._beside_the_wait()
        return True

    async def _refuse_unless_placed(self, refused: NotTaken) -> None:
        kept = await self._record_refusal(refused)
        if kept.refusal is not None:
            self._refuse(kept, refused.to_operators)
        # lost try: it has placed the order, so it is not refused after all.
        await self._came_this_far_before()

    def _beside_the_wait(self) -> None:
        self._background.start(self._risk.watch())
        self._background.start(self._open_payment())

    def _placed(self, placement: Placement, merchants: list[str]) -> None:
        self._placement = placement
        self._pay_by = placement.pay_by
        self._payment.expect(placement.amount_due_fen, placement.currency)
        self._view.stage(run_names.MERCHANTS, merchants)
        self._view.stage(run_names.AMOUNT_FEN, placement.amount_due_fen)
        if self._pay_by is not None:
            self._view.stage(run_names.DEADLINE, self._pay_by)
        self._view.stage(run_names.ORDER_STATUS, self._status.value)
        self._view.show()

    def _refuse(self, kept: Placement, to_operators: str = "") -> NoReturn:
        """A refusal is an answer, not a failure."""
        assert kept.refusal is not None
        self._placement = kept
        self._to_operators = to_operators or kept.refusal.detail
        raise Closing(CloseReason.REFUSED)

    async def _open_payment(self) -> None:
        if self._pay_by is not None:
            await self._payment.open(self._pay_by)
        self._answered = True

    async def _collect_payment(self) -> None:
        """Wait for the money until the deadline; then the provider's answer to a close decides."""
        if self._pay_by is not None and self._payment.collecting:
            window = self._pay_by - workflow.now()
            decided = await within(
                window, lambda: self._weigh()[0] is not PaymentStage.WAITING, "until the payment is due"
            )
            self._overdue = not decided
            if self._weigh()[0] is not PaymentStage.PAID:
                await self._payment.close()
        self._close_if_weighed_so()

    async def _clear_risk(self) -> None:
        """Wait for the verdict: nothing is dispatched before it. The buyer may still cancel."""
        await workflow.wait_condition(lambda: self._risk.final is not None or self._weigh()[0] is PaymentStage.CLOSING)
        self._close_if_weighed_so()

    async def _sell(self) -> None:
        """What was paid for lines that are gone by now is given back at once, beside the story."""
        owed = await self._selling.run()
        if owed is not None:
            self._fulfilment.give_back(owed)

    async def _split(self) -> None:
        """The pivot."""
        await self._fulfilment.split()
        self._past_pivot = True

    def _weigh(self) -> tuple[PaymentStage, CloseReason | None]:
        self._background.check()
        return weigh(
            rejected=self._risk.final is RiskVerdict.REJECT,
            cancelled=self._cancelled,
            paid=self._payment.paid,
            overdue=self._overdue,
        )

    def _close_if_weighed_so(self) -> None:
        stage, reason = self._weigh()
        if stage is PaymentStage.CLOSING:
            assert reason is not None
            raise Closing(reason)

    # --- the two ways on

    async def _close(self, reason: CloseReason) -> OrderEnded | SplitAfterAll | PaidAfterAll:
        """Give back everything that was taken, then what was paid. The order book may know better than this run."""
        ended = OrderEnded(order_no=self._no, status=Status.CLOSED, close_reason=reason, detail=self._to_operators)
        if reason is CloseReason.REFUSED:
            self._background.cancel()
            await self._placing.undo()
            self._answered = True  # with nothing held any more
            return ended
        # lost try: it may have come further than this one, so the closing is recorded before anything is given back.
        closing = await self._record_closing(reason)
        if closing.paid_after_all:
            return PaidAfterAll()
        self._background.cancel()
        if closing.split:
            return SplitAfterAll(closing.owed)
        if closing.paid:
            await self._fulfilment.release_goods()
        await self._placing.undo(closed=True)
        self._ended = ended  # the parties are told now; the refund may take its time
        self._view.stage(run_names.ORDER_STATUS, Status.CLOSED.value)
        self._view.show()
        for owed in closing.owed:
            await give_back(self._no, owed, self._steps)
        return ended

    def _catch_up(self, known: SplitAfterAll | PaidAfterAll) -> None:
        match known:
            case SplitAfterAll(owed=of_closings):
                self._past_pivot = True
                for owed in of_closings:
                    self._fulfilment.give_back(owed)
            case PaidAfterAll():
                self._payment.paid = True

    async def _record_refusal(self, refused: NotTaken) -> Placement:
        """The answer that is kept under the caller's key. When it is this one, there is no order."""
        placement = Placement(order_no=self._no, refusal=refused.refusal)
        record = RecordRefusal(placement=placement, to_operators=refused.to_operators, at=workflow.now())
        return await self._steps.local(OrderActivities.record_refusal, record, AttentionTopic.RECORD)

    async def _record_closing(self, reason: CloseReason) -> OrderClosing:
        self._answered = True
        record = CloseOrder(order_no=self._no, reason=reason, at=workflow.now())
        return await self._steps.local(OrderActivities.close_order, record, AttentionTopic.RECORD)

    async def _fulfil(self) -> OrderEnded:
        self._payment.paid = True  # which a run that was reset has not seen happen
        self._background.cancel()
        self._answered = True  # whatever the provider's page is doing: it is paid
        self._view.stage(run_names.ORDER_STATUS, Status.AWAITING_SHIPMENT.value)
        await self._fulfilment.run()
        status = self._fulfilment.status
        reason = self._fulfilment.close_reason if status is Status.CLOSED else None
        return OrderEnded(order_no=self._no, status=status, close_reason=reason)

    async def _end(self, ended: OrderEnded) -> OrderEnded:
        """No message that was accepted is left unhandled; then the run's last words."""
        self._ended = ended
        unfinished = self._fulfilment.unfinished
        await workflow.wait_condition(
            lambda: workflow.all_handlers_finished() and all(task.done() for task in unfinished)
        )
        for task in unfinished:
            task.result()  # a bug in one parks the run
        self._background.cancel()
        self._view.stage(run_names.ORDER_STATUS, ended.status.value)
        if ended.close_reason is not None:
            self._view.stage(run_names.CLOSE_REASON, ended.close_reason.value)
        self._view.clear()
        return ended

    # --- what parties do

    @workflow.update(description="Wait for checkout's answer: the order, or the refusal")
    async def place(self) -> Placement:
        await workflow.wait_condition(lambda: self._answered)
        assert self._placement is not None
        return self._placement.model_copy(update={"payment_link": self._payment.link})

    @workflow.update(description="The provider took money for this order")
    async def receive_payment(self, capture: Capture) -> CaptureOutcome:
        await workflow.wait_condition(lambda: self._placement is not None)
        outcome = await self._payment.receive(capture)
        if outcome is CaptureOutcome.ACCEPTED:
            self._view.stage(run_names.ORDER_STATUS, self._status.value)
            if self._risk.final is None:  # else the split shows it at once, with one upsert less
                self._view.show()
        return outcome

    @workflow.update(description="A person approves or rejects an order that waits for a risk review")
    async def decide_risk(self, decision: Decision) -> Answer:
        # A decision that comes together with the verdict must not come too early.
        await workflow.wait_condition(lambda: self._risk.verdict is not None or self._ended is not None)
        if not self._risk.decide(decision):
            why = "no risk decision is wanted (any more)"
            return Answer(status=self._status, refused=refusal(self._status, Action.REJECT, Actor.PLATFORM, why))
        await workflow.wait_condition(lambda: self._risk.final is not None or self._ended is not None)
        if not self._risk.agrees_with(decision):
            why = "somebody has decided otherwise before"
            return Answer(status=self._status, refused=refusal(self._status, Action.REJECT, Actor.PLATFORM, why))
        return Answer(status=self._status)

    @workflow.update(description="Cancel the order: everything that has not shipped, or nothing")
    async def cancel(self, cancel: Cancel) -> Answer:
        return await self._cancel(cancel)

    @workflow.signal(description="Something was mended: try again now")
    def try_again(self) -> None:
        self._view.try_again()

    @workflow.signal(description="A sub-order's run tells its status")
    def sub_order_news(self, news: SubOrderNews) -> None:
        self._fulfilment.hear(news)

    def _operator_cancels(self) -> None:
        """The cancel button of the Temporal UI: the same as the platform's cancel, and refused when it is."""
        self._fulfilment.unfinished.append(asyncio.create_task(self._try_operators_cancel()))

    async def _try_operators_cancel(self) -> None:
        answer = await self._cancel(Cancel(note="cancelled in Temporal"))
        if answer.refused is not None:
            self._not_cancelled = answer.refused.reason
            self._view.show()

    async def _cancel(self, cancel: Cancel) -> Answer:
        await workflow.wait_condition(lambda: self._placement is not None)
        if not self._past_pivot and self._ended is None:
            if Action.CANCEL not in allowed(self._status, cancel.actor):
                return Answer(status=self._status, refused=refusal(self._status, Action.CANCEL, cancel.actor))
            self._cancelled = self._cancelled or cancel_reason(cancel.actor)
            await workflow.wait_condition(lambda: self._past_pivot or self._ended is not None)
        if self._past_pivot:
            return await self._fulfilment.cancel(cancel)
        assert self._ended is not None
        return closing_answer(self._ended.close_reason, cancel.actor)

    # --- what operators see

    @property
    def _status(self) -> Status:
        if self._ended is not None:
            return self._ended.status
        if self._past_pivot:
            return self._fulfilment.status
        return Status.AWAITING_SHIPMENT if self._payment.paid else Status.PENDING_PAYMENT

    def _describe(self) -> list[str]:
        cart = self._start.cart
        lines = [f"## Order {self._no}: {self._status}", f"- buyer {cart.buyer_id}, {len(cart.lines)} lines"]
        if self._placement is None:
            return [*lines, "- being placed"]
        if self._placement.refusal is not None:
            return [*lines, f"- refused, {self._placement.refusal.code}: {self._to_operators}"]
        paid = "paid" if self._payment.paid else f"to be paid by {self._pay_by:%Y-%m-%d %H:%M:%S} UTC"
        lines.append(f"- {self._payment.due_fen} fen, {paid}")
        lines.append(f"- risk: {self._risk.final or self._risk.verdict or 'being assessed'}")
        if self._ended is not None and self._ended.close_reason is not None:
            lines.append(f"- closed: {self._ended.close_reason}")
        if self._not_cancelled:
            lines.append(f"- not cancelled: {self._not_cancelled}")
        subs = [f"- {number}: {status}" for number, status in self._fulfilment.statuses.items()]
        return [*lines, *(["", "### Sub-orders", "", *subs] if subs else [])]
