"""The payment provider, as a story sees it."""

from typing import Protocol

from domain.payment import (
    OpenPayment,
    PaymentRequest,
    ProviderPayment,
    RefundAnswer,
    RefundOrder,
)


class PaymentProvider(Protocol):
    """Put your own payment service behind this. Every call may be repeated; none may take effect twice.

    A fault (no answer, 5xx) is an exception and is retried. A refusal is a value.
    """

    async def create(self, request: PaymentRequest) -> OpenPayment:
        """Open a payment. Key: `payment_id`; a repeat returns the first answer.

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
        """Send money back. Key: `refund_no`; a repeat returns the first answer and moves nothing."""
        ...

    async def query_refund(self, refund_no: str) -> RefundAnswer | None:
        """The answer given to a refund, or None when the provider has never heard of it."""
        ...
