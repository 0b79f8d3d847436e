"""The payment provider, as a story sees it."""

from typing import Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from domain.base import Message
from domain.order.payment import (
    Capture,
    OpenPayment,
    PaymentRequest,
    ProviderPayment,
    RefundAnswer,
    RefundOrder,
    RefundState,
)
from domain.order.precedence import CaptureOutcome


class PaymentProvider(Protocol):
    """Put your own payment service behind this. Every call may be repeated; none may take effect twice.

    A fault (no answer, 5xx) is an exception and is retried. A refusal is a value.
    """

    async def create(self, request: PaymentRequest) -> OpenPayment:
        """Open a payment. Idempotency key: `payment_id`; a repeat returns the first answer.

        A payment that was closed before it was created stays closed (its cashier page takes no money)."""
        ...

    async def close(self, payment_id: str) -> ProviderPayment:
        """Take no money from now on, or say that it is paid already (with the captures).

        Closing what was never created leaves a tombstone, so that a late create can't open it."""
        ...

    async def query(self, payment_id: str) -> ProviderPayment:
        """What the provider knows; `UNKNOWN` when it has never heard of it."""
        ...

    async def refund(self, order: RefundOrder) -> RefundAnswer:
        """Send money back. Idempotency key: `refund_no`; once done, a repeat returns that answer and moves nothing. A
        refusal moved nothing, and is not kept: the same number may be tried again."""
        ...

    async def query_refund(self, refund_no: str) -> RefundAnswer | None:
        """The answer given to a refund, or None when the provider has never heard of it."""
        ...


class PaymentLedger(Protocol):
    """What the platform writes down of payments and refunds, in its journal."""

    async def payment_opened(self, opened: OpenPayment) -> None:
        """Note where the buyer pays. Idempotency key: the payment."""
        ...

    async def refund_to_make(self, refund_no: str) -> RefundOrder:
        """The refund as it was decided."""
        ...

    async def refund_answered(self, answer: RefundAnswer) -> None:
        """Note what came of a refund, and post it when it is done. Idempotency key: the refund."""
        ...

    async def take_stray(self, stray: "StrayCapture") -> "StrayTaken":
        """Post money that no order wants, and decide its refund. Idempotency key: the capture."""
        ...


class StrayCapture(Message):
    """Money that arrived and that no open order wants, and why."""

    capture: Capture
    why: CaptureOutcome


class StrayTaken(Message):
    """The refund that sends it back; None when an order has accepted this very capture after all."""

    refund_no: str | None


class PaymentOf(Message):
    payment_id: str


class MakeRefund(Message):
    refund_no: str


class PaymentActivities:
    """Calls to the provider, each followed by what the platform notes of it."""

    def __init__(self, provider: PaymentProvider, payments: PaymentLedger) -> None:
        self._provider = provider
        self._ledger = payments

    @activity.defn
    async def create_payment(self, request: PaymentRequest) -> OpenPayment:
        """Idempotency key: the payment's id, which is the order's number."""
        opened = await self._provider.create(request)
        await self._ledger.payment_opened(opened)
        return opened

    @activity.defn
    async def close_payment(self, request: PaymentOf) -> ProviderPayment:
        """Idempotency key: the payment. Its answer, closed or paid, decides between the buyer and the deadline."""
        return await self._provider.close(request.payment_id)

    @activity.defn
    async def take_stray_payment(self, request: StrayCapture) -> StrayTaken:
        """Idempotency key: the capture."""
        return await self._ledger.take_stray(request)

    @activity.defn
    async def refund(self, request: MakeRefund) -> RefundAnswer:
        """Idempotency key: the refund's number. After a fault it first asks what became of the call before."""
        order = await self._ledger.refund_to_make(request.refund_no)
        answer = None
        if activity.info().attempt > 1:
            answer = await self._provider.query_refund(order.refund_no)
        if answer is None or answer.state is RefundState.REFUSED:
            answer = await self._provider.refund(order)
        await self._ledger.refund_answered(answer)
        if answer.state is RefundState.REFUSED:
            raise ApplicationError(f"the provider refused refund {order.refund_no}: {answer.detail}")
        return answer
