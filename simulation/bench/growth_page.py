"""The page of part 3."""

import os
from statistics import median

from simulation.bench.charts import Chart, Panel
from simulation.bench.growth import Outcome, Shaped, Sizes, measure
from simulation.bench.progress import Show
from simulation.bench.report import Page, Table, number, times


async def run(sizes: Sizes, show: Show) -> tuple[Page, Chart]:
    outcome = await measure(sizes, show)
    return _page(outcome, sizes), _chart(outcome)


def _page(outcome: Outcome, sizes: Sizes) -> Page:
    return Page(
        name="growth",
        title="What grows, and where it bends",
        notes=[
            f"Workers: {sizes.orders} whole orders, {sizes.at_once} at once, {sizes.rounds} rounds in which the counts "
            "take turns; each worker is a process of the product's own.",
            f"Lines and sub-orders: one order at a time, the median of {sizes.samples}; lines are of two merchants, "
            "sub-orders of one merchant each with one line. History: the order's own run.",
            "Waiting: orders that are placed and not paid; memory is the resident size of the process. A worker keeps "
            f"at most {outcome.cache:,} runs in memory (`ORDERS_MAX_CACHED_WORKFLOWS`); the others wait in the server "
            "only, and are replayed when something happens to them.",
        ],
        findings=_findings(outcome),
        tables=[
            _workers(outcome),
            _shapes(outcome.lines, "lines"),
            _shapes(outcome.parts, "sub-orders"),
            _waiting(outcome),
        ],
    )


def _findings(outcome: Outcome) -> list[str]:
    """The findings, in words that are made from the figures."""
    fewest, most = min(outcome.workers), max(outcome.workers)
    per_s = {count: median(load.per_s for load in loads) for count, loads in outcome.workers.items()}
    cores = median(sum(load.cpu_s.values()) / load.seconds for load in outcome.workers[fewest])
    first, last = outcome.waiting[0], outcome.waiting[-1]
    full = cores > 0.85 * len(os.sched_getaffinity(0))
    why = "so more workers need more cores" if full else "so it is not the cores that they wait for"
    found = [
        f"{most} workers complete {times(per_s[most] / per_s[fewest])} the orders/s of {fewest}: with {fewest} the "
        f"processes measured here keep {cores:.1f} cores busy, {why}",
        f"an order that waits takes {_kb_each(outcome):.0f} KB of its worker's memory, until the cache is full; with "
        f"{last.open:,} open the next placement takes {times(last.next_ms / first.next_ms)} the time of {first.open:,}",
    ]
    for what, shapes in (("lines", outcome.lines), ("sub-orders", outcome.parts)):
        few, many = min(shapes), max(shapes)
        slower = shapes[many].completed_s / shapes[few].completed_s
        found.append(
            f"{many} {what} take {times(slower)} the time of {few} until completed, for {many // few} × as many"
        )
    return found


def _kb_each(outcome: Outcome) -> float:
    """How many KB of the worker's memory a waiting order takes, while all that wait are in the worker's cache."""
    cached = [now for now in outcome.waiting if now.open <= outcome.cache]
    first, last = cached[0], cached[-1]
    return (last.worker_mb - first.worker_mb) * 1_024 / max(1, last.open - first.open)


def _workers(outcome: Outcome) -> Table:
    head = ["workers", "orders/s", "placed p50 ms", "placed p99 ms", "worker CPU ms an order", "cores busy"]
    table = Table(head, title="Worker processes")
    for count, loads in sorted(outcome.workers.items()):
        names = [name for name in loads[0].cpu_s if name.startswith("worker")]
        figures = [
            median(load.per_s for load in loads),
            median(load.placed_ms(0.5) for load in loads),
            median(load.placed_ms(0.99) for load in loads),
            median(load.cpu_per_order_ms(*names) for load in loads),
            median(sum(load.cpu_s.values()) / load.seconds for load in loads),
        ]
        table.rows.append([str(count), *(number(figure) for figure in figures)])
    return table


def _shapes(shapes: dict[int, Shaped], what: str) -> Table:
    head = [what, "placed p50 ms", "completed p50 s", "workflow tasks", "history events", "actions", "history KB"]
    table = Table(head, title=f"{what[0].upper()}{what[1:]} of an order")
    for count, shaped in shapes.items():
        counts = [str(shaped.costs[name]) for name in ("workflow tasks", "history events", "actions")]
        told = [number(shaped.placed_ms), number(shaped.completed_s), *counts, number(shaped.history_kb)]
        table.rows.append([str(count), *told])
    return table


def _waiting(outcome: Outcome) -> Table:
    head = ["open orders", "worker MB", "Temporal MB", "next placement p50 ms", "placed/s on the way there"]
    table = Table(head, title="Orders that wait for their payment")
    for now in outcome.waiting:
        figures = (now.worker_mb, now.server_mb, now.next_ms, now.placed_per_s)
        table.rows.append([f"{now.open:,}", *(number(figure) for figure in figures)])
    return table


def _chart(outcome: Outcome) -> Chart:
    workers = sorted(outcome.workers)
    per_s = [median(load.per_s for load in outcome.workers[count]) for count in workers]
    opened = [now.open for now in outcome.waiting]
    return Chart(
        [
            Panel("Worker processes", "workers", "orders/s", [str(n) for n in workers], {"orders/s": per_s}),
            _size_panel("Lines of an order", "lines", outcome.lines),
            _size_panel("Sub-orders of an order", "sub-orders", outcome.parts),
            Panel("Orders that wait", "open", "MB", opened, {"worker": [now.worker_mb for now in outcome.waiting]}),
        ]
    )


def _size_panel(title: str, across: str, shapes: dict[int, Shaped]) -> Panel:
    lines = {
        "completed": [shaped.completed_s for shaped in shapes.values()],
        "placed": [shaped.placed_ms / 1_000 for shaped in shapes.values()],
    }
    return Panel(title, across, "s", list(shapes), lines)
