"""`starter.py place` and `pay`: the buyer's half of a checkout."""

import secrets
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from cli import base
from cli.input import read_document
from domain.order.cart import Cart
from domain.order.lines import Placement

if TYPE_CHECKING:
    from acts.checkout import Accepted
    from acts.front import Front

# Twice as long as the sandbox needs on a busy machine.
CASHIER_TIMEOUT_S = 5.0


def place(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The cart, a JSON file; - reads it from stdin.")],
    key: Annotated[
        str,
        typer.Option(
            help="The checkout's idempotency key: the same key and cart get the same order. Default: a new one."
        ),
    ] = "",
    caller: Annotated[str, typer.Option(help="Whose key it is; each caller has its own.")] = "cli",
    as_json: base.AsJson = False,
) -> None:
    """Place an order from a cart.

    Placing a file twice makes two orders, like two clicks in a shop. To repeat one checkout, when you don't know what
    became of it, give its --key again. With no worker up the order is ACCEPTED (exit 0) and comes through later."""
    cart = read_document(Cart, file)
    if not 1 <= len(caller) <= 100 or len(key) > 255:
        raise base.Fault("--caller has 1 to 100 characters, --key at most 255", base.BAD_INPUT)
    used = key or f"cli-{secrets.token_hex(8)}"
    if not as_json:
        base.say_fields({"key": used})  # printed first, so that whoever is cut off from here on can ask again
    ask_again = base.again("place", file, "--key", used)
    try:
        answer = base.with_front(lambda front: _place(front, caller, used, cart))
    except base.Fault as fault:
        if fault.exit_code == base.UNREACHABLE and not as_json and "nothing is running" not in fault.message:
            fault.message += f"; ask again, nothing is done twice: {ask_again}"
        raise
    if as_json:
        base.say_json(_as_json(answer, caller, used))
    else:
        _say(answer, ask_again)
    if isinstance(answer, Placement) and answer.refusal:
        base.say_fault(f"refused: {answer.refusal.code}: {refusal_line(answer)}")
        raise typer.Exit(base.REFUSED)


async def _place(front: "Front", caller: str, key: str, cart: Cart) -> "Placement | Accepted":
    from acts.checkout import TooLarge
    from store.database.keys import KeyReused

    try:
        return await front.checkout.place(caller, key, cart)
    except TooLarge as too_large:
        refusal = too_large.refusal
        raise base.Fault(f"{refusal.place}: {refusal.detail}; {refusal.remedy}", base.BAD_INPUT) from None
    except KeyReused:
        raise base.Fault(
            f"the key {key!r} was used for another cart: give another --key, or the cart it was used for", base.REFUSED
        ) from None


def _as_json(answer: "Placement | Accepted", caller: str, key: str) -> dict[str, Any]:
    """The answer as JSON. Its `outcome` is PLACED, REFUSED, or ACCEPTED (started, but no worker has answered yet)."""
    told = {"outcome": "ACCEPTED", "caller": caller, "key": key, **answer.model_dump(mode="json")}
    if isinstance(answer, Placement):
        told["outcome"] = "REFUSED" if answer.refusal else "PLACED"
    return told


def _say(answer: "Placement | Accepted", ask_again: str) -> None:
    fields = {"order": answer.order_no} if answer.order_no else {}
    if not isinstance(answer, Placement):
        fields["outcome"] = "accepted; no worker has answered yet, the order comes through when one does"
        fields["next"] = ask_again
    elif answer.refusal is None:
        due = base.yuan(answer.amount_due_fen, answer.currency)
        fields["due"] = due if answer.pay_by is None else f"{due} by {answer.pay_by:%Y-%m-%d %H:%M:%S} UTC"
        if answer.payment_link:
            fields["cashier"] = answer.payment_link
        fields["next"] = base.again("pay" if answer.amount_due_fen else "show", answer.order_no)
    else:
        fields["outcome"] = f"refused ({answer.refusal.code}), nothing is held"
    base.say_fields(fields)


def refusal_line(placement: Placement) -> str:
    """A refusal in one line: where, what is wrong, and what would be right."""
    refusal = placement.refusal
    assert refusal is not None
    where = f"{refusal.place}: " if refusal.place else ""
    remedy = f"; {refusal.remedy}" if refusal.remedy else ""
    return base.plain(f"{where}{refusal.detail or 'this order is not taken'}{remedy}")


def pay(
    order_no: Annotated[str, typer.Argument(metavar="ORDER_NO", help="The order to pay.")],
    amount_fen: Annotated[int | None, typer.Option(min=1, help="Pay another amount than is due.")] = None,
    currency: Annotated[str | None, typer.Option(help="Pay in another currency, like USD.")] = None,
    times: Annotated[int, typer.Option(min=1, max=10, help="Pay so many times at one moment.")] = 1,
    force: Annotated[
        bool, typer.Option("--force", help="As a slow bank does: also when it is closed or late.")
    ] = False,
    as_json: base.AsJson = False,
) -> None:
    """Pay an order at the sandbox's cashier.

    By default what is due is paid once; --amount-fen, --currency, --times and --force are for what else happens."""
    number = base.order_number(order_no).order_no
    body = {"amount_fen": amount_fen, "currency": currency, "times": times, "force": force}
    status, answer = _at_the_cashier(number, {name: value for name, value in body.items() if value is not None})
    if status >= 400:
        code = base.BAD_INPUT if status == 422 else base.UNREACHABLE if status >= 500 else base.REFUSED
        detail = answer.get("detail") if isinstance(answer.get("detail"), str) else f"answered {status}"
        raise base.Fault(f"the cashier: {detail}; `show {number}` shows the order", code)
    if as_json:
        base.say_json(answer)
        return
    captures = answer["captures"][-times:]
    paid = ", ".join(base.yuan(one["amount_fen"], one["currency"]) for one in captures)
    base.say_fields({"paid": f"{paid}; the order hears of it in a moment", "next": base.again("show", number)})


def _at_the_cashier(order_no: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    import httpx

    from runtime.settings import load_without_servers, running

    settings = load_without_servers()
    up = running(settings.data_dir)
    url = settings.payment_url or (up.sandbox_url if up else "") or settings.sandbox_url
    try:
        address = f"{url}/cashier/{quote(order_no)}/pay"
        response = httpx.post(address, json=body, timeout=CASHIER_TIMEOUT_S, trust_env=False)
        answer = response.json()
        if not isinstance(answer, dict):
            raise ValueError
    except (httpx.HTTPError, httpx.InvalidURL):
        raise base.Fault(
            f"the sandbox's cashier does not answer at {url}: start it with `make up`", base.UNREACHABLE
        ) from None
    except ValueError:
        raise base.Fault(f"what answers at {url} is not the sandbox's cashier", base.UNREACHABLE) from None
    return response.status_code, answer
