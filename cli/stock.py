"""`starter.py stock`: how much there is, adding to it, correcting it, and who did what."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli import base
from cli.input import made
from cli.tables import Column, print_table
from domain.order.stock import MAIN_CHANNEL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.ext.asyncio import AsyncEngine

    from store.stock.changes import Change, StockEntry, StockView

app = typer.Typer(no_args_is_help=True, help="How many pieces there are, to sell and in the warehouses.")

Sku = Annotated[str, typer.Argument(metavar="SKU", help="The product's id, as carts name it.")]
Channel = Annotated[str, typer.Option(help="Where it is sold.")]
Warehouse = Annotated[str | None, typer.Option(help="What lies there, instead of what is to sell.")]
Actor = Annotated[str, typer.Option(help="Who does it; the history names them.")]
MOST = 100_000_000


@app.command()
def show(
    skus: Annotated[list[str], typer.Argument(metavar="SKU…", help="One or more.")], as_json: base.AsJson = False
) -> None:
    """Show how much there is of each SKU, to sell by channel and by warehouse, and its purchase limit."""

    async def work(engine: "AsyncEngine") -> "list[StockView]":
        from store.stock.changes import view

        return await view(engine, skus)

    found = base.with_engine(work)
    unknown = [one.sku for one in found if not one.sellable and not one.physical]
    if unknown:
        raise base.Fault(f"nothing was ever received of {', '.join(unknown)}", base.REFUSED)
    if as_json:
        base.say_json({"stock": [one.model_dump(mode="json") for one in found]})
        return
    rows = [
        *(
            [one.sku, at.channel, *_counts(at.available, at.reserved, at.deducted)]
            for one in found
            for at in one.sellable
        ),
        *(
            [one.sku, at.warehouse, *_counts(at.available, at.reserved, at.shipped)]
            for one in found
            for at in one.physical
        ),
    ]
    heads = ("available", "reserved", "gone", "total")
    print_table(
        [Column("SKU", fixed=True), Column("channel or warehouse"), *(Column(head, right=True) for head in heads)], rows
    )
    for one in found:
        if one.limit:
            typer.echo(f"{one.sku}: {one.limit.pieces} for each buyer within {one.limit.window_s} s")


@app.command()
def receive(
    sku: Sku,
    pieces: Annotated[int, typer.Argument(metavar="PIECES", min=1, max=MOST, help="How many more.")],
    channel: Channel = MAIN_CHANNEL,
    warehouse: Warehouse = None,
    actor: Actor = "operator",
    as_json: base.AsJson = False,
) -> None:
    """Add pieces: to sell, or in a warehouse.

    From the first time on, what the product's merchant sells is sent from that warehouse."""
    _change(sku, pieces, "receive", channel, warehouse, actor, "", as_json)


@app.command(context_settings={"ignore_unknown_options": True})
def adjust(
    sku: Sku,
    delta: Annotated[int, typer.Argument(metavar="DELTA", min=-MOST, max=MOST, help="How many more, or fewer: -3.")],
    reason: Annotated[str, typer.Option(help="Why; the history tells it.")],
    actor: Actor,
    channel: Channel = MAIN_CHANNEL,
    warehouse: Warehouse = None,
    as_json: base.AsJson = False,
) -> None:
    """Correct a count. What is held for orders is never taken away."""
    if delta == 0:
        raise base.Fault("DELTA: must not be 0: there is nothing to adjust", base.BAD_INPUT)
    _change(sku, delta, "adjust", channel, warehouse, actor, reason, as_json)


@app.command("import")
def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSON ({rows: [{sku, pieces}]}) or CSV (sku,pieces).")],
    actor: Actor = "operator",
    as_json: base.AsJson = False,
) -> None:
    """Receive what a file lists, all of its rows or none.

    A row may also name its channel or its warehouse, and a reason. The same file is imported only once."""
    from cli.stock_file import bad_rows, read_stock_file

    given = read_stock_file(file)

    async def work(engine: "AsyncEngine") -> None:
        from store.stock.changes import Change

        merchants = await _merchants(engine, {row.sku for row in given.rows})
        unknown = [f"row {n}: no product {row.sku}" for n, row in enumerate(given.rows, 1) if row.sku not in merchants]
        if unknown:
            raise bad_rows(file, unknown, base.REFUSED)
        changes = [
            Change(
                **row.model_dump(),
                kind="receive",
                merchant=merchants[row.sku],
                actor=actor,
                key=f"import/{given.key}/{number}",
            )
            for number, row in enumerate(given.rows, start=1)
        ]
        await _make(engine, changes, done_before=f"{file} was imported before: nothing is imported twice")

    base.with_engine(work)
    pieces = sum(row.pieces for row in given.rows)
    if as_json:
        base.say_json({"rows": len(given.rows), "pieces": pieces})
        return
    typer.echo(f"{pieces} pieces received in {len(given.rows)} rows")


