"""How a story waits: never torn apart by a cancel, and with work going on beside it."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

T = TypeVar("T")


async def heeding_cancel(story: Coroutine[Any, Any, T], asked: Callable[[], None]) -> T:
    """Run a story to its end. An operator's cancel does not tear it apart in the middle of a step: `asked` tells
    the story, which weighs it like any other message and closes in good order, or says why it goes on."""
    told = asyncio.create_task(story)
    while True:
        try:
            return await asyncio.shield(told)
        except asyncio.CancelledError:
            if told.done() and not told.cancelled():
                return told.result()  # the cancel came together with the end
            # Eviction from the worker's cache looks the same, but has no reason, or takes the story with it.
            if told.done() or workflow.cancellation_reason() is None:
                raise
            asked()


async def within(window: timedelta, condition: Callable[[], bool], what: str) -> bool:
    """Whether the condition comes true within the window. What is true already costs no timer."""
    if condition():
        return True
    try:
        await workflow.wait_condition(condition, timeout=max(window, timedelta(0)), timeout_summary=what)
    except TimeoutError:
        return False
    return True


class Background:
    """Work beside the story. asyncio would keep a bug in it to itself; here `check` raises it in the story, so that
    it parks the run for a fix like any other bug."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._bug: Exception | None = None

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._watched(work))
        self._tasks.append(task)
        return task

    def check(self) -> bool:
        """False, for use in conditions: `lambda: self._done or self._background.check()`."""
        if self._bug is not None:
            raise self._bug
        return False

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as bug:
            if not is_cancelled_exception(bug):
                self._bug = bug
