"""The split in PostgreSQL: what there is to split, what is closed before it, and the sub-orders it makes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Row, Text, bindparam, cast, exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.orders import CloseLines, CloseOrder, LinesToSplit, Owed, RecordSplit, SplitDone
from domain.after_sale.piece_refund import OrderPieces, PiecesRefund, before_split
from domain.order.lines import OrderLine, SubOrderPlan
from domain.order.product import DeliveryMode
from domain.order.reservation import StockLine
from domain.order.status import Actor, CloseReason, Status
from store.database.log_and_outbox import NOTICE, note, tell
from store.money.journal import ORDERS, SHIPPING
from store.money.payments import decide_refund, post_owed
from store.rows.lines import read_lines
from store.rows.sub_orders import lock_order
from store.tables import order_lines, orders, sub_order_lines, sub_orders

CLOSE, CLOSE_LINES = "close", "close-lines"

_PLAN = TypeAdapter(list[SubOrderPlan])

_THIS = orders.c.order_no == bindparam("of_order")
_IS_SPLIT = select(exists().where(sub_orders.c.order_no == bindparam("of_order")))
_CLOSED_LINES = select(order_lines.c.line_no).where(
    order_lines.c.order_no == bindparam("of_order"), order_lines.c.closed > 0
)
_TO_SPLIT = select(
    orders.c.shipping_fen,
    orders.c.close_reason,
    cast(orders.c.plan, Text).label("plan"),
    _IS_SPLIT.scalar_subquery().label("split"),
    exists(_CLOSED_LINES).label("some_closed"),
).where(_THIS)
_SPLIT = insert(sub_orders)
_SPLIT_LINES = insert(sub_order_lines)


async def is_split(db: AsyncConnection, order_no: int) -> bool:
    return bool(await db.scalar(_IS_SPLIT, {"of_order": order_no}))


async def lines_to_split(db: AsyncConnection, order_no: int) -> LinesToSplit:
    """The lines that are not closed, and the shipping that is still theirs to share."""
    order = (await db.execute(_TO_SPLIT, {"of_order": order_no})).one()
    live = await read_lines(db, order_no, open_only=True)
    return LinesToSplit(
        lines=live,
        shipping_fen=0 if order.some_closed and not _physical(live) else order.shipping_fen,
        plan=_PLAN.validate_json(order.plan) if order.plan else None,
        # One that was split closes by its sub-orders, and its split remains.
        closed=None if order.split else _closed_for(order),
    )


async def close_lines(db: AsyncConnection, request: CloseLines) -> Owed:
    """Close lines whose goods are gone, with the gifts that were given for nothing else, and decide their refund."""
    number = int(request.order_no)
    order = await lock_order(db, number)
    if order.close_reason is not None:
        return Owed(key=CLOSE_LINES)
    if await is_split(db, number):
        raise ValueError(f"order {number} is split: its sub-orders are closed, not its lines")
    pieces = await _pieces(db, order)
    gone = set(request.lines)
    refund = pieces.refund({place: left for place, left in pieces.left.items() if place[1] in gone})
    closed = [units.part.line for units in refund.units]
    await db.execute(
        update(order_lines)
        .where(order_lines.c.order_no == number, order_lines.c.line_no.in_([line.line_no for line in closed]))
        .values(closed=order_lines.c.quantity)
    )
    amount = refund.amount_fen
    skus = ", ".join(line.sku for line in closed if line.line_no in gone)
    await note(db, number, request.at, Actor.CLOCK, "CLOSE_LINES", detail=f"out of stock: {skus}; {amount} fen back")
    body = {"order_no": request.order_no, "event": "lines_closed", "skus": skus, "amount_fen": amount}
    await tell(db, NOTICE, f"lines-closed/{request.order_no}", body)
    return Owed(
        key=CLOSE_LINES,
        refund_no=await _owe(db, order, refund, CLOSE_LINES, CloseReason.OUT_OF_STOCK, request.at),
        restock=[
            StockLine(line_no=gift.line_no, sku=gift.sku, quantity=gift.quantity)
            for gift in closed
            if gift.line_no not in gone
        ],
    )


async def owe_the_rest(db: AsyncConnection, order: Row[Any], request: CloseOrder) -> Owed | None:
    """Decide the refund of an order that is closed before its split: of all that its closed lines did not bring back.
    None when nothing was paid."""
    if order.capture_id is None:
        return None
    pieces = await _pieces(db, order)
    refund = pieces.refund(pieces.left)
    return Owed(key=CLOSE, refund_no=await _owe(db, order, refund, CLOSE, request.reason, request.at))


async def _pieces(db: AsyncConnection, order: Row[Any]) -> OrderPieces:
    lines = await read_lines(db, order.order_no)
    closed = set(await db.scalars(_CLOSED_LINES, {"of_order": order.order_no}))
    return before_split(lines, closed, order.shipping_fen)


async def _owe(
    db: AsyncConnection, order: Row[Any], refund: PiecesRefund, key: str, reason: CloseReason, at: datetime
) -> str | None:
    """Decide a refund before the split, and post it as owed: its number, if there is money to pay back."""
    owed = {ORDERS: refund.worth_fen, SHIPPING: refund.shipping_fen}
    await post_owed(db, f"{order.order_no}/{key}", order.order_no, owed, order.currency)
    return await decide_refund(db, order.order_no, refund.amount_fen, reason.value, at)


def _physical(lines: Sequence[OrderLine]) -> bool:
    return any(line.delivery_mode is DeliveryMode.PHYSICAL for line in lines)


async def record_split(db: AsyncConnection, request: RecordSplit) -> SplitDone:
    number = int(request.order_no)
    order = await lock_order(db, number)
    if (closed := _closed_for(order)) is not None:
        return SplitDone(sub_orders=[], closed=closed)
    plans = request.plan
    await db.execute(_SPLIT, [_sub_order_row(number, order.buyer_id, plan, request.at) for plan in plans])
    await db.execute(
        _SPLIT_LINES,
        [
            {
                "order_no": number,
                "idx": plan.index,
                "line_no": line.line_no,
                "first_unit": line.first_unit,
                "last_unit": line.last_unit,
                "goods_fen": line.goods_fen,
                "pay_fen": line.pay_fen,
            }
            for plan in plans
            for line in plan.lines
        ],
    )
    await note(db, number, request.at, Actor.PLATFORM, "SPLIT", detail=f"{len(plans)} sub-orders")
    return SplitDone(sub_orders=plans)


def _closed_for(order: Any) -> CloseReason | None:
    return CloseReason(order.close_reason) if order.close_reason else None


def _sub_order_row(number: int, buyer_id: int, plan: SubOrderPlan, at: datetime) -> dict[str, Any]:
    return {
        "order_no": number,
        "idx": plan.index,
        "buyer_id": buyer_id,
        "sub_order_no": plan.sub_order_no,
        "merchant": plan.merchant,
        "delivery_mode": plan.delivery_mode.value,
        "ships_from": plan.ships_from,
        "handling": plan.handling,
        "warehouse": plan.warehouse,
        "flags": plan.flags,
        "stocked": plan.stocked,
        "status": Status.AWAITING_SHIPMENT.value,
        "goods_fen": plan.goods_fen,
        "pay_fen": plan.pay_fen,
        "shipping_fen": plan.shipping_fen,
        "created_at": at,
    }
