"""Money that no open order wants: late, double, of the wrong amount, for an unknown order. It goes back, once."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.payment import PaymentActivities, StrayCapture, StrayTaken
    from domain.order.attention import AttentionTopic
    from workflows import run_names
    from workflows.give_back import refund
    from workflows.operator_view import OperatorView
    from workflows.steps import Steps
    from workflows.waiting import heeding_cancel


@workflow.defn(name="StrayPayment")
class StrayPayment:
    """One run per capture; its id is the capture's, so that whoever finds the money starts it only once."""

    @workflow.init
    def __init__(self, stray: StrayCapture) -> None:
        self._stray = stray
        self._asked_to_cancel = False
        # A subject of its own: the order may have troubles of the same kind.
        subject = run_names.stray_payment_id(stray.capture.capture_id)
        self._view = OperatorView(stray.capture.payment_id, subject, self._describe)
        self._steps = Steps(self._view)

    @workflow.run
    async def run(self, stray: StrayCapture) -> StrayTaken:
        return await heeding_cancel(self._story(), self._cancel_asked)

    async def _story(self) -> StrayTaken:
        self._view.show()
        taken = await self._steps.local(PaymentActivities.take_stray_payment, self._stray, AttentionTopic.STRAY_PAYMENT)
        if taken.refund_no is not None:
            await refund(taken.refund_no, self._steps)
        return taken

    @workflow.signal(description="Something was mended: try again now")
    def try_again(self) -> None:
        self._view.try_again()

    def _cancel_asked(self) -> None:
        """Somebody's money is in our hands: it goes back, whatever an operator asks of this run."""
        self._asked_to_cancel = True
        self._view.show()

    def _describe(self) -> list[str]:
        capture = self._stray.capture
        return [
            f"## Stray payment: {self._stray.why}",
            f"- order number as told: {capture.payment_id}",
            f"- {capture.amount_fen} fen {capture.currency}, capture {capture.capture_id}",
            *(["- asked to cancel; the money goes back first"] if self._asked_to_cancel else []),
        ]
