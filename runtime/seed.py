"""A catalog file: products, and how many pieces of each there are to sell."""

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field, model_validator
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.base import Document, Message
from domain.product import Product
from store.catalog import PostgresCatalog
from store.stock import PostgresStock

Id = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class Row(Document):
    """One product. `sellable`: the pieces that there should be to sell, once it is seeded."""

    sku: Id
    merchant: Id
    warehouse: Id
    title: str = Field(min_length=1, max_length=300)
    price_fen: int = Field(ge=0, le=100_000_000)
    limited: bool = False
    sellable: int = Field(default=0, ge=0, le=100_000_000)

    @property
    def product(self) -> Product:
        return Product(sku=self.sku, merchant=self.merchant, title=self.title, price_fen=self.price_fen)


class CatalogFile(Document):
    products: list[Row] = Field(min_length=1, max_length=10_000)

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        seen: dict[str, int] = {}
        for position, row in enumerate(self.products):
            if row.sku in seen:
                raise ValueError(f"products[{position}].sku: {row.sku} stands at products[{seen[row.sku]}] already")
            seen[row.sku] = position
        return self


class Seeded(Message):
    """What came of it. `received`: the pieces that were added, by SKU."""

    products: int
    received: dict[str, int]


async def seed(engine: AsyncEngine, rows: Sequence[Row]) -> Seeded:
    """Put the products on sale and fill each up to what it should have. Seeding again only fills up."""
    catalog, stock = PostgresCatalog(engine), PostgresStock(engine)
    levels = await stock.levels([row.sku for row in rows])
    received = {}
    for row in rows:
        await catalog.put(row.product, home=row.warehouse, limited=row.limited)
        missing = row.sellable - levels.get(row.sku, {}).get("available", 0)
        if missing > 0 or row.sku not in levels:
            await stock.receive(row.sku, max(missing, 0))
        if missing > 0:
            received[row.sku] = missing
    return Seeded(products=len(rows), received=received)
