"""What is on sale: `starter.py load-catalog`, `product put`, `product show`."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli import base
from cli.input import made, read_bytes
from domain.order.product import DeliveryMode
from domain.strict_json import BadDocument

if TYPE_CHECKING:
    from cli.catalog_file import CatalogFile
    from cli.load_catalog import Loaded

product = typer.Typer(no_args_is_help=True, help="Put single products on sale, change them, see their versions.")

Sku = Annotated[str, typer.Argument(metavar="SKU", help="The product's id, as carts name it.")]
Author = Annotated[str, typer.Option(help="Who changes it, for the product's history.")]
OF_COMMAND_LINE = "command line"


def load_catalog(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A catalog, like examples/catalog.json.")],
    author: Author = OF_COMMAND_LINE,
    as_json: base.AsJson = False,
) -> None:
    """Put a file's products on sale, under its merchants' terms.

    Each is filled up to its `sellable` pieces, so that loading again adds only what was sold. A file with a bad row
    changes nothing: every bad row is named, with its place and what would be right."""
    from cli.load_catalog import load_catalog as load

    catalog = _read_catalog(file)
    done: Loaded = base.with_engine(lambda engine: load(engine, catalog, author))
    if as_json:
        base.say_json(done)
        return
    pieces = sum(done.received.values())
    typer.echo(
        f"{done.products} products on sale, {len(done.changed)} of them new or changed; "
        f"{pieces} pieces of {len(done.received)} of them received"
    )


def _read_catalog(file: str) -> "CatalogFile":
    from cli.catalog_file import MOST_BYTES, read_catalog

    name = "stdin" if file == "-" else file
    try:
        return read_catalog(read_bytes(file, MOST_BYTES))
    except BadDocument as wrong:
        first, more = wrong.problems[0], len(wrong.problems) - 1
        if not more:
            raise base.Fault(f"{name}: {first}", base.BAD_INPUT) from None
        for problem in wrong.problems:
            typer.echo(base.plain(f"{name}: {problem}"), err=True)
        raise base.Fault(f"{name}: {more + 1} things are wrong, nothing was changed", base.BAD_INPUT) from None


@product.command()
def put(
    sku: Sku,
    merchant: Annotated[str, typer.Option(help="Who sells it.")],
    title: Annotated[str, typer.Option(help="What the buyer reads.")],
    price_fen: Annotated[int, typer.Option(help="What one piece costs, in fen (¥1 = 100 fen).")],
    warehouse: Annotated[str | None, typer.Option(help="Where it is preferably shipped from.")] = None,
    description: Annotated[str, typer.Option(help="What else the buyer reads.")] = "",
    service: Annotated[list[str] | None, typer.Option(help="A promise to the buyer; give it once for each.")] = None,
    category: Annotated[str | None, typer.Option(help="For promotions by category.")] = None,
    delivery_mode: Annotated[DeliveryMode, typer.Option(help="Shipped, or granted.")] = DeliveryMode.PHYSICAL,
    ships_from: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A presale's first ship date.")
    ] = None,
    handling: Annotated[str, typer.Option(help="Its class in the warehouse, like FRAGILE.")] = "ORDINARY",
    weight_g: Annotated[int, typer.Option(help="Of one piece, in grams.")] = 0,
    volume_cm3: Annotated[int, typer.Option(help="Of one piece, in cubic centimetres.")] = 0,
    limited: Annotated[bool, typer.Option("--limited", help="Limited goods: risk looks for scalpers.")] = False,
    author: Author = OF_COMMAND_LINE,
    as_json: base.AsJson = False,
) -> None:
    """Put a product on sale, or change it. All of it is replaced: what is not given has its default.

    A change makes a new version. Orders keep the version that they were placed with."""
    from cli.catalog_file import ProductRow
    from store.catalog.products import PostgresCatalog

    page = {"merchant": merchant, "title": title, "price_fen": price_fen, "description": description}
    ways = {"category": category, "delivery_mode": delivery_mode, "handling": handling, "limited": limited}
    sizes = {"weight_g": weight_g, "volume_cm3": volume_cm3, "home": warehouse}
    day = ships_from.date() if ships_from else None
    names = {"sku": "SKU", "home": "--warehouse", "services": "--service"}
    row = made(ProductRow, names, sku=sku, services=service or [], ships_from=day, **page, **ways, **sizes)
    listing = row.listing
    version = base.with_engine(
        lambda engine: PostgresCatalog(engine).put(listing.product, home=row.home, limited=limited, author=author)
    )
    if as_json:
        own = {"home": row.home, "limited": limited, "version": version}
        base.say_json({**listing.product.model_dump(mode="json"), **own})
        return
    on_sale = f"{sku} is on sale at {base.yuan(price_fen)}, version {version}"
    typer.echo(f"{on_sale}; pieces to sell: {base.again('stock', 'receive', sku, '10')}")


@product.command()
def show(sku: Sku, as_json: base.AsJson = False) -> None:
    """Show a product as it is on sale, and every version that it ever had."""
    from cli.product import show_product

    show_product(sku, as_json)
