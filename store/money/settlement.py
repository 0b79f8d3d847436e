"""Settlement in PostgreSQL: a batch over sub-orders whose after-sale window has ended, and statements of what it
posted.

A posting is keyed by its sub-order, so whatever is run twice, killed or run beside another settles each once. A
statement takes the rows that wait for one, in one UPDATE, so each row is in one.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, cast, func, literal, select, update
from sqlalchemy.dialects.postgresql import INTERVAL, insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.order.cart import Terms
from domain.order.status import AfterSaleFact, Status
from domain.records.settlement import Statement, StatementRow
from store.database.engine import looking
from store.money.journal import FEE, ORDERS, SHIPPING, SUBSIDY, merchant_account, post
from store.rows.pieces_left import earned
from store.rows.sub_orders import lock_order
from store.tables import orders, piece_refunds, statement_rows, statements, sub_orders

_BATCH = 500
_AMOUNTS = ("goods_fen", "subsidy_fen", "shipping_fen", "fee_fen", "refunds_fen", "net_fen")


class PostgresSettlement:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._looking = looking(engine)

    async def settle(self, until: datetime, merchant: str | None = None) -> list[Statement]:
        """Settle what is due by `until`, then state what was posted by then and is in no statement yet: one statement
        per merchant (and currency) that has any. May be run at any time, and by several at once."""
        for due in (_received(until), _closed(until)):
            await self._settle(due if merchant is None else due.where(sub_orders.c.merchant == merchant))
        return await self._state(until, merchant)

    async def statements(self, merchant: str | None = None) -> list[Statement]:
        """The statements of one merchant, or of all merchants, newest first and without their rows."""
        found = select(statements).order_by(statements.c.made_at.desc(), statements.c.statement_no)
        async with self._looking.connect() as db:
            rows = await db.execute(found.where(statements.c.merchant == merchant) if merchant else found)
            return [_statement(row, []) for row in rows]

    async def statement(self, statement_no: str) -> Statement | None:
        """A statement with its rows; None when there is no such statement."""
        async with self._looking.connect() as db:
            row = (await db.execute(select(statements).where(statements.c.statement_no == statement_no))).first()
            if row is None:
                return None
            of_it = select(statement_rows).where(statement_rows.c.statement_no == statement_no)
            return _statement(row, (await db.execute(of_it)).all())

    async def _settle(self, due: Select[Any]) -> None:
        """Settle each of them in a transaction of its own: what is done stays done, and a lock is held for a moment
        only."""
        last = ""
        while True:
            page = due.where(sub_orders.c.sub_order_no > last).order_by(sub_orders.c.sub_order_no).limit(_BATCH)
            async with self._looking.connect() as db:
                found = (await db.execute(page)).all()
            for sub_order_no, order_no in found:
                async with self._engine.begin() as db:
                    await lock_order(db, order_no)
                    still = (await db.execute(due.where(sub_orders.c.sub_order_no == sub_order_no))).first()
                    if still is not None:
                        await _settle_one(db, sub_order_no)
            if len(found) < _BATCH:
                return
            last = found[-1].sub_order_no

    async def _state(self, until: datetime, merchant: str | None) -> list[Statement]:
        waiting = select(statement_rows.c.merchant, statement_rows.c.currency).where(_waits(until)).distinct()
        if merchant is not None:
            waiting = waiting.where(statement_rows.c.merchant == merchant)
        async with self._looking.connect() as db:
            pairs = sorted((row.merchant, row.currency) for row in await db.execute(waiting))
        made = []
        for name, currency in pairs:
            async with self._engine.begin() as db:
                statement = await _make_statement(db, name, currency, until)
            made += [statement] if statement is not None else []
        return made


def _unsettled() -> Select[Any]:
    return (
        select(sub_orders.c.sub_order_no, sub_orders.c.order_no)
        .join(orders, orders.c.order_no == sub_orders.c.order_no)
        .where(sub_orders.c.settled_at.is_(None))
    )


def _received(until: datetime) -> Select[Any]:
    """The received sub-orders whose after-sale window, as it was when the order was placed, has ended, with no open
    case."""
    return _unsettled().where(
        sub_orders.c.received_at <= until, _ends_at() <= until, sub_orders.c.after_sale != AfterSaleFact.OPEN.value
    )


def _ends_at() -> Any:
    window = func.coalesce(orders.c.terms["after_sale_window_s"].astext, str(Terms().after_sale_window_s))
    return sub_orders.c.received_at + cast(window + " seconds", INTERVAL)


def _closed(until: datetime) -> Select[Any]:
    """The closed sub-orders that owe their merchant something: what was withheld for a gift that the buyer keeps."""
    of_sub = (piece_refunds.c.order_no == sub_orders.c.order_no) & (piece_refunds.c.idx == sub_orders.c.idx)
    withheld = select(literal(1)).where(of_sub, piece_refunds.c.withheld_fen > 0).exists()
    return _unsettled().where(sub_orders.c.status == Status.CLOSED.value, sub_orders.c.closed_at <= until, withheld)


async def _settle_one(db: AsyncConnection, sub_order_no: str) -> None:
    """Post one sub-order's settlement: what its buyer paid and what the platform funds goes to the merchant, less the
    platform's fee. Idempotency key: the sub-order. Its order is locked."""
    of_sub = sub_orders.c.sub_order_no == sub_order_no
    sub = (await db.execute(select(sub_orders).where(of_sub))).one()
    same_order = orders.c.order_no == sub_orders.c.order_no
    of_order = select(orders.c.currency, _ends_at().label("ends_at")).join(sub_orders, same_order).where(of_sub)
    order = (await db.execute(of_order)).one()
    come_to = await earned(db, sub)
    key = f"settle/{sub_order_no}"
    legs = {
        ORDERS: come_to.goods_fen - come_to.goods_back_fen,
        SHIPPING: come_to.shipping_fen - come_to.shipping_back_fen,
        SUBSIDY: come_to.subsidy_fen,
        FEE: -come_to.fee_fen,
        merchant_account(sub.merchant): -come_to.net_fen,
    }
    await post(db, key, "SETTLE", str(sub.order_no), legs, order.currency)
    row = {"key": key, "merchant": sub.merchant, "order_no": sub.order_no, "sub_order_no": sub_order_no}
    amounts = {name: getattr(come_to, name) for name in _AMOUNTS}
    at = order.ends_at or sub.closed_at
    await db.execute(insert(statement_rows).values(**row, **amounts, currency=order.currency, at=at))
    await db.execute(update(sub_orders).where(of_sub).values(settled_at=func.now()))


