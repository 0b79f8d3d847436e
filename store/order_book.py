"""The order book in PostgreSQL, up to the split: placed, paid, closed."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.orders import (
    AcceptPayment,
    CloseLines,
    CloseOrder,
    FileCaptures,
    LinesToSplit,
    Noted,
    OrderFacts,
    OrderOf,
    PayBack,
    PaymentAccepted,
    RecordAttention,
    RecordOrder,
    RecordRefusal,
    RecordSplit,
    SplitDone,
)
from activities.stock import StockLine
from domain.evidence import placed
from domain.order import Placement
from domain.payment import Capture
from domain.precedence import CaptureOutcome
from domain.risk import address_key, device_key, phone_key
from domain.status import (
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
from store.cashbox import decide_refund, keep_capture
from store.journal import ORDERS, PROVIDER, post
from store.keys import kept, once
from store.lines import keep_lines, read_lines
from store.notes import ALARM, NOTICE, note, tell
from store.parcels import Parcels, forget_attention, lock_order, mark_stuck, owed_by
from store.splits import CLOSE_LINES, close_lines, is_split, lines_to_split, record_split
from store.tables import (
    attentions,
    order_lines,
    order_operations,
    orders,
    payment_notifications,
    placements,
)

DIGITS = 19  # of an order's number


class PostgresOrderBook(Parcels):
    """Implements `activities.orders.OrderBook` and `activities.merchant.ParcelBook`."""

    async def order_facts(self, request: OrderOf) -> OrderFacts:
        number = int(request.order_no)
        async with self._engine.connect() as db:
            placement = await kept(db, order_operations, f"{request.order_no}/place", Placement)
            if placement is None or placement.refusal is not None:
                return OrderFacts(placement=placement)
            reason = await db.scalar(select(orders.c.close_reason).where(orders.c.order_no == number))
            merchants = await db.scalars(
                select(order_lines.c.merchant).where(order_lines.c.order_no == number).distinct()
            )
            return OrderFacts(
                placement=placement,
                merchants=sorted(merchants),
                close_reason=CloseReason(reason) if reason else None,
                split=await is_split(db, number),
                owed=await owed_by_order(db, request.order_no),
            )

    async def record_order(self, request: RecordOrder) -> Placement:
        async with self._engine.begin() as db:
            return await once(
                db, order_operations, f"{request.order_no}/place", Placement, lambda: _record_order(db, request)
            )

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
        async with self._engine.connect() as db:
            return await lines_to_split(db, int(order_no))

    async def record_split(self, request: RecordSplit) -> SplitDone:
        key = f"{request.order_no}/split"
        async with self._engine.begin() as db:
            return await once(db, order_operations, key, SplitDone, lambda: record_split(db, request))

    async def close_lines(self, request: CloseLines) -> PayBack:
        key = f"{request.order_no}/{CLOSE_LINES}"
        async with self._engine.begin() as db:
            return await once(db, order_operations, key, PayBack, lambda: close_lines(db, request))

    async def close_order(self, request: CloseOrder) -> PayBack:
        async with self._engine.begin() as db:
            return await once(
                db, order_operations, f"{request.order_no}/close", PayBack, lambda: _close_order(db, request)
            )

    async def record_attention(self, request: RecordAttention) -> Noted:
        async with self._engine.begin() as db:
            if not request.order_no.isdigit() or len(request.order_no) > DIGITS:
                return Noted(changed=await _alarm(db, request))  # money for what is no order of ours
            # First the order, as everywhere: a closing holds it while it ends what needs a person. There may be
            # no order yet, and then nothing to hold.
            await db.execute(
                select(orders.c.order_no).where(orders.c.order_no == int(request.order_no)).with_for_update()
            )
            changed = await (_mark(db, request) if request.text is not None else _unmark(db, request))
            if changed and request.subject and request.subject.isdigit():
                await mark_stuck(db, request.order_no, request.subject)
            return Noted(changed=changed)


async def owed_by_order(db: AsyncConnection, order_no: str) -> list[PayBack]:
    """What the closing of single lines, and the cancel of the split order, have decided to give back."""
    of_lines = await kept(db, order_operations, f"{order_no}/{CLOSE_LINES}", PayBack)
    of_cancel = await owed_by(db, order_no)
    return [owed for owed in (of_lines, of_cancel) if owed is not None]


async def file_capture(db: AsyncConnection, notification_id: str, capture: Capture) -> int:
    """Put money that arrived into the inbox; 0 when this notification is there already. Kept for ever."""
    row = {
        "notification_id": notification_id,
        "capture_id": capture.capture_id,
        "capture": capture.model_dump(mode="json"),
    }
    filed = await db.execute(insert(payment_notifications).values(row).on_conflict_do_nothing())
    return filed.rowcount


async def _record_order(db: AsyncConnection, request: RecordOrder) -> Placement:
    cart, priced, number = request.cart, request.priced, int(request.order_no)
    payment = PaymentFact.UNPAID if priced.amount_due_fen else PaymentFact.PAID
    await db.execute(
        insert(orders).values(
            order_no=number,
            buyer_id=cart.buyer_id,
            caller=request.caller,
            device_id=device_key(cart.device_id),
            ip=cart.ip,
            address=cart.address.model_dump(),
            address_key=address_key(cart.address),
            phone_key=phone_key(cart.address.phone),
            goods_fen=priced.goods_fen,
            shipping_fen=priced.shipping_fen,
            amount_due_fen=priced.amount_due_fen,
            currency=priced.currency,
            coupons=priced.coupons,
            rules=priced.rules,
            terms=request.terms.model_dump(mode="json"),
            plan=[part.model_dump(mode="json") for part in priced.plan] if priced.plan else None,
            payment=payment.value,
            status=status_of(Facts(payment=payment)).value,
            placed_at=request.placed_at,
            pay_by=request.pay_by,
        )
    )
    await keep_lines(db, number, priced.lines)
    placement = Placement(
        order_no=request.order_no,
        amount_due_fen=priced.amount_due_fen,
        currency=priced.currency,
        pay_by=request.pay_by,
        sub_orders=[part.sub_order_no for part in priced.plan or []],
    )
    await _keep_answer(db, placement, request.placed_at)
    detail, body = f"{priced.amount_due_fen} fen", placed(request.order_no, cart.buyer_id, priced, request.terms)
    await note(db, number, request.placed_at, Actor.BUYER, "PLACE", detail=detail, body=body)
    return placement


async def _record_refusal(db: AsyncConnection, request: RecordRefusal) -> Placement:
    refused = request.placement.refusal
    assert refused is not None
    await _keep_answer(db, request.placement, request.at)
    number = int(request.placement.order_no)
    await note(db, number, request.at, Actor.PLATFORM, "REFUSE", detail=f"{refused.code}: {request.to_operators}")
    return request.placement


async def _keep_answer(db: AsyncConnection, placement: Placement, at: datetime) -> None:
    row = {"order_no": int(placement.order_no), "outcome": placement.model_dump(mode="json"), "at": at}
    await db.execute(insert(placements).values(row))


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
    await db.execute(
        update(orders)
        .where(orders.c.order_no == number)
        .values(
            payment=moved.payment.value,
            status=status_of(moved).value,
            capture_id=capture.capture_id,
            paid_at=capture.captured_at,
        )
    )
    await post(
        db,
        f"capture/{capture.capture_id}",
        "CAPTURE",
        request.order_no,
        debit=PROVIDER,
        credit=ORDERS,
        amount_fen=capture.amount_fen,
        currency=capture.currency,
    )
    await note(db, number, capture.captured_at, Actor.BUYER, Action.PAY, detail=f"{capture.amount_fen} fen")
    body = {"order_no": request.order_no, "event": "paid", "amount_fen": capture.amount_fen}
    await tell(db, NOTICE, f"paid/{request.order_no}", body)
    return CaptureOutcome.ACCEPTED


_CLOSING_ACTION = {
    CloseReason.UNPAID: (Action.EXPIRE, Actor.CLOCK),
    CloseReason.CANCELLED_BY_BUYER: (Action.CANCEL, Actor.BUYER),
    CloseReason.CANCELLED_BY_PLATFORM: (Action.CANCEL, Actor.PLATFORM),
    CloseReason.CANCELLED_BY_MERCHANT: (Action.CANCEL, Actor.MERCHANT),
    CloseReason.RISK_REJECTED: (Action.REJECT, Actor.PLATFORM),
    CloseReason.OUT_OF_STOCK: (Action.CANCEL, Actor.CLOCK),
}


async def _close_order(db: AsyncConnection, request: CloseOrder) -> PayBack:
    number = int(request.order_no)
    order = await lock_order(db, number)
    if await is_split(db, number):
        raise ValueError(f"order {number} is split: it closes by its sub-orders")
    action, actor = _CLOSING_ACTION[request.reason]
    moved = act(_facts(order), action, actor)
    assert not isinstance(moved, Refused), moved.reason
    await db.execute(
        update(orders)
        .where(orders.c.order_no == number)
        .values(status=status_of(moved).value, close_reason=request.reason.value, closed_at=request.at)
    )
    await forget_attention(db, number)
    await note(db, number, request.at, actor, action, detail=request.reason)
    body = {"order_no": request.order_no, "event": "closed", "reason": request.reason.value}
    await tell(db, NOTICE, f"closed/{request.order_no}", body)
    refund_no = None
    if order.capture_id is not None:
        refund_no = await decide_refund(db, number, order.amount_due_fen, request.reason.value, request.at)
    sold = request.reason is CloseReason.OUT_OF_STOCK
    lines = await read_lines(db, number) if sold else []
    return PayBack(
        key="close",
        refund_no=refund_no,
        restock=[
            StockLine(line_no=line.line_no, sku=line.sku, quantity=line.quantity)
            for line in lines
            if line.line_no not in request.gone
        ],
    )


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
