"""How an order stands, by the parts of its lines in its sub-orders: what has gone back, and what of it is left."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Text, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.cart import Terms
from domain.pieces import Pieces
from domain.settlement import Earned
from domain.status import Status
from domain.take_back import Part, Standing
from store.lines import read_lines
from store.sub_order_rows import SubOrderRow
from store.tables import kept_gifts, orders, piece_refunds, sub_order_lines

_NOT_SHIPPED = (Status.AWAITING_SHIPMENT, Status.EXCEPTION)


async def parts_of(db: AsyncConnection, order_no: int, subs: Sequence[SubOrderRow]) -> list[Part]:
    """Those of these sub-orders of the order, by sub-order and line."""
    lines = {line.line_no: line for line in await read_lines(db, order_no)}
    shipped = {row.idx: Status(row.status) not in _NOT_SHIPPED for row in subs}
    found = await db.execute(
        select(sub_order_lines)
        .where(sub_order_lines.c.order_no == order_no, sub_order_lines.c.idx.in_(list(shipped)))
        .order_by(sub_order_lines.c.idx, sub_order_lines.c.line_no)
    )
    return [
        Part(row.idx, lines[row.line_no], row.first_unit, row.last_unit, row.refunded, shipped[row.idx])
        for row in found
    ]


async def standing(db: AsyncConnection, order_no: int, subs: Sequence[SubOrderRow]) -> Standing:
    """`subs` are all of the order."""
    of_order = kept_gifts.c.order_no == order_no
    kept = {row.line_no: row.value_fen for row in await db.execute(select(kept_gifts).where(of_order))}
    withheld = await db.scalar(
        select(func.coalesce(func.sum(piece_refunds.c.withheld_fen), 0)).where(piece_refunds.c.order_no == order_no)
    )
    return Standing(
        parts=await parts_of(db, order_no, subs),
        shipping_fen={row.idx: row.shipping_fen for row in subs},
        gifts_kept=set(kept),
        owed_fen=sum(kept.values()) - int(withheld or 0),
    )


async def what_is_left(db: AsyncConnection, sub: SubOrderRow) -> tuple[list[Pieces], int]:
    """The pieces of a sub-order that have not gone back, and how often some did."""
    line = sub_order_lines.c
    left = (line.last_unit - line.first_unit + 1 - line.refunded).label("left")
    of_sub = (line.order_no == sub.order_no) & (line.idx == sub.idx)
    rows = await db.execute(select(line.line_no, left).where(of_sub, left > 0).order_by(line.line_no))
    revision = await db.scalar(
        select(func.count()).where(piece_refunds.c.order_no == sub.order_no, piece_refunds.c.idx == sub.idx)
    )
    return [Pieces(line_no=row.line_no, quantity=row.left) for row in rows], int(revision or 0)


async def terms_of(db: AsyncConnection, order_no: int) -> Terms:
    """The terms that an order was placed under."""
    terms = await db.scalar(select(cast(orders.c.terms, Text)).where(orders.c.order_no == order_no))
    return Terms.model_validate_json(terms or "{}")


async def earned(db: AsyncConnection, sub: SubOrderRow) -> Earned:
    """What a sub-order has come to by now."""
    parts = await parts_of(db, sub.order_no, [sub])
    of_sub = (piece_refunds.c.order_no == sub.order_no) & (piece_refunds.c.idx == sub.idx)
    refunds = (await db.execute(select(piece_refunds).where(of_sub))).all()
    goods_back = sum(goods_paid_back(row) for row in refunds)
    return Earned(
        goods_fen=sub.pay_fen,
        shipping_fen=sub.shipping_fen,
        goods_back_fen=goods_back,
        shipping_back_fen=sum(row.goods_fen + row.shipping_fen - row.withheld_fen for row in refunds) - goods_back,
        subsidy_fen=sum(part.rest.platform_fen for part in parts),
        fee_bps=(await terms_of(db, sub.order_no)).fee_bps,
    )


def goods_paid_back(row: Row[Any]) -> int:
    """Of a row of `piece_refunds`: what is withheld is taken off the goods first."""
    return int(max(row.goods_fen - row.withheld_fen, 0))
