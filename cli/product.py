"""`starter.py product show`: what is on sale, and what it was before."""

from itertools import pairwise
from typing import TYPE_CHECKING

from cli import base
from cli.tables import Column, print_table
from domain.order.product import OnSale, Product

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from store.catalog.products import ProductVersion


def show_product(sku: str, as_json: bool) -> None:
    """Print a product and its versions. Raises Fault when it was never on sale."""
    found = base.with_engine(lambda engine: _look(engine, sku))
    if found is None:
        raise base.Fault(f"there is no product {sku}", base.REFUSED)
    on_sale, versions = found
    if as_json:
        history = [version.model_dump(mode="json") for version in versions]
        base.say_json({**on_sale.model_dump(mode="json"), "versions": history})
        return
    base.say_fields(_fields(on_sale))
    _show_versions(versions)


async def _look(engine: "AsyncEngine", sku: str) -> "tuple[OnSale, list[ProductVersion]] | None":
    from store.catalog.products import PostgresCatalog

    catalog = PostgresCatalog(engine)
    on_sale = (await catalog.on_sale([sku])).get(sku)
    return (on_sale, await catalog.versions(sku)) if on_sale else None


def _fields(on_sale: OnSale) -> dict[str, str]:
    product = on_sale.product
    presale = f", presale, ships from {product.ships_from}" if product.ships_from else ""
    told = {
        "sku": product.sku,
        "title": product.title,
        "price": base.yuan(product.price_fen),
        "merchant": f"{product.merchant} ({on_sale.policy})",
        "category": product.category or "",
        "delivery": product.delivery_mode + presale,
        "handling": f"{product.handling}, {product.weight_g} g, {product.volume_cm3} cm³",
        "home": on_sale.home or "",
        "limited": "yes" if on_sale.limited else "",
        "services": ", ".join(product.services),
        "about": product.description,
    }
    return {name: base.plain(value) for name, value in told.items() if value}


def _show_versions(versions: "list[ProductVersion]") -> None:
    """Print the versions, the newest first, each with what it changed against the version before."""
    changes = [_changed(newer.product, older.product) for newer, older in pairwise(versions)]
    rows = []
    for one, what in zip(versions, [*changes, "the first"], strict=True):
        since, price = f"{one.at:%Y-%m-%d %H:%M:%S}", base.yuan(one.product.price_fen)
        rows.append([str(one.version), since, one.author, price, what, one.digest[:12]])
    columns = [
        *(Column("version", right=True), Column("since (UTC)", fixed=True), Column("by"), Column("price", right=True)),
        *(Column("what changed"), Column("digest", fixed=True)),
    ]
    print_table(columns, rows, "Versions")


def _changed(newer: Product, older: Product) -> str:
    return ", ".join(name for name in Product.model_fields if getattr(newer, name) != getattr(older, name))
