"""`starter.py verify`: whether the evidence of an order is still what the buyer saw."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli import base
from cli.tables import Column, print_table
from domain.records.evidence import HistoryEvidence, LineEvidence, Verified

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

_HISTORY = {
    HistoryEvidence.MATCHES: "has the same digests",
    HistoryEvidence.DIFFERS: "HAS OTHER DIGESTS",
    HistoryEvidence.GONE: "gone (its retention has ended, or the run was started over)",
    HistoryEvidence.NOT_ASKED: "not asked: Temporal does not answer",
}


def verify(
    order_no: Annotated[str, typer.Argument(metavar="ORDER_NO", help="The order's number.")],
    as_json: base.AsJson = False,
) -> None:
    """Show what the buyer saw, and whether the evidence of it is intact.

    It recomputes the digests of what was sold and the order's hash chain. Exit code 0: it is intact; 1: it is not, or
    there is no such order."""
    number = base.order_number(order_no).order_no
    verified = base.with_engine(lambda engine: _verify(engine, number))
    if verified is None:
        raise base.Fault(f"there is no order {number}", base.REFUSED)
    if as_json:
        base.say_json(verified)
    else:
        _show(verified)
    if not verified.intact:
        raise typer.Exit(base.REFUSED)


async def _verify(engine: "AsyncEngine", order_no: str) -> Verified | None:
    from store.orders.evidence import PostgresEvidence

    return await PostgresEvidence(engine).verify(order_no, await _history(order_no))


async def _history(order_no: str) -> dict[int, str] | None:
    """The digests in the run's history; None when Temporal does not answer, since the database's evidence can be
    verified alone."""
    from temporalio.service import RPCError

    from cli.evidence_history import digests_in_history
    from runtime.temporal import Unreachable, connect

    try:
        return await digests_in_history(await connect(base.settings()), order_no)
    except (Unreachable, RPCError):
        return None


def _show(verified: Verified) -> None:
    chain = verified.chain
    fields = {
        "order": verified.order_no,
        "evidence": "intact" if verified.intact else "NOT INTACT",
        "chain": f"{chain.chain}, {chain.links} links, " + (chain.problem or f"whole to its tip {chain.tip_sha256}"),
        "history": _HISTORY[verified.history],
    }
    base.say_fields({name: base.plain(value) for name, value in fields.items()})
    for problem in verified.problems:
        typer.echo(f"! {base.plain(problem)}")
    _show_lines(verified.lines)


def _show_lines(lines: list[LineEvidence]) -> None:
    columns = [
        *(Column("line", right=True), Column("sku", fixed=True), Column("version", right=True)),
        *(Column("pieces", right=True), Column("what the buyer saw"), Column("digest")),
    ]
    print_table(columns, [_row(line) for line in lines], "What was sold")


def _row(line: LineEvidence) -> list[str]:
    numbers = [str(line.line_no), line.sku, str(line.version), str(line.quantity)]
    return [*numbers, _saw(line), "\n".join(line.problems) or "ok"]


def _saw(line: LineEvidence) -> str:
    saw = line.saw
    if saw is None:
        return "lost"
    head = f"{saw.title or saw.sku}, {base.yuan(saw.price_fen)}, of {saw.merchant}"
    more = [*saw.services, *(f"{name}: {value}" for name, value in saw.attributes.items()), *saw.images]
    return "\n".join([head, *([saw.description] if saw.description else []), *([", ".join(more)] if more else [])])
