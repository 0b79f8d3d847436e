"""The sub-order book in PostgreSQL: what becomes of sub-orders from the split on, each act under its key."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.sub_orders import (
    Closed,
    ClosePieces,
    CloseSubOrders,
    PiecesClosed,
    RecordDelivered,
    RecordGranted,
    RecordReceived,
    RecordRescheduled,
    RecordShipped,
    SubOrderFacts,
    SubOrderOf,
)
from domain.order.acts import Scan
from domain.order.order_number import OrderNo
from domain.order.pieces import by_line
from domain.order.presale import why_not_rescheduled, why_not_shipped
from domain.order.status import Action, Actor, Answer, CloseReason, Refused, Status, act, status_of
from store.accounts.points import earn_points
from store.database.engine import looking, single
from store.database.keys import once
from store.database.log_and_outbox import NOTICE, LogEntry, Notice, tell
from store.orders.closings import OWED, cancel_key, close_pieces, close_sub_orders, owed_of, pieces_key
from store.rows.pieces_left import LEFT, left_of, what_is_left
from store.rows.sub_orders import (
    SubOrderRow,
    change,
    facts_of,
    hold_order_of,
    lock_sub_order,
    lock_with_others,
    refold,
    refold_with,
)
from store.tables import order_operations, orders, reviews, sub_orders, tracking_events

_THIS = sub_orders.c.sub_order_no == bindparam("of_sub")
_READ = select(sub_orders, *LEFT, OWED).where(_THIS)
_HANDED_OVER = (
    update(sub_orders)
    .where(_THIS)
    .values(handed_over_at=func.coalesce(sub_orders.c.handed_over_at, func.now()))
    .returning(sub_orders, *LEFT, OWED)
)


class PostgresSubOrderBook:
    """Implements `activities.sub_orders.SubOrderBook` and `activities.merchant.ParcelBook`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._looking = looking(engine)
        self._single = single(engine)

    async def status(self, number: OrderNo) -> tuple[Status, CloseReason | None] | None:
        """The status of an order or sub-order, and why it was closed; None when there is none."""
        order_no = int(number.order_no)
        query = select(orders.c.status, orders.c.close_reason).where(orders.c.order_no == order_no)
        if number.sub is not None:
            of_sub = (sub_orders.c.order_no == order_no) & (sub_orders.c.idx == number.sub)
            query = select(sub_orders.c.status, sub_orders.c.close_reason).where(of_sub)
        async with self._looking.connect() as db:
            row = (await db.execute(query)).first()
        if row is None:
            return None
        return Status(row.status), CloseReason(row.close_reason) if row.close_reason else None

    async def sub_order_facts(self, request: SubOrderOf) -> SubOrderFacts:
        async with self._single.connect() as db:
            return await _read(db, request.sub_order_no)

    async def handed_over(self, request: SubOrderOf) -> SubOrderFacts:
        async with self._engine.begin() as db:
            await hold_order_of(db, request.sub_order_no)
            return _sub_order_facts((await db.execute(_HANDED_OVER, {"of_sub": request.sub_order_no})).one())

    async def granted(self, request: RecordGranted) -> SubOrderFacts:
        async with self._engine.begin() as db:
            row = await lock_sub_order(db, request.sub_order_no)
            if row.granted is None:
                await _grant(db, row, request)
            return await _read(db, request.sub_order_no)

    async def record_rescheduled(self, request: RecordRescheduled) -> Answer:
        async with self._engine.begin() as db:
            row = await lock_sub_order(db, request.sub_order_no)
            return await _reschedule(db, row, request)

    async def record_shipped(self, request: RecordShipped) -> Answer:
        key = f"{request.sub_order_no}/ship/{request.carrier}/{request.tracking_no}"
        async with self._engine.begin() as db:
            return await once(db, order_operations, key, Answer, lambda: _ship(db, request), _done)

    async def record_delivered(self, request: RecordDelivered) -> Answer:
        async with self._engine.begin() as db:
            row = await lock_sub_order(db, request.sub_order_no)
            delivered = act(facts_of(row), Action.DELIVER, request.actor)
            if isinstance(delivered, Refused):
                return Answer(status=delivered.status, refused=delivered)
            if row.delivered_at is None:
                entry = LogEntry(request.at, request.actor, Action.DELIVER)
                await change(db, row, delivered, entry, delivered_at=request.at)
            return Answer(status=status_of(delivered))

    async def record_received(self, request: RecordReceived) -> Answer:
        async with self._engine.begin() as db:
            row, every = await lock_with_others(db, request.sub_order_no)
            if Status(row.status) in (Status.COMPLETED, Status.REVIEWED):
                return Answer(status=Status(row.status))
            received = act(facts_of(row), Action.CONFIRM_RECEIPT, request.actor)
            if isinstance(received, Refused):
                return Answer(status=received.status, refused=received)
            await earn_points(db, row, request.at)
            entry = LogEntry(request.at, request.actor, Action.CONFIRM_RECEIPT)
            await change(db, row, received, entry, forget=True, received_at=request.at)
            await refold_with(db, every, row, received, request.at)
            return Answer(status=status_of(received))

    async def close_sub_orders(self, request: CloseSubOrders) -> Closed:
        key = cancel_key(request.sub_order_no or request.order_no)
        async with self._engine.begin() as db:
            return await once(db, order_operations, key, Closed, lambda: close_sub_orders(db, request), _done)

    async def close_pieces(self, request: ClosePieces) -> PiecesClosed:
        key = pieces_key(request.sub_order_no, request.key)
        async with self._engine.begin() as db:
            return await once(db, order_operations, key, PiecesClosed, lambda: close_pieces(db, request), _done)

    async def record_scan(self, sub_order_no: str, scan: Scan) -> Answer:
        """A carrier's report, for the tracking view only. Idempotency key: the carrier's event id."""
        async with self._engine.begin() as db:
            row = await lock_sub_order(db, sub_order_no)
            tracked = act(facts_of(row), Action.TRACK, Actor.CARRIER)
            if isinstance(tracked, Refused):
                return Answer(status=tracked.status, refused=tracked)
            values = {"order_no": row.order_no, "idx": row.idx, **scan.model_dump()}
            await db.execute(insert(tracking_events).values(values).on_conflict_do_nothing())
            return Answer(status=status_of(tracked))

    async def review(self, sub_order_no: str, rating: int, text: str, at: datetime) -> Answer:
        """Record the buyer's review of a sub-order, once. A review is a fact, not a story."""
        async with self._engine.begin() as db:
            row, every = await lock_with_others(db, sub_order_no)
            reviewed = act(facts_of(row), Action.REVIEW, Actor.BUYER)
            if isinstance(reviewed, Refused):
                return Answer(status=reviewed.status, refused=reviewed)
            await _keep_review(db, row, rating, text, at)
            await change(db, row, reviewed, LogEntry(at, Actor.BUYER, Action.REVIEW, f"{rating} of 5"))
            await refold_with(db, every, row, reviewed, at)
            return Answer(status=status_of(reviewed))