@app.command()
def limit(
    sku: Sku,
    pieces: Annotated[int | None, typer.Option(min=0, max=1_000_000, help="The most for one buyer.")] = None,
    window_s: Annotated[int, typer.Option("--window-s", min=1, help="Within so many seconds.")] = 30 * 86_400,
    none: Annotated[bool, typer.Option("--none", help="No limit any more.")] = False,
    actor: Actor = "operator",
    as_json: base.AsJson = False,
) -> None:
    """Set or remove the most that one buyer may have, in orders that are not closed."""
    from domain.order.stock import PurchaseLimit

    if (pieces is None) != none:
        raise base.Fault("say how many by --pieces, or --none", base.BAD_INPUT)
    asked = (
        made(PurchaseLimit, {"sku": "SKU"}, sku=sku, pieces=pieces, window_s=window_s) if pieces is not None else None
    )

    async def work(engine: "AsyncEngine") -> None:
        from store.stock.changes import drop_limit, set_limit

        await _merchants(engine, {sku}, known=True)
        await (drop_limit(engine, sku) if asked is None else set_limit(engine, asked, actor))

    base.with_engine(work)
    if as_json:
        base.say_json({"sku": sku, "limit": asked.model_dump(mode="json") if asked else None})
        return
    typer.echo(f"{sku}: {asked.pieces} for each buyer within {asked.window_s} s" if asked else f"{sku}: no limit")


@app.command()
def history(
    sku: Sku,
    last: Annotated[int, typer.Option(min=1, max=10_000, help="How many entries.")] = 50,
    as_json: base.AsJson = False,
) -> None:
    """Show what orders and people did to a SKU's counters, the newest last."""

    async def work(engine: "AsyncEngine") -> "list[StockEntry]":
        from store.stock.changes import history as entries

        return await entries(engine, sku, last)

    found = base.with_engine(work)
    if not found:
        raise base.Fault(f"nothing was ever done to {sku}", base.REFUSED)
    if as_json:
        base.say_json({"sku": sku, "entries": [entry.model_dump(mode="json") for entry in found]})
        return
    names = ("at", "what", "where", "order", "available", "reserved", "gone", "who", "why")
    numbers = ("available", "reserved", "gone")
    print_table([Column(name, right=name in numbers, fixed=name == "order") for name in names], _told(found))


def _told(entries: "Iterable[StockEntry]") -> list[list[str]]:
    return [
        [
            entry.at.strftime("%Y-%m-%d %H:%M:%S"),
            entry.kind,
            entry.warehouse or entry.channel or "",
            entry.order_no or "",
            *(f"{count:+}" if count else "" for count in (entry.available, entry.reserved, entry.gone)),
            entry.actor,
            entry.reason,
        ]
        for entry in entries
    ]


def _counts(available: int, reserved: int, gone: int) -> list[str]:
    return [str(count) for count in (available, reserved, gone, available + reserved + gone)]


def _change(
    sku: str,
    pieces: int,
    kind: str,
    channel: str,
    warehouse: str | None,
    actor: str,
    reason: str,
    as_json: bool,
) -> None:
    from store.stock.changes import Change

    async def work(engine: "AsyncEngine") -> dict[str, int]:
        from store.stock.changes import view

        merchants = await _merchants(engine, {sku}, known=True)
        fields = {"channel": channel, "warehouse": warehouse, "merchant": merchants[sku]}
        change = made(Change, {"sku": "SKU"}, sku=sku, pieces=pieces, kind=kind, actor=actor, reason=reason, **fields)
        await _make(engine, [change])
        (now,) = await view(engine, [sku])
        if warehouse:
            return next(at for at in now.physical if at.warehouse == warehouse).model_dump(exclude={"warehouse"})
        return next(at for at in now.sellable if at.channel == channel).model_dump(exclude={"channel"})

    counts = base.with_engine(work)
    if as_json:
        base.say_json({"sku": sku, **counts})
        return
    typer.echo(f"{sku}: " + ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items()))


async def _make(engine: "AsyncEngine", changes: "list[Change]", done_before: str = "") -> None:
    from store.stock.changes import DoneBefore, TooFew, change_stock

    try:
        await change_stock(engine, changes)
    except TooFew as refused:
        raise base.Fault(str(refused), base.REFUSED) from None
    except DoneBefore:
        raise base.Fault(done_before, base.REFUSED) from None


async def _merchants(engine: "AsyncEngine", skus: set[str], known: bool = False) -> dict[str, str]:
    """Who sells each product, by SKU. With `known`, raises Fault for one that nobody sells."""
    from store.catalog.products import PostgresCatalog

    found = await PostgresCatalog(engine).on_sale(skus)
    if known and (missing := skus - set(found)):
        raise base.Fault(f"there is no product {min(missing)}: `product put` it first", base.REFUSED)
    return {sku: one.product.merchant for sku, one in found.items()}
