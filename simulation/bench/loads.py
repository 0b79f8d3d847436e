"""Plays a number of whole orders, some of them at once, and measures the CPU time that they take of each process."""

import asyncio
import time
from dataclasses import dataclass, field
from statistics import median

from runtime.embedded import ServerFailed
from simulation.bench.crowd import Crowd, Lived
from simulation.bench.figures import percentile
from simulation.bench.meter import Meter, spent

LONGEST_S = 600.0


@dataclass
class Load:
    """What was measured in one cell of one round."""

    seconds: float = 0.0
    lived: list[Lived] = field(default_factory=list)
    cpu_s: dict[str, float] = field(default_factory=dict)

    @property
    def per_s(self) -> float:
        return len(self.lived) / self.seconds

    def placed_ms(self, share: float) -> float:
        return percentile((one.placed_s for one in self.lived), share) * 1_000

    @property
    def completed_s(self) -> float:
        return median(one.completed_s for one in self.lived)

    def cpu_per_order_ms(self, *names: str) -> float:
        return sum(self.cpu_s[name] for name in names) / len(self.lived) * 1_000


async def live(crowd: Crowd, orders: int, at_once: int, meter: Meter) -> Load:
    """Let `at_once` buyers play `orders` orders; each begins another one as soon as its last is completed. Raises
    ServerFailed when that takes longer than LONGEST_S."""
    load, left = Load(), iter(range(orders))
    before, begun = meter.cpu_s(), time.perf_counter()

    async def buyer() -> None:
        for _ in left:
            load.lived.append(await crowd.live())

    try:
        async with asyncio.timeout(LONGEST_S):
            await asyncio.gather(*(buyer() for _ in range(at_once)))
    except TimeoutError:
        lived = f"{len(load.lived)} of {orders} orders are completed after {LONGEST_S:g} s"
        raise ServerFailed(f"{lived}: is the worker still there?") from None
    load.seconds = time.perf_counter() - begun
    load.cpu_s = spent(before, meter.cpu_s())
    return load
