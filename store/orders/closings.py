"""How a split order is closed, by whole sub-orders or by pieces, before they ship and after, and what that owes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, Label, Row, Text, bindparam, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.orders import Owed
from activities.refunds import RefundDecided
from activities.sub_orders import Closed, ClosePieces, CloseSubOrders, PiecesClosed
from domain.after_sale.piece_refund import MoreThanIsLeft, OrderPieces, PiecesRefund, Place, SubOrderRefund
from domain.order.closing import why_not_cancelled
from domain.order.order_number import parse
from domain.order.pieces import Pieces, by_line
from domain.order.status import Action, Actor, Facts, Refused, Status, act, refusal
from store.database.keys import kept
from store.database.log_and_outbox import NOTICE, LogEntry, Notice, tell
from store.money.piece_refunds import Cause, owed_for, write_refund
from store.rows.pieces_left import OF_SUB, order_pieces, what_is_left
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
    """The key of a cancel, of a whole order or of one sub-order."""
    return f"{number}/cancel"


def pieces_key(sub_order_no: str, key: str) -> str:
    """The key of a closing of pieces; `key` is the caller's own."""
    return f"{sub_order_no}/pieces/{key}"


async def closing_owes(db: AsyncConnection, number: str) -> Owed | None:
    """What the cancel of an order after its split, or of a sub-order, has decided to give back."""
    closed = await kept(db, order_operations, cancel_key(number), Closed)
    return closed.owed if closed is not None else None


async def sub_order_owes(db: AsyncConnection, sub_order_no: str) -> list[Owed]:
    """What the cancels of a sub-order, and of pieces of it, have decided to give back. What it lost to a cancel of
    another one, or of the order, is seen to there."""
    return owed_of(await db.scalar(_OWED, {"of_sub": sub_order_no}) or [])


def owed_of(answers: Sequence[str]) -> list[Owed]:
    """What these kept answers of closings owe. Each has it in the same field, whichever operation gave it."""
    return [RefundDecided.model_validate_json(answer).owed for answer in answers]


@dataclass(frozen=True, slots=True)
class LockedOrder:
    """A split order with all its sub-orders and pieces, its row locked until the transaction ends."""

    row: Row[Any]
    subs: Sequence[SubOrderRow]
    pieces: OrderPieces


@dataclass(frozen=True, slots=True)
class CameBack:
    """What a buyer has sent back of what had shipped: the lines of gifts, and the pieces that can be sold again."""

    gifts: Collection[int] = ()
    sellable: Sequence[Pieces] = ()


NOTHING = CameBack()


async def lock_split_order(db: AsyncConnection, order_no: int) -> LockedOrder:
    row = await lock_order(db, order_no)
    subs = await sub_orders_of(db, order_no)
    return LockedOrder(row, subs, await order_pieces(db, order_no, subs))


async def close_sub_orders(db: AsyncConnection, request: CloseSubOrders) -> Closed:
    order = await lock_split_order(db, int(request.order_no))
    closing = [row for row in order.subs if request.sub_order_no in (None, row.sub_order_no)]
    refused = why_not_cancelled({row.sub_order_no: facts_of(row) for row in closing}, request.actor)
    if refused is not None:
        return Closed(refused=refused)
    indexes = {row.idx for row in closing}
    wanted = {place: left for place, left in order.pieces.left.items() if place[0] in indexes}
    key = cancel_key(request.sub_order_no or request.order_no)
    done = await close(db, order, wanted, Cause(key, request.reason.value, request.actor, request.at, request.note))
    return Closed(closed=done.closed, reason=request.reason, owed=done.owed)


