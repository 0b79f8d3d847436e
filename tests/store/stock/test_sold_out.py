"""The gate before the ledger: it only ever refuses, and never from memory."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from activities.stock import ReleaseStock
from domain.order.reservation import ReserveStock, Shortage, StockLine
from domain.order.stock import StockPolicy
from store.stock.ledger import PostgresStock
from store.stock.sold_out import PostgresStockGate
from tests.support.books import lines, order_number


async def test_it_refuses_the_lines_for_which_there_is_too_little(stock: PostgresStock, engine: AsyncEngine) -> None:
    """Two lines of one SKU together; and what nobody has ever received is left to the ledger."""
    await stock.receive("A", 3)
    await stock.receive("B", 1)
    gate = PostgresStockGate(engine)
    short = await gate.sold_out(lines(("A", 2), ("B", 1), ("A", 2), ("NEVER SEEN", 1)))
    assert short == [Shortage(line_no=n, sku="A", wanted=4, available=3) for n in (1, 3)]
    assert await gate.sold_out(lines(("A", 3), ("B", 1))) == []


async def test_lines_that_take_their_stock_when_they_are_paid_are_let_through(
    stock: PostgresStock, engine: AsyncEngine
) -> None:
    """Only the payment knows."""
    await stock.receive("A", 1)
    line = StockLine(line_no=1, sku="A", quantity=5, policy=StockPolicy.DEDUCT_ON_PAYMENT)
    assert await PostgresStockGate(engine).sold_out([line]) == []


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
        asked = await asyncio.gather(*(gate.sold_out(one) for _ in range(5)))
        assert all(answer and answer[0].available == 0 for answer in asked)
        await stock.release(ReleaseStock(order_no=order_no))
        assert await asyncio.gather(*(gate.sold_out(one) for _ in range(5))) == [[]] * 5


async def test_calls_that_come_together_each_get_their_own_answer(stock: PostgresStock, engine: AsyncEngine) -> None:
    """By SKU, quantity and channel."""
    await stock.receive("A", 2)
    await stock.receive("A", 5, channel="live")
    gate = PostgresStockGate(engine)
    asked = [(pieces, channel) for pieces in range(1, 8) for channel in ("main", "live")]
    answers = await asyncio.gather(*(gate.sold_out(lines(("A", pieces)), channel) for pieces, channel in asked))
    assert [bool(answer) for answer in answers] == [n > {"main": 2, "live": 5}[channel] for n, channel in asked]
