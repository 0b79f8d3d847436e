"""Part 2: whole orders, from checkout to completed, against bare workflows of the same shape on the same server."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from statistics import median

from simulation.bench.charts import Chart, Panel
from simulation.bench.crowd import Crowd, FloorOrders, Orders
from simulation.bench.figures import median_ratio
from simulation.bench.floor import QUEUE
from simulation.bench.loads import Load, live
from simulation.bench.order_costs import FLOOR, FLOORS, OURS, SHOWING, Costs, measure_costs
from simulation.bench.progress import Show
from simulation.bench.report import Page, Table, Target, number, times
from simulation.bench.stage import Stage, a_stage

EVERYBODY = (OURS, FLOOR, SHOWING)


@dataclass(frozen=True)
class Sizes:
    """The sizes of part 2. `loads` are pairs of how many orders run at once and how many there are in each round."""

    rounds: int = 5
    loads: Sequence[tuple[int, int]] = ((1, 4), (10, 30), (50, 100))


QUICK = Sizes(rounds=1, loads=((1, 1), (4, 8)))


@dataclass
class Outcome:
    loads: dict[tuple[int, str], list[Load]] = field(default_factory=dict)  # by at once and whose
    costs: dict[str, Costs] = field(default_factory=dict)


async def run(sizes: Sizes, show: Show) -> tuple[Page, Chart]:
    show.begin("orders: starting the servers", 2 + sizes.rounds * len(sizes.loads) * len(EVERYBODY))
    async with a_stage() as stage:
        outcome = Outcome()
        show.step("orders: counting what one costs")
        outcome.costs = await measure_costs(stage)
        await _rounds(stage, sizes, outcome, show)
    return _page(outcome, sizes), _chart(outcome, sizes)


async def _rounds(stage: Stage, sizes: Sizes, outcome: Outcome, show: Show) -> None:
    async with AsyncExitStack() as stack:
        ours, bare = stage.settings_for("orders"), stage.settings_for(QUEUE)
        meter = stage.meter(
            ours=await stack.enter_async_context(stage.worker(ours)),
            floor=await stack.enter_async_context(stage.worker(bare, "floor")),
        )
        orders = await stack.enter_async_context(Orders(stage, ours).at_work())
        floors = {name: FloorOrders(stage, bare, shows=shows) for name, shows in FLOORS.items()}
        crowds: dict[str, Crowd] = {OURS: orders, **floors}
        show.step("orders: warming up")
        for crowd in crowds.values():
            await live(crowd, 4, 4, meter)
        for round_number in range(sizes.rounds):
            for at_once, count in sizes.loads:
                for whose in EVERYBODY if round_number % 2 == 0 else EVERYBODY[::-1]:
                    show.step(f"orders, round {round_number + 1}: {at_once} at once, {whose}")
                    load = await live(crowds[whose], count, at_once, meter)
                    outcome.loads.setdefault((at_once, whose), []).append(load)


def _page(outcome: Outcome, sizes: Sizes) -> Page:
    most = sizes.loads[-1][0]
    per_s = {whose: [load.per_s for load in outcome.loads[most, whose]] for whose in EVERYBODY}
    return Page(
        name="orders",
        title="Whole orders",
        notes=[
            "Story 1: three lines of two merchants, placed, paid at the sandbox's cashier, split, handed over, shipped,"
            " delivered, received; an order counts when its run has ended.",
            "**The floor**: bare workflows of the same shape on the same server, in a worker process of its own with "
            "the same settings: a parent and two children, as many local and other activities, updates, signals and "
            "timers, all of them empty. No database, no sandbox's parties, no search attributes.",
            f"**The {SHOWING}**: the same workflows, whose runs have one search attribute, their status, changed as "
            "often as story 1 changes what it shows. The dev server writes its list of runs anew with each change.",
            f"{sizes.rounds} rounds in which all take turns; one worker process for ours, one for the floors; load, "
            "workers and all servers share the cores. Figures are medians of the rounds, ratios medians of each "
            "round's own ratio.",
        ],
        findings=[
            f"{most} at once, the {SHOWING} completes {times(median_ratio(per_s[SHOWING], per_s[FLOOR]))} the floor's "
            f"orders/s, with nothing else to do; ours completes {times(median_ratio(per_s[OURS], per_s[SHOWING]))} of "
            "what that one does"
        ],
        targets=[
            Target(f"{most} at once: ours ÷ floor, orders/s", 0.8, median_ratio(per_s[OURS], per_s[FLOOR])),
        ],
        tables=[_speed(outcome, sizes), _cpu(outcome, sizes), _costs(outcome)],
    )


def _speed(outcome: Outcome, sizes: Sizes) -> Table:
    head = ["at once", "whose", "orders/s", "÷ floor", "placed p50 ms", "placed p99 ms", "completed p50 s"]
    table = Table(head, title="Speed", texts=2)
    for at_once, _ in sizes.loads:
        below = [load.per_s for load in outcome.loads[at_once, FLOOR]]
        for whose in EVERYBODY:
            loads = outcome.loads[at_once, whose]
            ratio = median_ratio([load.per_s for load in loads], below)
            figures = [
                median(load.per_s for load in loads),
                median(load.placed_ms(0.5) for load in loads),
                median(load.placed_ms(0.99) for load in loads),
                median(load.completed_s for load in loads),
            ]
            told = [number(figure) for figure in figures]
            table.rows.append([str(at_once), whose, told[0], times(ratio), *told[1:]])
    return table


def _cpu(outcome: Outcome, sizes: Sizes) -> Table:
    parties = ["worker", "temporal", "postgres", "sandbox", "gateway", "load"]
    head = ["at once", "whose", *(f"{party} ms" for party in parties), "orders per CPU-s of worker", "of Temporal"]
    table = Table(head, title="CPU time for each order", texts=2)
    for at_once, _ in sizes.loads:
        for whose in EVERYBODY:
            loads = outcome.loads[at_once, whose]
            worker = OURS if whose == OURS else FLOOR
            spent = [
                median(load.cpu_per_order_ms(worker if party == "worker" else party) for load in loads)
                for party in parties
            ]
            per_cpu = [1_000 / max(spent[0], 0.001), 1_000 / max(spent[1], 0.001)]
            table.rows.append([str(at_once), whose, *(number(figure) for figure in (*spent, *per_cpu))])
    return table


def _costs(outcome: Outcome) -> Table:
    table = Table(["of one order, one at a time", *EVERYBODY], title="What an order costs")
    ours = outcome.costs[OURS]
    for name in ours.counts:
        table.rows.append([name, *(str(outcome.costs[whose].counts.get(name, 0)) for whose in EVERYBODY)])
    for activity, count in sorted(ours.transactions.items(), key=lambda each: -each[1]):
        table.rows.append([f"transactions of {activity}", str(count), *("0" for _ in FLOORS)])
    return table


def _chart(outcome: Outcome, sizes: Sizes) -> Chart:
    at_once = [at_once for at_once, _ in sizes.loads]

    def by_load(figure: str, whose: str) -> list[float]:
        return [
            median(load.per_s if figure == "per_s" else load.placed_ms(0.5) for load in outcome.loads[at, whose])
            for at in at_once
        ]

    names = [str(at) for at in at_once]
    return Chart(
        [
            Panel("Whole orders", "at once", "orders/s", names, {w: by_load("per_s", w) for w in EVERYBODY}),
            Panel("Placement", "at once", "p50 ms", names, {w: by_load("placed", w) for w in EVERYBODY}),
        ]
    )
