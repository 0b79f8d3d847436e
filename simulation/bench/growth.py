"""Part 3: what grows with the workers, lines, sub-orders and waiting orders, and where it stops growing evenly."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from statistics import median

from simulation.bench.counting import costs_of, histories_of
from simulation.bench.crowd import Orders
from simulation.bench.figures import percentile
from simulation.bench.loads import Load, live
from simulation.bench.progress import Show
from simulation.bench.stage import Stage, a_stage

NEXT_ONES = 10


@dataclass(frozen=True)
class Sizes:
    """The sizes of part 3. `open_orders` are the numbers of orders that wait for their payment, one after the other."""

    rounds: int = 2
    workers: Sequence[int] = (1, 2, 3, 4)
    orders: int = 40
    at_once: int = 30
    lines: Sequence[int] = (1, 10, 50, 200)
    parts: Sequence[int] = (1, 2, 5, 10, 20)
    samples: int = 5
    open_orders: Sequence[int] = (100, 300, 1_000, 2_000)


QUICK = Sizes(1, workers=(1, 2), orders=4, at_once=4, lines=(1, 20), parts=(1, 3), samples=1, open_orders=(5, 20))


@dataclass(frozen=True)
class Shaped:
    """The figures of an order with a certain number of lines or sub-orders, played one at a time."""

    placed_ms: float
    completed_s: float
    costs: dict[str, int]
    history_kb: float


@dataclass(frozen=True)
class Waiting:
    """The figures with `open` orders open: the worker's and the server's memory, and how long the next placement
    takes."""

    open: int
    worker_mb: float
    server_mb: float
    next_ms: float
    placed_per_s: float


@dataclass
class Outcome:
    cache: int = 0
    workers: dict[int, list[Load]] = field(default_factory=dict)
    lines: dict[int, Shaped] = field(default_factory=dict)
    parts: dict[int, Shaped] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)


async def measure(sizes: Sizes, show: Show) -> Outcome:
    steps = sizes.rounds * len(sizes.workers) + len(sizes.lines) + len(sizes.parts) + len(sizes.open_orders)
    show.begin("growth: starting the servers", steps)
    outcome = Outcome()
    async with a_stage() as stage:
        outcome.cache = stage.settings.max_cached_workflows
        for number in range(sizes.rounds):
            for count in sizes.workers if number % 2 == 0 else reversed(sizes.workers):
                show.step(f"growth, round {number + 1}: {count} workers")
                outcome.workers.setdefault(count, []).append(await _with_workers(stage, count, sizes))
        async with stage.worker(stage.settings_for("shapes")):
            for lines in sizes.lines:
                show.step(f"growth: {lines} lines")
                outcome.lines[lines] = await _shaped(stage, sizes, lines=lines, merchants=min(2, lines))
            for parts in sizes.parts:
                show.step(f"growth: {parts} sub-orders")
                outcome.parts[parts] = await _shaped(stage, sizes, lines=parts, merchants=parts)
        await _waiting(stage, sizes, outcome, show)
    return outcome


async def _with_workers(stage: Stage, count: int, sizes: Sizes) -> Load:
    settings = stage.settings_for(f"workers-{count}")
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(stage.worker(settings)) for _ in range(count)]
        meter = stage.meter(**{f"worker {n}": worker for n, worker in enumerate(workers, start=1)})
        orders = await stack.enter_async_context(Orders(stage, settings).at_work())
        await live(orders, 2 * count, 2 * count, meter)  # so that every worker has loaded its code
        return await live(orders, sizes.orders, sizes.at_once, meter)


async def _shaped(stage: Stage, sizes: Sizes, *, lines: int, merchants: int) -> Shaped:
    settings = stage.settings_for("shapes")
    async with Orders(stage, settings, merchants=merchants, lines=lines).at_work() as orders:
        await orders.live()
        lived = [await orders.live() for _ in range(sizes.samples)]
    histories = await histories_of(stage.client, lived[-1].runs)
    return Shaped(
        placed_ms=median(one.placed_s for one in lived) * 1_000,
        completed_s=median(one.completed_s for one in lived),
        costs=costs_of(histories),
        history_kb=sum(each.ByteSize() for each in histories[0]) / 1_024,
    )


async def _waiting(stage: Stage, sizes: Sizes, outcome: Outcome, show: Show) -> None:
    settings = stage.settings_for("waiting")
    async with stage.worker(settings) as worker, Orders(stage, settings).at_work() as orders:
        meter = stage.meter(worker=worker)
        there = 0
        for count in sizes.open_orders:
            show.step(f"growth: {count:,} orders wait for their payment")
            begun = time.perf_counter()
            await _place(orders, count - there, sizes.at_once)
            per_s = (count - there) / (time.perf_counter() - begun)
            took = []
            for _ in range(NEXT_ONES):
                asked = time.perf_counter()
                await orders.place()
                took.append(time.perf_counter() - asked)
            there = count + NEXT_ONES
            next_ms = percentile(took, 0.5) * 1_000
            now = Waiting(count, meter.rss_mb("worker"), meter.rss_mb("temporal"), next_ms, per_s)
            outcome.waiting.append(now)


async def _place(orders: Orders, count: int, at_once: int) -> None:
    left = iter(range(count))

    async def buyer() -> None:
        for _ in left:
            await orders.place()

    await asyncio.gather(*(buyer() for _ in range(at_once)))
