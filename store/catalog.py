"""The catalog in PostgreSQL."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.order import Product
from store.tables import products


class PostgresCatalog:
    """Implements `activities.catalog.Catalog`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def products(self, skus: Sequence[str]) -> dict[str, Product]:
        wanted = select(
            products.c.sku, products.c.merchant, products.c.title, products.c.price_fen, products.c.warehouse
        ).where(products.c.sku.in_(set(skus)))
        async with self._engine.connect() as db:
            rows = (await db.execute(wanted)).mappings()
            return {row["sku"]: Product.model_validate(dict(row)) for row in rows}

    async def put(self, product: Product, *, limited: bool = False) -> None:
        """Put a product on sale, or change it. Orders keep the lines they were placed with."""
        row = {**product.model_dump(), "limited": limited}
        change = insert(products).values(row)
        async with self._engine.begin() as db:
            await db.execute(change.on_conflict_do_update(index_elements=["sku"], set_=row))
