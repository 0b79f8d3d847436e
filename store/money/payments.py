"""Payments and refunds in PostgreSQL: each capture has one fate, each refund one number."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.payment import StrayCapture, StrayTaken
from domain.order.payment import Capture, OpenPayment, RefundAnswer, RefundOrder, RefundState
from domain.order.status import Actor
from store.database.engine import single
from store.database.log_and_outbox import NOTICE, note, tell
from store.money.journal import PROVIDER, REFUNDS, STRAY, post
from store.tables import captures, orders, refunds

REQUESTED = "REQUESTED"
STRAY_REFUND = "S"  # and the capture: the number of the refund of stray money

_OPENED = update(orders).where(orders.c.order_no == bindparam("of_order"))
_KEEP = insert(captures).on_conflict_do_nothing().returning(captures.c.capture_id)


async def keep_capture(db: AsyncConnection, capture: Capture, fate: str, reason: str = "") -> str | None:
    """Decide what becomes of a capture, once. Returns None when this call decided it, else the fate that it has had
    since an earlier call."""
    row = {**capture.model_dump(), "fate": fate, "reason": reason}
    kept = await db.execute(_KEEP, row)
    if kept.first() is not None:
        return None
    before = await db.scalar(select(captures.c.fate).where(captures.c.capture_id == capture.capture_id))
    # No row of this id: another capture of this payment was accepted (the unique index says so).
    return before or "STRAY"


async def decide_refund(db: AsyncConnection, order_no: int, amount_fen: int, reason: str, at: datetime) -> str | None:
    """Number a refund of an order, to be made by the `refund` activity. The order's row must be locked, and what is
    owed be posted (`post_owed`).

    None when nothing was paid."""
    paid = (
        await db.execute(
            select(captures)
            .join(orders, orders.c.capture_id == captures.c.capture_id)
            .where(orders.c.order_no == order_no)
        )
    ).first()
    if paid is None or amount_fen == 0:
        return None
    count = await db.scalar(select(func.count()).select_from(refunds).where(refunds.c.order_no == order_no)) or 0
    sent = await decided(db, order_no)
    if sent + amount_fen > paid.amount_fen:
        raise ValueError(f"order {order_no}: {sent} fen of {paid.amount_fen} are refunded, {amount_fen} more can't be")
    refund_no = f"{order_no}R{count + 1:02d}"
    await db.execute(
        insert(refunds).values(
            refund_no=refund_no,
            order_no=order_no,
            payment_id=paid.payment_id,
            capture_id=paid.capture_id,
            amount_fen=amount_fen,
            currency=paid.currency,
            reason=reason,
            state=REQUESTED,
            requested_at=at,
        )
    )
    return refund_no


async def decided(db: AsyncConnection, order_no: int) -> int:
    """The fen that all refunds of an order come to, made or still to be made."""
    of_order = refunds.c.order_no == order_no
    return int(await db.scalar(select(func.coalesce(func.sum(refunds.c.amount_fen), 0)).where(of_order)) or 0)


async def post_owed(db: AsyncConnection, key: str, order_no: int, owed: Mapping[str, int], currency: str) -> None:
    """Move what is owed back to the buyer from the accounts that it is taken from (fen, by account). It stays there
    until the provider has paid it back. Idempotency key: the operation's; nothing is posted of nothing."""
    if any(owed.values()):
        legs = {**owed, REFUNDS: -sum(owed.values())}
        await post(db, owed_key(key), "REFUND_DECIDED", str(order_no), legs, currency)


def owed_key(key: str) -> str:
    """The key of the posting of what an operation owes back."""
    return f"owe/{key}"


class PostgresPayments:
    """Implements `activities.payment.PaymentLedger`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._single = single(engine)

    async def payment_opened(self, opened: OpenPayment) -> None:
        async with self._single.connect() as db:
            await db.execute(_OPENED, {"of_order": int(opened.payment_id), "payment_link": opened.cashier_url})

    async def refund_to_make(self, refund_no: str) -> RefundOrder:
        async with self._engine.connect() as db:
            row = (await db.execute(select(refunds).where(refunds.c.refund_no == refund_no))).mappings().one()
            return RefundOrder.model_validate(dict(row))

    async def refund_answered(self, answer: RefundAnswer) -> None:
        async with self._engine.begin() as db:
            row = (
                await db.execute(select(refunds).where(refunds.c.refund_no == answer.refund_no).with_for_update())
            ).one()
            if row.state == RefundState.DONE:
                return
            done = answer.state is RefundState.DONE
            await db.execute(
                update(refunds)
                .where(refunds.c.refund_no == answer.refund_no)
                .values(state=answer.state.value, detail=answer.detail, done_at=func.now() if done else None)
            )
            if done:
                await self._post_refund(db, RefundOrder.model_validate(dict(row._mapping)), row.order_no)

    async def _post_refund(self, db: AsyncConnection, refund: RefundOrder, order_no: int | None) -> None:
        await post(
            db,
            f"refund/{refund.refund_no}",
            "REFUND",
            refund.payment_id,
            {STRAY if order_no is None else REFUNDS: refund.amount_fen, PROVIDER: -refund.amount_fen},
            refund.currency,
        )
        now = await db.scalar(select(func.now()))
        if order_no is not None and now is not None:
            detail = f"{refund.amount_fen} fen, {refund.refund_no}"
            await note(db, order_no, now, Actor.PLATFORM, "REFUND", detail=detail)
        body = {"order_no": refund.payment_id, "event": "refunded", "amount_fen": refund.amount_fen}
        await tell(db, NOTICE, f"refunded/{refund.refund_no}", body)

    async def take_stray(self, stray: StrayCapture) -> StrayTaken:
        capture = stray.capture
        refund_no = f"{STRAY_REFUND}{capture.capture_id}"
        async with self._engine.begin() as db:
            before = await keep_capture(db, capture, "STRAY", stray.why.value)
            if before == "ACCEPTED":
                return StrayTaken(refund_no=None)
            if before is None:
                await self._take(db, stray, refund_no)
        return StrayTaken(refund_no=refund_no)

    async def _take(self, db: AsyncConnection, stray: StrayCapture, refund_no: str) -> None:
        capture = stray.capture
        await post(
            db,
            f"stray/{capture.capture_id}",
            "STRAY",
            capture.payment_id,
            {PROVIDER: capture.amount_fen, STRAY: -capture.amount_fen},
            capture.currency,
        )
        await db.execute(
            insert(refunds).values(
                refund_no=refund_no,
                payment_id=capture.payment_id,
                capture_id=capture.capture_id,
                amount_fen=capture.amount_fen,
                currency=capture.currency,
                reason=stray.why.value,
                state=REQUESTED,
            )
        )
