"""A worker that dies in the middle of a batch loses nothing and leaves nothing twice."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.stock import Moved, ReleaseStock
from domain.order.reservation import Reserved, ReserveStock
from domain.order.stock import PurchaseLimit
from store.stock.changes import set_limit
from store.stock.ledger import PostgresStock
from tests.support.books import SOMEBODY_WAITS, lines, order_number
from tests.support.servers import ROOT
from tests.support.stock import held_up, level

ORDERS = 600


@asynccontextmanager
async def reserver(url: str, order_nos: Sequence[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """The process, at the moment when it begins. However it goes, it ends with the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.reserver", url, "A"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(" ".join(order_nos).encode())
    process.stdin.close()
    assert await process.stdout.readline() == b"ready\n"
    try:
        yield process
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGKILL)
        await process.wait()


async def until(engine: AsyncEngine, query: str) -> None:
    """Until the database answers with something."""
    for _ in range(2_000):
        async with engine.connect() as db:
            if (await db.execute(text(query))).first() is not None:
                return
        await asyncio.sleep(0.005)
    raise AssertionError(query)


async def resume(stock: PostgresStock, order_nos: Sequence[str]) -> None:
    """Another worker does all of it again, as Temporal has it done; then gives it all back."""
    asked = [ReserveStock(order_no=no, lines=lines(("A", 1)), buyer_id=7) for no in order_nos]
    assert await asyncio.gather(*map(stock.reserve, asked)) == [Reserved(short=[])] * len(asked)
    assert await level(stock) == (1_000 - len(asked), len(asked), 0)
    ends = await asyncio.gather(*(stock.release(ReleaseStock(order_no=no)) for no in order_nos))
    assert ends == [Moved(pieces=1)] * len(asked)
    assert await level(stock) == (1_000, 0, 0)


@pytest.mark.parametrize("limited", [False, True], ids=["all at once", "with care"])
async def test_a_worker_killed_while_its_batch_waits_in_the_database(
    stock: PostgresStock, engine: AsyncEngine, database_url: str, limited: bool
) -> None:
    """The one statement is carried out though nobody hears of it; the careful transaction is undone. Either is well
    for those who ask again."""
    await stock.receive("A", 1_000)
    if limited:
        await set_limit(engine, PurchaseLimit(sku="A", pieces=ORDERS, window_s=60), "ann")
    order_nos = [order_number() for _ in range(ORDERS)]
    async with held_up(engine, "A"), reserver(database_url, order_nos) as process:
        await until(engine, SOMEBODY_WAITS)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    await resume(stock, order_nos)


@pytest.mark.parametrize("batches", [1, 2])
async def test_a_worker_killed_between_its_batches(
    stock: PostgresStock, engine: AsyncEngine, database_url: str, batches: int
) -> None:
    """What was committed is found by its keys, the rest is done now."""
    await stock.receive("A", 1_000)
    order_nos = [order_number() for _ in range(ORDERS)]
    async with reserver(database_url, order_nos) as process:
        await until(engine, f"SELECT count(*) FROM stock_entries WHERE kind = 'reserve' HAVING count(*) >= {batches}")
        process.send_signal(signal.SIGKILL)
        await process.wait()
    await resume(stock, order_nos)
