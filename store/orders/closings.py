"""What is closed before it ships, whole sub-orders and pieces of one, and what that gives back."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, Label, Row, Text, bindparam, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.orders import Owed
from activities.refunds import RefundDecided
from activities.sub_orders import Closed, ClosePieces, CloseSubOrders, PiecesClosed
from domain.after_sale.piece_refund import SubOrderBack, TakenBack
from domain.after_sale.refunds import MoreThanIsLeft
from domain.order.closing import why_not_cancelled
from domain.order.order_number import parse
from domain.order.pieces import by_line
from domain.order.status import Action, Facts, Refused, Status, act, refusal
from store.database.keys import kept
from store.database.log_and_outbox import NOTICE, LogEntry, Notice, tell
from store.money.piece_refunds import Cause, owed_for, write_refund
from store.rows.pieces_left import OF_SUB, standing, what_is_left
from store.rows.sub_orders import SubOrderRow, change, facts_of, lock_order, note_on, refold, sub_orders_of
from store.tables import order_operations, piece_refunds, sub_orders

_DECIDED = (
    select(cast(order_operations.c.result, Text))
    .join(piece_refunds, piece_refunds.c.key == order_operations.c.key)
    .where(OF_SUB, func.starts_with(piece_refunds.c.key, sub_orders.c.sub_order_no + "/"))
    .order_by(piece_refunds.c.at)
)
OWED: Label[Any] = func.array(_DECIDED.scalar_subquery(), type_=ARRAY(Text)).label("owed")
"""A column beside a sub-order's own, for `owed_of`: what its own operations have decided."""

_OWED = select(OWED).where(sub_orders.c.sub_order_no == bindparam("of_sub"))


def cancel_key(number: str) -> str:
    """Of an order, or of one sub-order."""
    return f"{number}/cancel"


def pieces_key(sub_order_no: str, key: str) -> str:
    """Of a refund by pieces; `key` is the caller's own."""
    return f"{sub_order_no}/pieces/{key}"


async def closing_owes(db: AsyncConnection, number: str) -> Owed | None:
    """What the cancel of an order after its split, or of a sub-order, has decided to give back."""
    closed = await kept(db, order_operations, cancel_key(number), Closed)
    return closed.pay_back if closed is not None else None


async def sub_order_owes(db: AsyncConnection, sub_order_no: str) -> list[Owed]:
    """What the cancels of a sub-order, and of pieces of it, have decided to give back. What it lost to a cancel of
    another one, or of the order, is seen to there."""
    return owed_of(await db.scalar(_OWED, {"of_sub": sub_order_no}) or [])


def owed_of(answers: Sequence[str]) -> list[Owed]:
    """Each of the answers has what it pays back, by whichever operation it was given."""
    return [RefundDecided.model_validate_json(answer).pay_back for answer in answers]


async def close_sub_orders(db: AsyncConnection, request: CloseSubOrders) -> Closed:
    order = await lock_order(db, int(request.order_no))
    subs = await sub_orders_of(db, order.order_no)
    named = [row for row in subs if request.sub_order_no in (None, row.sub_order_no)]
    refused = why_not_cancelled({row.sub_order_no: facts_of(row) for row in named}, request.actor)
    if refused is not None:
        return Closed(refused=refused)
    closing = {row.idx for row in named if Status(row.status) is not Status.CLOSED}
    stands = await standing(db, order.order_no, subs)
    taken = stands.take_back(
        {part.place: part.left for part in stands.parts if part.idx in closing and part.left}, gifts_may_follow=True
    )
    key = cancel_key(request.sub_order_no or request.order_no)
    cause = Cause(key, request.reason.value, request.actor, request.at, request.note)
    owed = await take_back(db, order, subs, taken, cause)
    return Closed(closed=emptied(subs, taken), reason=request.reason, pay_back=owed)


