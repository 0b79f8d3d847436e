"""Calls that come together share a transaction, and none of them notices."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.stock import Moved, ReleaseStock, Restock, StockOf
from domain.order.reservation import Reserved, ReserveStock
from store.database.batcher import Batcher, Overloaded
from store.stock.ledger import PostgresStock
from tests.support.books import forgetful, lines, order_number
from tests.support.stock import held_up, level


def wanting(*wanted: tuple[str, int]) -> ReserveStock:
    return ReserveStock(order_no=order_number(), lines=lines(*wanted))


async def transactions(engine: AsyncEngine) -> int:
    """How many have changed the stock so far: each leaves one entry of a kind."""
    async with engine.connect() as db:
        return int((await db.execute(text("SELECT count(*) FROM stock_entries WHERE kind = 'reserve'"))).scalar_one())


async def test_what_comes_while_a_batch_is_under_way_is_the_next_batch(
    stock: PostgresStock, engine: AsyncEngine
) -> None:
    """The first goes at once and alone; the other fifty together, in one transaction."""
    await stock.receive("A", 100)
    async with held_up(engine, "A"):
        first = asyncio.create_task(stock.reserve(wanting(("A", 1))))
        await asyncio.sleep(0.05)
        others = [asyncio.create_task(stock.reserve(wanting(("A", 1)))) for _ in range(50)]
        await asyncio.sleep(0.05)
        assert not first.done()
    assert await asyncio.gather(first, *others) == [Reserved(short=[])] * 51
    assert await transactions(engine) == 2
    assert await level(stock) == (49, 51, 0)


async def test_of_two_hundred_that_come_at_one_moment_half_form_the_next_batch() -> None:
    """While the database works for the first hundred, the others are being gathered; what goes on coming then goes
    as it comes. A few are not worth two transactions."""
    sizes: list[int] = []

    async def apply(batch: Sequence[int]) -> Sequence[int]:
        sizes.append(len(batch))
        await asyncio.sleep(0)
        return batch

    batcher = Batcher[int, int]("test", apply)
    assert await asyncio.gather(*map(batcher, range(200))) == list(range(200))
    assert sizes == [100, 100]
    sizes.clear()
    await asyncio.gather(*map(batcher, range(60)))
    assert sizes == [60]


async def test_a_batch_is_granted_in_the_order_of_arrival_each_order_all_or_nothing(stock: PostgresStock) -> None:
    """A large order that does not fit is in nobody's way."""
    await stock.receive("A", 5)
    await stock.receive("B", 1)
    asked = [wanting(("A", 3)), wanting(("B", 1), ("A", 3)), wanting(("A", 2)), wanting(("A", 1))]
    answers = await asyncio.gather(*map(stock.reserve, asked))
    assert [not answer.short for answer in answers] == [True, False, True, False]
    assert answers[3].short[0].available == 0
    assert (await level(stock, "A"), await level(stock, "B")) == ((0, 5, 0), (1, 0, 0))


async def test_a_repeat_in_a_batch_that_sells_the_last_piece_is_granted_still(stock: PostgresStock) -> None:
    """The key is looked up before the stock: a granted order is never told that it is sold out."""
    await stock.receive("A", 3)
    granted = wanting(("A", 1))
    await stock.reserve(granted)
    answers = await asyncio.gather(
        *(stock.reserve(wanting(("A", 1))) for _ in range(4)), *(stock.reserve(granted) for _ in range(3))
    )
    assert answers[4:] == [Reserved(short=[])] * 3
    assert sum(not answer.short for answer in answers[:4]) == 2
    assert await level(stock) == (0, 3, 0)


@pytest.mark.parametrize(
    "poison",
    [
        wanting(("A", -1)),
        wanting(("A", 2**40)),
        wanting(("A\0", 1)),
        wanting(("A", 1)).model_copy(update={"order_no": "no number"}),
        wanting(("A", 1)).model_copy(update={"lines": lines(("A", 1)) * 2}),
    ],
    ids=["fewer than none", "more than fits", "NUL", "no number", "one line twice"],
)
async def test_a_poisoned_reserve_fails_alone(stock: PostgresStock, poison: ReserveStock) -> None:
    """Those in its batch, before and after it, get what they would have got."""
    await stock.receive("A", 8)
    asked = [wanting(("A", 1)) for _ in range(10)]
    asked.insert(5, poison)
    answers = await asyncio.gather(*map(stock.reserve, asked), return_exceptions=True)
    assert isinstance(answers.pop(5), Exception)
    assert [isinstance(answer, Reserved) and not answer.short for answer in answers] == [True] * 8 + [False] * 2
    assert await level(stock) == (0, 8, 0)


async def test_a_poisoned_restock_fails_alone(stock: PostgresStock) -> None:
    """More than was deducted, among four that are right."""
    await stock.receive("A", 10)
    orders = [wanting(("A", 1)) for _ in range(5)]
    await asyncio.gather(*map(stock.reserve, orders))
    await asyncio.gather(*(stock.deduct(StockOf(order_no=order.order_no)) for order in orders))
    pieces = [1, 1, 2, 1, 1]
    asked = [
        Restock(order_no=order.order_no, reason_key="r", lines=lines(("A", count)))
        for order, count in zip(orders, pieces, strict=True)
    ]
    answers = await asyncio.gather(*map(stock.restock, asked), return_exceptions=True)
    assert "restocked" in str(answers.pop(2))
    assert answers == [Moved(pieces=1)] * 4
    assert await level(stock) == (9, 0, 1)


