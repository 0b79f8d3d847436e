"""Buyers' member tiers, which some item prices are for."""

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from store.tables import members


class PostgresMembers:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def set_tier(self, buyer_id: int, tier: str) -> None:
        """Set a buyer's tier. Orders placed from now on are priced by it; setting it again changes nothing."""
        row = insert(members).values(buyer_id=buyer_id, tier=tier)
        changed = {"tier": tier, "changed_at": func.now()}
        async with self._engine.begin() as db:
            await db.execute(row.on_conflict_do_update(index_elements=["buyer_id"], set_=changed))

    async def tier(self, buyer_id: int) -> str | None:
        async with self._engine.connect() as db:
            found: str | None = await db.scalar(select(members.c.tier).where(members.c.buyer_id == buyer_id))
            return found
