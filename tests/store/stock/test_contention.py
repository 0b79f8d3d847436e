"""Many buyers at once, through several connections. And a control without the guard, which must oversell."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from activities.stock import ReleaseStock, Restock, StockOf
from domain.order.reservation import ReserveStock
from domain.order.stock import PurchaseLimit
from store.stock.changes import set_limit
from store.stock.ledger import PostgresStock
from tests.support.books import lines, order_number
from tests.support.stock import level


async def buy(stock: PostgresStock, *wanted: tuple[str, int]) -> str | None:
    """The order's number, if it was given what it wants."""
    order_no = order_number()
    answer = await stock.reserve(ReserveStock(order_no=order_no, lines=lines(*wanted)))
    return None if answer.short else order_no


async def buy_naively(engine: AsyncEngine, sku: str) -> bool:
    """The control: read, look, write. Each statement is right, and the counters add up."""
    async with engine.begin() as db:
        seen = (await db.execute(text("SELECT available, reserved FROM stock WHERE sku = :sku"), {"sku": sku})).one()
        if seen.available < 1:
            return False
        change = "UPDATE stock SET available = :available, reserved = :reserved WHERE sku = :sku"
        left = {"sku": sku, "available": seen.available - 1, "reserved": seen.reserved + 1}
        await db.execute(text(change), left)
        return True


async def test_edge_case_15_two_buyers_check_out_the_last_unit_and_one_gets_it(
    stock: PostgresStock, ledgers_of_workers: list[PostgresStock]
) -> None:
    """Forty last units, each wanted twice at one instant (vendure#3508)."""
    for sku in (f"LAST{n}" for n in range(40)):
        await stock.receive(sku, 1)
        answers = await asyncio.gather(*(buy(ledger, (sku, 1)) for ledger in ledgers_of_workers[:2]))
        assert sum(answer is not None for answer in answers) == 1
        assert await level(stock, sku) == (0, 1, 0)


async def test_two_hundred_buyers_of_twenty_pieces_buy_exactly_twenty(
    stock: PostgresStock, ledgers_of_workers: list[PostgresStock]
) -> None:
    """No more, and no fewer."""
    await stock.receive("HOT", 20)
    answers = await asyncio.gather(*(buy(ledgers_of_workers[n % 3], ("HOT", 1)) for n in range(200)))
    assert sum(answer is not None for answer in answers) == 20
    assert await level(stock, "HOT") == (0, 20, 0)


async def test_a_control_without_the_guard_oversells(stock: PostgresStock, engines: list[AsyncEngine]) -> None:
    """So the test above can see it."""
    await stock.receive("HOT", 20)
    answers = await asyncio.gather(*(buy_naively(engines[n % 3], "HOT") for n in range(200)))
    assert sum(answers) > 20


@pytest.fixture
async def opposite(engine: AsyncEngine, database_url: str) -> AsyncIterator[list[PostgresStock]]:
    """Eight workers whose databases' plans read the rows in opposite orders: by the heap, and by the index."""
    plans = [{"enable_bitmapscan": "off", off: "off"} for off in ("enable_indexscan", "enable_seqscan")]
    made = [create_async_engine(database_url, connect_args={"server_settings": plan}) for plan in plans]
    yield [PostgresStock(made[n % 2]) for n in range(8)]
    for one in made:
        await one.dispose()


@pytest.mark.usefixtures("deadlocks_are_heard")
@pytest.mark.parametrize("limited", [False, True], ids=["all at once", "with care"])
async def test_large_orders_never_deadlock_whatever_order_the_rows_lie_in(
    stock: PostgresStock, engine: AsyncEngine, opposite: list[PostgresStock], limited: bool
) -> None:
    """Two hundred SKUs that lie in the table from the last to the first, wanted by eight workers at once, then sold
    or given back by all of them at once."""
    for attempt in range(4):
        skus = [f"{attempt}-{n:03d}" for n in range(200)]
        rows = [{"sku": sku} for sku in reversed(skus)]
        async with opposite[0]._engine.begin() as db:
            await db.execute(text("INSERT INTO stock VALUES (:sku, 99, 99, 0, 0)"), rows)
        if limited:
            await set_limit(engine, PurchaseLimit(sku=skus[50], pieces=1, window_s=60), "ann")
        wanted = [[(sku, 1) for sku in (skus[n * 7 :] + skus[: n * 7])[:: (-1) ** n]] for n in range(24)]
        orders = await asyncio.gather(*(buy(opposite[n % 8], *lines) for n, lines in enumerate(wanted)))
        ends = [ReleaseStock(order_no=order_no) for order_no in orders if order_no is not None]
        await asyncio.gather(
            *(opposite[n % 8].deduct(one) if n % 3 else opposite[n % 8].release(one) for n, one in enumerate(ends))
        )
        assert {await level(stock, sku) for sku in (skus[0], skus[99], skus[199])} == {(83, 0, 16)}


