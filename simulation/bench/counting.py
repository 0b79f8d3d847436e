"""What an order costs: events, activities, transactions, and what Temporal Cloud would bill.

Actions are what it bills: a start, an update, a signal, a timer, an upsert of search attributes and an activity are 1
each, a child's start 2, all local activities of one workflow task together 1.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

History = Sequence[HistoryEvent]


Seen = dict[str, Counter[str]]
"""By workflow id, then by activity."""


@contextmanager
def _counting(of: object, happening: str) -> Iterator[Seen]:
    """What happens to SQLAlchemy in activities of this process."""
    seen: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def happened(*_: object) -> None:
        if activity.in_activity():
            about = activity.info()
            seen[about.workflow_id or ""][about.activity_type] += 1

    event.listen(of, happening, happened)
    try:
        yield seen
    finally:
        event.remove(of, happening, happened)


def counting_transactions() -> AbstractContextManager[Seen]:
    """Each takes its connection from the pool."""
    return _counting(Pool, "checkout")


def counting_statements() -> AbstractContextManager[Seen]:
    """But for those of the stock batches, which go past SQLAlchemy; one for many rows counts once."""
    return _counting(Engine, "after_cursor_execute")


def local_batches(events: History) -> int:
    """Local activities leave markers after the workflow task that ran them."""
    batches, within = 0, False
    for each in events:
        if each.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            within = False
        elif each.event_type == EventType.EVENT_TYPE_MARKER_RECORDED and not within:
            batches, within = batches + 1, True
    return batches


def costs_of(histories: Sequence[History]) -> dict[str, int]:
    """Of an order's run and its sub-orders' runs together."""
    every = [each for events in histories for each in events]
    kinds = Counter(EventType.Name(each.event_type).removeprefix("EVENT_TYPE_") for each in every)
    batches = sum(local_batches(events) for events in histories)
    counts = {
        "workflow tasks": kinds["WORKFLOW_TASK_COMPLETED"],
        "history events": len(every),
        "regular activities": kinds["ACTIVITY_TASK_SCHEDULED"],
        "local activities": kinds["MARKER_RECORDED"],
        "timers": kinds["TIMER_STARTED"],
        "updates": kinds["WORKFLOW_EXECUTION_UPDATE_ACCEPTED"],
        "signals": kinds["SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED"],
        "upserts": kinds["UPSERT_WORKFLOW_SEARCH_ATTRIBUTES"],
    }
    children = kinds["START_CHILD_WORKFLOW_EXECUTION_INITIATED"]
    billed = ("regular activities", "timers", "updates", "signals", "upserts")
    return {**counts, "actions": 1 + 2 * children + batches + sum(counts[name] for name in billed)}


async def histories_of(client: Client, runs: Sequence[str]) -> list[History]:
    """The events of each run, by workflow id."""
    return [list((await client.get_workflow_handle(run).fetch_history()).events) for run in runs]
