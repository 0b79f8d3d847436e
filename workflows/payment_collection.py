"""The order's one payment: opened, awaited, received once, or closed at the provider before anything else."""

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.orders import AcceptPayment, FileCaptures, OrderActivities
    from activities.payment import PaymentActivities, PaymentOf
    from domain.order.attention import AttentionTopic
    from domain.order.payment import Capture, PaymentRequest
    from domain.order.precedence import WANTED, CaptureOutcome, judge
    from workflows.steps import Steps


class PaymentCollection:
    """Key of each step at the provider: the order's number."""

    def __init__(self, order_no: str, steps: Steps) -> None:
        self._order_no = order_no
        self._steps = steps
        self._accepted: Capture | None = None
        self._writing = False
        self.collecting = False
        self.due_fen = 0
        self.currency = "CNY"
        self.link: str | None = None
        self.paid = False  # accepted, and written down

    def expect(self, due_fen: int, currency: str) -> None:
        """Begin to take money. An order with nothing to pay is paid already, and can't expire."""
        self.due_fen, self.currency = due_fen, currency
        self.paid = due_fen == 0
        self.collecting = due_fen > 0

    async def open(self, pay_by: datetime) -> None:
        """Ask the provider for a cashier page."""
        request = PaymentRequest(
            payment_id=self._order_no,
            amount_fen=self.due_fen,
            currency=self.currency,
            expires_at=pay_by,
            subject=f"order {self._order_no}",
        )
        opened = await self._steps.regular(
            PaymentActivities.create_payment,
            request,
            AttentionTopic.PAYMENT_PAGE,
            f"ask the provider to collect {self.due_fen} fen",
        )
        self.link = opened.cashier_url

    async def receive(self, capture: Capture) -> CaptureOutcome:
        """Take money that is wanted, and write it down before saying so."""
        await self._settled()
        outcome = self._judge(capture)
        if outcome is not CaptureOutcome.ACCEPTED:
            return outcome
        self._accepted = capture
        self._writing = True  # at once: no second capture may pass while this one is written down
        written = await self._steps.local(
            OrderActivities.accept_payment,
            AcceptPayment(order_no=self._order_no, capture=capture),
            AttentionTopic.PAYMENT_RECORD,
        )
        self._writing = False
        if written.outcome in WANTED:
            self.paid = True
        else:
            self._accepted = None
            # lost try: it has written down another capture, which this run does not know.
            self.paid |= written.outcome is CaptureOutcome.PAID_TWICE
        return written.outcome

    async def _settled(self) -> None:
        while self._writing:
            await workflow.wait_condition(lambda: not self._writing)

    async def close(self) -> None:
        """No money from now on. The provider's answer decides: closed, or paid after all."""
        answer = await self._steps.regular(
            PaymentActivities.close_payment,
            PaymentOf(payment_id=self._order_no),
            AttentionTopic.PAYMENT_CLOSING,
            "close the payment at the provider",
        )
        strays = [capture for capture in answer.captures if await self.receive(capture) not in WANTED]
        await self._settled()
        self.collecting = False
        if strays:
            await self._file(strays)

    def _judge(self, capture: Capture) -> CaptureOutcome:
        return judge(
            capture,
            due_fen=self.due_fen,
            currency=self.currency,
            accepted=self._accepted,
            collecting=self.collecting,
        )

    async def _file(self, strays: list[Capture]) -> None:
        """File captures as if they had been notified: the inbox sees to it that each is sent back once."""
        await self._steps.local(
            OrderActivities.file_captures, FileCaptures(captures=strays), AttentionTopic.STRAY_PAYMENT
        )
