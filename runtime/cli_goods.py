"""What is on sale: `starter.py seed`, `product put`."""

from typing import TYPE_CHECKING, Annotated

import typer

from runtime import cli_base as base
from runtime.cli_input import made, read_document

if TYPE_CHECKING:
    from runtime.seed import Seeded

product = typer.Typer(no_args_is_help=True, help="Put single products on sale, or change them.")

Sku = Annotated[str, typer.Argument(metavar="SKU", help="The product's id, as carts name it.")]


def seed(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A catalog, like examples/catalog.json.")],
    as_json: base.AsJson = False,
) -> None:
    """Put a catalog's products on sale.

    Each is filled up to its `sellable` pieces; so seeding again adds only what was sold."""
    from runtime.seed import CatalogFile
    from runtime.seed import seed as fill

    catalog = read_document(CatalogFile, file)
    done: Seeded = base.with_engine(lambda engine: fill(engine, catalog.products))
    if as_json:
        base.say_json(done)
        return
    pieces = sum(done.received.values())
    typer.echo(f"{done.products} products on sale; {pieces} pieces of {len(done.received)} of them received")


@product.command()
def put(
    sku: Sku,
    merchant: Annotated[str, typer.Option(help="Who sells it.")],
    title: Annotated[str, typer.Option(help="What the buyer reads.")],
    price_fen: Annotated[int, typer.Option(help="What one piece costs, in fen (¥1 = 100 fen).")],
    warehouse: Annotated[str, typer.Option(help="Where it is shipped from.")],
    limited: Annotated[bool, typer.Option("--limited", help="Limited goods: risk looks for scalpers.")] = False,
    as_json: base.AsJson = False,
) -> None:
    """Put a product on sale, or change it. Orders keep what they were placed with."""
    from runtime.seed import Row
    from store.catalog import PostgresCatalog

    fields = {"merchant": merchant, "title": title, "price_fen": price_fen, "warehouse": warehouse}
    row = made(Row, {"sku": "SKU"}, sku=sku, limited=limited, **fields)
    base.with_engine(lambda engine: PostgresCatalog(engine).put(row.product, limited=limited))
    if as_json:
        base.say_json({**row.product.model_dump(mode="json"), "limited": limited})
        return
    typer.echo(
        f"{sku} is on sale at {base.yuan(price_fen)}; pieces to sell: {base.again('stock', 'receive', sku, '10')}"
    )
