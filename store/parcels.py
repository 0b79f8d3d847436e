"""The order book in PostgreSQL, from the split on: sub-orders, and the order's status that is folded from them.

Every change locks the order's row first, so that a shipment and a cancel of one order come one after the other.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.orders import (
    Closed,
    CloseSubOrders,
    PayBack,
    RecordDelivered,
    RecordGranted,
    RecordReceived,
    RecordRescheduled,
    RecordShipped,
    SubOrderFacts,
    SubOrderOf,
)
from activities.stock import StockLine
from domain.acts import Scan
from domain.order_number import OrderNo, parse
from domain.status import (
    Action,
    Actor,
    AfterSaleFact,
    Answer,
    CloseReason,
    Facts,
    FulfilmentFact,
    PaymentFact,
    Refused,
    ReviewFact,
    Status,
    act,
    allowed,
    fold,
    refusal,
    status_of,
)
from store.cashbox import decide_refund
from store.keys import kept, once
from store.notes import NOTICE, note, tell
from store.tables import (
    attentions,
    order_lines,
    order_operations,
    orders,
    reviews,
    sub_order_lines,
    sub_orders,
    tracking_events,
)

SubOrderRow = Row[Any]


class Parcels:
    """The half of the order book that sub-orders write in."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def standing(self, number: OrderNo) -> tuple[Status, CloseReason | None] | None:
        """Of an order, or a sub-order; None when there is none."""
        order_no = int(number.order_no)
        query = select(orders.c.status, orders.c.close_reason).where(orders.c.order_no == order_no)
        if number.sub is not None:
            of_sub = (sub_orders.c.order_no == order_no) & (sub_orders.c.idx == number.sub)
            query = select(sub_orders.c.status, sub_orders.c.close_reason).where(of_sub)
        async with self._engine.connect() as db:
            row = (await db.execute(query)).first()
        if row is None:
            return None
        return Status(row.status), CloseReason(row.close_reason) if row.close_reason else None

    async def sub_order_facts(self, request: SubOrderOf) -> SubOrderFacts:
        async with self._engine.connect() as db:
            row = await _sub_order(db, request.sub_order_no)
            return _standing(row, await owed_by(db, request.sub_order_no))

    async def handed_over(self, request: SubOrderOf) -> SubOrderFacts:
        async with self._engine.begin() as db:
            await db.execute(
                update(sub_orders)
                .where(sub_orders.c.sub_order_no == request.sub_order_no, sub_orders.c.handed_over_at.is_(None))
                .values(handed_over_at=func.now())
            )
            row = await _sub_order(db, request.sub_order_no)
            return _standing(row, await owed_by(db, request.sub_order_no))

    async def granted(self, request: RecordGranted) -> SubOrderFacts:
        async with self._engine.begin() as db:
            row = await _lock(db, request.sub_order_no)
            if row.granted is None:
                await _grant(db, row, request)
                row = await _sub_order(db, request.sub_order_no)
            return _standing(row, await owed_by(db, request.sub_order_no))

    async def record_rescheduled(self, request: RecordRescheduled) -> Answer:
        async with self._engine.begin() as db:
            row = await _lock(db, request.sub_order_no)
            return await _reschedule(db, row, request)

    async def record_shipped(self, request: RecordShipped) -> Answer:
        key = f"{request.sub_order_no}/ship/{request.carrier}/{request.tracking_no}"
        async with self._engine.begin() as db:
            return await once(db, order_operations, key, Answer, lambda: _ship(db, request), _done)

    async def record_delivered(self, request: RecordDelivered) -> Answer:
        async with self._engine.begin() as db:
            row = await _lock(db, request.sub_order_no)
            delivered = act(_facts(row), Action.DELIVER, request.actor)
            if isinstance(delivered, Refused):
                return Answer(status=delivered.status, refused=delivered)
            if row.delivered_at is None:
                await _change(db, row, delivered, delivered_at=request.at)
                await _note(db, row, request.at, request.actor, Action.DELIVER)
            return Answer(status=status_of(delivered))

    async def record_received(self, request: RecordReceived) -> Answer:
        async with self._engine.begin() as db:
            row = await _lock(db, request.sub_order_no)
            if Status(row.status) in (Status.COMPLETED, Status.REVIEWED):
                return Answer(status=Status(row.status))
            received = act(_facts(row), Action.CONFIRM_RECEIPT, request.actor)
            if isinstance(received, Refused):
                return Answer(status=received.status, refused=received)
            await _change(db, row, received, received_at=request.at)
            await db.execute(delete(attentions).where(attentions.c.subject == request.sub_order_no))
            await _note(db, row, request.at, request.actor, Action.CONFIRM_RECEIPT)
            await refold(db, row.order_no, request.at)
            return Answer(status=status_of(received))

    async def close_sub_orders(self, request: CloseSubOrders) -> Closed:
        key = _cancel_key(request.sub_order_no or request.order_no)
        async with self._engine.begin() as db:
            return await once(db, order_operations, key, Closed, lambda: _close(db, request), _done)

    async def record_scan(self, sub_order_no: str, scan: Scan) -> Answer:
        """A carrier's report, for the tracking view only. Key: the carrier's event id."""
        async with self._engine.begin() as db:
            row = await _lock(db, sub_order_no)
            tracked = act(_facts(row), Action.TRACK, Actor.CARRIER)
            if isinstance(tracked, Refused):
                return Answer(status=tracked.status, refused=tracked)
            values = {"order_no": row.order_no, "idx": row.idx, **scan.model_dump()}
            await db.execute(insert(tracking_events).values(values).on_conflict_do_nothing())
            return Answer(status=status_of(tracked))

    async def review(self, sub_order_no: str, rating: int, text: str, at: datetime) -> Answer:
        """What the buyer thinks; a fact, not a story. Once per sub-order."""
        async with self._engine.begin() as db:
            row = await _lock(db, sub_order_no)
            reviewed = act(_facts(row), Action.REVIEW, Actor.BUYER)
            if isinstance(reviewed, Refused):
                return Answer(status=reviewed.status, refused=reviewed)
            await _keep_review(db, row, rating, text, at)
            await _change(db, row, reviewed)
            await _note(db, row, at, Actor.BUYER, Action.REVIEW, f"{rating} of 5")
            await refold(db, row.order_no, at)
            return Answer(status=status_of(reviewed))


