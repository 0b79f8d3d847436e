"""Loads a catalog file: puts goods on sale, and receives what there is to sell of them and in the warehouses."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from cli.catalog_file import CatalogFile, ProductRow
from domain.base import Message
from domain.splitting.model import Warehouse
from store.catalog.products import PostgresCatalog
from store.stock.changes import Change, change_stock, has_warehouse, view
from store.stock.ledger import PostgresStock


class Loaded(Message):
    """The result of a load. `changed` are the versions that are new, by SKU; `received` the pieces that were added, by
    SKU."""

    products: int
    changed: dict[str, int]
    received: dict[str, int]


async def load_catalog(engine: AsyncEngine, catalog: CatalogFile, author: str) -> Loaded:
    """Put the file's products on sale under its merchants' terms, all or none, and then fill each up to what it should
    have. Loading again only adds what was sold."""
    done = await PostgresCatalog(engine).change(catalog.changes, author)
    received = await fill_up(engine, catalog.products)
    await fill_shelves(engine, catalog.warehouses)
    return Loaded(products=len(catalog.products), changed=done.changed, received=received)


async def fill_up(engine: AsyncEngine, rows: Sequence[ProductRow]) -> dict[str, int]:
    """Fill up the sellable stock; returns the pieces that were added, by SKU."""
    stock = PostgresStock(engine)
    levels = await stock.levels([row.sku for row in rows])
    received = {}
    for row in rows:
        missing = row.sellable - levels.get(row.sku, {}).get("available", 0)
        if missing > 0 or row.sku not in levels:
            await stock.receive(row.sku, max(missing, 0))
        if missing > 0:
            received[row.sku] = missing
    return received


async def fill_shelves(engine: AsyncEngine, warehouses: Sequence[Warehouse]) -> None:
    """Fill up the physical stock of each warehouse to what the file says should be available there."""
    skus = {sku for site in warehouses for sku in site.stock}
    known = await view(engine, sorted(skus))
    there = {(one.sku, shelf.warehouse): shelf.available for one in known for shelf in one.physical}
    for site in warehouses:
        await has_warehouse(engine, site.merchant, site.warehouse)
        missing = {sku: pieces - there.get((sku, site.warehouse), 0) for sku, pieces in site.stock.items()}
        await change_stock(
            engine,
            [
                Change(sku=sku, pieces=pieces, kind="receive", warehouse=site.warehouse, reason="the catalog's file")
                for sku, pieces in missing.items()
                if pieces > 0
            ],
        )
