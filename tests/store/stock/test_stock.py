"""The stock ledger's promises, on a real PostgreSQL."""

import asyncio

import pytest
from asyncpg import CheckViolationError
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.stock import Deducted, Moved, ReleaseStock, Restock, StockOf
from domain.order.reservation import Reserved, ReserveStock, Shortage, StockLine
from store.stock.ledger import PostgresStock
from tests.support.books import AnswerLost, forgetful, lines, order_number
from tests.support.stock import level


async def reserve(stock: PostgresStock, order_no: str, *wanted: tuple[str, int]) -> Reserved:
    return await stock.reserve(ReserveStock(order_no=order_no, lines=lines(*wanted)))


async def sold(stock: PostgresStock, *wanted: tuple[str, int]) -> str:
    """An order whose goods are deducted."""
    order_no = order_number()
    assert (await reserve(stock, order_no, *wanted)).short == []
    await stock.deduct(StockOf(order_no=order_no))
    return order_no


def back(order_no: str, key: str, *pieces: tuple[str, int]) -> Restock:
    return Restock(order_no=order_no, reason_key=key, lines=lines(*pieces))


async def test_what_is_there_is_held(stock: PostgresStock) -> None:
    """Also when it is the last piece."""
    await stock.receive("A", 3)
    assert await reserve(stock, order_number(), ("A", 3)) == Reserved(short=[])
    assert await level(stock) == (0, 3, 0)


async def test_all_of_the_lines_are_held_or_none(stock: PostgresStock) -> None:
    """And every line that is lacking is named, with what there is."""
    await stock.receive("A", 5)
    await stock.receive("B", 1)
    refused = await reserve(stock, order_number(), ("A", 2), ("B", 2), ("C", 1))
    assert refused.short == [
        Shortage(line_no=2, sku="B", wanted=2, available=1),
        Shortage(line_no=3, sku="C", wanted=1, available=0),
    ]
    assert (await level(stock, "A"), await level(stock, "B")) == ((5, 0, 0), (1, 0, 0))


async def test_an_unknown_sku_is_a_shortage_and_no_fault(stock: PostgresStock) -> None:
    """A refusal is a value."""
    refused = await reserve(stock, order_number(), ("NEVER SEEN", 1))
    assert refused.short == [Shortage(line_no=1, sku="NEVER SEEN", wanted=1, available=0)]


@pytest.mark.parametrize(("pieces", "enough"), [(3, False), (4, True)])
async def test_one_sku_on_two_lines_counts_together(stock: PostgresStock, pieces: int, enough: bool) -> None:
    """Each line by itself would have fitted."""
    await stock.receive("A", pieces)
    answer = await reserve(stock, order_number(), ("A", 2), ("A", 2))
    assert (answer.short == []) == enough
    assert [shortage.wanted for shortage in answer.short] == ([] if enough else [4, 4])
    assert await level(stock) == ((0, 4, 0) if enough else (3, 0, 0))


async def test_edge_case_19_one_unit_of_each_of_two_is_not_two_units_of_one(stock: PostgresStock) -> None:
    """No sum over SKUs passes a check that the reservation then fails (medusa#15327)."""
    await stock.receive("A", 1)
    await stock.receive("B", 1)
    assert [shortage.sku for shortage in (await reserve(stock, order_number(), ("A", 2))).short] == ["A"]
    assert (await level(stock, "A"), await level(stock, "B")) == ((1, 0, 0), (1, 0, 0))


async def test_a_repeated_reserve_gives_the_first_answer(stock: PostgresStock) -> None:
    """Held once."""
    await stock.receive("A", 5)
    order_no = order_number()
    assert await reserve(stock, order_no, ("A", 2)) == await reserve(stock, order_no, ("A", 2))
    assert await level(stock) == (3, 2, 0)


async def test_a_repeat_gives_the_first_answer_after_the_stock_has_changed(stock: PostgresStock) -> None:
    """A refusal stays one when goods arrive; a promise stays one when they are gone."""
    late, early = order_number(), order_number()
    await stock.receive("A", 1)
    refused = await reserve(stock, late, ("A", 2))
    await stock.receive("A", 9)
    assert await reserve(stock, late, ("A", 2)) == refused
    held = await reserve(stock, early, ("A", 10))
    assert await reserve(stock, early, ("A", 10)) == held == Reserved(short=[])
    assert await level(stock) == (0, 10, 0)


async def test_twenty_concurrent_repeats_of_one_key_hold_once(stock: PostgresStock) -> None:
    """And all hear the same."""
    await stock.receive("A", 100)
    order_no = order_number()
    answers = await asyncio.gather(*(reserve(stock, order_no, ("A", 3)) for _ in range(20)))
    assert all(answer == Reserved(short=[]) for answer in answers)
    assert await level(stock) == (97, 3, 0)


@pytest.mark.parametrize(("verb", "after"), [("release", (5, 0, 0)), ("deduct", (3, 0, 2))])
async def test_what_ends_a_reservation_moves_once_however_often_it_is_asked(
    stock: PostgresStock, verb: str, after: tuple[int, int, int]
) -> None:
    """Twenty at once, and once more later: always the first answer."""
    await stock.receive("A", 5)
    order_no = order_number()
    await reserve(stock, order_no, ("A", 1), ("A", 1))
    end = getattr(stock, verb)
    answer = Deducted(pieces=2) if verb == "deduct" else Moved(pieces=2)
    answers = await asyncio.gather(*(end(ReleaseStock(order_no=order_no)) for _ in range(20)))
    assert [*answers, await end(ReleaseStock(order_no=order_no))] == [answer] * 21
    assert await level(stock) == after


