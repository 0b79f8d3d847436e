"""Values on their way to PostgreSQL without SQLAlchemy."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from store.database.asyncpg_direct import autocommit, microseconds, moment, numbers, texts

TEXTS = ["", "plain", "NULL", "null", " spaces ", "{a,b}", 'say "so"', "back\\slash", '\\"', "'", "鞋\n\t🙂", "a,b"]


@pytest.mark.parametrize(
    ("kind", "written", "values"),
    [
        ("text", texts, TEXTS),
        ("bigint", numbers, [0, -1, 2**63 - 1]),
        ("text", texts, []),
    ],
)
async def test_an_array_arrives_as_it_was_sent(
    engine: AsyncEngine, kind: str, written: Callable[[Sequence[Any]], str], values: Sequence[Any]
) -> None:
    """Whatever is in it: a SKU may have any character."""
    async with autocommit(engine) as db:
        rows = await db.fetch(f"SELECT unnest($1::text::{kind}[]) AS value", written(values))
    assert [row["value"] for row in rows] == list(values)


async def test_a_moment_arrives_to_the_microsecond(engine: AsyncEngine) -> None:
    last = datetime(2026, 2, 28, 23, 59, 59, 999_999, UTC)
    values = [None, last, datetime(2026, 1, 1, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, 1, UTC)]
    async with autocommit(engine) as db:
        sent = "unnest($1::text::bigint[]) AS sent(us)"
        rows = await db.fetch(f"SELECT {moment('us')} AS value FROM {sent}", microseconds(values))
    assert [row["value"] for row in rows] == values
