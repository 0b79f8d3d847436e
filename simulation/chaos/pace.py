"""The simulation's own clock, which slows down while too many orders are under way.

Arrivals and faults are planned by it, so that a slow machine makes a run longer but not different: the same faults meet
the same orders at about the same stages.
"""

import asyncio
import time
from collections.abc import Callable

TICK_S = 0.05
SLOWLY = 0.1


class Pace:
    def __init__(self, under_way: Callable[[], int], most: int) -> None:
        self._under_way = under_way
        self._most = most
        self.now_s = 0.0

    async def run(self) -> None:
        """Advance the clock, until cancelled."""
        before = time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            speed = 1.0 if self._under_way() < self._most else SLOWLY
            self.now_s += speed * min(now - before, 4 * TICK_S)  # time that this process slept too long does not count
            before = now

    async def until(self, at_s: float) -> None:
        while self.now_s < at_s:  # noqa: ASYNC110 - this clock signals no event
            await asyncio.sleep(TICK_S)