def _cancel_key(number: str) -> str:
    return f"{number}/cancel"


async def owed_by(db: AsyncConnection, number: str) -> PayBack | None:
    """What the cancel of an order after its split, or of a sub-order, has decided to give back."""
    closed = await kept(db, order_operations, _cancel_key(number), Closed)
    return closed.pay_back if closed is not None else None


async def lock_order(db: AsyncConnection, order_no: int) -> SubOrderRow:
    """The order's row, until the transaction ends."""
    return (await db.execute(select(orders).where(orders.c.order_no == order_no).with_for_update())).one()


async def mark_stuck(db: AsyncConnection, order_no: str, sub_order_no: str) -> None:
    """A sub-order that awaits shipment and needs a person is in EXCEPTION until nothing needs one any more."""
    row = await _lock(db, sub_order_no)
    waiting = await db.scalar(
        select(func.count()).where(attentions.c.order_no == int(order_no), attentions.c.subject == sub_order_no)
    )
    moved = act(_facts(row), Action.GET_STUCK if waiting else Action.HEAL, Actor.PLATFORM)
    if not isinstance(moved, Refused):  # shipped or closed meanwhile: the mark alone tells
        await _change(db, row, moved)


async def forget_attention(db: AsyncConnection, order_no: int) -> None:
    """The order is at an ending: nobody is needed for it any more. Stray money is another matter."""
    of_order = attentions.c.order_no == order_no
    await db.execute(delete(attentions).where(of_order, ~attentions.c.subject.like("stray-payment/%")))


async def refold(db: AsyncConnection, order_no: int, at: datetime) -> None:
    """The order's status, from its sub-orders'. The order's row must be locked."""
    rows = (await db.execute(select(sub_orders).where(sub_orders.c.order_no == order_no))).all()
    status = fold(Status(row.status) for row in rows).status
    values: dict[str, object] = {"status": status.value}
    if status in (Status.COMPLETED, Status.CLOSED):
        await forget_attention(db, order_no)
    if status is Status.COMPLETED:
        values["completed_at"] = at
    if status is Status.CLOSED:
        values["closed_at"] = at
        values["close_reason"] = max(rows, key=lambda row: row.closed_at).close_reason
    await db.execute(update(orders).where(orders.c.order_no == order_no).values(values))


