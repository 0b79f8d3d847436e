"""How the store connects to PostgreSQL."""

from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


def engine_for(url: str, *, pool_size: int = 20) -> AsyncEngine:
    """An engine on a `postgresql+asyncpg://` URL. Its errors hide bound parameters, since they may be personal.

    The connection that came back last is used first: each connection prepares its statements and plans for itself, and
    a few that have them are faster than many that have not."""
    engine = create_async_engine(
        url, pool_size=pool_size, max_overflow=0, pool_timeout=10, pool_use_lifo=True, hide_parameters=True
    )
    event.listen(engine.sync_engine, "checkout", _not_closed)
    return engine


def _not_closed(connection: Any, *_: object) -> None:
    """Have the pool replace a connection that the server has closed before anybody gets it. The driver knows that it is
    closed; asking the server each time (`pool_pre_ping`) would take three messages for every transaction."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError("the server has closed it")


def looking(engine: AsyncEngine) -> AsyncEngine:
    """The same pool for reading only, where all statements of a transaction see one moment: what two of them read
    belongs together although others write in between."""
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def single(engine: AsyncEngine) -> AsyncEngine:
    """The same pool for transactions of a single statement, which need no BEGIN and no COMMIT."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")
