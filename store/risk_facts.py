"""Gathers what the risk rules look at: a few look-ups by index, each bounded, however hot a device or an address."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, and_, distinct, exists, func, or_, select, tuple_, union
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.risk import AssessFacts, Block, BlockKind, Identity, ScreenFacts, UsualFacts
from domain.risk.facts import LineFacts, OrderFacts, ReceiptFacts
from domain.risk.identity import phone_neighbours
from domain.risk.settings import USUAL_SAMPLE, RiskSettings
from domain.status import CloseReason, Status
from store.tables import block_entries, order_lines, orders, products, reviews, sub_orders

# A device or address that has had more orders is told by the newest of them just as well.
MOST_ORDERS_PER_MARK = 200
MOST_ORDERS_PER_DEVICE = 1_000

# What is read of an order: not its address.
_SEEN = (
    orders.c.order_no,
    orders.c.buyer_id,
    orders.c.device_id,
    orders.c.address_key,
    orders.c.phone_key,
    orders.c.placed_at,
    orders.c.closed_at,
    orders.c.close_reason,
)


class UnknownOrder(LookupError):
    """There is no such order in this database."""


async def screen_facts(
    db: AsyncConnection, order_no: str, identity: Identity, now: datetime, settings: RiskSettings
) -> ScreenFacts:
    """What is known of a checkout before its order exists (or again, when the step is repeated after)."""
    marks = [(kind.value, value) for kind, values in identity.marks().items() for value in values]
    found = await db.execute(
        select(block_entries).where(tuple_(block_entries.c.kind, block_entries.c.value).in_(marks))
    )
    others = _newest(
        and_(
            orders.c.device_id == identity.device_id,
            orders.c.placed_at > now - timedelta(days=settings.device_days),
        ),
        MOST_ORDERS_PER_DEVICE,
        orders.c.buyer_id,
    ).subquery()
    unpaid = select(func.count()).where(
        orders.c.buyer_id == identity.buyer_id,
        orders.c.status == Status.PENDING_PAYMENT,
        orders.c.order_no != int(order_no),
    )
    buyers = select(func.count(distinct(others.c.buyer_id))).where(others.c.buyer_id != identity.buyer_id)
    counts = (await db.execute(select(buyers.scalar_subquery(), unpaid.scalar_subquery()))).one()
    return ScreenFacts(
        identity=identity,
        now=now,
        blocks=[block_of(row) for row in found.mappings()],
        device_buyers=counts[0] + 1,
        unpaid_orders=counts[1],
    )


async def assess_facts(db: AsyncConnection, order_no: str, settings: RiskSettings) -> AssessFacts:
    """What was known of an order when it was placed."""
    row = (await db.execute(select(*_SEEN).where(orders.c.order_no == int(order_no)))).mappings().first()
    if row is None:
        raise UnknownOrder(f"there is no order {order_no}; is it recorded, and is this its database?")
    kin = (await db.execute(_kin(row, settings))).scalars().all()
    known = await _orders(db, [row["order_no"], *kin])
    subject = known.pop(row["order_no"])
    earlier = sorted(known.values(), key=lambda order: (order.placed_at, order.order_no))
    return AssessFacts(order=subject, earlier=earlier, usual=await _usual(db, row))


def block_of(row: RowMapping) -> Block:
    return Block(
        kind=BlockKind(row["kind"]),
        value=row["value"],
        reason=row["reason"],
        author=row["author"],
        expires_at=row["expires_at"],
    )


def _newest(where: ColumnElement[bool], most: int, *columns: ColumnElement[Any]) -> Select[Any]:
    return select(*columns).where(where).order_by(orders.c.placed_at.desc()).limit(most)


def _before(row: RowMapping) -> ColumnElement[bool]:
    """Placed before this order; at one instant the smaller number goes first, so that the past stays the past."""
    same_instant = and_(orders.c.placed_at == row["placed_at"], orders.c.order_no < row["order_no"])
    return and_(orders.c.placed_at <= row["placed_at"], or_(orders.c.placed_at < row["placed_at"], same_instant))


def _kin(row: RowMapping, settings: RiskSettings) -> Select[Any]:
    """The numbers of the earlier orders that share a mark with this one: one index scan for each mark."""
    first, last = phone_neighbours(row["phone_key"], settings.phone_block_digits)
    same_length = func.length(orders.c.phone_key) == len(row["phone_key"])
    marks: list[ColumnElement[bool]] = [
        orders.c.buyer_id == row["buyer_id"],
        orders.c.device_id == row["device_id"],
        orders.c.address_key == row["address_key"],
        orders.c.phone_key == row["phone_key"],
        and_(orders.c.phone_key.between(first, last), same_length),
    ]
    since = row["placed_at"] - timedelta(days=settings.window_days())
    lately = and_(_before(row), orders.c.placed_at > since)
    scans = [_newest(and_(mark, lately), MOST_ORDERS_PER_MARK, orders.c.order_no).subquery() for mark in marks]
    every = union(*(select(scan.c.order_no) for scan in scans)).subquery()
    return select(every.c.order_no)


async def _orders(db: AsyncConnection, numbers: list[int]) -> dict[int, OrderFacts]:
    lines, receipts = await _lines(db, numbers), await _receipts(db, numbers)
    past = orders.alias("past")
    had_one = exists().where(
        past.c.buyer_id == orders.c.buyer_id,
        tuple_(past.c.placed_at, past.c.order_no) < tuple_(orders.c.placed_at, orders.c.order_no),
    )
    found = await db.execute(select(*_SEEN, had_one.label("had_one")).where(orders.c.order_no.in_(numbers)))
    return {
        row["order_no"]: OrderFacts(
            order_no=str(row["order_no"]),
            buyer_id=row["buyer_id"],
            device_id=row["device_id"],
            address_key=row["address_key"],
            phone_key=row["phone_key"],
            placed_at=row["placed_at"],
            first_of_buyer=not row["had_one"],
            lines=lines[row["order_no"]],
            receipts=receipts[row["order_no"]],
            closed_at=row["closed_at"],
            close_reason=CloseReason(row["close_reason"]) if row["close_reason"] else None,
        )
        for row in found.mappings()
    }


async def _lines(db: AsyncConnection, numbers: list[int]) -> dict[int, list[LineFacts]]:
    found = await db.execute(
        select(order_lines, func.coalesce(products.c.limited, False).label("limited"))
        .join(products, products.c.sku == order_lines.c.sku, isouter=True)
        .where(order_lines.c.order_no.in_(numbers))
        .order_by(order_lines.c.order_no, order_lines.c.line_no)
    )
    lines: dict[int, list[LineFacts]] = defaultdict(list)
    for row in found.mappings():
        lines[row["order_no"]].append(LineFacts.model_validate(dict(row)))
    return lines


async def _receipts(db: AsyncConnection, numbers: list[int]) -> dict[int, list[ReceiptFacts]]:
    its_review = and_(reviews.c.order_no == sub_orders.c.order_no, reviews.c.idx == sub_orders.c.idx)
    found = await db.execute(
        select(
            sub_orders.c.order_no, sub_orders.c.merchant, sub_orders.c.received_at, reviews.c.at.label("reviewed_at")
        )
        .join(reviews, its_review, isouter=True)
        .where(sub_orders.c.order_no.in_(numbers))
        .order_by(sub_orders.c.order_no, sub_orders.c.idx)
    )
    receipts: dict[int, list[ReceiptFacts]] = defaultdict(list)
    for row in found.mappings():
        receipts[row["order_no"]].append(ReceiptFacts.model_validate(dict(row)))
    return receipts


async def _usual(db: AsyncConnection, row: RowMapping) -> UsualFacts:
    """The platform's latest orders before this one, of other buyers: a rush must not make itself usual."""
    columns = (
        orders.c.buyer_id,
        orders.c.placed_at,
        orders.c.goods_fen,
        orders.c.shipping_fen,
        orders.c.amount_due_fen,
    )
    sample = _newest(and_(_before(row), orders.c.buyer_id != row["buyer_id"]), USUAL_SAMPLE, *columns).subquery()
    off_fen = sample.c.goods_fen + sample.c.shipping_fen - sample.c.amount_due_fen
    hours = (
        select(
            func.count().label("orders"),
            func.sum(sample.c.goods_fen).label("goods_fen"),
            func.sum(off_fen).label("discount_fen"),
        )
        .group_by(sample.c.buyer_id, func.date_trunc("hour", sample.c.placed_at, "UTC"))
        .subquery()
    )
    added = [func.coalesce(func.sum(column), 0).label(column.name) for column in hours.c]
    totals = select(func.count().label("buyer_hours"), *added).select_from(hours)
    found = (await db.execute(totals)).mappings().one()
    return UsualFacts(**{name: int(total) for name, total in found.items()})
