"""What of an order has gone back and what is left of it, by the parts of its lines in its sub-orders."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    CursorResult,
    Integer,
    Label,
    Row,
    Text,
    any_,
    bindparam,
    cast,
    func,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.after_sale.piece_refund import LinePart, OrderPieces
from domain.order.cart import Terms
from domain.order.pieces import Pieces
from domain.order.status import Status
from domain.records.settlement import Earned
from store.rows.lines import read_lines
from store.rows.sub_orders import SubOrderRow
from store.tables import kept_gifts, orders, piece_refunds, sub_order_lines, sub_orders

_NOT_SHIPPED = (Status.AWAITING_SHIPMENT, Status.EXCEPTION)

_LINE = sub_order_lines.c
_PIECES_LEFT = _LINE.last_unit - _LINE.first_unit + 1 - _LINE.refunded
_PARTS = (
    select(sub_order_lines)
    .where(_LINE.order_no == bindparam("of_order"), _LINE.idx == any_(bindparam("some", type_=ARRAY(Integer))))
    .order_by(_LINE.idx, _LINE.line_no)
)
OF_SUB = (piece_refunds.c.order_no == sub_orders.c.order_no) & (piece_refunds.c.idx == sub_orders.c.idx)


def _of_each_line(value: ColumnElement[int]) -> ColumnElement[list[int]]:
    """The value for each line of the sub-order that has pieces left, as an array in the order of the lines' numbers."""
    of_sub = (_LINE.order_no == sub_orders.c.order_no) & (_LINE.idx == sub_orders.c.idx)
    values = select(value).where(of_sub, _PIECES_LEFT > 0).order_by(_LINE.line_no)
    return func.array(values.scalar_subquery(), type_=ARRAY(Integer))


LEFT: tuple[Label[Any], ...] = (
    _of_each_line(_LINE.line_no).label("lines_left"),
    _of_each_line(_PIECES_LEFT).label("pieces_left"),
    select(func.count()).select_from(piece_refunds).where(OF_SUB).scalar_subquery().label("revision"),
)
"""The columns that `left_of` reads, to be selected beside a sub-order's own."""

_LEFT = select(*LEFT).where(sub_orders.c.sub_order_no == bindparam("of_sub"))
_TERMS_OF = select(cast(orders.c.terms, Text)).where(orders.c.order_no == bindparam("of_order"))
_WITHHELD = piece_refunds.c.withheld_fen  # taken off the goods first
_GONE_BACK = select(
    func.coalesce(func.sum(func.greatest(piece_refunds.c.goods_fen - _WITHHELD, 0)), 0).label("goods_fen"),
    func.coalesce(func.sum(piece_refunds.c.goods_fen + piece_refunds.c.shipping_fen - _WITHHELD), 0).label("all_fen"),
    _TERMS_OF.scalar_subquery().label("terms"),
).where(piece_refunds.c.order_no == bindparam("of_order"), piece_refunds.c.idx == bindparam("of_idx"))


async def parts_of(db: AsyncConnection, order_no: int, subs: Sequence[SubOrderRow]) -> list[LinePart]:
    """The parts of the order's lines in these of its sub-orders, by sub-order and line."""
    lines = {line.line_no: line for line in await read_lines(db, order_no)}
    shipped = {row.idx: Status(row.status) not in _NOT_SHIPPED for row in subs}
    found = await db.execute(_PARTS, {"of_order": order_no, "some": list(shipped)})
    return [
        LinePart(row.idx, lines[row.line_no], row.first_unit, row.last_unit, row.refunded, shipped[row.idx])
        for row in found
    ]


async def order_pieces(db: AsyncConnection, order_no: int, subs: Sequence[SubOrderRow]) -> OrderPieces:
    """The pieces of a split order; `subs` are all of its sub-orders."""
    of_order = kept_gifts.c.order_no == order_no
    kept = {row.line_no: row.value_fen for row in await db.execute(select(kept_gifts).where(of_order))}
    withheld = await db.scalar(
        select(func.coalesce(func.sum(piece_refunds.c.withheld_fen), 0)).where(piece_refunds.c.order_no == order_no)
    )
    return OrderPieces(
        parts=await parts_of(db, order_no, subs),
        shipping_of={row.idx: row.shipping_fen for row in subs},
        gifts_kept=set(kept),
        to_withhold_fen=sum(kept.values()) - int(withheld or 0),
    )


async def what_is_left(db: AsyncConnection, sub: SubOrderRow) -> tuple[list[Pieces], int]:
    """The pieces of a sub-order that have not gone back, and its revision: how many times pieces did."""
    return left_of((await db.execute(_LEFT, {"of_sub": sub.sub_order_no})).one())


def left_of(row: Row[Any]) -> tuple[list[Pieces], int]:
    """The same as `what_is_left`, from a row that has the columns `LEFT`."""
    of_line = zip(row.lines_left, row.pieces_left, strict=True)
    return [Pieces(line_no=line_no, quantity=pieces) for line_no, pieces in of_line], row.revision


async def terms_of(db: AsyncConnection, order_no: int) -> Terms:
    """The terms that an order was placed under."""
    return Terms.model_validate_json(await db.scalar(_TERMS_OF, {"of_order": order_no}) or "{}")


async def earned(db: AsyncConnection, sub: SubOrderRow) -> Earned:
    """What a sub-order has earned by now."""
    parts = await parts_of(db, sub.order_no, [sub])
    back = await gone_back(db, sub)
    return Earned(
        goods_fen=sub.pay_fen,
        shipping_fen=sub.shipping_fen,
        goods_back_fen=int(back.goods_fen),
        shipping_back_fen=int(back.all_fen - back.goods_fen),
        subsidy_fen=sum(part.rest.platform_fen for part in parts),
        fee_bps=Terms.model_validate_json(back.terms).fee_bps,
    )


async def gone_back(db: AsyncConnection, sub: SubOrderRow) -> Row[Any]:
    """What has been refunded of a sub-order so far, in fen (`goods_fen`, and `all_fen` with the shipping), and its
    order's `terms` as JSON."""
    found: CursorResult[Any] = await db.execute(_GONE_BACK, {"of_order": sub.order_no, "of_idx": sub.idx})
    return found.one()
