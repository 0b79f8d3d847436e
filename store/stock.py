"""The stock ledger in PostgreSQL: counters that add up, reservations that end once, keys that count once."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import case, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.stock import Deducted, Moved, Reserved, ReserveStock, Restock, Shortage, StockLine, StockOf
from store.keys import once
from store.tables import stock, stock_operations, stock_reservations

RESERVED, DEDUCTED, RELEASED = "RESERVED", "DEDUCTED", "RELEASED"


class PostgresStock:
    """Implements `activities.stock.StockLedger`. Rows are locked in the order of their SKUs, so nobody deadlocks."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def reserve(self, request: ReserveStock) -> Reserved:
        async with self._engine.begin() as db:
            # Both take the order's key, so that a release and a late reserve can't pass each other.
            await self._lock_order(db, request.order_no)
            return await once(
                db, stock_operations, _key(request.order_no, "reserve"), Reserved, lambda: self._reserve(db, request)
            )

    async def release(self, request: StockOf) -> Moved:
        async with self._engine.begin() as db:
            await self._lock_order(db, request.order_no)
            return await once(
                db,
                stock_operations,
                _key(request.order_no, "release"),
                Moved,
                lambda: self._end(db, request.order_no, RELEASED),
            )

    async def deduct(self, request: StockOf) -> Deducted:
        async with self._engine.begin() as db:
            await self._lock_order(db, request.order_no)
            return await once(
                db,
                stock_operations,
                _key(request.order_no, "deduct"),
                Deducted,
                lambda: self._sell(db, request.order_no),
            )

    async def restock(self, request: Restock) -> Moved:
        async with self._engine.begin() as db:
            await self._lock_order(db, request.order_no)
            return await once(
                db,
                stock_operations,
                _key(request.order_no, f"restock/{request.reason_key}"),
                Moved,
                lambda: self._restock(db, request),
            )

    async def receive(self, sku: str, pieces: int) -> None:
        """More to sell. For setting up; the stock operations with their entries come with the stock issue."""
        row = {"sku": sku, "sellable_total": pieces, "available": pieces, "reserved": 0, "deducted": 0}
        more = {
            "sellable_total": stock.c.sellable_total + pieces,
            "available": stock.c.available + pieces,
        }
        async with self._engine.begin() as db:
            await db.execute(insert(stock).values(row).on_conflict_do_update(index_elements=["sku"], set_=more))

    async def levels(self, skus: Iterable[str]) -> dict[str, dict[str, int]]:
        async with self._engine.connect() as db:
            rows = (await db.execute(select(stock).where(stock.c.sku.in_(list(skus))))).mappings()
            return {row["sku"]: {name: row[name] for name in row if name != "sku"} for row in rows}

    # --- within a transaction

    async def _lock_order(self, db: AsyncConnection, order_no: str) -> None:
        await db.execute(select(func.pg_advisory_xact_lock(int(order_no))))

    async def _reserve(self, db: AsyncConnection, request: ReserveStock) -> Reserved:
        released = await db.scalar(
            select(stock_operations.c.key).where(stock_operations.c.key == _key(request.order_no, "release"))
        )
        if released is not None:
            return Reserved(short=[], released_before=True)
        wanted = _by_sku(request.lines)
        available = await self._lock(db, wanted)
        short = [
            Shortage(line_no=line.line_no, sku=line.sku, wanted=wanted[line.sku], available=available.get(line.sku, 0))
            for line in request.lines
            if available.get(line.sku, 0) < wanted[line.sku]
        ]
        if short:
            return Reserved(short=short)
        await self._move(db, wanted, {"available": -1, "reserved": +1})
        await db.execute(
            insert(stock_reservations),
            [
                {
                    "order_no": int(request.order_no),
                    "line_no": line.line_no,
                    "sku": line.sku,
                    "quantity": line.quantity,
                    "state": RESERVED,
                }
                for line in request.lines
            ],
        )
        return Reserved(short=[])

    async def _sell(self, db: AsyncConnection, order_no: str) -> Deducted:
        return Deducted(pieces=(await self._end(db, order_no, DEDUCTED)).pieces)

    async def _end(self, db: AsyncConnection, order_no: str, state: str) -> Moved:
        """End what is reserved, one way or the other. What has ended already is left as it is."""
        of_order = stock_reservations.c.order_no == int(order_no)
        rows = await db.execute(
            update(stock_reservations)
            .where(of_order, stock_reservations.c.state == RESERVED)
            .values(state=state)
            .returning(stock_reservations.c.sku, stock_reservations.c.quantity)
        )
        ended: Counter[str] = Counter()
        for sku, quantity in rows:
            ended[sku] += quantity
        await self._lock(db, ended)
        await self._move(db, ended, {"reserved": -1, "available" if state == RELEASED else "deducted": +1})
        return Moved(pieces=ended.total())

    async def _restock(self, db: AsyncConnection, request: Restock) -> Moved:
        for line in request.lines:
            # The CHECK on the row refuses to bring back more than was deducted.
            found = await db.execute(
                update(stock_reservations)
                .where(
                    stock_reservations.c.order_no == int(request.order_no),
                    stock_reservations.c.line_no == line.line_no,
                    stock_reservations.c.sku == line.sku,
                )
                .values(restocked=stock_reservations.c.restocked + line.quantity)
            )
            if not found.rowcount:
                raise ValueError(f"order {request.order_no} took no {line.sku} for line {line.line_no}: none goes back")
        back = _by_sku(request.lines)
        await self._lock(db, back)
        await self._move(db, back, {"deducted": -1, "available": +1})
        return Moved(pieces=back.total())

    async def _lock(self, db: AsyncConnection, pieces: Mapping[str, int]) -> dict[str, int]:
        rows = await db.execute(
            select(stock.c.sku, stock.c.available)
            .where(stock.c.sku.in_(list(pieces)))
            .order_by(stock.c.sku)
            .with_for_update()
        )
        return {row.sku: row.available for row in rows}

    async def _move(self, db: AsyncConnection, pieces: Mapping[str, int], directions: Mapping[str, int]) -> None:
        if not pieces:
            return
        amount = case(dict(pieces), value=stock.c.sku)
        changes: dict[str, Any] = {name: stock.c[name] + sign * amount for name, sign in directions.items()}
        await db.execute(update(stock).where(stock.c.sku.in_(list(pieces))).values(changes))


def _key(order_no: str, step: str) -> str:
    return f"{order_no}/{step}"


def _by_sku(lines: Iterable[StockLine]) -> Counter[str]:
    pieces: Counter[str] = Counter()
    for line in lines:
        pieces[line.sku] += line.quantity
    return pieces
