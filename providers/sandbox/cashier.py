"""The cashier, where the buyer pays: a page with one button, and what the button does."""

from datetime import UTC, datetime
from html import escape
from urllib.parse import parse_qsl, quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from domain.order.payment import PaymentRequest
from providers.sandbox import ledger
from providers.sandbox.ledger import Pay
from providers.sandbox.problems import SandboxProblem, parsed
from providers.sandbox.relay import Relay
from providers.sandbox.state import State, TheState

router = APIRouter(prefix="/cashier")

_SAYS = {
    "OPEN": "Waiting for your payment",
    "PAID": "Paid. Thank you!",
    "CLOSED": "Closed. This payment takes no money any more.",
    "EXPIRED": "Expired. The time to pay has run out.",
    "UNKNOWN": "There is no such payment.",
}
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Cashier</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; background: #f3f4f6; margin: 0; display: grid; place-items:
  center; min-height: 100vh; color: #1f2937 }}
main {{ background: #fff; padding: 2rem; border-radius: 12px; box-shadow: 0 2px 12px #0002;
  width: min(22rem, 80vw) }}
.amount {{ font-size: 2.2rem; font-weight: 600; margin: .5rem 0 }}
button {{ width: 100%; padding: .8rem; border: 0; border-radius: 8px; background: #1677ff; color: #fff;
  font: inherit; cursor: pointer }}
small {{ color: #6b7280; overflow-wrap: anywhere }}
</style>
<main><small>Sandbox cashier: no real money</small>
{what}<p><strong>{says}</strong></p>
{button}<small>Payment {payment_id}</small></main></html>"""
_BUTTON = '<form method="post" action="{action}"><button>Pay</button></form>\n'


def cashier_path(payment_id: str) -> str:
    """The path of a payment's page, whatever is in its id."""
    return f"/cashier/{quote(payment_id, safe='')}"


@router.get("/{payment_id:path}")
async def cashier_page(state: TheState, payment_id: str) -> HTMLResponse:
    """The page that shows what is to be paid, and whether it still can be."""
    known = ledger.shown_state(state.db, payment_id, datetime.now(UTC)) != "UNKNOWN"
    return _page(state, payment_id, 200 if known else 404)


@router.post("/{payment_id:path}/pay")
async def pay(request: Request, state: TheState, payment_id: str) -> Response:
    """Pay. A form is answered with the page, JSON with the payment or a problem."""
    raw = await request.body()
    is_form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    act = parsed(Pay, dict(parse_qsl(raw.decode("latin-1"))) if is_form else raw or b"{}")
    try:
        with state.transaction() as db:
            paid = ledger.pay(db, payment_id, act, state.bad_days)
    except SandboxProblem as problem:
        if not is_form:
            raise
        return _page(state, payment_id, problem.status)
    relay: Relay = request.app.state.relay
    relay.wake()
    if is_form:
        return RedirectResponse(cashier_path(payment_id), status_code=303)
    return JSONResponse(paid.model_dump(mode="json"))


def _page(state: State, payment_id: str, status: int) -> HTMLResponse:
    shown = ledger.shown_state(state.db, payment_id, datetime.now(UTC))
    request = ledger.asked(state.db, payment_id)
    what = ""
    if request is not None:
        what = f'<p>{escape(request.subject)}</p><p class="amount">{escape(_amount(request))}</p>\n'
    action = escape(f"{cashier_path(payment_id)}/pay")
    page = _PAGE.format(
        what=what,
        says=_SAYS[shown],
        button=_BUTTON.format(action=action) if shown == "OPEN" else "",
        payment_id=escape(payment_id),
    )
    # No script may run on this page: whatever slips through the escaping stays text.
    policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    headers = {"content-security-policy": policy, "cache-control": "no-store"}
    return HTMLResponse(page, status, headers)


def _amount(request: PaymentRequest) -> str:
    yuan, fen = divmod(request.amount_fen, 100)
    number = f"{yuan:,}.{fen:02}"
    return f"¥{number}" if request.currency == "CNY" else f"{number} {request.currency}"
