"""What parties do to an order that was placed, with one command for each act."""

import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import base
from cli.input import made, pieces_of
from domain.order.acts import Cancel, CancelPieces, ConfirmReceipt, Deliver, Reschedule, Review, Scan, ScanKind, Ship
from domain.order.order_number import OrderNo, parse
from domain.order.status import Action, Actor, Answer, Refused, Status, allowed
from domain.records.views import OrderView
from domain.risk import Decision

if TYPE_CHECKING:
    from acts.acts import Acts
    from acts.front import Front

Number = Annotated[str, typer.Argument(metavar="NO", help="The number of an order, or of one of its sub-orders.")]
SubNumber = Annotated[str, typer.Argument(metavar="SUB_NO", help="The sub-order's number, as `show` lists it.")]
OrderNumber = Annotated[str, typer.Argument(metavar="ORDER_NO", help="The order's number.")]


class Party(StrEnum):
    BUYER = "buyer"
    MERCHANT = "merchant"
    OPERATOR = "operator"


class Word(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"


_ACTORS = {Party.BUYER: Actor.BUYER, Party.MERCHANT: Actor.MERCHANT, Party.OPERATOR: Actor.PLATFORM}


def cancel(
    no: Number,
    party: Annotated[Party, typer.Option("--as", help="Who cancels.")] = Party.BUYER,
    note: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    lines: Annotated[
        list[str] | None,
        typer.Option("--line", metavar="LINE=PIECES", help="Of a sub-order: only so many pieces of a line, as in 1=2."),
    ] = None,
    as_json: base.AsJson = False,
) -> None:
    """Cancel an order, one sub-order or some of its pieces, before it ships.

    Of an order, all that has not shipped yet is cancelled. What was paid for it goes back."""
    actor = _ACTORS[party]
    if lines:
        sub = base.sub_order_number(no)
        some = made(CancelPieces, {"lines": "--line"}, actor=actor, note=note, lines=pieces_of("--line", lines))
        _act(no, sub, lambda acts: acts.cancel_pieces(sub, some), as_json)
        return
    number = base.any_number(no)
    wish = made(Cancel, actor=actor, note=note)
    _act(no, number, lambda acts: acts.cancel(number, wish), as_json)


def ship(
    sub_no: SubNumber,
    carrier: Annotated[str, typer.Option(help="Who carries it, like SF-Express.")],
    tracking_no: Annotated[str, typer.Option(help="The carrier's number of the parcel.")],
    as_json: base.AsJson = False,
) -> None:
    """The merchant has given the parcel to a carrier."""
    number = base.sub_order_number(sub_no)
    shipment = made(Ship, actor=Actor.MERCHANT, carrier=carrier, tracking_no=tracking_no)
    _act(sub_no, number, lambda acts: acts.ship(number, shipment), as_json)


def reschedule(
    sub_no: SubNumber,
    ships_from: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="The day, like 2026-12-24 (UTC).")],
    as_json: base.AsJson = False,
) -> None:
    """Move a presale's ship date before it has left. With a date that has already come, it leaves now."""
    number = base.sub_order_number(sub_no)
    changed = made(Reschedule, actor=Actor.MERCHANT, ships_from=ships_from.date())
    _act(sub_no, number, lambda acts: acts.reschedule(number, changed), as_json)


def track(
    sub_no: SubNumber,
    kind: Annotated[ScanKind, typer.Argument(help="What the carrier saw.", case_sensitive=False)],
    place: Annotated[str, typer.Option(help="Where.")] = "",
    event_id: Annotated[str, typer.Option(help="The carrier's own id of it: a repeat changes nothing.")] = "",
    as_json: base.AsJson = False,
) -> None:
    """The carrier reports a scan of the parcel."""
    number = base.sub_order_number(sub_no)
    known_as = event_id or f"cli-{uuid.uuid4()}"
    scan = made(Scan, event_id=known_as, kind=kind, place=place, at=datetime.now(UTC))
    _act(sub_no, number, lambda acts: acts.track(number, scan), as_json)


def deliver(sub_no: SubNumber, as_json: base.AsJson = False) -> None:
    """The carrier has handed the parcel to the buyer."""
    number = base.sub_order_number(sub_no)
    _act(sub_no, number, lambda acts: acts.deliver(number, Deliver(actor=Actor.CARRIER)), as_json)


