"""Part 1: the stock ledger under many callers, compared with simpler ledgers and with what the database can do."""

from pathlib import Path
from statistics import median

from sqlalchemy.ext.asyncio import AsyncEngine

from simulation.bench.charts import Chart, Panel
from simulation.bench.figures import Cell, Sample, median_ratio
from simulation.bench.progress import Show
from simulation.bench.report import Page, Table, Target, number, times
from simulation.bench.servers import a_database, a_postgres, data_folder
from simulation.bench.stock_contenders import Contender, OneStatement, Ours, RowLock
from simulation.bench.stock_floors import BATCH, CLIENTS, Floors
from simulation.bench.stock_rounds import HOT, ZIPF, Outcome, Rounds, Sizes

NAIVE, SINGLE, OURS, LIMITED = "row lock", "one statement", "ours", "ours, with a purchase limit"
QUICK = Sizes(rounds=2, seconds=0.3, callers=(1, 20), scarce=60)

_FLOORS = {
    "insert": f"pgbench, insert only, {CLIENTS} clients",
    "update": f"pgbench, update of one row, {CLIENTS} clients",
    "batch": f"bare batch of {BATCH} rows, one connection (the ceiling)",
}


async def run(sizes: Sizes, show: Show) -> tuple[Page, Chart]:
    with data_folder() as folder, a_postgres(folder) as postgres:
        async with a_database(postgres, "bench") as engine:
            outcome = await _rounds(engine, folder, sizes, show)
    page = _page(outcome, sizes)
    for finding in page.findings:
        show.say(finding)
    return page, _chart(outcome, sizes)


async def _rounds(engine: AsyncEngine, folder: Path, sizes: Sizes, show: Show) -> Outcome:
    naive, single, ours = RowLock(engine), OneStatement(engine), Ours(engine)
    floors = Floors(engine, folder)
    await floors.set_up()
    contenders: dict[str, list[Contender]] = {
        HOT: [naive, single, ours, Ours(engine, limited=True)],
        ZIPF: [naive, single, ours],
    }
    rounds = Rounds(contenders, floors, sizes, show)
    show.begin("stock", rounds.steps)
    return await rounds.run()


def _page(outcome: Outcome, sizes: Sizes) -> Page:
    page = Page(
        name="stock",
        title="The stock ledger under load",
        notes=[
            f"{sizes.rounds} rounds of {sizes.seconds:g} s for each cell; contenders and floors take turns within a "
            "round. Figures are medians of the rounds, ratios are medians of each round's own ratio.",
            f"**{OURS}**: `StockActivities.reserve_stock` on `PostgresStock`, as the stories' activities call it: keys,"
            " policies, limits, entries. With a purchase limit on the SKU it counts what each buyer has bought, too.",
            f"**{NAIVE}**: SELECT … FOR UPDATE, look, UPDATE, INSERT. **{SINGLE}**: one conditional statement a line. "
            "Both with SQLAlchemy Core and asyncpg on tables of their own, lines sorted by SKU, and without keys, "
            "policies, limits and entries. All share the product's pool of 20 connections.",
            "Each caller asks again as soon as it is answered. After each turn the counters are held against the "
            "reservations and against what the callers were told; in each round each contender also sells "
            f"{sizes.scarce} last pieces to {max(sizes.callers)} callers.",
        ],
    )
    page.findings.append(
        f"{outcome.checks} checks after {outcome.checks} turns: "
        + ("no oversell, no lost reservation, all counters add up" if not outcome.wrong else "WRONG: see below")
    )
    page.targets = _targets(outcome, sizes)
    page.tables = [_table(outcome, workload, sizes) for workload in (HOT, ZIPF)]
    page.tables.append(_floors(outcome, sizes))
    page.wrong = outcome.wrong
    return page


def _targets(outcome: Outcome, sizes: Sizes) -> list[Target]:
    many, one = max(sizes.callers), min(sizes.callers)

    def cells(workload: str, callers: int) -> tuple[list[Sample], list[Sample]]:
        return outcome.samples[workload, callers, OURS], outcome.samples[workload, callers, NAIVE]

    ours, naive = cells(HOT, many)
    ours_3, naive_3 = cells(ZIPF, many)
    alone, naive_alone = cells(HOT, one)
    p99 = median_ratio([sample.p99_ms for sample in naive], [sample.p99_ms for sample in ours])
    p50 = median_ratio([sample.p50_ms for sample in alone], [sample.p50_ms for sample in naive_alone])
    rates = _rates(ours)
    at_many = f"{many} callers"
    return [
        Target(f"{HOT}, {at_many}: ours ÷ row lock", 30, median_ratio(rates, _rates(naive))),
        Target(f"{HOT}, {at_many}: ours ÷ {_FLOORS['insert']}", 1.2, median_ratio(rates, outcome.floors["insert"])),
        Target(f"{HOT}, {at_many}: p99 of the row lock ÷ ours", 30, p99),
        Target(f"{ZIPF}, {at_many}: ours ÷ row lock", 30, median_ratio(_rates(ours_3), _rates(naive_3))),
        Target(f"{HOT}, one caller: p50, ours ÷ row lock", 1.2, p50, at_most=True),
        Target("beyond that: ours ÷ the bare batch", 0.25, median_ratio(rates, outcome.floors["batch"])),
    ]


def _rates(samples: list[Sample]) -> list[float]:
    return [sample.per_s for sample in samples]


def _names(workload: str) -> list[str]:
    return [NAIVE, SINGLE, OURS, *([LIMITED] if workload == HOT else [])]


def _table(outcome: Outcome, workload: str, sizes: Sizes) -> Table:
    head = ["callers", "ledger", "orders/s", "p50 ms", "p99 ms", "÷ row lock", "÷ one statement"]
    table = Table(head, title=workload[0].upper() + workload[1:], texts=2)
    for callers in sizes.callers:
        naive, single = (_rates(outcome.samples[workload, callers, name]) for name in (NAIVE, SINGLE))
        for name in _names(workload):
            samples = outcome.samples[workload, callers, name]
            cell, rates = Cell.of(samples), _rates(samples)
            ratios = [times(median_ratio(rates, naive)), times(median_ratio(rates, single))]
            figures = [number(cell.per_s), number(cell.p50_ms), number(cell.p99_ms)]
            table.rows.append([str(callers), name, *figures, *ratios])
    return table


def _floors(outcome: Outcome, sizes: Sizes) -> Table:
    many = max(sizes.callers)
    ours = _rates(outcome.samples[HOT, many, OURS])
    table = Table(["floor", "rows/s", f"ours at {many} callers ÷ it"], title="Floors")
    for key, name in _FLOORS.items():
        floor = outcome.floors[key]
        table.rows.append([name, number(median(floor)), times(median_ratio(ours, floor))])
    return table


def _chart(outcome: Outcome, sizes: Sizes) -> Chart:
    panels = []
    for workload in (HOT, ZIPF):
        lines = {
            name: [Cell.of(outcome.samples[workload, callers, name]).per_s for callers in sizes.callers]
            for name in _names(workload)
        }
        levels = {_FLOORS[key]: median(floor) for key, floor in outcome.floors.items()} if workload == HOT else {}
        panels.append(Panel(workload, "callers at once", "orders/s", list(sizes.callers), lines, levels, log=True))
    return Chart(panels)
