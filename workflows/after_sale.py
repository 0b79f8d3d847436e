"""One case of after-sale: agreed or not, sent back, inspected, refunded. The order's run has ended long before."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.after_sale import AfterSaleActivities, CaseOf, EndRefund, OpenCase, RecordCaseAct
    from activities.refunds import DecideRefund, QuoteRefund, RefundActivities, RefundDecided
    from domain.after_sale.case import (
        AfterSaleEnded,
        Agree,
        CaseAct,
        CaseAction,
        CaseAnswer,
        CaseFacts,
        CaseRefused,
        CaseStatus,
        Decide,
        Inspect,
        Refuse,
        SendBack,
        StartAfterSale,
        Withdraw,
    )
    from domain.order.attention import AttentionTopic
    from domain.order.order_number import parse
    from domain.order.status import Actor, CloseReason
    from workflows import run_names
    from workflows.closing import tell_closed
    from workflows.give_back import give_back
    from workflows.operator_view import OperatorView
    from workflows.steps import Steps
    from workflows.waiting import heeding_cancel, within

REASON = "AFTER_SALE"


@workflow.defn(name="AfterSale")
class AfterSale:
    """One case. Whatever is done to it is decided in the database, and this run follows; so it may start over at any
    time, and finds how far the case has come. Key of each step: the case's number and the step's name."""

    @workflow.init
    def __init__(self, start: StartAfterSale) -> None:
        self._start = start
        self._no = start.case_no
        self._order_no = parse(start.sub_order_no).order_no
        self._view = OperatorView(self._order_no, self._no, self._describe, CaseStatus.REQUESTED)
        self._steps = Steps(self._view)
        self._facts: CaseFacts | None = None
        self._refused: CaseRefused | None = None
        self._asked_to_cancel = False

    @workflow.run
    async def run(self, start: StartAfterSale) -> AfterSaleEnded:
        return await heeding_cancel(self._story(), self._cancel_asked)

    async def _story(self) -> AfterSaleEnded:
        if await self._came_this_far_before() or await self._open():
            await self._until(CaseStatus.REFUNDING)
            if self._case.status is CaseStatus.REFUNDING:
                await self._refund()
        return await self._end()

    # --- the steps

    async def _came_this_far_before(self) -> bool:
        """A run that starts over finds in the database how far its case has come, and never takes a step back."""
        found = await self._steps.local(AfterSaleActivities.look_up_case, CaseOf(case_no=self._no), AttentionTopic.CASE)
        self._follow(found)
        return self._facts is not None

    async def _open(self) -> bool:
        """The buyer is told what it comes to. A refusal is an answer: then there is no case, and nothing is held."""
        ask = self._start.ask
        wanted = QuoteRefund(sub_order_no=self._start.sub_order_no, lines=ask.lines)
        quote = await self._steps.local(RefundActivities.quote_refund, wanted, AttentionTopic.REFUND_QUOTE)
        if quote.refused is not None:
            self._refused = CaseRefused(status=None, action=None, reason=quote.refused.reason)
            return False
        case = OpenCase(
            case_no=self._no, sub_order_no=self._start.sub_order_no, ask=ask, quote=quote, at=workflow.now()
        )
        opened = await self._steps.local(AfterSaleActivities.open_case, case, AttentionTopic.CASE)
        self._refused = opened.refused
        self._follow(opened)
        return self._facts is not None

    async def _until(self, decided: CaseStatus) -> None:
        """State after state, until it is decided: in each, whoever is asked answers, or the clock does."""
        while self._case.status is not decided and not self._case.ended:
            before = self._case
            assert before.due_at is not None and before.clocks_action is not None
            if before.status is CaseStatus.DISPUTED:
                await self._view.needs_person(AttentionTopic.DISPUTE, f"the merchant refuses: {before.said}")
            window = before.due_at - workflow.now()
            what = f"{before.status}: until the clock takes {before.clocks_action}"
            if not await within(window, lambda before=before: self._case is not before, what):  # type: ignore[misc]
                await self._record(CaseAct(action=before.clocks_action, actor=Actor.CLOCK), f"clock/{before.revision}")
            if before.status is CaseStatus.DISPUTED and self._case.status is not before.status:
                await self._view.healed(AttentionTopic.DISPUTE)

    async def _refund(self) -> None:
        """What was accepted goes back, however long it takes: a case that is decided can't be withdrawn any more."""
        decided = await self._decide()
        if decided.refused is not None:
            await self._conclude(
                EndRefund(case_no=self._no, amount_fen=0, failed=decided.refused.reason, at=workflow.now())
            )
            return
        for number in decided.closed:
            await tell_closed(number, CloseReason.CANCELLED_BY_BUYER)
        await give_back(self._order_no, decided.owed, self._steps)
        await self._conclude(EndRefund(case_no=self._no, amount_fen=decided.amount_fen, at=workflow.now()))

    async def _decide(self) -> RefundDecided:
        """Idempotency key: the case. Not a local activity: what it decides must be on its way before anything else
        happens."""
        found = self._case.found
        decide = DecideRefund(
            key=self._no,
            sub_order_no=self._start.sub_order_no,
            lines=found.accepted,
            gifts_back=found.gifts_back,
            sellable=found.sellable,
            reason=REASON,
            at=workflow.now(),
        )
        return await self._steps.regular(
            RefundActivities.decide_piece_refund, decide, AttentionTopic.REFUND_DECISION, "decide the refund"
        )

    async def _conclude(self, ended: EndRefund) -> None:
        self._follow(await self._steps.local(AfterSaleActivities.end_refund, ended, AttentionTopic.CASE))

    async def _end(self) -> AfterSaleEnded:
        """No message that was accepted is left unhandled."""
        await workflow.wait_condition(workflow.all_handlers_finished)
        self._view.clear()
        if self._facts is None:
            assert self._refused is not None
            return AfterSaleEnded(case_no=self._no, status=None, reason=self._refused.reason)
        case = self._facts
        return AfterSaleEnded(case_no=self._no, status=case.status, amount_fen=case.amount_fen, reason=case.said)

    # --- what parties do

    @workflow.update(description="The buyer asks: was the case opened?")
    async def request(self) -> CaseAnswer:
        """The start opens it, and this only waits for how that went."""
        await workflow.wait_condition(lambda: self._facts is not None or self._refused is not None)
        return CaseAnswer(facts=self._facts, refused=self._refused)

    @workflow.update(description="The merchant agrees")
    async def agree(self, agreed: Agree) -> CaseAnswer:
        return await self._act(CaseAct(action=CaseAction.AGREE, actor=Actor.MERCHANT, note=agreed.note))

    @workflow.update(description="The merchant refuses; the platform is asked")
    async def refuse(self, refused: Refuse) -> CaseAnswer:
        return await self._act(CaseAct(action=CaseAction.REFUSE, actor=Actor.MERCHANT, note=refused.reason))

    @workflow.update(description="The platform decides for the buyer")
    async def overrule(self, decided: Decide) -> CaseAnswer:
        return await self._act(CaseAct(action=CaseAction.OVERRULE, actor=Actor.PLATFORM, note=decided.note))

    @workflow.update(description="The platform decides for the merchant")
    async def uphold(self, decided: Decide) -> CaseAnswer:
        return await self._act(CaseAct(action=CaseAction.UPHOLD, actor=Actor.PLATFORM, note=decided.note))

    @workflow.update(description="The buyer gave the goods to a carrier")
    async def send_back(self, sent: SendBack) -> CaseAnswer:
        return await self._act(
            CaseAct(action=CaseAction.SEND_BACK, actor=Actor.BUYER, carrier=sent.carrier, tracking_no=sent.tracking_no)
        )

    @workflow.update(description="The merchant has seen what came back")
    async def inspect(self, found: Inspect) -> CaseAnswer:
        return await self._act(CaseAct(action=CaseAction.INSPECT, actor=Actor.MERCHANT, inspected=found))

    @workflow.update(description="The buyer wants it no more")
    async def withdraw(self, withdrawn: Withdraw) -> CaseAnswer:
        return await self._act(CaseAct(action=CaseAction.WITHDRAW, actor=Actor.BUYER, note=withdrawn.note))

    @workflow.signal(description="Something was mended: try again now")
    def try_again(self) -> None:
        self._view.try_again()

    def _cancel_asked(self) -> None:
        """The cancel button of the Temporal UI: a case ends by its parties, so that nobody's pieces stay claimed."""
        self._asked_to_cancel = True
        self._view.show()

    # --- what steps and acts are made of

    @property
    def _case(self) -> CaseFacts:
        assert self._facts is not None
        return self._facts

    async def _act(self, act: CaseAct) -> CaseAnswer:
        """Idempotency key: the update's id. Asked again under it, by whichever run, it is done once."""
        await workflow.wait_condition(lambda: self._facts is not None or self._refused is not None)
        if self._facts is None:
            return CaseAnswer(refused=self._refused)
        update = workflow.current_update_info()
        assert update is not None
        return await self._record(act, update.id)

    async def _record(self, act: CaseAct, key: str) -> CaseAnswer:
        """The database decides between two that come at once. Not a local activity: that an act was accepted must be
        on record before it is done, or a worker's death in between would leave this run behind its case."""
        record = RecordCaseAct(case_no=self._no, key=key, act=act, at=workflow.now())
        answer = await self._steps.regular(
            AfterSaleActivities.record_case_act, record, AttentionTopic.CASE, f"{act.actor}: {act.action}"
        )
        self._follow(answer)
        return answer

    def _follow(self, answer: CaseAnswer) -> None:
        """Take over what the database knows of the case. What two acts report may come in either order."""
        if answer.facts is None or (self._facts is not None and answer.facts.revision <= self._facts.revision):
            return
        self._facts = answer.facts
        self._view.stage(run_names.ORDER_STATUS, self._facts.status.value)
        self._view.stage(run_names.MERCHANTS, [self._facts.merchant])
        if self._facts.due_at is not None:
            self._view.stage(run_names.DEADLINE, self._facts.due_at)
        self._view.show()

    def _describe(self) -> list[str]:
        case = self._facts
        status = case.status if case is not None else "not opened"
        ask = self._start.ask
        return [
            f"## Case {self._no}: {status}",
            f"- {ask.kind}, on sub-order {self._start.sub_order_no} of order {self._order_no}",
            *[f"- {one.quantity} × line {one.line_no}" for one in ask.lines],
            f"- the buyer: {ask.reason}",
            *([f"- last words: {case.said}"] if case is not None and case.said else []),
            *([f"- {case.clocks_action} by the clock at {case.due_at}"] if case is not None and case.due_at else []),
            *([f"- {case.amount_fen} fen refunded"] if case is not None and case.amount_fen is not None else []),
            *(["- not cancelled: a case is ended by its parties"] if self._asked_to_cancel else []),
        ]