async def test_a_caller_that_goes_away_may_be_granted_and_its_release_gives_it_back(
    stock: PostgresStock, engine: AsyncEngine
) -> None:
    """In mid-batch: the others are not disturbed, and nothing is lost."""
    await stock.receive("A", 10)
    gone, waiting, stays = wanting(("A", 1)), wanting(("A", 2)), wanting(("A", 4))
    async with held_up(engine, "A"):
        in_batch = asyncio.create_task(stock.reserve(gone))
        await asyncio.sleep(0.05)
        in_queue, other = asyncio.create_task(stock.reserve(waiting)), asyncio.create_task(stock.reserve(stays))
        await asyncio.sleep(0.05)
        in_batch.cancel()
        in_queue.cancel()
    assert await other == Reserved(short=[])
    gave_up = await asyncio.gather(in_batch, in_queue, return_exceptions=True)
    assert [type(one) for one in gave_up] == [asyncio.CancelledError] * 2
    assert await level(stock) == (5, 5, 0), "granted although gone; and never begun"
    for order in (gone, waiting):
        await stock.release(ReleaseStock(order_no=order.order_no))
    assert await level(stock) == (6, 4, 0)
    assert (await stock.reserve(waiting)).released_before


async def test_a_full_queue_sheds_load_with_an_error_that_says_so(engine: AsyncEngine) -> None:
    """What was shed was not begun and may be tried again; what waits is served."""
    stock = PostgresStock(engine, most_at_once=4, most_waiting=8)
    await stock.receive("A", 100)
    asked = [wanting(("A", 1)) for _ in range(20)]
    async with held_up(engine, "A"):
        first = asyncio.create_task(stock.reserve(asked[0]))
        await asyncio.sleep(0.05)
        others = [asyncio.create_task(stock.reserve(one)) for one in asked[1:]]
        await asyncio.sleep(0.05)
    answers = await asyncio.gather(first, *others, return_exceptions=True)
    shed = [n for n, answer in enumerate(answers) if isinstance(answer, Overloaded)]
    assert shed == list(range(9, 20))
    assert "8 calls wait already" in str(answers[9])
    assert await level(stock) == (91, 9, 0)
    assert [await stock.reserve(asked[n]) for n in shed] == [Reserved(short=[])] * 11


async def test_a_batch_whose_answer_is_lost_is_repeated_without_effect(
    engine: AsyncEngine, stock: PostgresStock
) -> None:
    """The whole of it was committed; every member asks again."""
    await stock.receive("A", 20)
    losing = PostgresStock(forgetful(engine))
    asked = [wanting(("A", 1)) for _ in range(10)]
    heard = await asyncio.gather(*map(losing.reserve, asked), return_exceptions=True)
    assert all(isinstance(answer, ConnectionError) for answer in heard)
    assert await asyncio.gather(*map(stock.reserve, asked)) == [Reserved(short=[])] * 10
    assert await level(stock) == (10, 10, 0)


async def test_reserves_and_releases_of_many_orders_at_one_instant_hold_nothing(
    stock: PostgresStock, ledgers_of_workers: list[PostgresStock]
) -> None:
    """In batches of three workers: whichever of an order's two comes first, none is passed by the other."""
    await stock.receive("A", 100)
    for _ in range(5):
        asked = [wanting(("A", 1)) for _ in range(40)]
        calls = [ledgers_of_workers[n % 3].reserve(one) for n, one in enumerate(asked)]
        ends = [
            ledgers_of_workers[(n + 1) % 3].release(ReleaseStock(order_no=one.order_no)) for n, one in enumerate(asked)
        ]
        await asyncio.gather(*calls, *ends)
    assert await level(stock) == (100, 0, 0)


async def test_a_batch_that_hangs_does_not_hold_up_those_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up, its members may try again, and the next batch goes."""
    monkeypatch.setattr("store.database.batcher.LONGEST_S", 0.1)

    async def hang_on_zero(numbers: Sequence[int]) -> list[int]:
        await asyncio.sleep(60 if 0 in numbers else 0)
        return list(numbers)

    batcher = Batcher[int, int]("numbers", hang_on_zero)
    hanging = asyncio.create_task(batcher(0))
    await asyncio.sleep(0.02)
    assert await asyncio.gather(*map(batcher, (1, 2))) == [1, 2]
    with pytest.raises(TimeoutError):
        await hanging


@pytest.mark.usefixtures("deadlocks_are_heard")
async def test_orders_of_thirty_skus_each_in_another_order_in_three_workers_never_deadlock(
    stock: PostgresStock, ledgers_of_workers: list[PostgresStock]
) -> None:
    """Every order names its SKUs in another order, and batches of both workers want them all."""
    skus = [f"S{n:02}" for n in range(30)]
    for sku in skus:
        await stock.receive(sku, 1_000)
    asked = [wanting(*((sku, 1) for sku in (skus[n % 30 :] + skus[: n % 30])[:: (-1) ** n])) for n in range(60)]
    answers = await asyncio.gather(*(ledgers_of_workers[n % 2].reserve(one) for n, one in enumerate(asked)))
    assert answers == [Reserved(short=[])] * 60
    ends = [(ledgers_of_workers[n % 3], ReleaseStock(order_no=one.order_no)) for n, one in enumerate(asked)]
    await asyncio.gather(*(ledger.release(of) if n % 2 else ledger.deduct(of) for n, (ledger, of) in enumerate(ends)))
    assert {await level(stock, sku) for sku in skus} == {(970, 0, 30)}
