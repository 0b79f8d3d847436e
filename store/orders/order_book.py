"""The order book in PostgreSQL, up to the split: placed, paid, closed."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.attention import Noted
from activities.orders import (
    AcceptPayment,
    CloseLines,
    CloseOrder,
    FileCaptures,
    LinesToSplit,
    OrderClosing,
    OrderFacts,
    OrderOf,
    Owed,
    PaymentAccepted,
    RecordOrder,
    RecordRefusal,
    RecordSplit,
    SplitDone,
)
from domain.order.acts import SubOrderEnded
from domain.order.closing import CLOSING_ACT
from domain.order.lines import Placement
from domain.order.precedence import CaptureOutcome
from domain.order.status import (
    ENDED,
    Action,
    Actor,
    CloseReason,
    Facts,
    FulfilmentFact,
    PaymentFact,
    Refused,
    Status,
    act,
    status_of,
)
from store.database.engine import looking
from store.database.keys import kept, once
from store.database.log_and_outbox import (
    LogEntry,
    Notice,
    entry_of,
    notice_of,
    with_entry_and_notice,
)
from store.money.inbox import file_capture
from store.money.journal import ORDERS, PROVIDER, SHIPPING, post
from store.money.payments import keep_capture
from store.orders.closings import closing_owes, sub_order_owes
from store.orders.placements import record_order, record_refusal
from store.orders.splits import CLOSE_LINES, close_lines, is_split, lines_to_split, owe_the_rest, record_split
from store.rows.sub_orders import SubOrderRow, forget_attention, lock_order, sub_orders_of
from store.tables import order_lines, order_operations, orders

_CHANGE = with_entry_and_notice(update(orders).where(orders.c.order_no == bindparam("of_order")))


class PostgresOrderBook:
    """Implements `activities.orders.OrderBook`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._looking = looking(engine)

    async def order_facts(self, request: OrderOf) -> OrderFacts:
        number = int(request.order_no)
        async with self._looking.connect() as db:
            placement = await kept(db, order_operations, f"{request.order_no}/place", Placement)
            if placement is None or placement.refusal is not None:
                return OrderFacts(placement=placement)
            order = (
                await db.execute(select(orders.c.close_reason, orders.c.payment).where(orders.c.order_no == number))
            ).one()
            merchants = await db.scalars(
                select(order_lines.c.merchant).where(order_lines.c.order_no == number).distinct()
            )
            subs = await sub_orders_of(db, number)
            return OrderFacts(
                placement=placement,
                merchants=sorted(merchants),
                paid=PaymentFact(order.payment) is PaymentFact.PAID,
                close_reason=CloseReason(order.close_reason) if order.close_reason else None,
                split=bool(subs),
                ended=[_ended(sub) for sub in subs if Status(sub.status) in ENDED],
                owed=[*await owed_by_order(db, request.order_no), *await _owed_by_closed(db, subs)],
            )

    async def record_order(self, request: RecordOrder) -> Placement:
        async with self._engine.begin() as db:
            key = f"{request.order_no}/place"
            return await once(db, order_operations, key, Placement, lambda: record_order(db, request), _taken)

    async def record_refusal(self, request: RecordRefusal) -> Placement:
        number = request.placement.order_no
        async with self._engine.begin() as db:
            return await once(db, order_operations, f"{number}/place", Placement, lambda: record_refusal(db, request))

    async def accept_payment(self, request: AcceptPayment) -> PaymentAccepted:
        async with self._engine.begin() as db:
            return PaymentAccepted(outcome=await _accept_payment(db, request))

    async def file_captures(self, request: FileCaptures) -> Noted:
        async with self._engine.begin() as db:
            filed = 0
            for capture in request.captures:
                filed += await file_capture(db, f"closing/{capture.capture_id}", capture)
        return Noted(changed=filed > 0)

    async def lines_to_split(self, order_no: str) -> LinesToSplit:
        async with self._looking.connect() as db:
            return await lines_to_split(db, int(order_no))

    async def record_split(self, request: RecordSplit) -> SplitDone:
        key = f"{request.order_no}/split"
        async with self._engine.begin() as db:
            return await once(db, order_operations, key, SplitDone, lambda: record_split(db, request), _was_split)

    async def close_lines(self, request: CloseLines) -> Owed:
        key = f"{request.order_no}/{CLOSE_LINES}"
        async with self._engine.begin() as db:
            return await once(db, order_operations, key, Owed, lambda: close_lines(db, request))

    async def close_order(self, request: CloseOrder) -> OrderClosing:
        key = f"{request.order_no}/close"
        async with self._engine.begin() as db:
            closing = await once(
                db, order_operations, key, OrderClosing, lambda: _close_order(db, request), _was_closed
            )
            if _was_closed(closing):
                # Each time: a try that comes after a lost one may have asked for a person before it hears of this.
                await forget_attention(db, int(request.order_no))
            return closing


