"""The refund ledger in PostgreSQL: pieces of a sub-order that go back, before it ships or long after."""

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.refunds import DecideRefund, GiftBack, LineBack, QuoteRefund, RefundDecided, RefundQuote
from domain.after_sale.piece_refund import GiftDue, MoreThanIsLeft, PiecesRefund
from domain.order.order_number import parse
from domain.order.status import Actor
from store.accounts.points import points_to_take_back
from store.database.engine import looking
from store.database.keys import once
from store.money.piece_refunds import Cause
from store.orders.closings import (
    CameBack,
    close_lines_of,
    find_sub_order,
    lock_split_order,
    more_than_is_left,
    pieces_key,
    places,
)
from store.rows.pieces_left import order_pieces
from store.rows.sub_orders import SubOrderRow, sub_orders_of
from store.tables import order_operations


class PostgresRefunds:
    """Implements `activities.refunds.RefundLedger`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._looking = looking(engine)

    async def quote_refund(self, request: QuoteRefund) -> RefundQuote:
        async with self._looking.connect() as db:
            order_no = int(parse(request.sub_order_no).order_no)
            subs = await sub_orders_of(db, order_no)
            sub = find_sub_order(subs, request.sub_order_no)
            pieces = await order_pieces(db, order_no, subs)
            try:
                refund = pieces.refund(places(sub, request.lines))
            except MoreThanIsLeft as more:
                return RefundQuote(refused=more_than_is_left(sub, Actor.PLATFORM, more))
            return await _quote(db, subs, sub, refund)

    async def decide_piece_refund(self, request: DecideRefund) -> RefundDecided:
        key = pieces_key(request.sub_order_no, request.key)
        async with self._engine.begin() as db:
            return await once(
                db,
                order_operations,
                key,
                RefundDecided,
                lambda: _decide(db, request, key),
                keep=lambda answer: answer.refused is None,
            )


async def _decide(db: AsyncConnection, request: DecideRefund, key: str) -> RefundDecided:
    order = await lock_split_order(db, int(parse(request.sub_order_no).order_no))
    sub = find_sub_order(order.subs, request.sub_order_no)
    cause = Cause(key, request.reason, Actor.PLATFORM, request.at)
    return await close_lines_of(db, order, sub, request.lines, cause, CameBack(request.gifts_back, request.sellable))


async def _quote(db: AsyncConnection, subs: list[SubOrderRow], sub: SubOrderRow, refund: PiecesRefund) -> RefundQuote:
    numbers = {row.idx: row.sub_order_no for row in subs}
    goods_back = sum(back.goods_fen for back in refund.sub_orders if back.idx == sub.idx)
    lines = [
        LineBack(
            sub_order_no=numbers[units.part.idx],
            line_no=units.part.line.line_no,
            sku=units.part.line.sku,
            title=units.part.line.title,
            quantity=units.pieces,
            pay_fen=units.pay_fen,
            merchant_fen=units.merchant_fen,
            platform_fen=units.platform_fen,
        )
        for units in refund.units
    ]
    return RefundQuote(
        lines=lines,
        gifts_to_return=[_gift(gift) for gift in refund.gifts_to_return],
        gifts_kept=[_gift(gift) for gift in refund.gifts_kept],
        goods_fen=refund.worth_fen,
        shipping_fen=refund.shipping_fen,
        withheld_fen=refund.withheld_fen,
        amount_fen=refund.amount_fen,
        points=await points_to_take_back(db, sub, goods_back),
        coupons=refund.coupons,
    )


def _gift(gift: GiftDue) -> GiftBack:
    line = gift.line
    return GiftBack(
        line_no=line.line_no, sku=line.sku, title=line.title, quantity=gift.pieces, value_fen=gift.value_fen
    )
