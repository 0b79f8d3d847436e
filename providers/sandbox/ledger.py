"""The provider's books: payments, captures and refunds. Each function runs inside one transaction."""

import sqlite3
import time
from datetime import UTC, datetime
from uuid import uuid4

from pydantic import Field

from domain.base import Document
from domain.order.payment import (
    Capture,
    PaymentRequest,
    ProviderPayment,
    ProviderState,
    RefundAnswer,
    RefundOrder,
    RefundState,
)
from providers.sandbox.bad_days import BadDays
from providers.sandbox.problems import SandboxProblem
from providers.sandbox.relay import enqueue

MOST_FEN = 10**12


class Pay(Document):
    """What a buyer does at the cashier; by default, pays what was asked. With `force` the money arrives whatever the
    payment's state, as from a slow or mistaken bank."""

    amount_fen: int | None = Field(default=None, ge=1, le=MOST_FEN)
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    times: int = Field(default=1, ge=1, le=10)
    force: bool = False
    delay_s: float = Field(default=0, ge=0, le=3_600, allow_inf_nan=False)


def create(db: sqlite3.Connection, request: PaymentRequest) -> None:
    """Open a payment. Idempotency key: `payment_id`. A payment that was closed before it was created stays closed."""
    if not 1 <= request.amount_fen <= MOST_FEN:
        raise SandboxProblem(422, "invalid-body", f"amount_fen: must be between 1 and {MOST_FEN}")
    known = asked(db, request.payment_id)
    if known is not None and known != request:
        raise SandboxProblem(409, "payment-differs", "this payment_id was created with another body")
    db.execute(
        "INSERT INTO payments (payment_id, request) VALUES (?, ?)"
        " ON CONFLICT (payment_id) DO UPDATE SET request = excluded.request",
        (request.payment_id, request.model_dump_json()),
    )


def close(db: sqlite3.Connection, payment_id: str, bad_days: BadDays) -> ProviderPayment:
    """Take no money from now on. A payment that was never created gets a tombstone, which stays closed."""
    if bad_days.close_finds_paid and query(db, payment_id).state is ProviderState.OPEN:
        pay(db, payment_id, Pay(force=True), bad_days)
    if query(db, payment_id).state is not ProviderState.PAID:
        db.execute(
            "INSERT INTO payments (payment_id, closed) VALUES (?, 1) ON CONFLICT (payment_id) DO UPDATE SET closed = 1",
            (payment_id,),
        )
    return query(db, payment_id)


def query(db: sqlite3.Connection, payment_id: str) -> ProviderPayment:
    """What is known of a payment. Any capture makes it PAID, whatever it was before."""
    rows = db.execute("SELECT capture FROM captures WHERE payment_id = ? ORDER BY seq", (payment_id,))
    captures = tuple(Capture.model_validate_json(row["capture"]) for row in rows)
    payment = db.execute("SELECT closed FROM payments WHERE payment_id = ?", (payment_id,)).fetchone()
    if captures:
        state = ProviderState.PAID
    elif payment is None:
        state = ProviderState.UNKNOWN
    else:
        state = ProviderState.CLOSED if payment["closed"] else ProviderState.OPEN
    return ProviderPayment(payment_id=payment_id, state=state, captures=captures)


def asked(db: sqlite3.Connection, payment_id: str) -> PaymentRequest | None:
    """What is to be collected; None for an unknown payment or a tombstone."""
    row = db.execute("SELECT request FROM payments WHERE payment_id = ?", (payment_id,)).fetchone()
    return PaymentRequest.model_validate_json(row["request"]) if row and row["request"] else None


def shown_state(db: sqlite3.Connection, payment_id: str, now: datetime) -> str:
    """The payment's state as the buyer sees it, which may also be EXPIRED: that follows from the clock alone."""
    state, request = query(db, payment_id).state, asked(db, payment_id)
    if state is ProviderState.OPEN and request is not None and now >= request.expires_at:
        return "EXPIRED"
    return state.value


def pay(db: sqlite3.Connection, payment_id: str, act: Pay, bad_days: BadDays) -> ProviderPayment:
    """Take the buyer's money, and enqueue a notification for each capture, in one transaction."""
    request = asked(db, payment_id)
    now = datetime.now(UTC)
    where = shown_state(db, payment_id, now)
    if not act.force and where == "UNKNOWN":
        raise SandboxProblem(404, "payment-unknown", "there is no such payment")
    if not act.force and where != "OPEN":
        raise SandboxProblem(409, f"payment-{where.lower()}", f"the payment is {where.lower()}: it takes no money")
    amount_fen = act.amount_fen or (request.amount_fen if request else None)
    if amount_fen is None:
        raise SandboxProblem(422, "invalid-body", "amount_fen: needed, because nobody has said what to collect")
    amount_fen = max(1, amount_fen + bad_days.capture_off_fen)
    currency = bad_days.capture_currency or act.currency or (request.currency if request else "CNY")
    for nth in range(act.times):
        capture = Capture(
            capture_id=f"cap_{uuid4().hex}",
            payment_id=payment_id,
            amount_fen=amount_fen,
            currency=currency,
            captured_at=now,
        )
        db.execute(
            "INSERT INTO captures (capture_id, payment_id, capture) VALUES (?, ?, ?)",
            (capture.capture_id, payment_id, capture.model_dump_json()),
        )
        out_of_turn_s = 0.3 * (act.times - 1 - nth) if bad_days.notify_reversed else 0
        due_at = time.time() + act.delay_s + bad_days.notify_delay_s + out_of_turn_s
        enqueue(db, capture, due_at, copies=1 + bad_days.notify_duplicates)
    return query(db, payment_id)


def refund(db: sqlite3.Connection, order: RefundOrder, refuse: bool) -> RefundAnswer:
    """Send money back. Idempotency key: `refund_no`; but a refusal moved nothing, so the same number may be tried
    again."""
    row = db.execute("SELECT * FROM refunds WHERE refund_no = ?", (order.refund_no,)).fetchone()
    if row is not None:
        if RefundOrder.model_validate_json(row["refund_order"]) != order:
            raise SandboxProblem(409, "refund-differs", "this refund_no was used with another body")
        before = RefundAnswer.model_validate_json(row["answer"])
        if before.state is RefundState.DONE:
            return before
    why_not = "the bank refuses" if refuse else _why_not(db, order)
    state = RefundState.REFUSED if why_not else RefundState.DONE
    answer = RefundAnswer(refund_no=order.refund_no, state=state, detail=why_not)
    moved_fen = 0 if why_not else order.amount_fen
    db.execute(
        "INSERT OR REPLACE INTO refunds (refund_no, capture_id, moved_fen, refund_order, answer)"
        " VALUES (?, ?, ?, ?, ?)",
        (order.refund_no, order.capture_id, moved_fen, order.model_dump_json(), answer.model_dump_json()),
    )
    return answer


def _why_not(db: sqlite3.Connection, order: RefundOrder) -> str:
    row = db.execute("SELECT capture FROM captures WHERE capture_id = ?", (order.capture_id,)).fetchone()
    if row is None:
        return "there is no such capture"
    capture = Capture.model_validate_json(row["capture"])
    if capture.payment_id != order.payment_id or capture.currency != order.currency:
        return "the capture belongs to another payment or currency"
    moved = "SELECT COALESCE(SUM(moved_fen), 0) FROM refunds WHERE capture_id = ?"
    left_fen: int = capture.amount_fen - db.execute(moved, (order.capture_id,)).fetchone()[0]
    if not 1 <= order.amount_fen <= left_fen:
        return f"between 1 and {left_fen} fen of the capture can be refunded"
    return ""