async def close_pieces(db: AsyncConnection, request: ClosePieces) -> PiecesClosed:
    order = await lock_order(db, int(parse(request.sub_order_no).order_no))
    subs = await sub_orders_of(db, order.order_no)
    (sub,) = (row for row in subs if row.sub_order_no == request.sub_order_no)
    answer = act(facts_of(sub), Action.CANCEL, request.actor)
    if isinstance(answer, Refused):
        return PiecesClosed(refused=answer)
    stands = await standing(db, order.order_no, subs)
    wanted = {(sub.idx, line_no): pieces for line_no, pieces in by_line(request.lines).items()}
    try:
        taken = stands.take_back(wanted, gifts_may_follow=True)
    except MoreThanIsLeft as more:
        return PiecesClosed(refused=refusal(Status(sub.status), Action.CANCEL, request.actor, str(more)))
    key = pieces_key(request.sub_order_no, request.key)
    cause = Cause(key, request.reason.value, request.actor, request.at, request.note)
    owed = await take_back(db, order, subs, taken, cause)
    left, _ = await what_is_left(db, sub)
    return PiecesClosed(left=left, closed=emptied(subs, taken), amount_fen=taken.amount_fen, pay_back=owed)


async def take_back(
    db: AsyncConnection, order: Row[Any], subs: Sequence[SubOrderRow], taken: TakenBack, cause: Cause
) -> Owed:
    """Write what goes back of sub-orders that have not shipped; what has nothing left is closed."""
    refund_no = await write_refund(db, order, subs, taken, cause)
    await close_emptied(db, order, subs, taken, cause)
    return owed_for(order, subs, taken, cause, refund_no)


async def close_emptied(
    db: AsyncConnection, order: Row[Any], subs: Sequence[SubOrderRow], taken: TakenBack, cause: Cause
) -> None:
    """What has not shipped and has nothing left is closed; the merchant of what has less left is told."""
    by_idx = {row.idx: row for row in subs}
    for back in taken.subs:
        if back.emptied:
            await _close_one(db, by_idx[back.idx], cause)
        elif not back.units[0].part.shipped:
            await _tell_reduced(db, by_idx[back.idx], back, taken, cause)
    if any(back.emptied for back in taken.subs):
        await refold(db, order.order_no, cause.at)


def emptied(subs: Sequence[SubOrderRow], taken: TakenBack) -> list[str]:
    empty = {back.idx for back in taken.subs if back.emptied}
    return [row.sub_order_no for row in subs if row.idx in empty]


async def _close_one(db: AsyncConnection, row: SubOrderRow, cause: Cause) -> None:
    closed = act(facts_of(row), Action.CANCEL, cause.actor)
    assert isinstance(closed, Facts)
    detail = f"{cause.reason}: {cause.note}" if cause.note else cause.reason
    body = {
        "order_no": str(row.order_no),
        "sub_order_no": row.sub_order_no,
        "merchant": row.merchant,
        "event": "closed",
        "reason": cause.reason,
    }
    entry = LogEntry(cause.at, cause.actor, Action.CANCEL, detail)
    notice = Notice(f"closed/{row.sub_order_no}", body)
    await change(db, row, closed, entry, notice, forget=True, closed_at=cause.at, close_reason=cause.reason)


async def _tell_reduced(
    db: AsyncConnection, row: SubOrderRow, back: SubOrderBack, taken: TakenBack, cause: Cause
) -> None:
    """The merchant may have the parcel already: it is told what is still to be shipped. The higher revision holds."""
    left, revision = await what_is_left(db, row)
    gone = ", ".join(f"{one.pieces} of line {one.part.line.line_no}" for one in back.units)
    said = f"{gone}; {back.amount_fen} fen back"
    await note_on(db, row, cause.at, cause.actor, "CANCEL_PIECES", f"{said}: {cause.note}" if cause.note else said)
    body: Mapping[str, object] = {
        "order_no": str(row.order_no),
        "sub_order_no": row.sub_order_no,
        "merchant": row.merchant,
        "event": "pieces_cancelled",
        "amount_fen": taken.amount_fen,
        "handed_over": row.handed_over_at is not None,
        "revision": revision,
        "left": [pieces.model_dump() for pieces in left],
    }
    await tell(db, NOTICE, f"pieces-cancelled/{cause.key}/{row.idx}", dict(body))
