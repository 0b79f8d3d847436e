"""What one order costs. It is counted with the worker in this process, where its transactions can be seen."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median_low

from runtime.settings import Settings
from runtime.worker import run_worker
from simulation.bench.counting import Seen, costs_of, counting_statements, counting_transactions, histories_of
from simulation.bench.crowd import Crowd, FloorOrders, Orders
from simulation.bench.stage import Stage
from simulation.bench.worker import floor_worker

OURS, FLOOR, SHOWING = "ours", "floor", "floor that shows its status"
FLOORS = {FLOOR: False, SHOWING: True}
ORDERS = 3  # one after the other; the median counts, since two messages that happen to meet share a workflow task


@dataclass
class Costs:
    counts: dict[str, int]
    transactions: Counter[str] = field(default_factory=Counter)  # of one order, by activity


async def measure_costs(stage: Stage) -> dict[str, Costs]:
    ours, bare = stage.settings_for("count-orders"), stage.settings_for("count-floor")
    async with working(stage, ours), Orders(stage, ours).at_work() as orders:
        with counting_transactions() as transactions, counting_statements() as statements:
            of_ours = Costs(await _counts(stage, orders))
        of_ours.transactions = _of_one(transactions)
        of_ours.counts["transactions in activities"] = of_ours.transactions.total()
        of_ours.counts["statements in them"] = _of_one(statements).total()
    async with floor_worker(stage.client, bare):
        of_floors = {
            name: Costs(await _counts(stage, FloorOrders(stage, bare, shows=shows))) for name, shows in FLOORS.items()
        }
    return {OURS: of_ours, **of_floors}


def _of_one(seen: Seen) -> Counter[str]:
    """The counts of one order, by activity."""
    every: Counter[str] = sum(seen.values(), Counter())
    return Counter({name: round(count / ORDERS) for name, count in every.items()})


async def _counts(stage: Stage, crowd: Crowd) -> dict[str, int]:
    each = [costs_of(await histories_of(stage.client, (await crowd.live()).runs)) for _ in range(ORDERS)]
    return {name: median_low(costs[name] for costs in each) for name in each[0]}


@asynccontextmanager
async def working(stage: Stage, settings: Settings) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    working = asyncio.create_task(run_worker(settings, stage.client, stopping))
    try:
        yield
    finally:
        stopping.set()
        await working
