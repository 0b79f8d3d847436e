"""How the store connects."""

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


def engine_for(url: str, *, pool_size: int = 20) -> AsyncEngine:
    """An engine on a `postgresql+asyncpg://` URL. Its errors hide bound parameters: they may be personal."""
    return create_async_engine(
        url, pool_size=pool_size, max_overflow=0, pool_timeout=10, pool_pre_ping=True, hide_parameters=True
    )


def looking(engine: AsyncEngine) -> AsyncEngine:
    """The same pool, for reading only: all statements of a transaction see one moment. What is read in two statements
    belongs together, while others write."""
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
