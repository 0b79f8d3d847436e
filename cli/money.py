"""Who has what money: `money`, `settle`, `statements` and `reconcile`."""

import csv
import re
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cli import base
from cli.input import moment
from cli.tables import Column, print_table
from domain.records.money import OrderMoney, Posting
from domain.records.settlement import Statement, StatementRow

if TYPE_CHECKING:  # `--help` must be quick
    from sqlalchemy.ext.asyncio import AsyncEngine


class Format(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSON = "json"


OrderNumber = Annotated[str, typer.Argument(metavar="ORDER_NO", help="The order's number.")]
As = Annotated[Format, typer.Option("--format", help="For people, a spreadsheet or a program. CSV and JSON in fen.")]
OfMerchant = Annotated[str | None, typer.Option(help="One merchant's only.")]

_DATE = re.compile(r"\d{4}-\d\d-\d\d")

_WHAT = {
    "CAPTURE": "the buyer paid",
    "STRAY": "money came that no order wanted",
    "REFUND_DECIDED": "a refund was decided",
    "REFUND": "the refund was paid",
    "SETTLE": "settled with the merchant",
    "SHIPPING": "the shipping got an account of its own",
}
_WHOSE = {
    "provider": "the payment provider has",
    "orders": "not settled yet, of goods",
    "shipping": "not settled yet, of shipping",
    "refunds": "owed back to the buyer",
    "stray": "owed back to whoever paid",
    "subsidy": "the platform has funded",
    "fee": "the platform keeps as its fee",
}


def money(order_no: OrderNumber, as_json: base.AsJson = False) -> None:
    """Show an order's money: every posting, who has what, and what was paid for each line."""
    number = base.order_number(order_no).order_no

    async def work(engine: "AsyncEngine") -> "OrderMoney | None":
        from store.money.views import PostgresMoneyViews

        return await PostgresMoneyViews(engine).of_order(number)

    found = base.with_engine(work)
    if found is None:
        raise base.Fault(f"there is no order {number}", base.REFUSED)
    if as_json:
        base.say_json(found)
        return
    _tell(found)


def settle(
    until: Annotated[
        str,
        typer.Option(
            help="Up to when: 2026-12-31 (its first moment, in UTC), 2026-12-31T12:00:00Z, or so long ago: 1d."
        ),
    ],
    merchant: OfMerchant = None,
    form: As = Format.TABLE,
) -> None:
    """Settle what merchants are owed by then, and make a statement for each one that has anything new.

    A sub-order is due when its window for after-sale has ended and no case is open. Each is settled once, however often
    this is run; a refund after that is in the next statement."""
    now = datetime.now(UTC)
    by = moment(f"{until}T00:00:00Z" if _DATE.fullmatch(until) else until, now, -1)
    if by > now:
        raise base.Fault(f"--until: {until} is still to come; name a time that is over", base.BAD_INPUT)

    async def work(engine: "AsyncEngine") -> list[Statement]:
        from store.money.settlement import PostgresSettlement

        return await PostgresSettlement(engine).settle(by, merchant)

    _say(base.with_engine(work), form)


def statements(
    statement_no: Annotated[str | None, typer.Argument(metavar="STATEMENT_NO", help="One, with its rows.")] = None,
    merchant: OfMerchant = None,
    form: As = Format.TABLE,
) -> None:
    """List the statements that were made, or show one."""

    async def work(engine: "AsyncEngine") -> list[Statement]:
        from store.money.settlement import PostgresSettlement

        if statement_no is None:
            return await PostgresSettlement(engine).statements(merchant)
        found = await PostgresSettlement(engine).statement(statement_no)
        if found is None:
            raise base.Fault(f"there is no statement {statement_no}; `statements` lists them", base.REFUSED)
        return [found]

    made = base.with_engine(work)
    if statement_no is not None or form is Format.JSON:
        _say(made, form)
        return
    if form is Format.CSV:
        _csv(["statement_no", "merchant", "currency", "until", "total_fen"], made)
        return
    if not made:
        typer.echo("nothing here")
        return
    columns = [Column("statement", fixed=True), Column("merchant"), Column("until"), Column("total", right=True)]
    print_table(columns, [[one.statement_no, one.merchant, _when(one.until), _yuan(one)] for one in made])


def reconcile(as_json: base.AsJson = False) -> None:
    """Ask the database whether the money adds up: journal, orders, refunds, statements and points.

    It only reads, and may be run at any moment. Exit code 0: it does; 1: it does not, and what is wrong is named."""

    async def work(engine: "AsyncEngine") -> list[str]:
        from store.money.reconciliation import mismatches

        return await mismatches(engine)

    wrong = base.with_engine(work)
    if as_json:
        base.say_json({"wrong": wrong})
    else:
        typer.echo("\n".join(wrong) or "it all adds up")
    if wrong:
        raise typer.Exit(base.REFUSED)


def _say(made: list[Statement], form: Format) -> None:
    if form is Format.JSON:
        base.say_json({"statements": [one.model_dump(mode="json") for one in made]})
        return
    if form is Format.CSV:
        names = ["statement_no", "merchant", "currency", *StatementRow.model_fields]
        writer = csv.writer(sys.stdout)
        writer.writerow(names)
        for one in made:
            own = [one.statement_no, one.merchant, one.currency]
            writer.writerows([*own, *row.model_dump(mode="json").values()] for row in one.rows)
        return
    if not made:
        typer.echo("nothing is owed that was not stated before")
    for one in made:
        _table(one)


def _csv(names: list[str], made: list[Statement]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(names)
    for one in made:
        told = one.model_dump(mode="json")
        writer.writerow([told[name] for name in names])


def _table(one: Statement) -> None:
    amounts = ("goods", "subsidy", "shipping", "fee", "refunds", "net")
    columns = [Column("order", fixed=True), Column("sub-order", fixed=True)]
    columns += [Column(name, right=True) for name in amounts]
    rows = [
        [row.order_no, row.sub_order_no, *(base.yuan(getattr(row, f"{name}_fen"), one.currency) for name in amounts)]
        for row in one.rows
    ]
    print_table(columns, rows, f"{one.statement_no}: {one.merchant}, until {_when(one.until)}: {_yuan(one)}")


def _tell(found: OrderMoney) -> None:
    def yuan(fen: int) -> str:
        return base.yuan(fen, found.currency)

    shipping = f", shipping {yuan(found.shipping_fen)} of it" if found.shipping_fen else ""
    typer.echo(f"order {found.order_no}: {yuan(found.amount_due_fen)}{shipping}")
    rows = [[_when(posting.at), _what(posting), _moved(posting, found.currency)] for posting in found.postings]
    print_table([*map(Column, ("when", "what")), Column("account", fixed=True)], rows, "The postings")
    columns = [Column("who has what"), Column("", right=True)]
    print_table(columns, [[_whose(leg.account), yuan(abs(leg.amount_fen))] for leg in found.balances], "By now")
    names = [Column("line", right=True), *map(Column, ("title", "merchant", "discounts")), Column("paid", right=True)]
    lines = [
        [
            str(line.line_no),
            f"{line.quantity} × {line.title}",
            line.merchant,
            "\n".join(
                f"{one.promotion_id} {yuan(one.amount_fen)}: merchant {yuan(one.merchant_fen)},"
                f" platform {yuan(one.platform_fen)}"
                for one in line.discounts
            ),
            yuan(line.pay_fen),
            f"{line.pieces_back} ({yuan(line.back_fen)})" if line.pieces_back else "",
        ]
        for line in found.lines
    ]
    print_table([*names, Column("went back", right=True)], lines, "The lines")


def _what(posting: Posting) -> str:
    return f"{_WHAT.get(posting.kind, posting.kind)}\n{posting.key}"


def _moved(posting: Posting, currency: str) -> str:
    signs = {True: "+", False: ""}
    return "\n".join(
        f"{leg.account} {signs[leg.amount_fen > 0]}{base.yuan(leg.amount_fen, currency)}" for leg in posting.legs
    )


def _whose(account: str) -> str:
    return _WHOSE.get(account) or f"{account.removeprefix('merchant/')} is owed"


def _yuan(one: Statement) -> str:
    return base.yuan(one.total_fen, one.currency)


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
