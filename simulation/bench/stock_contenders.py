"""Three ways to take stock: ours, as the activities call it, and the two that one would write first.

The other two have no policies, limits, keys or entries; each has tables of its own.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, MetaData, Table, Text, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.stock import StockActivities
from domain.order.reservation import ReserveStock, StockLine
from domain.order.stock import PurchaseLimit
from simulation.bench.stock_books import Book
from store.stock.changes import Change, change_stock, set_limit
from store.stock.ledger import PostgresStock

Lines = Sequence[StockLine]


class Contender(Protocol):
    """A ledger that is measured; `name` is what it is called in the tables."""

    name: str

    async def fill(self, pieces: Mapping[str, int]) -> None:
        """Forget everything, and put these pieces of each SKU into stock."""
        ...

    async def take(self, order_no: int, lines: Lines) -> bool:
        """Take all lines of an order or none; returns whether they were taken."""
        ...

    async def books(self) -> list[Book]: ...


class Ours:
    """The project's ledger: `StockActivities` on `PostgresStock`, with nothing left out."""

    def __init__(self, engine: AsyncEngine, *, limited: bool = False) -> None:
        self.name = "ours, with a purchase limit" if limited else "ours"
        self._engine = engine
        self._limited = limited
        self._activities = StockActivities(PostgresStock(engine))

    async def fill(self, pieces: Mapping[str, int]) -> None:
        tables = "stock, stock_operations, stock_reservations, stock_entries, stock_restocks, purchase_limits"
        async with self._engine.begin() as db:
            await db.execute(text(f"TRUNCATE {tables} RESTART IDENTITY"))
        received = [Change(sku=sku, pieces=count, kind="receive") for sku, count in pieces.items()]
        await change_stock(self._engine, received)
        for sku in pieces if self._limited else ():
            await set_limit(self._engine, PurchaseLimit(sku=sku, pieces=100, window_s=86_400), "benchmark")

    async def take(self, order_no: int, lines: Lines) -> bool:
        # Each order has a buyer of its own, as in a sale, which is what limits are for.
        request = ReserveStock(order_no=str(order_no), buyer_id=order_no, lines=list(lines), at=datetime.now(UTC))
        reserved = await self._activities.reserve_stock(request)
        return not reserved.short and not reserved.over_limit

    async def books(self) -> list[Book]:
        held = (
            "SELECT s.sku, s.available, s.reserved, coalesce(sum(r.quantity), 0)::bigint"
            " FROM stock s LEFT JOIN stock_reservations r ON r.sku = s.sku AND r.state = 'RESERVED'"
            " GROUP BY s.sku, s.available, s.reserved"
        )
        async with self._engine.connect() as db:
            return [Book(*row) for row in await db.execute(text(held))]


def _tables(prefix: str) -> tuple[Table, Table]:
    metadata = MetaData()
    goods = Table(
        f"{prefix}_stock",
        metadata,
        Column("sku", Text, primary_key=True),
        Column("available", BigInteger, CheckConstraint("available >= 0"), nullable=False),
        Column("reserved", BigInteger, nullable=False),
    )
    reservations = Table(
        f"{prefix}_reservations",
        metadata,
        Column("order_no", BigInteger, primary_key=True, autoincrement=False),
        Column("line_no", Integer, primary_key=True),
        Column("sku", Text, nullable=False),
        Column("quantity", Integer, nullable=False),
    )
    return goods, reservations


class _Simple:
    """A ledger with a counter for each SKU and a row for each reservation."""

    def __init__(self, engine: AsyncEngine, name: str, prefix: str) -> None:
        self.name = name
        self._engine = engine
        self._goods, self._reservations = _tables(prefix)

    async def fill(self, pieces: Mapping[str, int]) -> None:
        rows = [{"sku": sku, "available": count, "reserved": 0} for sku, count in pieces.items()]
        async with self._engine.begin() as db:
            await db.run_sync(self._goods.metadata.create_all)
            await db.execute(text(f"TRUNCATE {self._goods.name}, {self._reservations.name}"))
            await db.execute(insert(self._goods), rows)

    async def books(self) -> list[Book]:
        held = (
            f"SELECT s.sku, s.available, s.reserved, coalesce(sum(r.quantity), 0)::bigint"
            f" FROM {self._goods.name} s LEFT JOIN {self._reservations.name} r USING (sku)"
            " GROUP BY s.sku, s.available, s.reserved"
        )
        async with self._engine.connect() as db:
            return [Book(*row) for row in await db.execute(text(held))]


class RowLock(_Simple):
    """A ledger that does SELECT … FOR UPDATE, look, UPDATE, INSERT, line by line in the order of the SKUs, so that no
    two orders deadlock."""

    def __init__(self, engine: AsyncEngine, *, locked: bool = True) -> None:
        super().__init__(engine, "row lock", "row_lock" if locked else "no_lock")
        self._locked = locked  # the control of the benchmark's own check leaves the lock out

    async def take(self, order_no: int, lines: Lines) -> bool:
        async with self._engine.connect() as db:
            for line in sorted(lines, key=lambda line: line.sku):
                goods = self._goods.c
                looked = select(goods.available, goods.reserved).where(goods.sku == line.sku)
                row = (await db.execute(looked.with_for_update() if self._locked else looked)).one()
                if row.available < line.quantity:
                    return False  # leaving the connection rolls back what was taken
                left = {"available": row.available - line.quantity, "reserved": row.reserved + line.quantity}
                await db.execute(update(self._goods).where(goods.sku == line.sku).values(left))
                await db.execute(insert(self._reservations).values(_row(order_no, line)))
            await db.commit()
        return True


class OneStatement(_Simple):
    """A ledger with one conditional statement for each line, which takes the pieces and writes the reservation."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine, "one statement", "one_statement")
        self._take = text(
            f"WITH taken AS (UPDATE {self._goods.name}"
            " SET available = available - :quantity, reserved = reserved + :quantity"
            " WHERE sku = :sku AND available >= :quantity RETURNING sku)"
            f" INSERT INTO {self._reservations.name} (order_no, line_no, sku, quantity)"
            " SELECT :order_no, :line_no, sku, :quantity FROM taken"
        )

    async def take(self, order_no: int, lines: Lines) -> bool:
        async with self._engine.connect() as db:
            for line in sorted(lines, key=lambda line: line.sku):
                if (await db.execute(self._take, _row(order_no, line))).rowcount == 0:
                    return False
            await db.commit()
        return True


def _row(order_no: int, line: StockLine) -> dict[str, object]:
    return {"order_no": order_no, "line_no": line.line_no, "sku": line.sku, "quantity": line.quantity}
