"""The placement of an order in PostgreSQL: the order and its lines, or a refusal, with checkout's answer."""

from sqlalchemy import Text, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.orders import RecordOrder, RecordRefusal
from domain.order.lines import Placement
from domain.order.refusals import too_many_unpaid
from domain.order.status import Actor, Facts, PaymentFact, Status, status_of
from domain.records.evidence import placed
from domain.risk import address_key, device_key, phone_key
from store.database.log_and_outbox import LogEntry, entry_of, with_entry
from store.rows.lines import keep_lines
from store.tables import orders, placements

_PLACE = insert(orders)
_ANSWER = with_entry(insert(placements))
# The buyer's, counted one placement at a time: two at once can't slip past a limit together.
_ONE_BUYER = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("buyer", type_=Text), 0)))
_UNPAID = (
    select(func.count())
    .select_from(orders)
    .where(orders.c.buyer_id == bindparam("of_buyer"), orders.c.status == Status.PENDING_PAYMENT.value)
)


async def record_order(db: AsyncConnection, request: RecordOrder) -> Placement:
    due = request.priced.amount_due_fen
    unpaid = await _unpaid_orders(db, request.cart.buyer_id) if due else 0
    refused = too_many_unpaid(unpaid, request.terms.unpaid_orders_per_buyer)
    if refused is not None:
        return Placement(order_no=request.order_no, refusal=refused)
    return await _write_order(db, request)


async def _unpaid_orders(db: AsyncConnection, buyer_id: int) -> int:
    await db.execute(_ONE_BUYER, {"buyer": f"unpaid/{buyer_id}"})
    return await db.scalar(_UNPAID, {"of_buyer": buyer_id}) or 0


async def _write_order(db: AsyncConnection, request: RecordOrder) -> Placement:
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


async def record_refusal(db: AsyncConnection, request: RecordRefusal) -> Placement:
    refused = request.placement.refusal
    assert refused is not None
    detail = f"{refused.code}: {request.to_operators}"
    await _keep_answer(db, request.placement, LogEntry(request.at, Actor.PLATFORM, "REFUSE", detail))
    return request.placement


async def _keep_answer(db: AsyncConnection, placement: Placement, entry: LogEntry) -> None:
    number = int(placement.order_no)
    row = {"order_no": number, "outcome": placement.model_dump(mode="json"), "at": entry.at}
    await db.execute(_ANSWER, row | entry_of(number, entry))
