"""The gate before the ledger: it only ever refuses, and never from memory."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from activities.stock import ReleaseStock
from domain.order.reservation import ReserveStock, StockLine
from domain.order.stock import StockPolicy
from store.stock.ledger import PostgresStock
from store.stock.sold_out import PostgresStockGate
from tests.support.books import lines, order_number


async def test_it_says_what_is_left_of_what_was_received(stock: PostgresStock, engine: AsyncEngine) -> None:
    """What nobody has ever received is left to the ledger."""
    await stock.receive("A", 3)
    await stock.receive("B", 1)
    gate = PostgresStockGate(engine)
    assert await gate.available(lines(("A", 2), ("B", 1), ("A", 2), ("NEVER SEEN", 1))) == {"A": 3, "B": 1}


async def test_lines_that_take_their_stock_when_they_are_paid_are_let_through(
    stock: PostgresStock, engine: AsyncEngine
) -> None:
    """Only the payment knows."""
    await stock.receive("A", 1)
    line = StockLine(line_no=1, sku="A", quantity=5, policy=StockPolicy.DEDUCT_ON_PAYMENT)
    assert await PostgresStockGate(engine).available([line]) == {}


async def test_a_release_opens_it_at_once_and_a_sale_closes_it_at_once(
    stock: PostgresStock, engine: AsyncEngine
) -> None:
    """Fifty times in a row, with others asking all the while."""
    await stock.receive("A", 1)
    gate = PostgresStockGate(engine)
    one = lines(("A", 1))
    for _ in range(50):
        order_no = order_number()
        await stock.reserve(ReserveStock(order_no=order_no, lines=one))
        assert await asyncio.gather(*(gate.available(one) for _ in range(5))) == [{"A": 0}] * 5
        await stock.release(ReleaseStock(order_no=order_no))
        assert await asyncio.gather(*(gate.available(one) for _ in range(5))) == [{"A": 1}] * 5


async def test_calls_that_come_together_each_get_their_own_answer(stock: PostgresStock, engine: AsyncEngine) -> None:
    """Each answer is about its own SKU and channel."""
    for n in range(5):
        await stock.receive(f"SKU {n}", n)
        await stock.receive(f"SKU {n}", 10 + n, channel="live")
    gate = PostgresStockGate(engine)
    asked = [(n, more, channel) for n in range(5) for channel, more in (("main", 0), ("live", 10))]
    answers = await asyncio.gather(*(gate.available(lines((f"SKU {n}", 1)), channel) for n, _, channel in asked))
    assert answers == [{f"SKU {n}": n + more} for n, more, _ in asked]
