"""How the store connects."""

from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


def engine_for(url: str, *, pool_size: int = 20) -> AsyncEngine:
    """An engine on a `postgresql+asyncpg://` URL. Its errors hide bound parameters: they may be personal.

    The connection that came back last is used first: each learns its statements and their plans for itself, and few
    that know them are faster than many that do not."""
    engine = create_async_engine(
        url, pool_size=pool_size, max_overflow=0, pool_timeout=10, pool_use_lifo=True, hide_parameters=True
    )
    event.listen(engine.sync_engine, "checkout", _not_closed)
    return engine


def _not_closed(connection: Any, *_: object) -> None:
    """A connection that the server has closed is replaced before anybody gets it. It is known on this side; to ask the
    server each time (`pool_pre_ping`) would take three messages for every transaction."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError("the server has closed it")


def looking(engine: AsyncEngine) -> AsyncEngine:
    """The same pool, for reading only: all statements of a transaction see one moment. What is read in two statements
    belongs together, while others write."""
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def single(engine: AsyncEngine) -> AsyncEngine:
    """The same pool, for transactions of one statement: they need no BEGIN and no COMMIT of their own."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")