async def test_a_release_before_the_reserve_leaves_a_tombstone(stock: PostgresStock) -> None:
    """The late reserve takes nothing, for ever: no undo is overtaken by what it undoes."""
    await stock.receive("A", 5)
    order_no = order_number()
    assert await stock.release(ReleaseStock(order_no=order_no)) == Moved(pieces=0)
    for _ in range(2):
        assert await reserve(stock, order_no, ("A", 1)) == Reserved(short=[], released_before=True)
    assert await level(stock) == (5, 0, 0)


async def test_a_reserve_and_its_release_at_one_instant_leave_nothing_held(stock: PostgresStock) -> None:
    """Whichever comes first."""
    await stock.receive("A", 100)
    for order_no in [order_number() for _ in range(30)]:
        await asyncio.gather(reserve(stock, order_no, ("A", 1)), stock.release(ReleaseStock(order_no=order_no)))
    assert await level(stock) == (100, 0, 0)


async def test_edge_case_16_a_cancel_while_the_deduction_is_in_flight_gives_back_only_what_was_taken(
    stock: PostgresStock,
) -> None:
    """Release and deduct at one instant: one of them has the pieces, the other has none (EasyAbp/EShop#221)."""
    await stock.receive("A", 100)
    for _ in range(30):
        order_no = order_number()
        await reserve(stock, order_no, ("A", 2))
        of_order = ReleaseStock(order_no=order_no)
        deducted, released = await asyncio.gather(stock.deduct(of_order), stock.release(of_order))
        assert sorted((deducted.pieces, released.pieces)) == [0, 2]
        if released.pieces:
            with pytest.raises(CheckViolationError):
                await stock.restock(back(order_no, "cancel", ("A", 2)))
        else:
            await stock.restock(back(order_no, "cancel", ("A", 2)))
    assert await level(stock) == (100, 0, 0)


async def test_edge_case_17_a_partial_refund_and_a_cancel_never_make_a_hundred_a_hundred_and_one(
    stock: PostgresStock,
) -> None:
    """The database refuses to bring back more than the order took (PrestaShop#35460)."""
    await stock.receive("A", 100)
    order_no = await sold(stock, ("A", 3))
    assert await stock.restock(back(order_no, "refund/1", ("A", 1))) == Moved(pieces=1)
    with pytest.raises(CheckViolationError, match="restocked"):
        await stock.restock(back(order_no, "cancel", ("A", 3)))
    assert await level(stock) == (98, 0, 2)
    await stock.restock(back(order_no, "cancel", ("A", 2)))
    assert await level(stock) == (100, 0, 0)


async def test_edge_case_18_a_release_after_the_deduction_releases_nothing(stock: PostgresStock) -> None:
    """What was shipped is not given back a second time (magento/inventory#1878)."""
    await stock.receive("A", 5)
    order_no = await sold(stock, ("A", 2))
    assert await stock.release(ReleaseStock(order_no=order_no)) == Moved(pieces=0)
    assert await level(stock) == (3, 0, 2)


async def test_a_refund_brings_its_pieces_back_once_and_another_refund_brings_its_own(stock: PostgresStock) -> None:
    """The key is the refund's."""
    await stock.receive("A", 5)
    order_no = await sold(stock, ("A", 2))
    await asyncio.gather(*(stock.restock(back(order_no, "refund/1", ("A", 1))) for _ in range(20)))
    assert await level(stock) == (4, 0, 1)
    await stock.restock(back(order_no, "refund/2", ("A", 1)))
    assert await level(stock) == (5, 0, 0)


@pytest.mark.parametrize(
    "wrong", [StockLine(line_no=9, sku="A", quantity=1), StockLine(line_no=1, sku="B", quantity=1)]
)
async def test_an_order_brings_back_nothing_that_it_did_not_take(stock: PostgresStock, wrong: StockLine) -> None:
    """Neither a line that it never had nor another SKU, even while others have deducted enough of it."""
    await stock.receive("A", 5)
    await stock.receive("B", 5)
    order_no = await sold(stock, ("A", 2))
    await sold(stock, ("A", 1), ("B", 1))
    with pytest.raises(ValueError, match="took no"):
        await stock.restock(Restock(order_no=order_no, reason_key="cancel", lines=[wrong]))
    assert (await level(stock, "A"), await level(stock, "B")) == ((2, 0, 3), (4, 0, 1))


@pytest.mark.parametrize("verb", ["reserve", "release", "deduct", "restock"])
async def test_a_commit_whose_answer_is_lost_has_its_effect_once(
    engine: AsyncEngine, stock: PostgresStock, verb: str
) -> None:
    """The caller hears of a fault, asks again, and gets the answer of the first time."""
    await stock.receive("A", 5)
    losing, order_no = PostgresStock(forgetful(engine)), order_number()
    steps: dict[str, tuple[ReserveStock | StockOf | Restock, tuple[int, int, int]]] = {
        "reserve": (ReserveStock(order_no=order_no, lines=lines(("A", 2))), (3, 2, 0)),
        "release": (ReleaseStock(order_no=order_no), (5, 0, 0)),
        "deduct": (StockOf(order_no=order_no), (3, 0, 2)),
        "restock": (back(order_no, "cancel", ("A", 2)), (5, 0, 0)),
    }
    for before in {"reserve": [], "release": ["reserve"], "deduct": ["reserve"], "restock": ["reserve", "deduct"]}[
        verb
    ]:
        await getattr(stock, before)(steps[before][0])
    request, after = steps[verb]
    with pytest.raises(AnswerLost):
        await getattr(losing, verb)(request)
    first = {"reserve": Reserved(short=[]), "deduct": Deducted(pieces=2)}.get(verb, Moved(pieces=2))
    assert await getattr(stock, verb)(request) == first
    assert await level(stock) == after
