"""Writes down what a closing of a split order gives back: units, money and points; and tells what else is owed."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.orders import Owed
from activities.stock import ReshelvePieces
from domain.after_sale.piece_refund import PiecesRefund, SubOrderRefund, Units
from domain.order.pieces import Pieces
from domain.order.reservation import StockLine
from domain.order.status import Actor
from store.accounts.points import take_points_back
from store.money.journal import FEE, ORDERS, SHIPPING, SUBSIDY, merchant_account
from store.money.payments import decide_refund, owed_key, post_owed
from store.rows.pieces_left import earned
from store.rows.sub_orders import SubOrderRow
from store.tables import kept_gifts, piece_refund_lines, piece_refunds, statement_rows, sub_order_lines


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something goes back: the operation's key, who did it, when."""

    key: str
    reason: str
    actor: Actor
    at: datetime
    note: str = ""


async def write_refund(
    db: AsyncConnection, order: Row[Any], subs: Sequence[SubOrderRow], refund: PiecesRefund, cause: Cause
) -> str | None:
    """Write down what goes back. Returns the refund's number, or None when no money is owed. The order's row must be
    locked. Idempotency key: the cause's.

    A sub-order that is settled already has its posting corrected, on the merchant's account and the platform's."""
    by_idx = {row.idx: row for row in subs}
    refund_no = await decide_refund(db, order.order_no, refund.amount_fen, cause.reason, cause.at)
    owed: dict[str, int] = defaultdict(int)
    corrections = []
    for back in refund.sub_orders:
        sub = by_idx[back.idx]
        await _write_units(db, order.order_no, back, cause, refund_no)
        if sub.received_at is not None:
            await take_points_back(db, cause.key, sub, cause.at)
        correction = await _correction(db, sub)
        if correction is None:
            owed[ORDERS] += back.goods_fen
            owed[SHIPPING] += back.amount_fen - back.goods_fen
            continue
        owed[merchant_account(sub.merchant)] -= correction["net_fen"]
        owed[SUBSIDY] += correction["subsidy_fen"]
        owed[FEE] -= correction["fee_fen"]
        corrections.append(correction)
    for gift in refund.gifts_kept:
        kept = {"order_no": order.order_no, "line_no": gift.line.line_no, "value_fen": gift.value_fen}
        await db.execute(insert(kept_gifts).values(**kept, key=cause.key))
    await post_owed(db, cause.key, order.order_no, owed, order.currency)
    rows = [{"key": owed_key(cause.key), "currency": order.currency, "at": cause.at, **one} for one in corrections]
    if any(owed.values()) and rows:
        await db.execute(insert(statement_rows), rows)
    return refund_no


async def _write_units(
    db: AsyncConnection, order_no: int, back: SubOrderRefund, cause: Cause, refund_no: str | None
) -> None:
    of_sub = {"key": cause.key, "idx": back.idx}
    await db.execute(
        insert(piece_refunds).values(
            **of_sub,
            order_no=order_no,
            goods_fen=back.worth_fen,
            shipping_fen=back.shipping_fen,
            withheld_fen=back.withheld_fen,
            merchant_fen=sum(units.merchant_fen for units in back.units),
            platform_fen=sum(units.platform_fen for units in back.units),
            before_shipping=not back.shipped,
            reason=cause.reason,
            refund_no=refund_no,
            at=cause.at,
        )
    )
    for units in back.units:
        line_no = units.part.line.line_no
        span = {"first_unit": units.first, "last_unit": units.last, "pay_fen": units.pay_fen}
        await db.execute(insert(piece_refund_lines).values(**of_sub, line_no=line_no, **span))
        of_line = (sub_order_lines.c.idx == back.idx) & (sub_order_lines.c.line_no == line_no)
        await db.execute(
            update(sub_order_lines)
            .where(sub_order_lines.c.order_no == order_no, of_line)
            .values(refunded=sub_order_lines.c.refunded + units.pieces)
        )


async def _correction(db: AsyncConnection, sub: SubOrderRow) -> dict[str, Any] | None:
    """What a sub-order has come to, less what its statement rows say, in fen; None when it is not settled."""
    names = ("subsidy_fen", "fee_fen", "refunds_fen", "net_fen")
    sums = [func.sum(statement_rows.c[name]).label(name) for name in names]
    said = (
        await db.execute(select(func.count(), *sums).where(statement_rows.c.sub_order_no == sub.sub_order_no))
    ).one()
    if not said[0]:
        return None
    now = await earned(db, sub)
    differs = {name: getattr(now, name) - int(getattr(said, name)) for name in names}
    of_sub = {"merchant": sub.merchant, "order_no": sub.order_no, "sub_order_no": sub.sub_order_no}
    return {**of_sub, "goods_fen": 0, "shipping_fen": 0, **differs}


def owed_for(
    order: Row[Any],
    subs: Sequence[SubOrderRow],
    refund: PiecesRefund,
    cause: Cause,
    refund_no: str | None,
    sellable: Sequence[Pieces] = (),
) -> Owed:
    """All that is owed: the refund, the goods that have not shipped, and of those that have shipped the sellable
    ones."""
    stocked = {row.idx: row.sub_order_no for row in subs if row.stocked}
    return Owed(
        key=cause.key,
        refund_no=refund_no,
        restock=_restock(refund.units, sellable),
        reshelve=[stocked[back.idx] for back in refund.sub_orders if back.emptied and back.idx in stocked],
        reshelve_pieces=[
            ReshelvePieces(sub_order_no=stocked[back.idx], reason_key=cause.key, lines=_stock_lines(back.units))
            for back in refund.sub_orders
            if back.idx in stocked and not back.emptied and not back.shipped
        ],
        coupons=refund.coupons and bool(order.coupons),
    )


def _restock(units: Sequence[Units], sellable: Sequence[Pieces]) -> list[StockLine]:
    came = {pieces.line_no: pieces.quantity for pieces in sellable}
    lines: dict[int, StockLine] = {}
    for one in sorted(units, key=lambda one: one.part.line.line_no):
        line = one.part.line
        pieces = min(one.pieces, came.get(line.line_no, 0)) if one.part.shipped else one.pieces
        before = lines[line.line_no].quantity if line.line_no in lines else 0
        if pieces:
            lines[line.line_no] = StockLine(line_no=line.line_no, sku=line.sku, quantity=before + pieces)
    return list(lines.values())


def _stock_lines(units: Sequence[Units]) -> list[StockLine]:
    return [StockLine(line_no=one.part.line.line_no, sku=one.part.line.sku, quantity=one.pieces) for one in units]