def _done(answer: Answer | Closed | PiecesClosed) -> bool:
    """Whether the act was done. A refusal is not kept under the key: another party, or the next state, may be
    answered otherwise."""
    return answer.refused is None


async def _ship(db: AsyncConnection, request: RecordShipped) -> Answer:
    row, every = await lock_with_others(db, request.sub_order_no)
    too_early = why_not_shipped(Status(row.status), request.actor, row.ships_from, request.at.date())
    if too_early is not None:
        return Answer(status=too_early.status, refused=too_early)
    shipped = act(facts_of(row), Action.SHIP, request.actor)
    if isinstance(shipped, Refused):
        return Answer(status=shipped.status, refused=shipped)
    parcel = {"carrier": request.carrier, "tracking_no": request.tracking_no, "shipped_at": request.at}
    detail = f"{request.carrier} {request.tracking_no}"
    entry = LogEntry(request.at, request.actor, Action.SHIP, detail)
    body = {"order_no": str(row.order_no), "sub_order_no": row.sub_order_no, "event": "shipped", "with": detail}
    notice = Notice(f"shipped/{row.sub_order_no}", body)
    await change(db, row, shipped, entry, notice, forget=True, **parcel)
    await refold_with(db, every, row, shipped, request.at)
    return Answer(status=status_of(shipped))


