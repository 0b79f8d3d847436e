"""The later risk check, beside the wait for the payment. It holds the dispatch until there is a verdict."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.attention import AttentionActivities, RecordAttention
    from activities.risk import AssessRisk, RecordRiskDecision, RiskActivities
    from domain.order.attention import AttentionTopic
    from domain.order.cart import Terms
    from domain.risk import Assessment, Decision, RiskVerdict
    from workflows.operator_view import OperatorView
    from workflows.run_names import RISK_VERDICT
    from workflows.steps import Steps
    from workflows.waiting import within

CLOCK = "clock"


class RiskWatch:
    """`verdict` is what risk says; `final` is PASS or REJECT, once risk or a person or the clock has decided."""

    def __init__(self, order_no: str, terms: Terms, view: OperatorView, steps: Steps) -> None:
        self._order_no = order_no
        self._terms = terms
        self._view = view
        self._steps = steps
        self._decision: Decision | None = None
        self.verdict: RiskVerdict | None = None
        self.final: RiskVerdict | None = None

    async def watch(self) -> None:
        """Assess, and ask a person where the verdict is REVIEW."""
        assessed = await self._steps.regular(
            RiskActivities.assess_risk,
            AssessRisk(order_no=self._order_no),
            AttentionTopic.RISK_ASSESSMENT,
            "assess the risk of the placed order",
        )
        self.verdict = assessed.verdict
        self._view.stage(RISK_VERDICT, assessed.verdict.value)
        if assessed.verdict is RiskVerdict.REVIEW:
            # A run that starts over finds what was decided before.
            decision = assessed.decision or await self._ask_a_person(assessed)
            self.final = _verdict_of(decision)
            self._view.stage(RISK_VERDICT, self.final.value)
        else:
            self.final = assessed.verdict

    def decide(self, decision: Decision) -> bool:
        """Take a person's decision; False when none is asked for, or one was taken before."""
        if self.verdict is not RiskVerdict.REVIEW or self.final is not None or self._decision is not None:
            return False
        self._decision = decision
        return True

    def agrees_with(self, decision: Decision) -> bool:
        """Whether nothing else was decided."""
        # lost try: it may have heard somebody else.
        return self.final in (None, _verdict_of(decision))

    async def _ask_a_person(self, assessed: Assessment) -> Decision:
        why = "; ".join(reason.text for reason in assessed.reasons)
        # The alarm was raised with the verdict, in its transaction.
        wanted = f"approve or reject with `decide_risk`: {why}"
        await self._view.needs_person(AttentionTopic.RISK_REVIEW, wanted, alarm=False, while_open=True)
        if not await self._decided_within(self._terms.review_window_s, "until the review escalates"):
            await self._escalate(why)
            await self._decided_within(self._terms.escalation_window_s, "until the configured side decides")
        decision = await self._record(self._decision or self._by_the_clock())
        await self._view.healed(AttentionTopic.RISK_REVIEW)
        return decision

    async def _decided_within(self, window_s: int, what: str) -> bool:
        return await within(timedelta(seconds=window_s), lambda: self._decision is not None, what)

    async def _escalate(self, why: str) -> None:
        escalated = RecordAttention(
            order_no=self._order_no,
            subject="",
            topic=AttentionTopic.RISK_REVIEW_ESCALATED,
            text=f"nobody has decided in time: {why}",
            while_open=True,
            at=workflow.now(),
        )
        await self._steps.local(AttentionActivities.record_attention, escalated, AttentionTopic.ESCALATION)
        self._view.mirror(escalated.topic, escalated.text)

    def _by_the_clock(self) -> Decision:
        approved = self._terms.undecided_passes
        return Decision(approved=approved, author=CLOCK, note="nobody decided in time; the configured side")

    async def _record(self, decision: Decision) -> Decision:
        """The decision that counts, which is the first."""
        record = RecordRiskDecision(order_no=self._order_no, decision=decision, now=workflow.now())
        decided = await self._steps.local(RiskActivities.record_risk_decision, record, AttentionTopic.RISK_DECISION)
        self._view.mirror(AttentionTopic.RISK_REVIEW_ESCALATED, None)
        return decided.decision


def _verdict_of(decision: Decision) -> RiskVerdict:
    return RiskVerdict.PASS if decision.approved else RiskVerdict.REJECT
