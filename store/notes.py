"""What every ledger's transaction may add: who did what, and what is to be told."""

from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from store.tables import order_events, outbox

ALARM = "alarm"
NOTICE = "notice"

_NOTE = insert(order_events)
_TELL = insert(outbox).on_conflict_do_nothing()


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
