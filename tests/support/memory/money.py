"""A payment provider in memory, and what the platform writes down of it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from activities.payment import StrayCapture, StrayTaken
from domain.order.payment import (
    Capture,
    OpenPayment,
    PaymentRequest,
    ProviderPayment,
    ProviderState,
    RefundAnswer,
    RefundOrder,
    RefundState,
)
from tests.support.memory.records import Records


class NoMoneyTaken(Exception):
    """The cashier page of a payment takes no money: it is not open."""


@dataclass
class MemoryProvider:
    """Implements `activities.payment.PaymentProvider`."""

    asked: dict[str, PaymentRequest] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    captures: dict[str, Capture] = field(default_factory=dict)  # by payment
    refunds: dict[str, RefundOrder] = field(default_factory=dict)  # those that are made

    def pay(self, payment_id: str) -> Capture:
        """What a buyer does on the cashier page. Raises NoMoneyTaken."""
        if payment_id not in self.asked or payment_id in self.closed or payment_id in self.captures:
            raise NoMoneyTaken(payment_id)
        asked = self.asked[payment_id]
        self.captures[payment_id] = Capture(
            capture_id=f"c{payment_id}",
            payment_id=payment_id,
            amount_fen=asked.amount_fen,
            currency=asked.currency,
            captured_at=datetime.now(UTC),
        )
        return self.captures[payment_id]

    def kept_fen(self, payment_id: str) -> int:
        """What was taken and not sent back."""
        taken = self.captures[payment_id].amount_fen if payment_id in self.captures else 0
        return taken - self._sent_back(payment_id)

    def _sent_back(self, payment_id: str) -> int:
        return sum(refund.amount_fen for refund in self.refunds.values() if refund.payment_id == payment_id)

    async def create(self, request: PaymentRequest) -> OpenPayment:
        self.asked.setdefault(request.payment_id, request)
        return OpenPayment(payment_id=request.payment_id, cashier_url=f"memory:{request.payment_id}")

    async def close(self, payment_id: str) -> ProviderPayment:
        if payment_id not in self.captures:
            self.closed.add(payment_id)
        return await self.query(payment_id)

    async def query(self, payment_id: str) -> ProviderPayment:
        if payment_id in self.captures:
            paid = (self.captures[payment_id],)
            return ProviderPayment(payment_id=payment_id, state=ProviderState.PAID, captures=paid)
        if payment_id in self.closed:
            return ProviderPayment(payment_id=payment_id, state=ProviderState.CLOSED)
        state = ProviderState.OPEN if payment_id in self.asked else ProviderState.UNKNOWN
        return ProviderPayment(payment_id=payment_id, state=state)

    async def refund(self, order: RefundOrder) -> RefundAnswer:
        if order.refund_no not in self.refunds and order.amount_fen > self.kept_fen(order.payment_id):
            return RefundAnswer(refund_no=order.refund_no, state=RefundState.REFUSED, detail="more than is left")
        self.refunds.setdefault(order.refund_no, order)
        return RefundAnswer(refund_no=order.refund_no, state=RefundState.DONE)

    async def query_refund(self, refund_no: str) -> RefundAnswer | None:
        return RefundAnswer(refund_no=refund_no, state=RefundState.DONE) if refund_no in self.refunds else None


class MemoryPayments:
    """Implements `activities.payment.PaymentLedger`, without a journal and without stray money."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.links: dict[str, str] = {}
        self.answers: dict[str, RefundAnswer] = {}

    async def payment_opened(self, opened: OpenPayment) -> None:
        self.links[opened.payment_id] = opened.cashier_url

    async def refund_to_make(self, refund_no: str) -> RefundOrder:
        refunds = [refund for order in self._records.orders.values() for refund in order.refunds]
        return next(refund for refund in refunds if refund.refund_no == refund_no)

    async def refund_answered(self, answer: RefundAnswer) -> None:
        known = self.answers.get(answer.refund_no)
        if known is None or known.state is not RefundState.DONE:
            self.answers[answer.refund_no] = answer

    async def take_stray(self, stray: StrayCapture) -> StrayTaken:
        raise NotImplementedError("no stray money is kept in memory: play a story of it on PostgreSQL")