@pytest.mark.usefixtures("deadlocks_are_heard")
async def test_lines_in_opposite_orders_never_deadlock(stock: PostgresStock, opposite: list[PostgresStock]) -> None:
    """Every verb locks its SKUs in one order: A and B, B and A, held, sold, released and brought back."""
    await stock.receive("B", 1_000)
    await stock.receive("A", 1_000)

    async def live(n: int) -> None:
        ledger, pair = opposite[n % 8], (("A", 1), ("B", 2)) if n % 4 < 2 else (("B", 2), ("A", 1))
        order_no = await buy(ledger, *pair)
        assert order_no is not None
        if n % 3 == 0:
            await ledger.release(ReleaseStock(order_no=order_no))
            return
        await ledger.deduct(StockOf(order_no=order_no))
        await ledger.restock(Restock(order_no=order_no, reason_key="all", lines=lines(*pair)))

    await asyncio.gather(*(live(n) for n in range(60)))
    assert (await level(stock, "A"), await level(stock, "B")) == ((1_000, 0, 0), (1_000, 0, 0))


@pytest.mark.usefixtures("deadlocks_are_heard")
async def test_two_refunds_of_one_order_with_lines_in_opposite_orders_never_deadlock(
    stock: PostgresStock, ledgers_of_workers: list[PostgresStock]
) -> None:
    """Both come back."""
    await stock.receive("A", 100)
    await stock.receive("B", 100)
    goods = lines(("A", 2), ("B", 2))
    halves = [line.model_copy(update={"quantity": 1}) for line in goods]
    for _ in range(20):
        order_no = order_number()
        await stock.reserve(ReserveStock(order_no=order_no, lines=goods))
        await stock.deduct(StockOf(order_no=order_no))
        there = Restock(order_no=order_no, reason_key="refund/1", lines=halves)
        and_back = Restock(order_no=order_no, reason_key="refund/2", lines=halves[::-1])
        await asyncio.gather(ledgers_of_workers[0].restock(there), ledgers_of_workers[1].restock(and_back))
    assert (await level(stock, "A"), await level(stock, "B")) == ((100, 0, 0), (100, 0, 0))


async def test_a_crowd_that_reserves_deducts_and_releases_leaves_counters_that_add_up(
    stock: PostgresStock, ledgers_of_workers: list[PostgresStock]
) -> None:
    """And every reservation has ended once."""
    await stock.receive("A", 30)

    async def live(n: int) -> tuple[int, int]:
        ledger = ledgers_of_workers[n % 3]
        order_no = await buy(ledger, ("A", 1 + n % 3))
        if order_no is None:
            return 0, 0
        of_order = ReleaseStock(order_no=order_no)
        sold, given_back = await asyncio.gather(ledger.deduct(of_order), ledger.release(of_order))
        assert 0 in (sold.pieces, given_back.pieces)
        assert sold.pieces + given_back.pieces == 1 + n % 3
        return sold.pieces, given_back.pieces

    moved = await asyncio.gather(*(live(n) for n in range(80)))
    assert await level(stock, "A") == (30 - sum(sold for sold, _ in moved), 0, sum(sold for sold, _ in moved))


async def test_a_control_without_the_check_oversells_too(
    stock: PostgresStock, engine: AsyncEngine, ledgers_of_workers: list[PostgresStock]
) -> None:
    """The ledger's first statement grants as if all of it fitted: the CHECK alone is between it and overselling,
    and without it these workers oversell."""
    await stock.receive("HOT", 20)
    async with engine.begin() as db:
        await db.execute(text("ALTER TABLE stock DROP CONSTRAINT stock_available_check"))
    try:
        answers = await asyncio.gather(*(buy(ledgers_of_workers[n % 3], ("HOT", 1)) for n in range(200)))
        assert sum(answer is not None for answer in answers) > 20
    finally:
        async with engine.begin() as db:
            await db.execute(text("TRUNCATE stock"))
            await db.execute(text("ALTER TABLE stock ADD CONSTRAINT stock_available_check CHECK (available >= 0)"))