def _waits(until: datetime) -> Any:
    return statement_rows.c.statement_no.is_(None) & (statement_rows.c.at <= until)


async def _make_statement(db: AsyncConnection, merchant: str, currency: str, until: datetime) -> Statement | None:
    """Write a statement of these rows; None when another run has stated them meanwhile."""
    await db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"statements/{merchant}", 0))))
    mine = _waits(until) & (statement_rows.c.merchant == merchant) & (statement_rows.c.currency == currency)
    count = await db.scalar(select(func.count()).where(statements.c.merchant == merchant))
    number = int(count or 0) + 1
    statement_no = f"{merchant}-{number:04d}"
    # The rows first: the total is of those that were taken, whatever is settled beside this.
    taken = update(statement_rows).where(mine).values(statement_no=statement_no).returning(statement_rows)
    rows = (await db.execute(taken)).all()
    if not rows:
        return None
    new = {"statement_no": statement_no, "merchant": merchant, "number": number, "currency": currency}
    made = insert(statements).values(**new, until=until, total_fen=sum(row.net_fen for row in rows))
    return _statement((await db.execute(made.returning(statements))).one(), rows)


def _statement(row: Row[Any], rows: Sequence[Row[Any]]) -> Statement:
    own = {name: getattr(row, name) for name in Statement.model_fields if name != "rows"}
    in_order = sorted(rows, key=lambda one: (one.at, one.key, one.sub_order_no))
    return Statement(**own, rows=[_row(one) for one in in_order])


def _row(row: Row[Any]) -> StatementRow:
    own = {name: getattr(row, name) for name in StatementRow.model_fields if name != "order_no"}
    return StatementRow(**own, order_no=str(row.order_no))
