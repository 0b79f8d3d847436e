"""The benchmark's own checks can fail, and each of its parts runs to its page."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy.ext.asyncio import AsyncEngine

from runtime.embedded import ServerFailed
from simulation.bench import flash, flash_page, growth, growth_page, loads, orders, stock, stock_rounds, tried
from simulation.bench.charts import Chart
from simulation.bench.crowd import Lived
from simulation.bench.figures import Cell, Sample, closed_loop, median_ratio, percentile
from simulation.bench.machine import this_machine
from simulation.bench.meter import Meter
from simulation.bench.order_costs import FLOOR, OURS, SHOWING, measure_costs
from simulation.bench.progress import Show
from simulation.bench.report import Page, Target
from simulation.bench.stage import a_stage
from simulation.bench.stock_books import Book, what_is_wrong
from simulation.bench.stock_contenders import Contender, OneStatement, Ours, RowLock

# --- its checks


@pytest.mark.parametrize("made", [RowLock, OneStatement, Ours])
async def test_no_contender_sells_more_than_there_is(engine: AsyncEngine, made: Callable[..., Contender]) -> None:
    """And each sells all of it."""
    assert await stock_rounds.sell_out(made(engine), 60, 20, count(10**18)) == []


async def test_without_its_lock_the_row_lock_oversells_and_the_check_says_so(engine: AsyncEngine) -> None:
    wrong = await stock_rounds.sell_out(RowLock(engine, locked=False), 60, 20, count(10**18))
    assert any("oversold" in one for one in wrong), wrong


@pytest.mark.parametrize(
    ("book", "granted", "said"),
    [
        (Book("A", available=7, reserved=3, held=3), 3, None),
        (Book("A", available=-1, reserved=11, held=11), 11, "oversold, 11 pieces were granted of 10"),
        (Book("A", available=7, reserved=3, held=2), 3, "reservations hold 2"),
        (Book("A", available=7, reserved=3, held=3), 4, "4 pieces were granted"),
        (Book("A", available=8, reserved=3, held=3), 3, "8 available and 3 reserved are not 10"),
        (Book("B", available=0, reserved=0, held=0), 0, "A: there is no counter"),
    ],
)
def test_what_does_not_add_up_is_found(book: Book, granted: int, said: str | None) -> None:
    filled = {"A": 10} if book.sku == "A" else {"A": 10, "B": 0}
    wrong = what_is_wrong([book], filled, Counter({"A": granted}))
    assert not wrong if said is None else any(said in one for one in wrong), wrong


class Stuck:
    """Orders that nobody works on."""

    async def live(self) -> Lived:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


async def test_a_load_that_nobody_works_on_ends_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loads, "LONGEST_S", 0.1)
    with pytest.raises(ServerFailed, match="0 of 3 orders are completed"):
        await loads.live(Stuck(), 3, 2, Meter({}))


# --- its figures


def test_a_percentile_is_a_value_that_was_seen() -> None:
    assert [percentile(range(1, 101), share) for share in (0.5, 0.99, 1.0)] == [50, 99, 100]
    assert percentile([7.0], 0.99) == 7.0


def test_a_slow_round_moves_neither_the_median_nor_the_ratio() -> None:
    ours = [Sample(1.0, [0.1] * calls) for calls in (400, 40, 440)]
    naive = [10.0, 1.0, 11.0]
    assert Cell.of(ours).per_s == 400
    assert median_ratio([sample.per_s for sample in ours], naive) == 40


async def test_callers_ask_again_as_soon_as_they_are_answered() -> None:
    async def call() -> None:
        await asyncio.sleep(0.01)

    sample = await closed_loop(5, 0.2, call)
    assert 25 <= len(sample.times_s) <= 105
    assert sample.seconds >= 0.2


def test_baskets_hold_three_different_skus_the_first_far_oftener() -> None:
    baskets = stock_rounds.zipf_baskets(random.Random(1), size=2_000)
    assert all(len({line.sku for line in basket}) == 3 for basket in baskets)
    often = Counter(line.sku for basket in baskets for line in basket)
    assert often["SKU-000"] > 10 * often["SKU-050"]


def test_a_target_is_met_from_its_own_side() -> None:
    assert Target("ratio", 30, 31).met
    assert not Target("ratio", 30, 29).met
    assert Target("p50", 1.2, 1.1, at_most=True).met


async def test_the_floors_have_the_shape_of_an_order() -> None:
    """As many steps of each kind; of what is shown, the one has none and the other as much."""
    async with a_stage() as stage:
        costs = {whose: counted.counts for whose, counted in (await measure_costs(stage)).items()}
    ours = costs[OURS]
    steps = ("regular activities", "local activities", "timers", "updates", "signals")
    for floor, upserts in ((FLOOR, 0), (SHOWING, ours["upserts"])):
        assert costs[floor]["upserts"] == upserts, costs
        assert [costs[floor][step] for step in steps] == [ours[step] for step in steps], costs


# --- its parts, with the smallest sizes

Part = Callable[[Show], Awaitable[tuple[Page, Chart]]]
PARTS: dict[str, Part] = {
    "stock": lambda show: stock.run(stock_rounds.Sizes(rounds=1, seconds=0.2, callers=(1, 8), scarce=30), show),
    "orders": lambda show: orders.run(orders.Sizes(rounds=1, loads=((1, 1), (3, 3))), show),
    "flash": lambda show: flash_page.run(
        flash.Sizes(buyers=60, pieces=4, payers=2, connections=10, window_s=6, alone=2), show
    ),
    "growth": lambda show: growth_page.run(
        growth.Sizes(1, (1,), orders=2, at_once=2, lines=(2,), parts=(2,), samples=1, open_orders=(2, 4)), show
    ),
    "tried": lambda show: tried.run(tried.Sizes(1, 2, 2, placements=1, variants=("default", "sandboxed")), show),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PARTS)
async def test_a_part_runs_and_writes_its_page(name: str, tmp_path: Path) -> None:
    """On its own servers; nothing in it goes wrong, and no path or host name of this machine is told."""
    with Show(Console(quiet=True)) as show:
        page, chart = await PARTS[name](show)
    assert page.good, page.wrong
    machine = this_machine()
    drawn = chart.draw(tmp_path / f"{name}.png")
    told = page.write(tmp_path, machine, chart=drawn).read_text()
    assert (tmp_path / f"{name}.png").exists() == drawn
    assert told.startswith(f"# {page.title}")
    assert "PostgreSQL 18" in told and "/tmp" not in told and "/root" not in told
    assert told.count("| --- |") >= 1
