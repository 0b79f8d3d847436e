"""At most once per operation key: the key is written in its effect's transaction, and keeps the answer."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import BaseModel
from sqlalchemy import Table, Text, cast, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

Answer = TypeVar("Answer", bound=BaseModel)


async def once(
    db: AsyncConnection,
    operations: Table,
    key: str,
    answer: type[Answer],
    effect: Callable[[], Awaitable[Answer]],
    keep: Callable[[Answer], bool] = lambda _: True,
) -> Answer:
    """Run `effect` under `key`, or give the answer it gave before. An answer that `keep` says no to (a refusal,
    which has changed nothing) leaves the key free.

    A second caller with the same key waits at the insert until the first has committed or rolled back.
    """
    claimed = await db.execute(insert(operations).values(key=key).on_conflict_do_nothing().returning(operations.c.key))
    if claimed.first() is None:
        before = await kept(db, operations, key, answer)
        assert before is not None, f"operation {key} has no answer"
        return before
    given = await effect()
    if not keep(given):
        await db.execute(delete(operations).where(operations.c.key == key))
        return given
    await db.execute(update(operations).where(operations.c.key == key).values(result=given.model_dump(mode="json")))
    return given


async def kept(db: AsyncConnection, operations: Table, key: str, answer: type[Answer]) -> Answer | None:
    """The answer under a key, if there is one."""
    text = await db.scalar(select(cast(operations.c.result, Text)).where(operations.c.key == key))
    return answer.model_validate_json(text) if text is not None else None
