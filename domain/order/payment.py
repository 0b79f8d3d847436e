"""The one payment of an order, in the words that the order, the provider and the gateway share.

An order has one payment, however it is split; its id at the provider is the order's number. A *capture* is money
that has arrived for a payment: normally there is one, sometimes (the buyer paid twice) there are more. Each capture
has an id of its own and is kept for ever.
"""

from enum import StrEnum

from domain.base import Message, Utc


class PaymentRequest(Message):
    """What the provider is asked to collect. Idempotency key: `payment_id`."""

    payment_id: str
    amount_fen: int
    currency: str
    expires_at: Utc
    subject: str


class OpenPayment(Message):
    """The provider's answer: where the buyer pays."""

    payment_id: str
    cashier_url: str


class Capture(Message):
    """Money that has arrived at the provider."""

    capture_id: str
    payment_id: str
    amount_fen: int
    currency: str
    captured_at: Utc


class ProviderState(StrEnum):
    OPEN = "OPEN"
    PAID = "PAID"
    CLOSED = "CLOSED"
    UNKNOWN = "UNKNOWN"  # the provider has never heard of it


class ProviderPayment(Message):
    """What the provider knows of a payment. It is also the answer to a close: CLOSED, or PAID with the captures."""

    payment_id: str
    state: ProviderState
    captures: tuple[Capture, ...] = ()


class RefundOrder(Message):
    """Money to send back. Idempotency key: `refund_no`; the provider pays it out at most once."""

    refund_no: str
    payment_id: str
    capture_id: str
    amount_fen: int
    currency: str
    reason: str


class RefundState(StrEnum):
    DONE = "DONE"
    REFUSED = "REFUSED"


class RefundAnswer(Message):
    refund_no: str
    state: RefundState
    detail: str = ""
