"""What operators see of a run: its search attributes, its details in markdown, and what waits for a person."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.attention import AttentionActivities, RecordAttention
    from activities.options import LOCAL
    from workflows.run_names import NEEDS_ATTENTION, ORDER_STATUS

Listener = Callable[[str, str | None], Awaitable[None]]


class OperatorView:
    """One per run. Search attributes are staged and sent together, because each sending is billed."""

    def __init__(self, order_no: str, subject: str, describe: Callable[[], list[str]], status: str = "") -> None:
        self._order_no = order_no
        self._subject = subject
        self._describe = describe
        self._shown: dict[str, Any] = {ORDER_STATUS.name: status}  # what the start has set already
        self._staged: dict[str, tuple[SearchAttributeKey[Any], Any]] = {}
        self._recorded: set[str] = set()
        self._nudges = 0
        self.listener: Listener | None = None
        self.waiting: dict[str, str] = {}  # topic: what a person is needed for

    def stage(self, key: SearchAttributeKey[Any], value: Any) -> None:
        """Keep a value for the next `show`. Nothing is sent for a value that is shown already."""
        if self._shown.get(key.name) != value:
            self._staged[key.name] = (key, value)
        else:
            self._staged.pop(key.name, None)

    def show(self) -> None:
        """Send what is staged, and draw the details anew."""
        updates = [key.value_set(value) for key, value in self._staged.values()]
        self._shown |= {name: value for name, (_, value) in self._staged.items()}
        self._staged.clear()
        if updates:
            workflow.upsert_search_attributes(updates)
        waiting = [f"- **{topic}**: {text}" for topic, text in self.waiting.items()]
        needed = ["", "### Needs a person", "", *waiting] if waiting else []
        workflow.set_current_details("\n".join([*self._describe(), *needed]))

    async def needs_person(self, topic: str, text: str, *, alarm: bool = True, while_open: bool = False) -> None:
        """Mark the run, the database and whoever listens; raise an alarm, once for as long as it lasts. `while_open`:
        nobody is needed for it once the order has ended, of which the database knows first."""
        if topic not in self.waiting or self.waiting[topic] != text:
            self.waiting[topic] = text
            self._mark()
            await self._tell(topic, text)
        if topic not in self._recorded and await self._record(topic, text, alarm=alarm, while_open=while_open):
            self._recorded.add(topic)

    async def healed(self, topic: str) -> None:
        if self.waiting.pop(topic, None) is None:
            return
        self._mark()
        await self._tell(topic, None)
        self._recorded.discard(topic)
        await self._record(topic, None, alarm=False, while_open=False)

    def try_again(self) -> None:
        """An operator has mended something: whatever pauses between two rounds goes on now."""
        self._nudges += 1

    async def pause(self, longest: timedelta, what: str, moved_on: Callable[[], bool] = lambda: False) -> None:
        before = self._nudges
        with contextlib.suppress(asyncio.TimeoutError):
            await workflow.wait_condition(
                lambda: self._nudges > before or moved_on(), timeout=longest, timeout_summary=what
            )

    def clear(self) -> None:
        """The run ends: nobody is needed any more. The database's marks go with the record of the ending."""
        self.waiting.clear()
        self._mark()

    def mirror(self, topic: str, text: str | None) -> None:
        """Show another run's trouble here; that run has recorded it."""
        if text is None:
            self.waiting.pop(topic, None)
        else:
            self.waiting[topic] = text
        self._mark()

    def _mark(self) -> None:
        if NEEDS_ATTENTION.name in self._shown or self.waiting:
            self.stage(NEEDS_ATTENTION, bool(self.waiting))
        self.show()

    async def _tell(self, topic: str, text: str | None) -> None:
        if self.listener is not None:
            await self.listener(topic, text)

    async def _record(self, topic: str, text: str | None, *, alarm: bool, while_open: bool) -> bool:
        """Best effort: with the database down, the mark on the run must do until the next round."""
        record = RecordAttention(
            order_no=self._order_no,
            subject=self._subject,
            topic=topic,
            text=text,
            alarm=alarm,
            while_open=while_open,
            at=workflow.now(),
        )
        try:
            await workflow.execute_local_activity_method(AttentionActivities.record_attention, record, **LOCAL)
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.warning("could not record that %s needs a person: %s", self._order_no, topic)
            return False
        return True
