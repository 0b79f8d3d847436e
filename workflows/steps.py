"""How a story takes a step: patiently, and so that operators see what it waits for."""

from collections.abc import Awaitable, Callable
from itertools import chain, repeat
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.options import LOCAL, PAUSES, REGULAR
    from domain.order.attention import AttentionTopic
    from workflows.operator_view import OperatorView

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Steps:
    """The activities of one run. A step never gives up: it repeats rounds of bounded retries. From the first failed
    round on the run shows as needing a person, and when the other side is well again it heals by itself."""

    def __init__(self, view: OperatorView) -> None:
        self._view = view

    async def local(
        self, step: Callable[[Any, Asked], Awaitable[Answer]], request: Asked, topic: AttentionTopic
    ) -> Answer:
        """A transaction in one of our own ledgers, which shares its workflow task with the steps around it."""
        return await self._patiently(
            lambda: workflow.execute_local_activity_method(step, request, **LOCAL),
            topic,
        )

    async def regular(
        self, step: Callable[[Any, Asked], Awaitable[Answer]], request: Asked, topic: AttentionTopic, summary: str
    ) -> Answer:
        """A call to another party, or an act that must be on record in the history before it has any effect."""
        return await self._patiently(
            lambda: workflow.execute_activity_method(step, request, summary=summary, **REGULAR),
            topic,
        )

    async def _patiently(self, attempt: Callable[[], Awaitable[Answer]], topic: AttentionTopic) -> Answer:
        for pause in chain(PAUSES, repeat(PAUSES[-1])):
            try:
                done = await attempt()
            except FailureError as error:  # an ActivityError, but of a local activity the bare failure
                if is_cancelled_exception(error):
                    raise
                await self._view.needs_person(topic, _said(error))
                await self._view.pause(pause, f"before the next try: {topic}")
            else:
                await self._view.healed(topic)
                return done
        raise AssertionError("unreachable: the pauses never end")


def _said(error: FailureError) -> str:
    """What the other side said, short enough for a list."""
    said = str((error.cause if isinstance(error, ActivityError) else None) or error)
    return said if len(said) <= 300 else f"{said[:299]}…"
