"""No more placements are under way than there are pieces for; the others wait, and nobody is forgotten."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from acts.turnstile import Crowded, Turnstile
from domain.order.reservation import Shortage, StockLine


class Shelf:
    """A gate and a ledger: `most` is how many were ever inside at once."""

    def __init__(self, **left: int) -> None:
        self.left = dict(left)
        self.inside = 0
        self.most = 0
        self.started = 0

    async def available(self, lines: Sequence[StockLine]) -> Mapping[str, int]:
        await asyncio.sleep(0)
        return {line.sku: self.left[line.sku] for line in lines if line.sku in self.left}

    async def knows(self, order_no: str) -> bool:
        return False


def want(*skus: str, quantity: int = 1) -> list[StockLine]:
    return [StockLine(line_no=n, sku=sku, quantity=quantity) for n, sku in enumerate(skus, start=1)]


async def buy(turnstile: Turnstile, shelf: Shelf, *skus: str, takes: bool = True) -> list[Shortage]:
    """As a placement does: it takes the piece somewhere in the middle, and ends a while after that."""
    async with turnstile.passing(shelf, want(*skus)) as short:
        if short:
            return short
        shelf.inside, shelf.started = shelf.inside + 1, shelf.started + 1
        shelf.most = max(shelf.most, shelf.inside)
        await asyncio.sleep(0.002)
        for sku in skus if takes else ():
            shelf.left[sku] -= 1
        await asyncio.sleep(0.002)
        shelf.inside -= 1
        return []


async def test_a_crowd_starts_no_more_than_there_are_pieces() -> None:
    shelf, turnstile = Shelf(HOT=10), Turnstile(5)
    answers = await asyncio.gather(*(buy(turnstile, shelf, "HOT") for _ in range(500)))
    assert (shelf.most, shelf.started) == (10, 10)
    assert sum(not short for short in answers) == 10
    assert not turnstile._waiting
    assert not turnstile._inside


async def test_where_there_is_plenty_nobody_waits() -> None:
    shelf, turnstile = Shelf(HOT=1_000), Turnstile(5)
    await asyncio.gather(*(buy(turnstile, shelf, "HOT") for _ in range(300)))
    assert shelf.most == 300


async def test_what_can_not_be_sold_out_is_not_counted() -> None:
    shelf, turnstile = Shelf(), Turnstile(5)
    await asyncio.gather(*(buy(turnstile, shelf, "PROMISED", takes=False) for _ in range(50)))
    assert shelf.most == 50


async def test_who_takes_nothing_in_the_end_lets_the_next_one_in() -> None:
    """Refused for another reason: the piece is for somebody else, and one after the other gets a try."""
    shelf, turnstile = Shelf(HOT=1), Turnstile(5)
    answers = await asyncio.gather(*(buy(turnstile, shelf, "HOT", takes=n == 19) for n in range(20)))
    assert (shelf.most, shelf.started) == (1, 20)
    assert not any(answers)


async def test_orders_of_several_things_never_wait_for_each_other_in_a_circle() -> None:
    shelf, turnstile = Shelf(A=20, B=20), Turnstile(5)
    carts = [("A", "B"), ("B", "A"), ("A",), ("B",)]
    answers = await asyncio.gather(*(buy(turnstile, shelf, *carts[n % 4]) for n in range(200)))
    assert min(shelf.left.values()) >= 0
    assert sum(not short for short in answers) == shelf.started
    assert not turnstile._waiting


async def test_who_goes_away_while_waiting_passes_its_turn_on() -> None:
    shelf, turnstile = Shelf(HOT=1), Turnstile(5)
    first = asyncio.create_task(buy(turnstile, shelf, "HOT", takes=False))
    await asyncio.sleep(0.001)
    gone, next_one = (asyncio.create_task(buy(turnstile, shelf, "HOT")) for _ in range(2))
    await first
    gone.cancel()  # it has just been called, and is not there any more
    assert await next_one == []


async def test_who_waits_too_long_is_told_so() -> None:
    shelf, turnstile = Shelf(HOT=1), Turnstile(0.05)
    async with turnstile.passing(shelf, want("HOT")):
        with pytest.raises(Crowded):
            await buy(turnstile, shelf, "HOT")
    assert await buy(turnstile, shelf, "HOT") == []


async def test_what_fails_inside_leaves_no_trace() -> None:
    shelf, turnstile = Shelf(HOT=1), Turnstile(5)
    with pytest.raises(RuntimeError):
        async with turnstile.passing(shelf, want("HOT")):
            raise RuntimeError
    assert await buy(turnstile, shelf, "HOT") == []
