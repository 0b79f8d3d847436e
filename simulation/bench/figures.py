"""How callers are timed, and the figures that are made of their times."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median


def percentile(values: Iterable[float], share: float) -> float:
    """A percentile by the nearest rank: a value that was measured, not one between two."""
    ranked = sorted(values)
    if not ranked:
        return math.nan
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


@dataclass
class Sample:
    """What one contender did in one cell of one round: how long the round took, and how long each answer."""

    seconds: float = 0.0
    times_s: list[float] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        return len(self.times_s) / self.seconds if self.seconds else math.nan

    @property
    def p50_ms(self) -> float:
        return percentile(self.times_s, 0.50) * 1_000

    @property
    def p99_ms(self) -> float:
        return percentile(self.times_s, 0.99) * 1_000


@dataclass(frozen=True)
class Cell:
    """The median of each figure over the rounds."""

    per_s: float
    p50_ms: float
    p99_ms: float

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> "Cell":
        return cls(
            median(sample.per_s for sample in samples),
            median(sample.p50_ms for sample in samples),
            median(sample.p99_ms for sample in samples),
        )


def median_ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """The median of the ratios within each round: what slows a whole round down is in both figures, and cancels out."""
    return median(a / b for a, b in zip(above, below, strict=True))


async def closed_loop(callers: int, seconds: float, call: Callable[[], Awaitable[object]]) -> Sample:
    """Let `callers` callers ask for this many seconds, each again as soon as it is answered."""
    sample = Sample()
    clock = time.perf_counter
    begun = clock()
    until = begun + seconds

    async def caller() -> None:
        while (asked := clock()) < until:
            await call()
            sample.times_s.append(clock() - asked)

    await asyncio.gather(*(caller() for _ in range(callers)))
    sample.seconds = clock() - begun
    return sample