async def owed_by_order(db: AsyncConnection, order_no: str) -> list[Owed]:
    """What the closing of single lines, and the cancel of the split order, have decided to give back."""
    of_lines = await kept(db, order_operations, f"{order_no}/{CLOSE_LINES}", Owed)
    of_cancel = await closing_owes(db, order_no)
    return [owed for owed in (of_lines, of_cancel) if owed is not None]


async def _owed_by_closed(db: AsyncConnection, subs: Sequence[SubOrderRow]) -> list[Owed]:
    """What closings of sub-orders that had not shipped have decided; no run of theirs starts again for it."""
    closed = [sub for sub in subs if Status(sub.status) is Status.CLOSED and sub.shipped_at is None]
    return [owed for sub in closed for owed in await sub_order_owes(db, sub.sub_order_no)]


def _ended(sub: SubOrderRow) -> SubOrderEnded:
    reason = CloseReason(sub.close_reason) if sub.close_reason else None
    return SubOrderEnded(sub_order_no=sub.sub_order_no, status=Status(sub.status), close_reason=reason)


def _taken(placement: Placement) -> bool:
    """Whether the order was placed. A refusal is not kept under this key: `record_refusal` keeps it."""
    return placement.refusal is None


def _was_split(done: SplitDone) -> bool:
    return done.closed is None


def _was_closed(closing: OrderClosing) -> bool:
    return not (closing.split or closing.paid_after_all)


async def _accept_payment(db: AsyncConnection, request: AcceptPayment) -> CaptureOutcome:
    capture, number = request.capture, int(request.order_no)
    order = await lock_order(db, number)
    moved = act(_facts(order), Action.PAY, Actor.BUYER)
    if isinstance(moved, Refused) and order.capture_id != capture.capture_id:
        # Closed, or paid by another capture: a run that was started over may not know. Nothing is kept.
        return CaptureOutcome.TOO_LATE if order.capture_id is None else CaptureOutcome.PAID_TWICE
    fate = await keep_capture(db, capture, "ACCEPTED")
    if fate is not None:
        return CaptureOutcome.DUPLICATE if fate == "ACCEPTED" else CaptureOutcome.ALREADY_STRAY
    assert not isinstance(moved, Refused), moved.reason
    goods = capture.amount_fen - order.shipping_fen
    legs = {PROVIDER: capture.amount_fen, ORDERS: -goods, SHIPPING: -order.shipping_fen}
    await post(db, f"capture/{capture.capture_id}", "CAPTURE", request.order_no, legs, capture.currency)
    paid = {"capture_id": capture.capture_id, "paid_at": capture.captured_at}
    entry = LogEntry(capture.captured_at, Actor.BUYER, Action.PAY, f"{capture.amount_fen} fen")
    body = {"order_no": request.order_no, "event": "paid", "amount_fen": capture.amount_fen}
    await _change(db, number, moved, entry, Notice(f"paid/{request.order_no}", body), paid)
    return CaptureOutcome.ACCEPTED


async def _change(
    db: AsyncConnection, order_no: int, facts: Facts, entry: LogEntry, notice: Notice, more: Mapping[str, object]
) -> None:
    """Change an order that is not split, with its entry in its story and what is to be told: one statement."""
    values = {"payment": facts.payment.value, "status": status_of(facts).value, **more}
    beside = entry_of(order_no, entry) | notice_of(notice)
    await db.execute(_CHANGE, {"of_order": order_no, **values, **beside})


async def _close_order(db: AsyncConnection, request: CloseOrder) -> OrderClosing:
    number = int(request.order_no)
    order = await lock_order(db, number)
    of_lines = await kept(db, order_operations, f"{number}/{CLOSE_LINES}", Owed)
    owed = [of_lines] if of_lines is not None else []
    if await is_split(db, number):
        return OrderClosing(split=True, owed=owed)
    if request.reason is CloseReason.UNPAID and order.payment == PaymentFact.PAID and not order.close_reason:
        return OrderClosing(paid_after_all=True)
    action, actor = CLOSING_ACT[request.reason]
    moved = act(_facts(order), action, actor)
    assert not isinstance(moved, Refused), moved.reason
    closed = {"close_reason": request.reason.value, "closed_at": request.at}
    entry = LogEntry(request.at, actor, action, request.reason)
    body = {"order_no": request.order_no, "event": "closed", "reason": request.reason.value}
    await _change(db, number, moved, entry, Notice(f"closed/{request.order_no}", body), closed)
    rest = await owe_the_rest(db, order, request)
    return OrderClosing(paid=order.payment == PaymentFact.PAID, owed=[*owed, rest] if rest is not None else owed)


def _facts(order: Row[Any]) -> Facts:
    """The facts of an order that is not split."""
    closed = Status(order.status) is Status.CLOSED
    return Facts(
        payment=PaymentFact(order.payment),
        fulfilment=FulfilmentFact.CLOSED if closed else FulfilmentFact.AWAITING,
    )