async def _reschedule(db: AsyncConnection, row: SubOrderRow, request: RecordRescheduled) -> Answer:
    moved = act(facts_of(row), Action.RESCHEDULE, request.actor)
    if isinstance(moved, Refused):
        return Answer(status=moved.status, refused=moved)
    status = status_of(moved)
    refused = why_not_rescheduled(status, request.actor, row.ships_from, row.handed_over_at is not None)
    if refused is not None:
        return Answer(status=status, refused=refused)
    if row.ships_from != request.ships_from:
        entry = LogEntry(request.at, request.actor, Action.RESCHEDULE, f"ships from {request.ships_from}")
        body = {"order_no": str(row.order_no), "sub_order_no": row.sub_order_no, "event": "rescheduled"}
        body["ships_from"] = request.ships_from.isoformat()
        notice = Notice(f"rescheduled/{row.sub_order_no}/{request.ships_from}", body)
        await change(db, row, moved, entry, notice, ships_from=request.ships_from)
    return Answer(status=status)


async def _grant(db: AsyncConnection, row: SubOrderRow, request: RecordGranted) -> None:
    """Granted is shipped and delivered in one. What was cancelled while the merchant was asked has gone back to the
    buyer as money: its codes are not the buyer's."""
    at = await db.scalar(select(func.now()))
    assert at is not None
    left, _ = await what_is_left(db, row)
    pieces = by_line(left)
    codes = [code for line in request.lines for code in line.codes[: pieces.get(line.line_no, 0)]]
    over = {line.line_no: len(line.codes) - pieces.get(line.line_no, 0) for line in request.lines}
    unused = {str(line_no): count for line_no, count in over.items() if count > 0}
    granted = act(facts_of(row), Action.SHIP, Actor.MERCHANT)
    if isinstance(granted, Refused):
        granted, times = facts_of(row), {}
    else:
        times = {"shipped_at": at, "delivered_at": at}
    entry = LogEntry(at, Actor.MERCHANT, Action.SHIP, f"{len(codes)} codes granted")
    await change(db, row, granted, entry, granted=codes, **times)
    about = {"order_no": str(row.order_no), "sub_order_no": row.sub_order_no, "merchant": row.merchant}
    if codes:
        await tell(db, NOTICE, f"shipped/{row.sub_order_no}", about | {"event": "granted"})
    if unused:
        # The last ones of each line: the merchant has the codes, and can give them to somebody else.
        told = about | {"event": "codes_unused", "last_of_line": unused}
        await tell(db, NOTICE, f"codes-unused/{row.sub_order_no}", told)
    await refold(db, row.order_no, at)


async def _keep_review(db: AsyncConnection, row: SubOrderRow, rating: int, text: str, at: datetime) -> None:
    values = {"order_no": row.order_no, "idx": row.idx, "rating": rating, "text": text, "at": at}
    await db.execute(insert(reviews).values(values))


async def _read(db: AsyncConnection, sub_order_no: str) -> SubOrderFacts:
    return _sub_order_facts((await db.execute(_READ, {"of_sub": sub_order_no})).one())


def _sub_order_facts(row: Row[Any]) -> SubOrderFacts:
    """The facts of a sub-order, from a row of `_READ` or `_HANDED_OVER`."""
    left, revision = left_of(row)
    return SubOrderFacts(
        status=Status(row.status),
        delivered=row.delivered_at is not None,
        ships_from=row.ships_from,
        close_reason=CloseReason(row.close_reason) if row.close_reason else None,
        left=left,
        revision=revision,
        owed=owed_of(row.owed),
    )
