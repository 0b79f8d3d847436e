"""The look-ups of the risk rules: each goes by an index and is bounded, however many orders share a device or an
address."""

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    distinct,
    exists,
    func,
    or_,
    select,
    tuple_,
    union,
)

from domain.order.status import Status
from domain.risk.settings import USUAL_SAMPLE
from store.tables import block_entries, order_lines, orders, products, reviews, sub_orders

# Where a device or an address has had more orders, the newest of them tell enough.
MOST_ORDERS_PER_MARK = 200
MOST_ORDERS_PER_DEVICE = 1_000

# The columns that are read of an order. Its address is not among them.
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

# The parameters: the order that is judged, and the numbers of the orders that are read.
_THIS: BindParameter[Any] = bindparam("this_order", type_=BigInteger)
_BUYER: BindParameter[Any] = bindparam("buyer", type_=BigInteger)
_PLACED_AT: BindParameter[Any] = bindparam("placed_at", type_=DateTime(timezone=True))
_SINCE: BindParameter[Any] = bindparam("since", type_=DateTime(timezone=True))
_NUMBERS = any_(bindparam("numbers", type_=ARRAY(BigInteger)))


def _newest(where: ColumnElement[bool], most: int, *columns: ColumnElement[Any]) -> Select[Any]:
    return select(*columns).where(where).order_by(orders.c.placed_at.desc()).limit(most)


def _blocks() -> Select[Any]:
    marks = (func.unnest(bindparam(name, type_=ARRAY(Text))) for name in ("kinds", "values"))
    return select(block_entries).where(tuple_(block_entries.c.kind, block_entries.c.value).in_(select(*marks)))


def _counts() -> Select[Any]:
    """How many other buyers the device has had, and how many other orders of the buyer are unpaid."""
    of_device = and_(orders.c.device_id == bindparam("device"), orders.c.placed_at > _SINCE)
    others = _newest(of_device, MOST_ORDERS_PER_DEVICE, orders.c.buyer_id).subquery()
    unpaid = select(func.count()).where(
        orders.c.buyer_id == _BUYER, orders.c.status == Status.PENDING_PAYMENT.value, orders.c.order_no != _THIS
    )
    buyers = select(func.count(distinct(others.c.buyer_id))).where(others.c.buyer_id != _BUYER)
    return select(buyers.scalar_subquery(), unpaid.scalar_subquery())


def _before() -> ColumnElement[bool]:
    """The condition of an order placed before this one. Of two at the same instant the smaller number comes first, so
    that what is earlier never changes."""
    same_instant = and_(orders.c.placed_at == _PLACED_AT, orders.c.order_no < _THIS)
    return and_(orders.c.placed_at <= _PLACED_AT, or_(orders.c.placed_at < _PLACED_AT, same_instant))


def _kin() -> Select[Any]:
    """The numbers of the earlier orders that share a mark with this one, by one index scan for each mark."""
    near = orders.c.phone_key.between(bindparam("first_phone"), bindparam("last_phone"))
    same_length = func.length(orders.c.phone_key) == bindparam("phone_length", type_=Integer)
    marks: list[ColumnElement[bool]] = [
        orders.c.buyer_id == _BUYER,
        orders.c.device_id == bindparam("device"),
        orders.c.address_key == bindparam("address"),
        orders.c.phone_key == bindparam("phone"),
        and_(near, same_length),
    ]
    lately = and_(_before(), orders.c.placed_at > _SINCE)
    scans = [_newest(and_(mark, lately), MOST_ORDERS_PER_MARK, orders.c.order_no).subquery() for mark in marks]
    every = union(*(select(scan.c.order_no) for scan in scans)).subquery()
    return select(every.c.order_no)


def _orders() -> Select[Any]:
    past = orders.alias("past")
    had_one = exists().where(
        past.c.buyer_id == orders.c.buyer_id,
        tuple_(past.c.placed_at, past.c.order_no) < tuple_(orders.c.placed_at, orders.c.order_no),
    )
    return select(*_SEEN, had_one.label("had_one")).where(orders.c.order_no == _NUMBERS)


def _lines() -> Select[Any]:
    return (
        select(order_lines, func.coalesce(products.c.limited, False).label("limited"))
        .join(products, products.c.sku == order_lines.c.sku, isouter=True)
        .where(order_lines.c.order_no == _NUMBERS)
        .order_by(order_lines.c.order_no, order_lines.c.line_no)
    )


def _receipts() -> Select[Any]:
    its_review = and_(reviews.c.order_no == sub_orders.c.order_no, reviews.c.idx == sub_orders.c.idx)
    return (
        select(
            sub_orders.c.order_no, sub_orders.c.merchant, sub_orders.c.received_at, reviews.c.at.label("reviewed_at")
        )
        .join(reviews, its_review, isouter=True)
        .where(sub_orders.c.order_no == _NUMBERS)
        .order_by(sub_orders.c.order_no, sub_orders.c.idx)
    )


def _usual() -> Select[Any]:
    columns = (
        orders.c.buyer_id,
        orders.c.placed_at,
        orders.c.goods_fen,
        orders.c.shipping_fen,
        orders.c.amount_due_fen,
    )
    sample = _newest(and_(_before(), orders.c.buyer_id != _BUYER), USUAL_SAMPLE, *columns).subquery()
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
    return select(func.count().label("buyer_hours"), *added).select_from(hours)


BLOCKS, COUNTS, KIN = _blocks(), _counts(), _kin()
ORDER = select(*_SEEN).where(orders.c.order_no == _THIS)
ORDERS, LINES, RECEIPTS, USUAL = _orders(), _lines(), _receipts(), _usual()
