"""Who wins when payment, cancel, risk and deadline come at once. This is the only place that decides it.

1. A rejection by the risk check beats everything: the order closes, and what was paid goes back.
2. A cancel beats a payment: an order that is cancelled and paid is closed and paid back.
3. A payment beats the deadline: money that the provider took before it closed the payment counts.
4. The deadline closes what nobody paid, once the provider has closed the payment.
"""

from enum import StrEnum

from domain.order.payment import Capture
from domain.order.status import CloseReason


class PaymentStage(StrEnum):
    """The stage that an order which awaits its payment is in."""

    WAITING = "WAITING"
    PAID = "PAID"
    CLOSING = "CLOSING"


def weigh(
    *, rejected: bool, cancelled: CloseReason | None, paid: bool, overdue: bool
) -> tuple[PaymentStage, CloseReason | None]:
    """The stage that wins, with the reason when it is CLOSING."""
    if rejected:
        return PaymentStage.CLOSING, CloseReason.RISK_REJECTED
    if cancelled is not None:
        return PaymentStage.CLOSING, cancelled
    if paid:
        return PaymentStage.PAID, None
    if overdue:
        return PaymentStage.CLOSING, CloseReason.UNPAID
    return PaymentStage.WAITING, None


class CaptureOutcome(StrEnum):
    """What becomes of money that arrived. It is sent back, once, unless it is ACCEPTED or DUPLICATE."""

    ACCEPTED = "ACCEPTED"
    DUPLICATE = "DUPLICATE"  # this very capture was accepted before
    PAID_TWICE = "PAID_TWICE"
    WRONG_AMOUNT = "WRONG_AMOUNT"
    WRONG_CURRENCY = "WRONG_CURRENCY"
    TOO_LATE = "TOO_LATE"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    ALREADY_STRAY = "ALREADY_STRAY"  # it is on its way back already


WANTED = frozenset({CaptureOutcome.ACCEPTED, CaptureOutcome.DUPLICATE})


def judge(
    capture: Capture, *, due_fen: int, currency: str, accepted: Capture | None, collecting: bool
) -> CaptureOutcome:
    """What becomes of this capture. An order accepts one capture, of exactly what is due, while it is collecting."""
    if accepted is not None:
        same = accepted.capture_id == capture.capture_id
        return CaptureOutcome.DUPLICATE if same else CaptureOutcome.PAID_TWICE
    if not collecting:
        return CaptureOutcome.TOO_LATE
    if capture.currency != currency:
        return CaptureOutcome.WRONG_CURRENCY
    if capture.amount_fen != due_fen:
        return CaptureOutcome.WRONG_AMOUNT
    return CaptureOutcome.ACCEPTED
