"""The outbox of alarms and notices: each message is posted again until its receiver has accepted it."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Integer, any_, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.base import Message
from store.database.engine import single
from store.tables import outbox

LEASE = timedelta(seconds=15)
LONGEST_PAUSE_S = 300

_DUE = (
    select(outbox.c.id)
    .where(outbox.c.posted_at.is_(None), outbox.c.due_at <= func.now())
    .order_by(outbox.c.due_at)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)
_PAUSE_S = func.least(LONGEST_PAUSE_S, func.power(2, func.least(outbox.c.attempts, 10)))
_CLAIM = (
    update(outbox)
    .where(outbox.c.id.in_(_DUE))
    .values(
        due_at=func.now() + bindparam("lease", LEASE) + func.make_interval(0, 0, 0, 0, 0, 0, _PAUSE_S),
        attempts=outbox.c.attempts + 1,
    )
    .returning(outbox.c.id, outbox.c.message_id, outbox.c.topic, outbox.c.body, outbox.c.attempts)
)
_POSTED = (
    update(outbox).where(outbox.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger)))).values(posted_at=func.now())
)


class Outgoing(Message):
    id: int
    message_id: str
    topic: str
    body: dict[str, Any]
    attempts: int


class PostgresOutbox:
    def __init__(self, engine: AsyncEngine) -> None:
        self._single = single(engine)

    async def claim(self, most: int) -> list[Outgoing]:
        """Take what is due, for the time of the lease. Each further try comes after twice the pause of the one before,
        up to `LONGEST_PAUSE_S`."""
        async with self._single.connect() as db:
            claimed = await db.execute(_CLAIM, {"most": most})
            return [Outgoing.model_validate(dict(row)) for row in claimed.mappings()]

    async def posted(self, ids: list[int]) -> None:
        async with self._single.connect() as db:
            await db.execute(_POSTED, {"ids": ids})
