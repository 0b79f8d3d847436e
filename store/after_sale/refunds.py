"""The refund ledger in PostgreSQL: pieces of a sub-order that go back, before it ships or long after."""

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.refunds import DecideRefund, GiftBack, LineBack, QuoteRefund, RefundDecided, RefundQuote
from domain.after_sale.piece_refund import GiftDue, TakenBack
from domain.after_sale.refunds import MoreThanIsLeft
from domain.order.order_number import parse
from domain.order.pieces import by_line
from domain.order.status import Action, Actor, Refused, Status, refusal
from store.accounts.points import points_to_take_back
from store.database.engine import looking
from store.database.keys import once
from store.money.piece_refunds import Cause, owed_for, write_refund
from store.orders.closings import close_emptied, emptied, pieces_key, take_back
from store.rows.pieces_left import standing
from store.rows.sub_orders import SubOrderRow, lock_order, note_on, sub_orders_of
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
            sub = _named(subs, request.sub_order_no)
            stands = await standing(db, order_no, subs)
            wanted = {(sub.idx, line_no): pieces for line_no, pieces in by_line(request.lines).items()}
            try:
                taken = stands.take_back(wanted, gifts_may_follow=True)
            except MoreThanIsLeft as more:
                return RefundQuote(refused=_refused(sub, more))
            return await _quote(db, subs, sub, taken)

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
    order = await lock_order(db, int(parse(request.sub_order_no).order_no))
    subs = await sub_orders_of(db, order.order_no)
    sub = _named(subs, request.sub_order_no)
    stands = await standing(db, order.order_no, subs)
    shipped = any(part.shipped for part in stands.parts if part.idx == sub.idx)
    wanted = {(sub.idx, line_no): pieces for line_no, pieces in by_line(request.lines).items()}
    try:
        taken = stands.take_back(wanted, request.gifts_back, gifts_may_follow=not shipped)
    except MoreThanIsLeft as more:
        return RefundDecided(refused=_refused(sub, more))
    cause = Cause(key, request.reason, Actor.PLATFORM, request.at)
    if not shipped:
        owed = await take_back(db, order, subs, taken, cause)
    else:
        refund_no = await write_refund(db, order, subs, taken, cause)
        await close_emptied(db, order, subs, taken, cause)  # a gift that has not shipped yet goes with its goods
        detail = f"{request.reason}: {taken.amount_fen} fen back"
        await note_on(db, sub, request.at, Actor.PLATFORM, "DECIDE_REFUND", detail)
        owed = owed_for(order, subs, taken, cause, refund_no, request.sellable)
    return RefundDecided(amount_fen=taken.amount_fen, closed=emptied(subs, taken), pay_back=owed)


def _named(subs: list[SubOrderRow], sub_order_no: str) -> SubOrderRow:
    for row in subs:
        if row.sub_order_no == sub_order_no:
            return row
    raise ValueError(f"there is no sub-order {sub_order_no}")


def _refused(sub: SubOrderRow, more: MoreThanIsLeft) -> Refused:
    return refusal(Status(sub.status), Action.CANCEL, Actor.PLATFORM, str(more))


async def _quote(db: AsyncConnection, subs: list[SubOrderRow], sub: SubOrderRow, taken: TakenBack) -> RefundQuote:
    numbers = {row.idx: row.sub_order_no for row in subs}
    goods_back = sum(back.goods_fen for back in taken.subs if back.idx == sub.idx)
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
        for units in taken.units
    ]
    return RefundQuote(
        lines=lines,
        gifts_to_return=[_gift(gift) for gift in taken.gifts_to_return],
        gifts_kept=[_gift(gift) for gift in taken.gifts_kept],
        goods_fen=sum(line.pay_fen for line in lines),
        shipping_fen=sum(back.shipping_fen for back in taken.subs),
        withheld_fen=sum(back.withheld_fen for back in taken.subs),
        amount_fen=taken.amount_fen,
        points=await points_to_take_back(db, sub, goods_back),
        coupons=taken.coupons,
    )


def _gift(gift: GiftDue) -> GiftBack:
    line = gift.line
    return GiftBack(
        line_no=line.line_no, sku=line.sku, title=line.title, quantity=gift.pieces, value_fen=gift.value_fen
    )
