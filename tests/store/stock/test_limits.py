"""The most that one buyer may have of a SKU, in orders that are not closed."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.stock import ReleaseStock, Restock, StockOf
from domain.order.reservation import OverLimit, Reserved, ReserveStock, StockLine
from domain.order.stock import PurchaseLimit, StockPolicy
from store.stock.changes import drop_limit, set_limit
from store.stock.ledger import PostgresStock
from tests.support.books import BUYER, NOW, lines, order_number
from tests.support.stock import level

DAY_S = 86_400


@pytest.fixture(autouse=True)
async def two_a_day(engine: AsyncEngine, stock: PostgresStock) -> None:
    await stock.receive("A", 100)
    await stock.receive("B", 100)
    await set_limit(engine, PurchaseLimit(sku="A", pieces=2, window_s=DAY_S), "ann")


def wanting(*wanted: tuple[str, int], buyer_id: int = BUYER, after_s: int = 0, channel: str = "main") -> ReserveStock:
    at = NOW + timedelta(seconds=after_s)
    return ReserveStock(order_no=order_number(), lines=lines(*wanted), buyer_id=buyer_id, at=at, channel=channel)


def over(bought: int, wanted: int = 1, line_no: int = 1) -> Reserved:
    told = OverLimit(line_no=line_no, sku="A", wanted=wanted, bought=bought, limit=2, window_s=DAY_S)
    return Reserved(short=[], over_limit=[told])


async def test_a_buyer_gets_up_to_the_limit_and_is_told_what_he_has(stock: PostgresStock) -> None:
    """All or nothing: the other lines of a refused order are not held. Another buyer is not concerned."""
    assert await stock.reserve(wanting(("A", 2))) == Reserved(short=[])
    assert await stock.reserve(wanting(("B", 1), ("A", 1))) == over(2, line_no=2)
    assert await level(stock, "B") == (100, 0, 0)
    assert await stock.reserve(wanting(("A", 2), buyer_id=7)) == Reserved(short=[])


async def test_two_lines_of_one_sku_count_together(stock: PostgresStock) -> None:
    """Each by itself would be within it."""
    refused = await stock.reserve(wanting(("A", 2), ("A", 1)))
    assert [told.wanted for told in refused.over_limit] == [3, 3]


@pytest.mark.parametrize(("after_s", "granted"), [(DAY_S - 1, False), (DAY_S, True)])
async def test_the_window_ends_to_the_second(stock: PostgresStock, after_s: int, granted: bool) -> None:
    """Orders placed in the last `window_s` seconds count."""
    await stock.reserve(wanting(("A", 2)))
    answer = await stock.reserve(wanting(("A", 1), after_s=after_s))
    assert answer == (Reserved(short=[]) if granted else over(2))


async def test_closed_orders_do_not_count_and_completed_ones_do(stock: PostgresStock) -> None:
    """Released before the payment, brought back after it; and what was sold stays."""
    released, sold, closed = wanting(("A", 1)), wanting(("A", 1)), wanting(("A", 1))
    await stock.reserve(released)
    await stock.release(ReleaseStock(order_no=released.order_no))
    for order in (sold, closed):
        await stock.reserve(order)
        await stock.deduct(StockOf(order_no=order.order_no))
    assert await stock.reserve(wanting(("A", 1))) == over(2)
    await stock.restock(Restock(order_no=closed.order_no, reason_key="cancel", lines=lines(("A", 1))))
    assert await stock.reserve(wanting(("A", 2))) == over(1, wanted=2)
    assert await stock.reserve(wanting(("A", 1))) == Reserved(short=[])


async def test_promised_lines_count(stock: PostgresStock) -> None:
    """Whoever pays later has bought too."""
    order = wanting()
    line = StockLine(line_no=1, sku="A", quantity=2, policy=StockPolicy.DEDUCT_ON_PAYMENT)
    assert await stock.reserve(order.model_copy(update={"lines": [line]})) == Reserved(short=[])
    assert await stock.reserve(wanting(("A", 1))) == over(2)


async def test_two_concurrent_placements_can_not_slip_past_together(
    stock: PostgresStock, ledgers_of_workers: list[PostgresStock]
) -> None:
    """Of nine at once, in three workers and in batches, two get one each."""
    for buyer_id in range(1, 16):
        asked = [ledgers_of_workers[n % 3].reserve(wanting(("A", 1), buyer_id=buyer_id)) for n in range(9)]
        answers = await asyncio.gather(*asked)
        assert sum(answer == Reserved(short=[]) for answer in answers) == 2
    assert await level(stock) == (70, 30, 0)


async def test_two_concurrent_placements_in_two_channels_can_not_slip_past_either(
    stock: PostgresStock, ledgers_of_workers: list[PostgresStock]
) -> None:
    """They lock different stock: the limit's own row is where they meet."""
    await stock.receive("A", 100, channel="live")
    for buyer_id in range(1, 31):
        here = wanting(("A", 2), buyer_id=buyer_id)
        there = wanting(("A", 2), buyer_id=buyer_id, channel="live")
        answers = await asyncio.gather(ledgers_of_workers[0].reserve(here), ledgers_of_workers[1].reserve(there))
        assert sum(answer == Reserved(short=[]) for answer in answers) == 1


async def test_a_repeat_is_not_over_the_limit_by_its_own_pieces(stock: PostgresStock) -> None:
    """It gets its first answer, granted or refused, also when the limit has changed."""
    order, refused = wanting(("A", 2)), wanting(("A", 1))
    assert [await stock.reserve(order) for _ in range(3)] == [Reserved(short=[])] * 3
    assert await stock.reserve(refused) == over(2)
    await stock.release(ReleaseStock(order_no=order.order_no))
    assert await stock.reserve(refused) == over(2)


async def test_a_new_limit_counts_what_was_bought_before_it(stock: PostgresStock, engine: AsyncEngine) -> None:
    """And one that is dropped holds nobody back."""
    await stock.reserve(wanting(("B", 3)))
    await set_limit(engine, PurchaseLimit(sku="B", pieces=4, window_s=60), "ann")
    (told,) = (await stock.reserve(wanting(("B", 2)))).over_limit
    assert (told.bought, told.limit) == (3, 4)
    await drop_limit(engine, "B")
    assert await stock.reserve(wanting(("B", 50))) == Reserved(short=[])


async def test_an_order_that_is_short_and_over_the_limit_hears_both(stock: PostgresStock) -> None:
    """So that the buyer is told once."""
    answer = await stock.reserve(wanting(("A", 3), ("B", 101)))
    assert ([told.sku for told in answer.short], [told.sku for told in answer.over_limit]) == (["B"], ["A"])