async def close_pieces(db: AsyncConnection, request: ClosePieces) -> PiecesClosed:
    order = await lock_split_order(db, int(parse(request.sub_order_no).order_no))
    sub = find_sub_order(order.subs, request.sub_order_no)
    answer = act(facts_of(sub), Action.CANCEL, request.actor)
    if isinstance(answer, Refused):
        return PiecesClosed(refused=answer)
    key = pieces_key(request.sub_order_no, request.key)
    cause = Cause(key, request.reason.value, request.actor, request.at, request.note)
    done = await close_lines_of(db, order, sub, request.lines, cause)
    if done.refused is not None:
        return PiecesClosed(refused=done.refused)
    left, _ = await what_is_left(db, sub)
    return PiecesClosed(left=left, closed=done.closed, amount_fen=done.amount_fen, owed=done.owed)


async def close_lines_of(
    db: AsyncConnection,
    order: LockedOrder,
    sub: SubOrderRow,
    lines: Sequence[Pieces],
    cause: Cause,
    came_back: CameBack = NOTHING,
) -> RefundDecided:
    """Close pieces of one sub-order's lines; more than is left is refused whole."""
    try:
        return await close(db, order, places(sub, lines), cause, came_back)
    except MoreThanIsLeft as more:
        return RefundDecided(refused=more_than_is_left(sub, cause.actor, more))


async def close(
    db: AsyncConnection, order: LockedOrder, wanted: Mapping[Place, int], cause: Cause, came_back: CameBack = NOTHING
) -> RefundDecided:
    """Close these pieces, all or (MoreThanIsLeft) none, and decide what is given back for them.

    Every closing of a split order is this one: whole sub-orders, pieces before they ship, pieces after. A gift may
    still follow what has not shipped; for what has, the gifts that are to come are there by now."""
    shipped = any(part.shipped for part in order.pieces.parts if part.place in wanted)
    refund = order.pieces.refund(wanted, came_back.gifts, gifts_may_follow=not shipped)
    refund_no = await write_refund(db, order.row, order.subs, refund, cause)
    await _write_closings(db, order, refund, cause)
    emptied = {back.idx for back in refund.sub_orders if back.emptied}
    return RefundDecided(
        amount_fen=refund.amount_fen,
        closed=[row.sub_order_no for row in order.subs if row.idx in emptied],
        owed=owed_for(order.row, order.subs, refund, cause, refund_no, came_back.sellable),
    )


def find_sub_order(subs: Sequence[SubOrderRow], sub_order_no: str) -> SubOrderRow:
    for row in subs:
        if row.sub_order_no == sub_order_no:
            return row
    raise ValueError(f"there is no sub-order {sub_order_no}")


def places(sub: SubOrderRow, lines: Sequence[Pieces]) -> dict[Place, int]:
    """Where these pieces of a sub-order lie."""
    return {(sub.idx, line_no): pieces for line_no, pieces in by_line(lines).items()}


def more_than_is_left(sub: SubOrderRow, actor: Actor, more: MoreThanIsLeft) -> Refused:
    return refusal(Status(sub.status), Action.CANCEL, actor, str(more))


async def _write_closings(db: AsyncConnection, order: LockedOrder, refund: PiecesRefund, cause: Cause) -> None:
    """What has not shipped and has nothing left is closed; the merchant of what has less left is told."""
    by_idx = {row.idx: row for row in order.subs}
    for back in refund.sub_orders:
        sub = by_idx[back.idx]
        if back.emptied:
            await _close_one(db, sub, cause)
        elif back.shipped:
            said = f"{cause.reason}: {back.amount_fen} fen back"
            await note_on(db, sub, cause.at, cause.actor, "DECIDE_REFUND", said)
        else:
            await _tell_reduced(db, sub, back, refund, cause)
    if any(back.emptied for back in refund.sub_orders):
        await refold(db, order.row.order_no, cause.at)


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
    db: AsyncConnection, row: SubOrderRow, back: SubOrderRefund, refund: PiecesRefund, cause: Cause
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
        "amount_fen": refund.amount_fen,
        "handed_over": row.handed_over_at is not None,
        "revision": revision,
        "left": [pieces.model_dump() for pieces in left],
    }
    await tell(db, NOTICE, f"pieces-cancelled/{cause.key}/{row.idx}", dict(body))
