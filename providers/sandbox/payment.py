"""The payment provider's interface for shops: create, close, query, refund."""

import asyncio
import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from domain.order.payment import OpenPayment, PaymentRequest, ProviderPayment, RefundAnswer, RefundOrder
from providers.sandbox import ledger
from providers.sandbox.cashier import cashier_path
from providers.sandbox.problems import SandboxProblem, body, fail_if
from providers.sandbox.relay import Relay
from providers.sandbox.state import TheState

LONGER_THAN_ANYBODY_WAITS_S = 60.0

router = APIRouter()


@router.post("/payments")
async def create(
    request: Request, state: TheState, wanted: Annotated[PaymentRequest, Depends(body(PaymentRequest))]
) -> OpenPayment:
    """Open a payment. Idempotency key: `payment_id`."""
    bad_days = state.bad_days
    fail_if(bad_days.create_fails)
    with state.transaction() as db:
        ledger.create(db, wanted)
    await asyncio.sleep(bad_days.create_hangs_s)
    page = cashier_path(wanted.payment_id)
    return OpenPayment(payment_id=wanted.payment_id, cashier_url=f"{request.app.state.public_url}{page}")


@router.post("/payments/{payment_id:path}/close")
async def close(request: Request, state: TheState, payment_id: str) -> ProviderPayment:
    """Close a payment; the answer is CLOSED, or PAID with the captures."""
    bad_days = state.bad_days
    fail_if(bad_days.close_fails)
    with state.transaction() as db:
        answer = ledger.close(db, payment_id, bad_days)
    relay: Relay = request.app.state.relay
    relay.wake()
    await asyncio.sleep(bad_days.close_hangs_s)
    return answer


@router.get("/payments/{payment_id:path}")
async def query(state: TheState, payment_id: str) -> ProviderPayment:
    """What is known of a payment; UNKNOWN is an answer with 200, because a 404 could come from anywhere."""
    fail_if(state.bad_days.query_fails)
    return ledger.query(state.db, payment_id)


@router.post("/refunds")
async def refund(state: TheState, order: Annotated[RefundOrder, Depends(body(RefundOrder))]) -> RefundAnswer:
    """Send money back. Idempotency key: `refund_no`. A refusal is a value."""
    bad_days = state.bad_days
    fail_if(bad_days.refund_fails)
    with state.transaction() as db:
        answer = ledger.refund(db, order, refuse=bad_days.refund_refuses)
    if bad_days.refund_times_out:
        await asyncio.sleep(LONGER_THAN_ANYBODY_WAITS_S)
    return answer


@router.get("/refunds/{refund_no:path}")
async def query_refund(state: TheState, refund_no: str) -> RefundAnswer:
    """The answer that was given to a refund."""
    fail_if(state.bad_days.query_fails)
    row = state.db.execute("SELECT answer FROM refunds WHERE refund_no = ?", (refund_no,)).fetchone()
    if row is None:
        raise SandboxProblem(404, "refund-unknown", "there is no such refund")
    return RefundAnswer.model_validate_json(row["answer"])


@router.get("/statement")
async def statement(state: TheState) -> dict[str, list[dict[str, Any]]]:
    """All money that came and went, and the notifications of it, so that an auditor can compare with the shop's
    books."""
    db = state.db
    captures = db.execute("SELECT capture FROM captures ORDER BY seq")
    refunds = db.execute("SELECT refund_no, capture_id, moved_fen FROM refunds ORDER BY rowid")
    notices = db.execute("SELECT notification_id, capture_id, attempts, copies_left FROM notifications")
    return {
        "captures": [json.loads(row["capture"]) for row in captures],
        "refunds": [dict(row) for row in refunds],
        "notifications": [dict(row) for row in notices],
    }
