"""After-sale on the command line, with one command for each act on a case."""

import uuid
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from cli import base
from cli.input import made, pieces_of
from domain.after_sale.case import (
    Agree,
    AskAfterSale,
    CaseAction,
    CaseAnswer,
    CaseKind,
    Decide,
    Inspect,
    Refuse,
    SendBack,
    Withdraw,
)
from domain.base import Document
from domain.order.status import Actor
from domain.records.views import CaseView

if TYPE_CHECKING:
    from acts.front import Front

app = typer.Typer(help="Ask for after-sale, and answer it.", no_args_is_help=True)

CaseNo = Annotated[str, typer.Argument(metavar="CASE_NO", help="The case's number, as `request` and `show` tell it.")]
SubNumber = Annotated[str, typer.Argument(metavar="SUB_NO", help="The sub-order's number, as `show` lists it.")]
Note = Annotated[str, typer.Option(help="Why, for the record.")]
Reason = Annotated[str, typer.Option(help="Why: the other party reads it.")]


@app.command()
def request(
    sub_no: SubNumber,
    piece: Annotated[list[str], typer.Option("--pieces", metavar="LINE=N", help="N pieces of a line. Once or more.")],
    reason: Reason,
    refund_only: Annotated[bool, typer.Option("--refund-only", help="The goods are not sent back.")] = False,
    key: Annotated[str, typer.Option(help="An idempotency key: the same one is the same case.")] = "",
    as_json: base.AsJson = False,
) -> None:
    """The buyer asks for a refund of pieces that have shipped."""
    number = base.sub_order_number(sub_no)
    kind = CaseKind.REFUND_ONLY if refund_only else CaseKind.RETURN_AND_REFUND
    ask = made(AskAfterSale, {"lines": "--pieces"}, kind=kind, lines=pieces_of("--pieces", piece), reason=reason)

    async def work(front: "Front") -> CaseAnswer:
        owners = await front.owners.of(number)
        if owners is None:
            raise base.Fault(f"there is no sub-order {sub_no}", base.REFUSED)
        caller = f"buyer/{owners.buyer_id}"
        return await front.after_sales.ask(caller, key or f"cli-{uuid.uuid4()}", sub_no, ask)

    _tell(sub_no, work, as_json)


@app.command()
def agree(case_no: CaseNo, note: Note = "", as_json: base.AsJson = False) -> None:
    """The merchant agrees."""
    _act(case_no, CaseAction.AGREE, made(Agree, note=note), Actor.MERCHANT, as_json)


@app.command()
def refuse(case_no: CaseNo, reason: Reason, as_json: base.AsJson = False) -> None:
    """The merchant refuses the request, or what came back; the platform then decides."""
    _act(case_no, CaseAction.REFUSE, made(Refuse, reason=reason), Actor.MERCHANT, as_json)


@app.command()
def overrule(case_no: CaseNo, note: Note, as_json: base.AsJson = False) -> None:
    """The platform decides for the buyer."""
    _act(case_no, CaseAction.OVERRULE, made(Decide, note=note), Actor.PLATFORM, as_json)


@app.command()
def uphold(case_no: CaseNo, note: Note, as_json: base.AsJson = False) -> None:
    """The platform decides for the merchant."""
    _act(case_no, CaseAction.UPHOLD, made(Decide, note=note), Actor.PLATFORM, as_json)


@app.command("send-back")
def send_back(
    case_no: CaseNo,
    carrier: Annotated[str, typer.Option(help="Who carries it, like SF-Express.")],
    tracking_no: Annotated[str, typer.Option(help="The carrier's number of the parcel.")],
    as_json: base.AsJson = False,
) -> None:
    """The buyer gave the goods to a carrier."""
    sent = made(SendBack, carrier=carrier, tracking_no=tracking_no)
    _act(case_no, CaseAction.SEND_BACK, sent, Actor.BUYER, as_json)


@app.command()
def inspect(
    case_no: CaseNo,
    accept: Annotated[list[str], typer.Option(metavar="LINE=N", help="N pieces of a line are accepted. Once or more.")],
    sellable: Annotated[list[str] | None, typer.Option(metavar="LINE=N", help="N of them can be sold again.")] = None,
    gift_back: Annotated[list[int] | None, typer.Option(metavar="LINE", help="The gift of this line came.")] = None,
    as_json: base.AsJson = False,
) -> None:
    """The merchant has seen what came back."""
    found = made(
        Inspect,
        {"accepted": "--accept", "gifts_back": "--gift-back"},
        accepted=pieces_of("--accept", accept),
        sellable=pieces_of("--sellable", sellable or []),
        gifts_back=gift_back or [],
    )
    _act(case_no, CaseAction.INSPECT, found, Actor.MERCHANT, as_json)


@app.command()
def withdraw(case_no: CaseNo, note: Note = "", as_json: base.AsJson = False) -> None:
    """The buyer withdraws the case."""
    _act(case_no, CaseAction.WITHDRAW, made(Withdraw, note=note), Actor.BUYER, as_json)


@app.command()
def show(case_no: CaseNo, as_json: base.AsJson = False) -> None:
    """Show a case in full."""
    view = base.with_front(lambda front: _found(front, case_no))
    if as_json:
        base.say_json(view)
        return
    fields = {
        "case": view.case_no,
        "status": view.status,
        "of": f"sub-order {view.sub_order_no}, buyer {view.buyer_id}, merchant {base.plain(view.merchant)}",
        "wants": f"{view.kind}: {base.plain(view.reason)}",
    }
    for line in view.lines:
        accepted = "" if line.accepted is None else f", {line.accepted} accepted"
        fields[f"line {line.line_no}"] = f"{line.quantity} × {base.plain(line.title)}{accepted}"
    fields["quoted"] = base.yuan(view.quoted_fen)
    fields |= {"said": base.plain(view.said)} if view.said else {}
    fields |= {"sent back": f"{view.carrier} {view.tracking_no}"} if view.carrier else {}
    fields |= {"the clock": f"acts at {view.due_at:%Y-%m-%d %H:%M:%S} UTC"} if view.due_at else {}
    fields |= {"refunded": base.yuan(view.amount_fen)} if view.amount_fen is not None else {}
    base.say_fields(fields)


# --- what all of these share


def _act(case_no: str, action: CaseAction, told: Document, actor: Actor, as_json: bool) -> None:
    async def work(front: "Front") -> CaseAnswer:
        await _found(front, case_no)
        return await front.after_sales.act(case_no, action, told, actor)

    _tell(case_no, work, as_json)


def _tell(number: str, work: "Callable[[Front], Awaitable[CaseAnswer]]", as_json: bool) -> None:
    answer = base.with_front(work)
    if as_json:
        base.say_json(answer)
    if answer.refused is not None:
        base.say_fault(f"{number}: refused: {answer.refused.reason}")
        raise typer.Exit(base.REFUSED)
    if answer.facts is not None and not as_json:
        typer.echo(f"{answer.facts.case_no} is {answer.facts.status}")


async def _found(front: "Front", case_no: str) -> CaseView:
    view = await front.cases.case(case_no)
    if view is None:
        raise base.Fault(f"there is no case {case_no}; `show SUB_NO` lists those of a sub-order", base.REFUSED)
    return view
