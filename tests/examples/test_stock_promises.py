"""What a set of stock must promise, asked of the one that comes with it, of the example of one's own, and of the one in
memory that quick stories run on."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.stock import Deducted, Moved, ReleaseStock, Restock, StockOf
from activities.stock_party import BooksCompared, StockParty
from domain.order.reservation import Reserved, ReserveStock, Shortage, StockLine
from domain.order.stock import StockPolicy
from examples.own_stock_ledger.parties import stock_in
from examples.own_stock_ledger.stock_file import StockFile
from runtime.parties import postgres_stock
from store.stock.ledger import PostgresStock
from tests.support.books import NOW, lines, order_number
from tests.support.memory.stock import MemoryStock
from tests.support.memory.stock_lookers import memory_stock

HELD, TWO = Reserved(short=[]), lines(("A", 2))


@dataclass
class Case:
    party: StockParty
    receive: Callable[[str, int], Awaitable[None]]

    async def order(self, *wanted: StockLine) -> str:
        order_no = order_number()
        request = ReserveStock(order_no=order_no, lines=list(wanted), at=NOW)
        assert await self.party.ledger.reserve(request) == HELD
        return order_no

    async def left(self) -> int:
        return (await self.party.shelves.sellable(["A"]))["A"]


@pytest.fixture(params=["that comes with it", "of one's own", "in memory"])
async def stock(request: pytest.FixtureRequest, engine: AsyncEngine) -> AsyncIterator[Case]:
    if request.param == "that comes with it":
        case = Case(postgres_stock(engine), PostgresStock(engine).receive)
        await case.receive("A", 5)
        yield case
        return
    if request.param == "in memory":
        memory = MemoryStock()
        await memory.receive("A", 5)
        yield Case(memory_stock(memory), memory.receive)
        return
    with tempfile.TemporaryDirectory() as folder, closing(StockFile(Path(folder) / "stock.db")) as file:

        async def receive(sku: str, pieces: int) -> None:
            file.receive(sku, pieces)

        await receive("A", 5)
        yield Case(stock_in(file), receive)


@pytest.fixture(autouse=True)
async def adds_up(stock: Case) -> AsyncIterator[None]:
    """After each of these tests."""
    yield
    assert await stock.party.holdings.compare(10) == BooksCompared(found=[])


def on_payment(line_no: int, quantity: int) -> StockLine:
    return StockLine(line_no=line_no, sku="A", quantity=quantity, policy=StockPolicy.DEDUCT_ON_PAYMENT)


async def test_all_of_an_orders_lines_are_held_or_none(stock: Case) -> None:
    await stock.receive("B", 1)
    order_no = order_number()
    request = ReserveStock(order_no=order_no, lines=lines(("A", 3), ("B", 2), ("NEVER SEEN", 1)))
    refused = await stock.party.ledger.reserve(request)
    assert refused.short == [
        Shortage(line_no=2, sku="B", wanted=2, available=1),
        Shortage(line_no=3, sku="NEVER SEEN", wanted=1, available=0),
    ]
    assert await stock.left() == 5
    await stock.receive("B", 9)
    assert await stock.party.ledger.reserve(request) == refused


async def test_every_verb_counts_once(stock: Case) -> None:
    ledger, order_no = stock.party.ledger, await stock.order(*TWO)
    for _ in range(2):
        assert await ledger.reserve(ReserveStock(order_no=order_no, lines=TWO)) == HELD
        assert await stock.left() == 3
    for _ in range(2):
        assert await ledger.deduct(StockOf(order_no=order_no)) == Deducted(pieces=2)
        assert await stock.left() == 3
    for reason in ("r1", "r1", "r2"):
        back = Restock(order_no=order_no, reason_key=reason, lines=lines(("A", 1)))
        assert await ledger.restock(back) == Moved(pieces=1)
    assert await stock.left() == 5


async def test_the_last_pieces_are_held_once_however_many_ask(stock: Case) -> None:
    asked = [ReserveStock(order_no=order_number(), lines=TWO) for _ in range(20)]
    answers = await asyncio.gather(*(stock.party.ledger.reserve(one) for one in asked))
    assert sum(answer == HELD for answer in answers) == 2
    assert await stock.left() == 1


async def test_a_release_ends_the_reservation_once(stock: Case) -> None:
    order_no = await stock.order(*TWO)
    for _ in range(2):
        assert await stock.party.ledger.release(ReleaseStock(order_no=order_no)) == Moved(pieces=2)
        assert await stock.left() == 5
    answer = await stock.party.ledger.deduct(StockOf(order_no=order_no))
    assert (answer.pieces, [one.line_no for one in answer.short]) == (0, [1])


async def test_a_release_before_the_reserve_is_heard_of_by_it(stock: Case) -> None:
    order_no = order_number()
    assert await stock.party.ledger.release(ReleaseStock(order_no=order_no)) == Moved(pieces=0)
    late = await stock.party.ledger.reserve(ReserveStock(order_no=order_no, lines=TWO))
    assert late == Reserved(short=[], released_before=True)
    assert await stock.left() == 5


async def test_a_release_of_what_was_sold_brings_back_what_is_left_of_it(stock: Case) -> None:
    ledger, order_no = stock.party.ledger, await stock.order(*lines(("A", 3)))
    await ledger.deduct(StockOf(order_no=order_no))
    await ledger.restock(Restock(order_no=order_no, reason_key="r1", lines=lines(("A", 1))))
    for _ in range(2):
        assert await ledger.release(ReleaseStock(order_no=order_no, sold=True)) == Moved(pieces=2)
    assert await stock.left() == 5
    assert [one.line_no for one in (await ledger.deduct(StockOf(order_no=order_no))).short] == [1]
    late = Restock(order_no=order_no, reason_key="r2", lines=lines(("A", 1)))
    assert await ledger.restock(late) == Moved(pieces=0)
    assert await stock.left() == 5


async def test_a_plain_release_leaves_what_was_sold(stock: Case) -> None:
    order_no = await stock.order(*TWO)
    await stock.party.ledger.deduct(StockOf(order_no=order_no))
    assert await stock.party.ledger.release(ReleaseStock(order_no=order_no)) == Moved(pieces=0)
    assert await stock.left() == 3
    assert await stock.party.ledger.deduct(StockOf(order_no=order_no)) == Deducted(pieces=2)


async def test_a_promised_line_is_taken_by_its_payment_or_named_as_lacking(stock: Case) -> None:
    order_no = await stock.order(on_payment(1, 4), on_payment(2, 4))
    assert await stock.left() == 5
    answer = Deducted(pieces=4, short=[Shortage(line_no=2, sku="A", wanted=4, available=1)])
    assert await stock.party.ledger.deduct(StockOf(order_no=order_no)) == answer
    await stock.receive("A", 10)
    assert await stock.party.ledger.deduct(StockOf(order_no=order_no)) == answer


async def test_a_deduction_before_its_reserve_is_not_remembered(stock: Case) -> None:
    order_no = order_number()
    assert await stock.party.ledger.deduct(StockOf(order_no=order_no)) == Deducted(pieces=0)
    assert await stock.party.ledger.reserve(ReserveStock(order_no=order_no, lines=TWO)) == HELD
    assert await stock.party.ledger.deduct(StockOf(order_no=order_no)) == Deducted(pieces=2)


async def test_the_key_of_an_order_holds_one_list_of_lines(stock: Case) -> None:
    order_no = await stock.order(*TWO)
    other = await stock.party.ledger.reserve(ReserveStock(order_no=order_no, lines=lines(("A", 1))))
    assert other == Reserved(short=[], other_lines=True)
    assert await stock.left() == 3


@pytest.mark.parametrize(
    "wrong", [*lines(("B", 1)), *lines(("A", 3)), StockLine(line_no=2, sku="A", quantity=1)], ids=str
)
async def test_no_order_brings_back_what_it_did_not_take(stock: Case, wrong: StockLine) -> None:
    order_no = await stock.order(*TWO)
    await stock.party.ledger.deduct(StockOf(order_no=order_no))
    with pytest.raises(Exception):  # noqa: B017 - a fault of any kind: it is a bug of the caller
        await stock.party.ledger.restock(Restock(order_no=order_no, reason_key="r1", lines=[wrong]))
    assert await stock.left() == 3


async def test_the_gate_sees_at_once_what_is_taken_and_what_comes_back(stock: Case) -> None:
    gate, asked = stock.party.gate, lines(("A", 1), ("NEVER SEEN", 1))
    assert await gate.available(asked) == {"A": 5}
    order_no = await stock.order(*TWO)
    assert await gate.available(asked) == {"A": 3}
    assert (await gate.knows(order_no), await gate.knows(order_number())) == (True, False)
    await stock.party.ledger.release(ReleaseStock(order_no=order_no))
    assert await gate.available(asked) == {"A": 5}
    assert await gate.available([on_payment(1, 9)]) == {}


async def test_what_is_held_is_listed_by_number_a_page_at_a_time_until_it_ends(stock: Case) -> None:
    holdings, ledger = stock.party.holdings, stock.party.ledger
    numbers = sorted([await stock.order(*lines(("A", 1))) for _ in range(4)], key=int)
    first = await holdings.holding("0", 3)
    assert (first, await holdings.holding(first[-1], 3)) == (numbers[:3], numbers[3:])
    await ledger.release(ReleaseStock(order_no=numbers[0]))
    await ledger.deduct(StockOf(order_no=numbers[1]))
    assert await holdings.holding("0", 3) == numbers[2:]
    known = {one.order_no: one for one in await holdings.held(numbers)}
    assert [known[number].sellable for number in numbers] == [False, False, True, True]
    assert (known[numbers[2]].since, known[numbers[2]].goods) == (NOW, [])
