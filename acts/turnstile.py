"""Before a scarce thing's ledger: no more placements are under way at once than there are pieces for.

The gate sees what is sold out; but between its look and the ledger's grant a crowd would pass, each with a run of its
own that can only be refused. Here the crowd waits instead, until those before it have been answered, and looks again.
Nobody is refused for it: who waits too long is told to ask again.
"""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import count

from activities.stock_party import StockGate
from domain.order.reservation import Shortage, StockLine, shortages


class Crowded(Exception):
    """Raised when too many want the same thing at once. This placement was not begun, and may be tried again."""


class Turnstile:
    """One per gateway process. It counts what passes through itself only, and only while it is under way."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._inside: Counter[str] = Counter()  # pieces, by SKU
        self._waiting: defaultdict[str, deque[asyncio.Future[None]]] = defaultdict(deque)

    @asynccontextmanager
    async def passing(self, gate: StockGate, lines: Sequence[StockLine]) -> AsyncIterator[list[Shortage]]:
        """Yields what is sold out, or nothing once there is room inside. Raises Crowded."""
        wanted: Counter[str] = Counter()
        for line in lines:
            wanted[line.sku] += line.quantity
        try:
            async with asyncio.timeout(self._patience_s):
                short = await self._enter(gate, lines, wanted)
        except BaseException as fault:
            self._call_next(wanted)  # it may have been our turn
            if isinstance(fault, TimeoutError):
                raise Crowded("too many want the same thing at once; ask again in a moment") from None
            raise
        if short:
            yield short
            return
        try:
            yield []
        finally:
            self._inside.subtract(wanted)
            self._call_next(wanted)
            for sku in wanted:
                if not self._inside[sku]:
                    del self._inside[sku]

    async def _enter(self, gate: StockGate, lines: Sequence[StockLine], wanted: Counter[str]) -> list[Shortage]:
        for tries in count():
            left = await gate.available(lines)
            short = shortages(lines, left)
            if short:
                for each in short:
                    self._wake(each.sku, all_of_them=True)  # they have waited for nothing
                self._call_next(wanted)
                return short
            full = [sku for sku, pieces in wanted.items() if sku in left and left[sku] - self._inside[sku] < pieces]
            if not full:
                self._inside.update(wanted)
                self._call_next(sku for sku in wanted if sku in left and left[sku] > self._inside[sku])
                return []
            await self._wait(full[0], first=tries > 0)  # who was called for nothing has its place still
        raise AssertionError("unreachable: the tries never end")

    async def _wait(self, sku: str, *, first: bool) -> None:
        room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting[sku]
        (waiting.appendleft if first else waiting.append)(room)
        await room

    def _call_next(self, skus: Iterable[str]) -> None:
        """One for each SKU: it looks, and calls the next one if there is room for that, too."""
        for sku in skus:
            self._wake(sku)

    def _wake(self, sku: str, *, all_of_them: bool = False) -> None:
        waiting = self._waiting.get(sku)
        while waiting:
            room = waiting.popleft()
            if room.done():
                continue
            room.set_result(None)
            if not all_of_them:
                break
        if not waiting:
            self._waiting.pop(sku, None)
