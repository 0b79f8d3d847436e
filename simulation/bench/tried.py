"""Things worth trying, each compared by itself with the product's own way, in turns within one run."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import median

from temporalio.common import SearchAttributePair, TypedSearchAttributes

from acts.checkout import Accepted, Checkout
from domain.order.cart import Cart, StartOrder
from domain.order.lines import Placement
from domain.order.status import Status
from simulation.bench.charts import Chart, Panel
from simulation.bench.crowd import Orders
from simulation.bench.figures import median_ratio, percentile
from simulation.bench.loads import Load, live
from simulation.bench.order_costs import working
from simulation.bench.progress import Show
from simulation.bench.report import Page, Table, number, times
from simulation.bench.stage import Stage, a_stage
from simulation.bench.variants import VARIANTS
from workflows import run_names
from workflows.order import Order

DEFAULT = "default"
WITH_START, THEN, EAGER = "update with start", "start, then update", "eager start, then update"


@dataclass(frozen=True)
class Sizes:
    rounds: int = 3
    orders: int = 30
    at_once: int = 20
    placements: int = 8
    variants: Sequence[str] = tuple(VARIANTS)


QUICK = Sizes(rounds=1, orders=4, at_once=4, placements=2, variants=(DEFAULT, "sandboxed"))


@dataclass
class Outcome:
    loads: dict[str, list[Load]] = field(default_factory=dict)
    placed_ms: dict[str, list[float]] = field(default_factory=dict)
    eager: int = 0  # how many starts the server gave to the worker at once


class StartFirst(Checkout):
    """A checkout that starts the run and then asks it, since only such a start can be eager."""

    eager = False
    were_eager = 0

    async def _start(self, caller: str, order_no: str, cart: Cart) -> Placement | Accepted:
        attributes = [
            SearchAttributePair(run_names.ORDER_NO, order_no),
            SearchAttributePair(run_names.BUYER_ID, str(cart.buyer_id)),
            SearchAttributePair(run_names.ORDER_STATUS, Status.PENDING_PAYMENT.value),
        ]
        run = await self._client.start_workflow(
            Order.run,
            StartOrder(order_no=order_no, caller=caller, cart=cart, terms=self._settings.terms),
            id=run_names.order_id(order_no),
            task_queue=self._settings.task_queue,
            task_timeout=timedelta(seconds=self._settings.task_timeout_s),
            search_attributes=TypedSearchAttributes(attributes),
            request_eager_start=self.eager,
        )
        self.were_eager += bool(getattr(run, "__temporal_eagerly_started", False))
        placement: Placement = await run.execute_update("place", id="place", result_type=Placement)
        return placement


class EagerStart(StartFirst):
    eager = True


STARTS: dict[str, type[Checkout]] = {WITH_START: Checkout, THEN: StartFirst, EAGER: EagerStart}


async def run(sizes: Sizes, show: Show) -> tuple[Page, Chart]:
    show.begin("tried: starting the servers", sizes.rounds * (len(sizes.variants) + 1))
    outcome = Outcome()
    async with a_stage() as stage:
        for number_ in range(sizes.rounds):
            turns = sizes.variants if number_ % 2 == 0 else tuple(reversed(sizes.variants))
            for name in turns:
                show.step(f"tried, round {number_ + 1}: {name}")
                outcome.loads.setdefault(name, []).append(await _load(stage, name, sizes))
            show.step(f"tried, round {number_ + 1}: eager start")
            await _starts(stage, sizes, outcome)
    return _page(outcome, sizes), _chart(outcome)


async def _load(stage: Stage, name: str, sizes: Sizes) -> Load:
    settings = stage.settings_for(f"tried-{name}")
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(stage.worker(settings, name))
        orders = await stack.enter_async_context(Orders(stage, settings).at_work())
        meter = stage.meter(worker=worker)
        await live(orders, 3, 3, meter)
        return await live(orders, sizes.orders, sizes.at_once, meter)


async def _starts(stage: Stage, sizes: Sizes, outcome: Outcome) -> None:
    """Measure the ways to start, with the worker in this process: an eager start only goes to a worker of the same
    client."""
    settings = stage.settings_for("tried-starts")
    async with working(stage, settings), AsyncExitStack() as stack:
        for name, checkout in STARTS.items():
            orders = Orders(stage, settings, checkout=checkout)
            await stack.enter_async_context(orders.at_work())
            await orders.place()
            for _ in range(sizes.placements):
                asked = time.perf_counter()
                await orders.place()
                outcome.placed_ms.setdefault(name, []).append((time.perf_counter() - asked) * 1_000)
                await asyncio.sleep(0.2)  # lets the run before come to rest
            outcome.eager += getattr(orders.checkout, "were_eager", 0)


def _page(outcome: Outcome, sizes: Sizes) -> Page:
    tried = sizes.rounds * (sizes.placements + 1)
    return Page(
        name="tried",
        title="Things worth trying",
        notes=[
            "Switches of the benchmark only (`simulation/bench/variants.py`); the product runs as `default`.",
            f"{sizes.rounds} rounds in which all take turns, each with a worker process of its own: {sizes.orders} "
            f"whole orders, {sizes.at_once} at once. Ratios are medians of each round's own ratio to the default.",
            "Eager start: the worker is in the caller's process, which is the only place where it works, and one order "
            "is placed at a time. A gateway that is no worker can't have it.",
        ],
        tables=[_variants(outcome), _placements(outcome, tried)],
    )


def _variants(outcome: Outcome) -> Table:
    head = ["tried", "what", "orders/s", "÷ default", "worker CPU ms an order", "÷ default", "Temporal's", "÷ default"]
    table = Table([*head, "placed p50 ms"], title="Workers", texts=2)
    base = outcome.loads[DEFAULT]
    figures: Sequence[Callable[[Load], float]] = (
        lambda load: load.per_s,
        lambda load: load.cpu_per_order_ms("worker"),
        lambda load: load.cpu_per_order_ms("temporal"),
    )
    for name, loads in outcome.loads.items():
        row = [name, VARIANTS[name].what]
        for figure in figures:
            own, others = [figure(load) for load in loads], [figure(load) for load in base]
            row += [number(median(own)), times(median_ratio(own, others))]
        table.rows.append([*row, number(median(load.placed_ms(0.5) for load in loads))])
    return table


def _placements(outcome: Outcome, tried: int) -> Table:
    table = Table(["how an order is started", "placed p50 ms", "÷ default"], title="Eager start")
    base = percentile(outcome.placed_ms[WITH_START], 0.5)
    for name, took in outcome.placed_ms.items():
        told = f"{name} (the default)" if name == WITH_START else name
        if name == EAGER:
            told += f"; {outcome.eager} of {tried} were eager"
        table.rows.append([told, number(percentile(took, 0.5)), times(percentile(took, 0.5) / base)])
    return table


def _chart(outcome: Outcome) -> Chart:
    base = outcome.loads[DEFAULT]
    names = list(outcome.loads)

    def ratios(figure: str) -> list[float]:
        def of(loads: list[Load]) -> list[float]:
            return [load.per_s if figure == "speed" else load.cpu_per_order_ms("worker") for load in loads]

        return [median_ratio(of(outcome.loads[name]), of(base)) for name in names]

    lines = {"orders/s": ratios("speed"), "worker CPU an order": ratios("cpu")}
    return Chart([Panel("Against the default", "tried", "÷ default", names, lines)])