async def _ship(db: AsyncConnection, request: RecordShipped) -> Answer:
    row = await _lock(db, request.sub_order_no)
    if row.ships_from is not None and request.at.date() < row.ships_from:
        why = f"it is a presale, and ships from {row.ships_from}"
        return Answer(status=Status(row.status), refused=refusal(Status(row.status), Action.SHIP, request.actor, why))
    shipped = act(_facts(row), Action.SHIP, request.actor)
    if isinstance(shipped, Refused):
        return Answer(status=shipped.status, refused=shipped)
    await _change(db, row, shipped, carrier=request.carrier, tracking_no=request.tracking_no, shipped_at=request.at)
    await db.execute(
        delete(attentions).where(attentions.c.order_no == row.order_no, attentions.c.subject == request.sub_order_no)
    )
    detail = f"{request.carrier} {request.tracking_no}"
    await _note(db, row, request.at, request.actor, Action.SHIP, detail)
    body = {"order_no": str(row.order_no), "sub_order_no": row.sub_order_no, "event": "shipped", "with": detail}
    await tell(db, NOTICE, f"shipped/{row.sub_order_no}", body)
    await refold(db, row.order_no, request.at)
    return Answer(status=status_of(shipped))


async def _reschedule(db: AsyncConnection, row: SubOrderRow, request: RecordRescheduled) -> Answer:
    moved = act(_facts(row), Action.RESCHEDULE, request.actor)
    if isinstance(moved, Refused):
        return Answer(status=moved.status, refused=moved)
    status = status_of(moved)
    if row.ships_from is None or row.handed_over_at is not None:
        why = "it is no presale" if row.ships_from is None else "the merchant's warehouse has it already"
        return Answer(status=status, refused=refusal(status, Action.RESCHEDULE, request.actor, why))
    if row.ships_from != request.ships_from:
        await _change(db, row, moved, ships_from=request.ships_from)
        await _note(db, row, request.at, request.actor, Action.RESCHEDULE, f"ships from {request.ships_from}")
        body = {"order_no": str(row.order_no), "sub_order_no": row.sub_order_no, "event": "rescheduled"}
        body["ships_from"] = request.ships_from.isoformat()
        await tell(db, NOTICE, f"rescheduled/{row.sub_order_no}/{request.ships_from}", body)
    return Answer(status=status)


async def _grant(db: AsyncConnection, row: SubOrderRow, request: RecordGranted) -> None:
    """Granted is shipped and delivered in one; a sub-order that was closed meanwhile keeps its codes on record."""
    at = await db.scalar(select(func.now()))
    assert at is not None
    granted = act(_facts(row), Action.SHIP, Actor.MERCHANT)
    if isinstance(granted, Refused):
        granted, times = _facts(row), {}
    else:
        times = {"shipped_at": at, "delivered_at": at}
    await _change(db, row, granted, granted=request.codes, **times)
    await _note(db, row, at, Actor.MERCHANT, Action.SHIP, f"{len(request.codes)} codes granted")
    body = {"order_no": str(row.order_no), "sub_order_no": row.sub_order_no, "event": "granted"}
    await tell(db, NOTICE, f"shipped/{row.sub_order_no}", body)
    await refold(db, row.order_no, at)


async def _close(db: AsyncConnection, request: CloseSubOrders) -> Closed:
    order_no = int(request.order_no)
    await lock_order(db, order_no)
    rows = (
        await db.execute(select(sub_orders).where(sub_orders.c.order_no == order_no).order_by(sub_orders.c.idx))
    ).all()
    named = [row for row in rows if request.sub_order_no in (None, row.sub_order_no)]
    refused = _why_not(rows, named, request.actor)
    if refused is not None:
        return Closed(refused=refused)
    closing = [row for row in named if Status(row.status) is not Status.CLOSED]
    for row in closing:
        await _close_one(db, row, request)
    await refold(db, order_no, request.at)
    amount = sum(row.pay_fen + row.shipping_fen for row in closing)
    all_closed = len(closing) == sum(Status(row.status) is not Status.CLOSED for row in rows)
    pay_back = PayBack(
        key=f"cancel/{request.sub_order_no or request.order_no}",
        refund_no=await decide_refund(db, order_no, amount, request.reason.value, request.at),
        restock=await _pieces(db, closing),
        put_back=[row.sub_order_no for row in closing if row.stocked],
        coupons=all_closed and await _has_coupons(db, order_no),
    )
    return Closed(closed=[row.sub_order_no for row in closing], reason=request.reason, pay_back=pay_back)


def _done(answer: Answer | Closed) -> bool:
    """A refusal is not kept under the key: another party, or the next state, may be answered otherwise."""
    return answer.refused is None


