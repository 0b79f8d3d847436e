"""The rounds of the stock benchmark: contenders and floors take turns, and each is checked after its turn."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from domain.order.reservation import StockLine
from simulation.bench.figures import Sample, closed_loop
from simulation.bench.progress import Show
from simulation.bench.stock_books import what_is_wrong
from simulation.bench.stock_contenders import Contender, Lines
from simulation.bench.stock_floors import Floors

HOT = "one hot SKU"
ZIPF = "3 lines over 100 SKUs, Zipf 1.1"
PLENTY = 1_000_000_000
SKUS = [f"SKU-{n:03d}" for n in range(100)]


@dataclass(frozen=True)
class Sizes:
    rounds: int = 5
    seconds: float = 0.8
    callers: Sequence[int] = (1, 10, 50, 200)
    scarce: int = 300


@dataclass
class Outcome:
    """What was measured: a sample for each round by workload, callers and contender, and a figure for each round by
    floor."""

    samples: dict[tuple[str, int, str], list[Sample]] = field(default_factory=dict)
    floors: dict[str, list[float]] = field(default_factory=dict)
    checks: int = 0
    wrong: list[str] = field(default_factory=list)


class Rounds:
    def __init__(self, contenders: Mapping[str, Sequence[Contender]], floors: Floors, sizes: Sizes, show: Show) -> None:
        self._contenders = contenders  # by workload
        self._floors = floors
        self._sizes = sizes
        self._show = show
        self._numbers = count(1_000_000_000_000_000_000)
        self._baskets = {HOT: [[StockLine(line_no=1, sku="HOT", quantity=1)]], ZIPF: zipf_baskets(random.Random(4))}
        self.outcome = Outcome()

    @property
    def steps(self) -> int:
        cells = sum(len(contenders) for contenders in self._contenders.values()) * len(self._sizes.callers)
        return self._sizes.rounds * (cells + 1 + len(self._contenders[HOT]))

    async def run(self) -> Outcome:
        for number in range(self._sizes.rounds):
            self._show.step(f"stock, round {number + 1}: floors")
            await self._measure_floors()
            for workload, contenders in self._contenders.items():
                for callers in self._sizes.callers:
                    # The order of turns is reversed from round to round.
                    turns = list(contenders) if number % 2 == 0 else list(reversed(contenders))
                    for contender in turns:
                        self._show.step(f"stock, round {number + 1}: {workload}, {callers} callers, {contender.name}")
                        await self._measure(workload, callers, contender)
            for contender in self._contenders[HOT]:
                self._show.step(f"stock, round {number + 1}: the last pieces, {contender.name}")
                self.note(await sell_out(contender, self._sizes.scarce, max(self._sizes.callers), self._numbers))
        return self.outcome

    async def _measure_floors(self) -> None:
        seconds = self._sizes.seconds
        await self._floors.empty()
        for name, figure in (
            ("insert", await self._floors.pgbench("insert", seconds)),
            ("update", await self._floors.pgbench("update", seconds)),
            ("batch", await self._floors.bare_batch(seconds)),
        ):
            self.outcome.floors.setdefault(name, []).append(figure)

    async def _measure(self, workload: str, callers: int, contender: Contender) -> None:
        filled = {line.sku: PLENTY for basket in self._baskets[workload] for line in basket}
        await contender.fill(filled)
        baskets, granted = self._baskets[workload], Counter[str]()

        async def call() -> None:
            order_no = next(self._numbers)
            lines = baskets[order_no % len(baskets)]
            if await contender.take(order_no, lines):
                for line in lines:
                    granted[line.sku] += line.quantity

        await closed_loop(callers, min(0.1, self._sizes.seconds / 5), call)  # makes connections and plans
        sample = await closed_loop(callers, self._sizes.seconds, call)
        self.outcome.samples.setdefault((workload, callers, contender.name), []).append(sample)
        self.note(what_is_wrong(await contender.books(), filled, granted))

    def note(self, wrong: Sequence[str]) -> None:
        self.outcome.checks += 1
        self.outcome.wrong += wrong


async def sell_out(contender: Contender, pieces: int, callers: int, numbers: "count[int]") -> list[str]:
    """Let `callers` callers take pieces until there are none; returns what was wrong, in words."""
    await contender.fill({"HOT": pieces})
    lines: Lines = [StockLine(line_no=1, sku="HOT", quantity=1)]
    granted = Counter[str]()

    async def caller() -> None:
        while await contender.take(next(numbers), lines):
            granted["HOT"] += 1

    await asyncio.gather(*(caller() for _ in range(callers)))
    wrong = what_is_wrong(await contender.books(), {"HOT": pieces}, granted)
    if granted["HOT"] < pieces:
        wrong.append(f"HOT: {pieces - granted['HOT']} pieces were refused to all")
    return [f"{contender.name}: {one}" for one in wrong]


def zipf_baskets(chance: random.Random, size: int = 4_096) -> list[list[StockLine]]:
    """Baskets of three different SKUs each, in no order, with the first SKUs far more often than the last."""
    weights = [1 / rank**1.1 for rank in range(1, len(SKUS) + 1)]
    baskets = []
    for _ in range(size):
        chosen: dict[str, None] = {}
        while len(chosen) < 3:
            chosen[chance.choices(SKUS, weights)[0]] = None
        baskets.append([StockLine(line_no=n, sku=sku, quantity=1) for n, sku in enumerate(chosen, start=1)])
    return baskets
