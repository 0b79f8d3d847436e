"""The order book in PostgreSQL, up to the split: placed, paid, closed."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Text, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.orders import (
    AcceptPayment,
    CloseLines,
    CloseOrder,
    FileCaptures,
    LinesToSplit,
    Noted,
    OrderClosing,
    OrderFacts,
    OrderOf,
    Owed,
    PaymentAccepted,
    RecordAttention,
    RecordOrder,
    RecordRefusal,
    RecordSplit,
    SplitDone,
)
from domain.order.acts import SubOrderEnded
from domain.order.lines import Placement, Refusal, RefusalCode
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
from domain.records.evidence import placed
from domain.risk import address_key, device_key, phone_key
from store.database.keys import kept, once
from store.database.log_and_outbox import (
    ALARM,
    LogEntry,
    Notice,
    entry_of,
    note,
    notice_of,
    tell,
    with_entry,
    with_entry_and_notice,
)
from store.money.inbox import file_capture
from store.money.journal import ORDERS, PROVIDER, SHIPPING, post
from store.money.payments import keep_capture
from store.orders.closings import closing_owes, sub_order_owes
from store.orders.splits import CLOSE_LINES, close_lines, is_split, lines_to_split, owe_the_rest, record_split
from store.orders.sub_order_book import Parcels, mark_stuck
from store.rows.lines import keep_lines
from store.rows.sub_orders import SubOrderRow, forget_attention, lock_order, sub_orders_of
from store.tables import (
    attentions,
    order_lines,
    order_operations,
    orders,
    placements,
)

DIGITS = 19  # of an order's number

_CHANGE = with_entry_and_notice(update(orders).where(orders.c.order_no == bindparam("of_order")))
_PLACE = insert(orders)
_ANSWER = with_entry(insert(placements))
# The buyer's, counted one placement at a time: two at once can't slip past a limit together.
_ONE_BUYER = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("buyer", type_=Text), 0)))
_UNPAID = (
    select(func.count())
    .select_from(orders)
    .where(orders.c.buyer_id == bindparam("of_buyer"), orders.c.status == Status.PENDING_PAYMENT.value)
)


class PostgresOrderBook(Parcels):
    """Implements `activities.orders.OrderBook` and `activities.merchant.ParcelBook`."""

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
            return await once(db, order_operations, key, Placement, lambda: _place(db, request), _taken)

    async def record_refusal(self, request: RecordRefusal) -> Placement:
        number = request.placement.order_no
        async with self._engine.begin() as db:
            return await once(db, order_operations, f"{number}/place", Placement, lambda: _record_refusal(db, request))

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

    async def record_attention(self, request: RecordAttention) -> Noted:
        async with self._engine.begin() as db:
            if not request.order_no.isdigit() or len(request.order_no) > DIGITS:
                return Noted(changed=await _alarm(db, request))  # money for what is no order of ours
            # First the order, as everywhere: a closing holds it while it ends what needs a person. There may be
            # no order yet, and then nothing to hold.
            status = await db.scalar(
                select(orders.c.status).where(orders.c.order_no == int(request.order_no)).with_for_update()
            )
            if request.while_open and request.text is not None and status in ENDED:
                return Noted(changed=False)
            changed = await (_mark(db, request) if request.text is not None else _unmark(db, request))
            if changed and request.subject and request.subject.isdigit():
                await mark_stuck(db, request.order_no, request.subject)
            return Noted(changed=changed)


async def owed_by_order(db: AsyncConnection, order_no: str) -> list[Owed]:
    """What the closing of single lines, and the cancel of the split order, have decided to give back."""
    of_lines = await kept(db, order_operations, f"{order_no}/{CLOSE_LINES}", Owed)
    of_cancel = await closing_owes(db, order_no)
    return [owed for owed in (of_lines, of_cancel) if owed is not None]


async def _owed_by_closed(db: AsyncConnection, subs: Sequence[SubOrderRow]) -> list[Owed]:
    """By the closings of sub-orders before they shipped: no run of theirs needs to start again for it."""
    closed = [sub for sub in subs if Status(sub.status) is Status.CLOSED and sub.shipped_at is None]
    return [owed for sub in closed for owed in await sub_order_owes(db, sub.sub_order_no)]


def _ended(sub: SubOrderRow) -> SubOrderEnded:
    reason = CloseReason(sub.close_reason) if sub.close_reason else None
    return SubOrderEnded(sub_order_no=sub.sub_order_no, status=Status(sub.status), close_reason=reason)


def _taken(placement: Placement) -> bool:
    """A refusal leaves the key to `record_refusal`."""
    return placement.refusal is None


def _was_split(done: SplitDone) -> bool:
    return done.closed is None


def _was_closed(closing: OrderClosing) -> bool:
    return not (closing.split or closing.stands)


async def _place(db: AsyncConnection, request: RecordOrder) -> Placement:
    most, due = request.terms.unpaid_orders_per_buyer, request.priced.amount_due_fen
    unpaid = await _unpaid_orders(db, request.cart.buyer_id) if due else 0
    if unpaid < most:
        return await _record_order(db, request)
    refused = Refusal(
        code=RefusalCode.TOO_MANY_UNPAID,
        detail=f"the buyer has {unpaid} unpaid orders; at most {most} may be open",
        remedy="pay one of them, or cancel it",
    )
    return Placement(order_no=request.order_no, refusal=refused)


async def _unpaid_orders(db: AsyncConnection, buyer_id: int) -> int:
    await db.execute(_ONE_BUYER, {"buyer": f"unpaid/{buyer_id}"})
    return await db.scalar(_UNPAID, {"of_buyer": buyer_id}) or 0


async def _record_order(db: AsyncConnection, request: RecordOrder) -> Placement:
    cart, priced, number = request.cart, request.priced, int(request.order_no)
    payment = PaymentFact.UNPAID if priced.amount_due_fen else PaymentFact.PAID
    row = {
        "order_no": number,
        "buyer_id": cart.buyer_id,
        "caller": request.caller,
        "device_id": device_key(cart.device_id),
        "ip": cart.ip,
        "address": cart.address.model_dump(),
        "address_key": address_key(cart.address),
        "phone_key": phone_key(cart.address.phone),
        "goods_fen": priced.goods_fen,
        "shipping_fen": priced.shipping_fen,
        "amount_due_fen": priced.amount_due_fen,
        "currency": priced.currency,
        "coupons": priced.coupons,
        "rules": priced.rules,
        "terms": request.terms.model_dump(mode="json"),
        "plan": [part.model_dump(mode="json") for part in priced.plan] if priced.plan else None,
        "payment": payment.value,
        "status": status_of(Facts(payment=payment)).value,
        "placed_at": request.placed_at,
        "pay_by": request.pay_by,
    }
    await db.execute(_PLACE, row)
    await keep_lines(db, number, priced.lines)
    placement = Placement(
        order_no=request.order_no,
        amount_due_fen=priced.amount_due_fen,
        currency=priced.currency,
        pay_by=request.pay_by,
        sub_orders=[part.sub_order_no for part in priced.plan or []],
    )
    evidence = placed(request.order_no, cart.buyer_id, priced, request.terms)
    due = f"{priced.amount_due_fen} fen"
    await _keep_answer(db, placement, LogEntry(request.placed_at, Actor.BUYER, "PLACE", due, evidence))
    return placement


async def _record_refusal(db: AsyncConnection, request: RecordRefusal) -> Placement:
    refused = request.placement.refusal
    assert refused is not None
    detail = f"{refused.code}: {request.to_operators}"
    await _keep_answer(db, request.placement, LogEntry(request.at, Actor.PLATFORM, "REFUSE", detail))
    return request.placement


async def _keep_answer(db: AsyncConnection, placement: Placement, entry: LogEntry) -> None:
    number = int(placement.order_no)
    row = {"order_no": number, "outcome": placement.model_dump(mode="json"), "at": entry.at}
    await db.execute(_ANSWER, row | entry_of(number, entry))


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


_CLOSING_ACTION = {
    CloseReason.UNPAID: (Action.EXPIRE, Actor.CLOCK),
    CloseReason.CANCELLED_BY_BUYER: (Action.CANCEL, Actor.BUYER),
    CloseReason.CANCELLED_BY_PLATFORM: (Action.CANCEL, Actor.PLATFORM),
    CloseReason.CANCELLED_BY_MERCHANT: (Action.CANCEL, Actor.MERCHANT),
    CloseReason.RISK_REJECTED: (Action.REJECT, Actor.PLATFORM),
    CloseReason.OUT_OF_STOCK: (Action.CANCEL, Actor.CLOCK),
}


async def _close_order(db: AsyncConnection, request: CloseOrder) -> OrderClosing:
    number = int(request.order_no)
    order = await lock_order(db, number)
    of_lines = await kept(db, order_operations, f"{number}/{CLOSE_LINES}", Owed)
    owed = [of_lines] if of_lines is not None else []
    if await is_split(db, number):
        return OrderClosing(split=True, owed=owed)
    if request.reason is CloseReason.UNPAID and order.payment == PaymentFact.PAID and not order.close_reason:
        return OrderClosing(stands=True)
    action, actor = _CLOSING_ACTION[request.reason]
    moved = act(_facts(order), action, actor)
    assert not isinstance(moved, Refused), moved.reason
    closed = {"close_reason": request.reason.value, "closed_at": request.at}
    entry = LogEntry(request.at, actor, action, request.reason)
    body = {"order_no": request.order_no, "event": "closed", "reason": request.reason.value}
    await _change(db, number, moved, entry, Notice(f"closed/{request.order_no}", body), closed)
    rest = await owe_the_rest(db, order, request)
    return OrderClosing(paid=order.payment == PaymentFact.PAID, owed=[*owed, rest] if rest is not None else owed)


async def _mark(db: AsyncConnection, request: RecordAttention) -> bool:
    values = {
        "order_no": int(request.order_no),
        "subject": request.subject,
        "topic": request.topic,
        "text": request.text,
        "since": request.at,
    }
    marked = await db.execute(insert(attentions).values(values).on_conflict_do_nothing())
    if not marked.rowcount:
        return False
    if request.alarm:
        await _alarm(db, request)
    await note(
        db,
        int(request.order_no),
        request.at,
        Actor.PLATFORM,
        Action.GET_STUCK,
        subject=request.subject,
        detail=f"{request.topic}: {request.text}",
    )
    return True


async def _alarm(db: AsyncConnection, request: RecordAttention) -> bool:
    if request.text is None:
        return False
    where = request.subject or request.order_no
    body = {"order_no": request.order_no, "subject": where, "topic": request.topic, "text": request.text}
    await tell(db, ALARM, f"attention/{where}/{request.topic}/{request.at.timestamp():.3f}", body)
    return True


async def _unmark(db: AsyncConnection, request: RecordAttention) -> bool:
    healed = await db.execute(
        delete(attentions).where(
            attentions.c.order_no == int(request.order_no),
            attentions.c.subject == request.subject,
            attentions.c.topic == request.topic,
        )
    )
    if healed.rowcount:
        await note(
            db,
            int(request.order_no),
            request.at,
            Actor.PLATFORM,
            Action.HEAL,
            subject=request.subject,
            detail=request.topic,
        )
    return healed.rowcount > 0


def _facts(order: Row[Any]) -> Facts:
    """Of an order that is not split."""
    closed = Status(order.status) is Status.CLOSED
    return Facts(
        payment=PaymentFact(order.payment),
        fulfilment=FulfilmentFact.CLOSED if closed else FulfilmentFact.AWAITING,
    )
