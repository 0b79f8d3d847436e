"""Effects that happen at most once per operation key: the key is written in the effect's transaction, with the
answer."""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel
from sqlalchemy import Delete, Select, Table, Text, Update, bindparam, cast, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

Answer = TypeVar("Answer", bound=BaseModel)


class KeyReused(Exception):
    """Raised when a key comes again with another request: which of the two the caller means can't be told. Nothing is
    done; the gateway answers 422."""


class _Statements(NamedTuple):
    claim: ReturningInsert[Any]
    free: Delete
    answer: Update
    look: Select[Any]


@cache
def _on(operations: Table) -> _Statements:
    """The statements on a ledger's table of operations, built once for each table."""
    of_key = operations.c.key == bindparam("of_key")
    return _Statements(
        claim=insert(operations).on_conflict_do_nothing().returning(operations.c.key),
        free=delete(operations).where(of_key),
        answer=update(operations).where(of_key),
        look=select(cast(operations.c.result, Text)).where(of_key),
    )


async def once(
    db: AsyncConnection,
    operations: Table,
    key: str,
    answer: type[Answer],
    effect: Callable[[], Awaitable[Answer]],
    keep: Callable[[Answer], bool] = lambda _: True,
) -> Answer:
    """Run `effect` under `key`, or return the answer that it gave before. An answer for which `keep` returns False (a
    refusal, which has changed nothing) leaves the key free.

    A second caller with the same key waits at the insert until the first has committed or rolled back.
    """
    do, of_key = _on(operations), {"of_key": key}
    claimed = await db.execute(do.claim, {"key": key})
    if claimed.first() is None:
        before = await kept(db, operations, key, answer)
        assert before is not None, f"operation {key} has no answer"
        return before
    given = await effect()
    if not keep(given):
        await db.execute(do.free, of_key)
        return given
    await db.execute(do.answer, {**of_key, "result": given.model_dump(mode="json")})
    return given


async def kept(db: AsyncConnection, operations: Table, key: str, answer: type[Answer]) -> Answer | None:
    """The answer that is kept under a key; None if there is none."""
    text = await db.scalar(_on(operations).look, {"of_key": key})
    return answer.model_validate_json(text) if text is not None else None
