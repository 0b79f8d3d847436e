"""What an order costs: events, activities, transactions, and what Temporal Cloud would bill.

Temporal Cloud bills actions: a start, an update, a signal, a timer, an upsert of search attributes and an activity are
1 each, a child's start is 2, and all local activities of one workflow task together are 1.
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
"""How often something happened, by workflow id and then by activity."""


@contextmanager
def _counting(of: object, happening: str) -> Iterator[Seen]:
    """Count an event of SQLAlchemy while it happens in activities of this process."""
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
    """Count the transactions: each of them takes a connection from the pool."""
    return _counting(Pool, "checkout")


def counting_statements() -> AbstractContextManager[Seen]:
    """Count the statements, except those of the stock batches, which bypass SQLAlchemy. One for many rows counts
    once."""
    return _counting(Engine, "after_cursor_execute")


def local_batches(events: History) -> int:
    """How many workflow tasks ran local activities, which leave their markers after the task that ran them."""
    batches, within = 0, False
    for each in events:
        if each.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            within = False
        elif each.event_type == EventType.EVENT_TYPE_MARKER_RECORDED and not within:
            batches, within = batches + 1, True
    return batches


def costs_of(histories: Sequence[History]) -> dict[str, int]:
    """The costs of the runs of an order and of its sub-orders together, from their histories."""
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
    """The events of each of these runs, in the same order."""
    return [list((await client.get_workflow_handle(run).fetch_history()).events) for run in runs]