def _why_not(rows: Sequence[SubOrderRow], named: Sequence[SubOrderRow], actor: Actor) -> Refused | None:
    """All that are named, or none: the first reason against it, with what this party may do instead."""
    live = [row for row in named if Status(row.status) is not Status.CLOSED]
    status = fold(Status(row.status) for row in named).status
    if not live:
        return refusal(status, Action.CANCEL, actor)
    answers = [act(_facts(row), Action.CANCEL, actor) for row in live]
    refusals = [answer for answer in answers if isinstance(answer, Refused)]
    if not refusals:
        return None
    possible = {action for row in live for action in allowed(Status(row.status), actor)}
    cancellable = [row.sub_order_no for row, answer in zip(live, answers, strict=True) if isinstance(answer, Facts)]
    why = f"{len(refusals)} of {len(live)} sub-orders can't be cancelled any more, since they have shipped"
    if cancellable:
        why += f"; cancel by itself what has not: {', '.join(cancellable)}"
    listed = ", ".join(sorted(possible)) or "nothing"
    return Refused(
        status=status,
        action=Action.CANCEL,
        allowed=tuple(sorted(possible)),
        reason=f"{why}; allowed now: {listed}",
    )


async def _close_one(db: AsyncConnection, row: SubOrderRow, request: CloseSubOrders) -> None:
    closed = act(_facts(row), Action.CANCEL, request.actor)
    assert isinstance(closed, Facts)
    await _change(db, row, closed, closed_at=request.at, close_reason=request.reason.value)
    await db.execute(
        delete(attentions).where(attentions.c.order_no == row.order_no, attentions.c.subject == row.sub_order_no)
    )
    detail = f"{request.reason}: {request.note}" if request.note else request.reason.value
    await _note(db, row, request.at, request.actor, Action.CANCEL, detail)
    body = {
        "order_no": str(row.order_no),
        "sub_order_no": row.sub_order_no,
        "merchant": row.merchant,
        "event": "closed",
        "reason": request.reason.value,
    }
    await tell(db, NOTICE, f"closed/{row.sub_order_no}", body)


async def _has_coupons(db: AsyncConnection, order_no: int) -> bool:
    return bool(await db.scalar(select(orders.c.coupons).where(orders.c.order_no == order_no)))


async def _pieces(db: AsyncConnection, closing: Sequence[SubOrderRow]) -> list[StockLine]:
    indices = [row.idx for row in closing]
    same_line = (order_lines.c.order_no == sub_order_lines.c.order_no) & (
        order_lines.c.line_no == sub_order_lines.c.line_no
    )
    quantity = func.sum(sub_order_lines.c.last_unit - sub_order_lines.c.first_unit + 1)
    found = await db.execute(
        select(sub_order_lines.c.line_no, order_lines.c.sku, quantity)
        .join(order_lines, same_line)
        .where(sub_order_lines.c.order_no == closing[0].order_no, sub_order_lines.c.idx.in_(indices))
        .group_by(sub_order_lines.c.line_no, order_lines.c.sku)
        .order_by(sub_order_lines.c.line_no)
    )
    return [StockLine(line_no=line_no, sku=sku, quantity=pieces) for line_no, sku, pieces in found]


async def _sub_order(db: AsyncConnection, sub_order_no: str) -> SubOrderRow:
    return (await db.execute(select(sub_orders).where(sub_orders.c.sub_order_no == sub_order_no))).one()


async def _lock(db: AsyncConnection, sub_order_no: str) -> SubOrderRow:
    await lock_order(db, int(parse(sub_order_no).order_no))
    return await _sub_order(db, sub_order_no)


async def _change(db: AsyncConnection, row: SubOrderRow, facts: Facts, **more: object) -> None:
    await db.execute(
        update(sub_orders)
        .where(sub_orders.c.sub_order_no == row.sub_order_no)
        .values(fulfilment=facts.fulfilment.value, review=facts.review.value, status=status_of(facts).value, **more)
    )


async def _note(
    db: AsyncConnection, row: SubOrderRow, at: datetime, actor: Actor, action: Action, detail: str = ""
) -> None:
    await note(db, row.order_no, at, actor, action, subject=row.sub_order_no, detail=detail)


async def _keep_review(db: AsyncConnection, row: SubOrderRow, rating: int, text: str, at: datetime) -> None:
    values = {"order_no": row.order_no, "idx": row.idx, "rating": rating, "text": text, "at": at}
    await db.execute(insert(reviews).values(values))


def _facts(row: SubOrderRow) -> Facts:
    return Facts(
        payment=PaymentFact.PAID,
        fulfilment=FulfilmentFact(row.fulfilment),
        review=ReviewFact(row.review),
        after_sale=AfterSaleFact(row.after_sale),
    )


def _standing(row: SubOrderRow, owed: PayBack | None) -> SubOrderFacts:
    return SubOrderFacts(
        status=Status(row.status),
        delivered=row.delivered_at is not None,
        ships_from=row.ships_from,
        close_reason=CloseReason(row.close_reason) if row.close_reason else None,
        owed=owed,
    )
