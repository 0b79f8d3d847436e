"""`starter.py list`: a buyer's, a merchant's or the operators' list, in pages."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli import base
from cli.tables import Column, print_table
from domain.order.status import Status
from domain.records.views import ListItem, Page, Tab

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

MOST_TITLES = 3


def list_(
    buyer: Annotated[
        int | None, typer.Option(help="A buyer's: unpaid orders whole, all others by their sub-orders.")
    ] = None,
    merchant: Annotated[str | None, typer.Option(help="A merchant's sub-orders.")] = None,
    operator: Annotated[bool, typer.Option("--operator", help="All orders, whole.")] = False,
    tab: Annotated[Tab | None, typer.Option(help="Of a buyer's list.", case_sensitive=False)] = None,
    status: Annotated[
        Status | None, typer.Option(help="Of a merchant's or the operators' list.", case_sensitive=False)
    ] = None,
    needs_attention: Annotated[
        bool, typer.Option("--needs-attention", help="Of the operators' list: what waits for a person.")
    ] = False,
    size: Annotated[int, typer.Option(min=1, max=100, help="How many on a page.")] = 20,
    after: Annotated[str | None, typer.Option(help="The page before gave this.")] = None,
    as_json: base.AsJson = False,
) -> None:
    """List a buyer's, a merchant's or all orders.

    They come newest first, in pages. Say whose: --buyer ID, --merchant ID or --operator."""
    whose = _whose(buyer, merchant, operator)
    _only("--tab", tab is not None, "--buyer", whose)
    _only("--needs-attention", needs_attention, "--operator", whose)
    if status is not None and whose == "--buyer":
        raise base.Fault("--status is not for --buyer: a buyer's list has --tab", base.BAD_INPUT)

    async def page(engine: "AsyncEngine") -> Page:
        from store.orders.views import BadCursor, PostgresViews

        views = PostgresViews(engine)
        try:
            if buyer is not None:
                return await views.of_buyer(buyer, tab or Tab.ALL, size, after)
            if merchant is not None:
                return await views.of_merchant(merchant, status, size, after)
            return await views.for_operators(status, needs_attention, size, after)
        except BadCursor as wrong:
            raise base.Fault(f"--after: {wrong}", base.BAD_INPUT) from None

    found = base.with_engine(page)
    if as_json:
        base.say_json(found)
        return
    _say(found)
    if found.next:
        kept = [f"--tab {tab}" if tab else "", f"--status {status}" if status else ""]
        kept += ["--needs-attention" if needs_attention else "", f"--size {size}" if size != 20 else ""]
        named = {"--buyer": f"--buyer {buyer}", "--merchant": f"--merchant {merchant}"}.get(whose, whose)
        typer.echo("more: " + base.again("list", named, *filter(None, kept), "--after", found.next))


def _whose(buyer: int | None, merchant: str | None, operator: bool) -> str:
    given = {"--buyer": buyer is not None, "--merchant": merchant is not None, "--operator": operator}
    named = [name for name, is_given in given.items() if is_given]
    if len(named) != 1:
        raise base.Fault("say whose list: one of --buyer ID, --merchant ID and --operator", base.BAD_INPUT)
    return named[0]


def _only(option: str, is_given: bool, whose: str, asked: str) -> None:
    if is_given and asked != whose:
        raise base.Fault(f"{option} goes with {whose}, not with {asked}", base.BAD_INPUT)


def _say(page: Page) -> None:
    if not page.items:
        typer.echo("nothing here")
        return
    columns = [
        Column("number", fixed=True),
        Column("status, placed"),
        Column("goods"),
        Column("paid / due", right=True),
        Column("list price", right=True),
    ]
    print_table(columns, [_row(item) for item in page.items])


def _row(item: ListItem) -> list[str]:
    number = item.order_no if item.sub_order_no is None else f"{item.sub_order_no}\nof {item.order_no}"
    marks = ["needs a person"] if item.needs_attention else []
    marks += [f"after-sale {item.after_sale.lower()}"] if item.after_sale != "NONE" else []
    left_out = len(item.titles) - MOST_TITLES
    more = [f"  and {left_out} more"] if left_out > 0 else []
    return [
        number,
        "\n".join([item.status, f"{item.placed_at:%m-%d %H:%M} UTC", *marks]),
        "\n".join([", ".join(item.merchants), *(f"· {title}" for title in item.titles[:MOST_TITLES]), *more]),
        base.yuan(item.pay_fen),
        base.yuan(item.goods_fen),
    ]
