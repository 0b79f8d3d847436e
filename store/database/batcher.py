"""Gathers concurrent calls into batches without a wait: while one batch is under way the next one forms.

The calls of one process to one ledger share a connection and a transaction, so that a hot row is locked once for
hundreds of them. An idle batcher starts at once with the calls that are there, or with half of them if they are many.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from store.database.asyncpg_direct import is_about_a_member

Request = TypeVar("Request")
Answer = TypeVar("Answer")
Waiting = tuple[Request, asyncio.Future[Answer]]

MOST_AT_ONCE = 256
WORTH_HALVING = 64
MOST_WAITING = 10_000
# Shorter than a try of a local activity (activities/options.py): a batch that hangs must not hold up those behind it.
LONGEST_S = 3.0


class Overloaded(Exception):
    """Raised when too many calls wait already. This one was not begun: an activity is retried, and checkout answers
    503."""


class Batcher(Generic[Request, Answer]):
    """Calls `apply` with the requests that have gathered, one batch at a time, in the order of their arrival.

    `apply` answers all requests of a batch, or raises and has done none of them. Then they are tried one by one, so
    that a request which can't be done spoils no other. A caller that is cancelled may still have its effect.
    """

    def __init__(
        self,
        name: str,
        apply: Callable[[Sequence[Request]], Awaitable[Sequence[Answer]]],
        *,
        most_at_once: int = MOST_AT_ONCE,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._name = name
        self._apply = apply
        self._most_at_once = most_at_once
        self._most_waiting = most_waiting
        self._waiting: deque[Waiting[Request, Answer]] = deque()
        self._runner: asyncio.Task[None] | None = None

    async def __call__(self, request: Request) -> Answer:
        if len(self._waiting) >= self._most_waiting:
            raise Overloaded(f"{self._name}: {self._most_waiting} calls wait already; try again in a moment")
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, answer))
        if self._runner is None:
            # The batch runs in a task of its own: no caller's cancellation may end the transaction of the others.
            self._runner = asyncio.create_task(self._run(), name=self._name)
        return await answer

    async def _run(self) -> None:
        # If many calls come at one moment, half of them go first, and the next batch forms while that one is under
        # way. Otherwise all of them would wait for the database and then the database for all of them, in turns.
        most = max(WORTH_HALVING, len(self._waiting) // 2)
        try:
            while self._waiting:
                await self._settle(self._take(min(most, self._most_at_once)))
                most = self._most_at_once
        finally:
            self._runner = None

    def _take(self, most: int) -> list[Waiting[Request, Answer]]:
        batch: list[Waiting[Request, Answer]] = []
        while self._waiting and len(batch) < most:
            request, answer = self._waiting.popleft()
            if not answer.done():  # done means that its caller was cancelled before it began
                batch.append((request, answer))
        return batch

    async def _settle(self, batch: Sequence[Waiting[Request, Answer]]) -> None:
        if not batch:
            return
        try:
            async with asyncio.timeout(LONGEST_S):
                answers = await self._apply([request for request, _ in batch])
        except asyncio.CancelledError:
            for _, waiting in [*batch, *self._waiting]:
                waiting.cancel()
            raise
        except Exception as fault:
            await self._settle_singly(batch, fault)
            return
        for (_, waiting), answer in zip(batch, answers, strict=True):
            if not waiting.done():
                waiting.set_result(answer)

    async def _settle_singly(self, batch: Sequence[Waiting[Request, Answer]], fault: Exception) -> None:
        if len(batch) == 1 or not is_about_a_member(fault):
            for _, waiting in batch:
                if not waiting.done():
                    waiting.set_exception(fault)
            return
        for member in batch:
            await self._settle([member])
