"""What every ledger's transaction may add: who did what, and what is to be told."""

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
    """A line in an order's story: who did what when. `body` is evidence, as canonical JSON."""

    at: datetime
    actor: str
    action: str
    detail: str = ""
    body: str | None = None


class Notice(NamedTuple):
    """What is to be told. Key: `message_id`."""

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
    """One line in the order's story, and a link in its evidence chain. `body` is evidence, as canonical JSON.

    Holds the chain's tip until the transaction ends. Other orders share it: whoever notes holds the order's row
    already, and waits for no other order's afterwards."""
    row = {"order_no": order_no, "subject": subject, "actor": actor, "action": action, "detail": detail, "at": at}
    await db.execute(_NOTE, {**row, "body": body})


async def tell(db: AsyncConnection, topic: str, message_id: str, body: dict[str, Any]) -> None:
    """Leave a message for the relay, in the transaction of its cause. Key: `message_id`."""
    await db.execute(_TELL, {"topic": topic, "message_id": message_id, "body": body})


# --- beside a change, as one statement


def _beside(table: Table, *names: str) -> Insert:
    """An insert of its own parameters: a change may have columns of the same names."""
    return insert(table).values({name: bindparam(f"{table.name}_{name}", type_=table.c[name].type) for name in names})


def _row(table: Table, **row: object) -> dict[str, object]:
    return {f"{table.name}_{name}": value for name, value in row.items()}


_ENTRY = _beside(order_events, "order_no", "subject", "actor", "action", "detail", "at", "body").cte("noted")
_NOTICE = _beside(outbox, "topic", "message_id", "body").on_conflict_do_nothing().cte("told")


Change = TypeVar("Change", Insert, Update)


def with_entry(change: Change) -> Change:
    """The change and an `LogEntry`, whose values are `entry_of`."""
    return change.add_cte(_ENTRY)


def with_entry_and_notice(change: Change) -> Change:
    """And a `Notice`, whose values are `notice_of`."""
    return with_entry(change).add_cte(_NOTICE)


def entry_of(order_no: int, entry: LogEntry, subject: str = "") -> dict[str, object]:
    return _row(order_events, order_no=order_no, subject=subject, **entry._asdict())


def notice_of(notice: Notice) -> dict[str, object]:
    return _row(outbox, topic=NOTICE, **notice._asdict())
