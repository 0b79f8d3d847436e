"""An order's money, read from the journal and the order book."""

from collections import defaultdict

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.records.money import FundedDiscount, Leg, LineMoney, OrderMoney, Posting
from store.database.engine import looking
from store.rows.lines import read_lines
from store.tables import journal_legs, journal_postings, order_lines, orders, piece_refund_lines, piece_refunds


class PostgresMoneyViews:
    def __init__(self, engine: AsyncEngine) -> None:
        self._looking = looking(engine)

    async def of_order(self, order_no: str) -> OrderMoney | None:
        """An order's money; None when there is no such order."""
        number = int(order_no)
        async with self._looking.connect() as db:
            order = (await db.execute(select(orders).where(orders.c.order_no == number))).first()
            if order is None:
                return None
            postings = await _postings(db, order_no)
            return OrderMoney(
                order_no=order_no,
                currency=order.currency,
                amount_due_fen=order.amount_due_fen,
                shipping_fen=order.shipping_fen,
                postings=postings,
                balances=_balances(postings),
                lines=await _lines(db, number),
            )


async def _postings(db: AsyncConnection, order_no: str) -> list[Posting]:
    """The order's postings, in the order in which they were made."""
    found = await db.execute(
        select(journal_postings).where(journal_postings.c.reference == order_no).order_by(journal_postings.c.at)
    )
    postings = found.all()
    legs: dict[str, list[Leg]] = defaultdict(list)
    keys = [posting.key for posting in postings]
    of_them = select(journal_legs).where(journal_legs.c.key.in_(keys)).order_by(journal_legs.c.key, journal_legs.c.leg)
    for leg in await db.execute(of_them):
        legs[leg.key].append(Leg(account=leg.account, amount_fen=leg.amount_fen))
    return [Posting(key=row.key, kind=row.kind, at=row.at, legs=legs[row.key]) for row in postings]


def _balances(postings: list[Posting]) -> list[Leg]:
    totals: dict[str, int] = defaultdict(int)
    for posting in postings:
        for leg in posting.legs:
            totals[leg.account] += leg.amount_fen
    return [Leg(account=account, amount_fen=fen) for account, fen in totals.items() if fen]


async def _lines(db: AsyncConnection, order_no: int) -> list[LineMoney]:
    pieces = func.sum(piece_refund_lines.c.last_unit - piece_refund_lines.c.first_unit + 1)
    same = (piece_refunds.c.key == piece_refund_lines.c.key) & (piece_refunds.c.idx == piece_refund_lines.c.idx)
    gone = await db.execute(
        select(piece_refund_lines.c.line_no, pieces, func.sum(piece_refund_lines.c.pay_fen))
        .join(piece_refunds, same)
        .where(piece_refunds.c.order_no == order_no)
        .group_by(piece_refund_lines.c.line_no)
    )
    back = {line_no: (int(count), int(fen)) for line_no, count, fen in gone}
    before_split = order_lines.c.closed
    closed = await db.execute(
        select(order_lines.c.line_no, before_split, order_lines.c.pay_fen).where(
            order_lines.c.order_no == order_no, before_split > 0
        )
    )
    back |= {line_no: (count, fen) for line_no, count, fen in closed}
    return [
        LineMoney(
            **{name: getattr(line, name) for name in LineMoney.model_fields if hasattr(line, name)},
            discounts=[FundedDiscount(**share.model_dump()) for share in line.shares],
            pieces_back=back.get(line.line_no, (0, 0))[0],
            back_fen=back.get(line.line_no, (0, 0))[1],
        )
        for line in await read_lines(db, order_no)
    ]