def confirm(no: Number, as_json: base.AsJson = False) -> None:
    """The buyer has the goods.

    Confirms one sub-order, or all sub-orders of an order that were shipped."""
    number = base.any_number(no)
    receipt = ConfirmReceipt(actor=Actor.BUYER)
    if number.sub is not None:
        _act(no, number, lambda acts: acts.confirm(number, receipt), as_json)
        return
    answers = base.with_front(lambda front: _confirm_all(front, number, receipt))
    refused = next((answer.refused for answer in answers.values() if answer.refused), None)
    if as_json:
        each = {sub: answer.model_dump(mode="json") for sub, answer in answers.items()}
        base.say_json({"number": number.order_no, "refused": _dumped(refused), "answers": each})
    for sub, answer in answers.items():
        _tell(sub, answer, as_json)
    if refused:
        raise typer.Exit(base.REFUSED)


def review(
    sub_no: SubNumber,
    rating: Annotated[int, typer.Option(min=1, max=5, help="1 to 5.")],
    text: Annotated[str, typer.Option(help="What the buyer says.")] = "",
    as_json: base.AsJson = False,
) -> None:
    """The buyer rates what was received."""
    number = base.sub_order_number(sub_no)
    words = made(Review, rating=rating, text=text)
    _act(sub_no, number, lambda acts: acts.review(number, words), as_json)


def decide_risk(
    order_no: OrderNumber,
    word: Annotated[Word, typer.Argument(help="approve lets it go on; reject closes it and pays back.")],
    author: Annotated[str, typer.Option(help="Who decides.")],
    note: Annotated[str, typer.Option(help="Why, for the record.")],
    as_json: base.AsJson = False,
) -> None:
    """Decide on an order that waits for a risk review."""
    number = base.order_number(order_no)
    decision = made(Decision, approved=word is Word.APPROVE, author=author, note=note)
    _act(order_no, number, lambda acts: acts.decide_risk(number, decision), as_json)


# --- what all of these share


def _act(no: str, number: OrderNo, act: "Callable[[Acts], Awaitable[Answer]]", as_json: bool) -> None:
    async def work(front: "Front") -> Answer:
        await _known(front, no, number)
        return await act(front.acts)

    answer = base.with_front(work)
    if as_json:
        base.say_json({"number": no, **answer.model_dump(mode="json")})
    _tell(no, answer, as_json)
    if answer.refused:
        raise typer.Exit(base.REFUSED)


async def _known(front: "Front", no: str, number: OrderNo) -> None:
    """Raise Fault when there is nothing to act on. An order that is only accepted passes: it has no row yet, but a
    run."""
    if await front.owners.of(number) is not None:
        return
    refused = await front.views.refusal(number.order_no)
    if refused is not None and refused.refusal is not None:
        code = refused.refusal.code
        raise base.Fault(
            f"{number.order_no} was refused when it was placed ({code}): there is no order; see `show`", base.REFUSED
        )
    if number.sub is not None:
        raise base.Fault(f"there is no sub-order {no}; `show {number.order_no}` lists those of its order", base.REFUSED)


async def _confirm_all(front: "Front", number: OrderNo, receipt: ConfirmReceipt) -> dict[str, Answer]:
    """Confirm all shipped sub-orders; the answers by number. If none was shipped, the one answer is the order's
    refusal."""
    await _known(front, number.order_no, number)
    view = await front.views.order(number.order_no)
    if view is None:
        raise base.Fault(f"there is no order {number.order_no} (yet)", base.REFUSED)
    shipped = [sub.sub_order_no for sub in view.sub_orders if sub.status is Status.SHIPPED]
    if not shipped:
        return {number.order_no: Answer(status=view.status, refused=_nothing_to_confirm(view))}
    return {sub: await front.acts.confirm(parse(sub), receipt) for sub in shipped}


def _nothing_to_confirm(view: OrderView) -> Refused:
    """The refusal when nothing was shipped. What the buyer may do instead is what the sub-orders allow, or the order
    itself if it is not split."""
    statuses = {sub.status for sub in view.sub_orders} or {view.status}
    can = tuple(action for action in Action if any(action in allowed(status, Actor.BUYER) for status in statuses))
    listed = ", ".join(can) or "nothing"
    reason = f"nothing of it is on its way while the status is {view.status}; allowed now: {listed}"
    return Refused(status=view.status, action=Action.CONFIRM_RECEIPT, allowed=can, reason=reason)


def _tell(no: str, answer: Answer, as_json: bool) -> None:
    if answer.refused is None:
        if not as_json:
            typer.echo(f"{no} is {answer.status}")
        return
    told = answer.refused
    status = "" if told.status in told.reason else f" (status {told.status})"
    action = "" if told.action in told.reason else f"{told.action}: "
    base.say_fault(f"{no}: refused: {action}{told.reason}{status}")


def _dumped(refused: Refused | None) -> dict[str, Any] | None:
    return refused.model_dump(mode="json") if refused else None
