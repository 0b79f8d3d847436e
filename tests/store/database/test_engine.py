"""The pool of connections."""

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database.engine import engine_for


async def _server_process(db: AsyncConnection) -> int:
    return int(await db.scalar(text("SELECT pg_backend_pid()")) or 0)


async def test_the_connection_that_came_back_last_is_used_first(database_url: str) -> None:
    """It knows its statements already."""
    engine = engine_for(database_url, pool_size=3)
    try:
        async with engine.connect() as first:
            async with engine.connect() as second:
                used_long_ago = await _server_process(second)
            used_last = await _server_process(first)
        async with engine.connect() as db:
            assert await _server_process(db) == used_last != used_long_ago
    finally:
        await engine.dispose()


async def test_a_connection_that_the_server_has_closed_is_replaced_before_anybody_gets_it(database_url: str) -> None:
    engine, other = engine_for(database_url, pool_size=1), engine_for(database_url, pool_size=1)
    try:
        async with engine.connect() as db:
            gone = await _server_process(db)
        async with other.connect() as db:
            await db.execute(text("SELECT pg_terminate_backend(:gone, 5000)"), {"gone": gone})
        await asyncio.sleep(0.1)  # the end of the line is read
        async with engine.connect() as db:
            assert await _server_process(db) != gone
    finally:
        await engine.dispose()
        await other.dispose()
