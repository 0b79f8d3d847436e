"""How the store connects."""

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


def engine_for(url: str, *, pool_size: int = 20) -> AsyncEngine:
    """An engine on a `postgresql+asyncpg://` URL. Its errors hide bound parameters: they may be personal."""
    return create_async_engine(
        url, pool_size=pool_size, max_overflow=0, pool_timeout=10, pool_pre_ping=True, hide_parameters=True
    )
