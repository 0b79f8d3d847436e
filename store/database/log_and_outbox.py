"""What any ledger's transaction may add to its change: an entry in the order's log, and messages for the outbox."""

from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Table, Update, bindparam
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from store.tables import order_events, outbox

ALARM = "alarm"
NOTICE = "notice"

_NOTE = insert(order_events)
_TELL = insert(outbox).on_conflict_do_nothing()


class LogEntry(NamedTuple):
    """An entry in an order's log: who did what when. `body` is evidence, as canonical JSON."""

    at: datetime
    actor: str
    action: str
    detail: str = ""
    body: str | None = None


class Notice(NamedTuple):
    """A message to the order's parties. Idempotency key: `message_id`."""

    message_id: str
    body: dict[str, Any]


async def note(
    db: AsyncConnection,
    order_no: int,
    at: datetime,
    actor: str,
    action: str,
    *,
    subject: str = "",
    detail: str = "",
    body: str | None = None,
) -> None:
    """Add an entry to the order's log, and so a link to its evidence chain. `body` is evidence, as canonical JSON.

    The chain's tip is locked until the transaction ends, and other orders share it. So a transaction that notes has
    locked the order's row already, and locks no other order's row afterwards."""
    row = {"order_no": order_no, "subject": subject, "actor": actor, "action": action, "detail": detail, "at": at}
    await db.execute(_NOTE, {**row, "body": body})


async def tell(db: AsyncConnection, topic: str, message_id: str, body: dict[str, Any]) -> None:
    """Leave a message for the relay, in the transaction of its cause. Idempotency key: `message_id`."""
    await db.execute(_TELL, {"topic": topic, "message_id": message_id, "body": body})


# --- the same in one statement with a change


def _beside(table: Table, *names: str) -> Insert:
    """An insert whose parameters have names of their own, since a change may have columns of the same names."""
    return insert(table).values({name: bindparam(f"{table.name}_{name}", type_=table.c[name].type) for name in names})


def _row(table: Table, **row: object) -> dict[str, object]:
    return {f"{table.name}_{name}": value for name, value in row.items()}


_ENTRY = _beside(order_events, "order_no", "subject", "actor", "action", "detail", "at", "body").cte("noted")
_NOTICE = _beside(outbox, "topic", "message_id", "body").on_conflict_do_nothing().cte("told")


Change = TypeVar("Change", Insert, Update)


def with_entry(change: Change) -> Change:
    """The change with a `LogEntry` in one statement; `entry_of` gives the entry's parameters."""
    return change.add_cte(_ENTRY)


def with_entry_and_notice(change: Change) -> Change:
    """The change with a `LogEntry` and a `Notice` in one statement; `notice_of` gives the notice's parameters."""
    return with_entry(change).add_cte(_NOTICE)


def entry_of(order_no: int, entry: LogEntry, subject: str = "") -> dict[str, object]:
    return _row(order_events, order_no=order_no, subject=subject, **entry._asdict())


def notice_of(notice: Notice) -> dict[str, object]:
    return _row(outbox, topic=NOTICE, **notice._asdict())
