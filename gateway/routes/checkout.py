"""Placing an order, and looking one up."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Response

from acts.checkout import Accepted, TooLarge
from domain.order.cart import Cart
from domain.order.lines import Placement, Refusal
from domain.order.ownership import Caller, Role, has_placed, may_place_for
from domain.records.views import OrderView
from gateway.auth import allow, not_for
from gateway.bodies import body
from gateway.context import TheGateway
from gateway.openapi import header, problems, takes
from gateway.parties import KEY_PATTERN, Number, name_of, number_of
from gateway.problems import (
    KEY_REUSED,
    LIMIT_EXCEEDED,
    ORDER_REFUSED,
    RETRY_AFTER_S,
    Problem,
    ProblemKind,
    no_such_order,
)
from gateway.visibility import shown_to
from store.database.keys import KeyReused

router = APIRouter(tags=["orders"])

_CART = {
    "buyer_id": 10001,
    "lines": [{"line_no": 1, "sku": "PEAR-1KG", "quantity": 2}],
    "expected_amount_fen": 3960,
    "address": {"recipient": "王小明", "phone": "+86 13800138000", "region": "浙江省杭州市", "street": "文三路 1 号"},
    "device_id": "d-71f3",
    "ip": "203.0.113.7",
}
_ACCEPTED: dict[str, Any] = {
    "model": Accepted,
    "description": "The order is started, but not answered yet. Ask again under the same key, or at `Location`.",
    "headers": header("Location") | header("Retry-After"),
}
_PLACED: dict[int | str, Any] = {201: {"headers": header("Location")}}


@router.post(
    "/orders",
    status_code=201,
    response_model=Placement,
    responses={**problems(403, 409, reads_body=True), 202: _ACCEPTED, **_PLACED},
    openapi_extra=takes(Cart, _CART),
)
async def place(
    gateway: TheGateway,
    caller: Annotated[Caller, Depends(allow(Role.CHECKOUT, Role.BUYER))],
    key: Annotated[str, Header(alias="Idempotency-Key", pattern=KEY_PATTERN)],
    cart: Annotated[Cart, Depends(body(Cart))],
    response: Response,
) -> Placement | Response:
    """Place an order: checkout for any buyer, a buyer for itself.

    The key is kept for ever. The same key and body give the same answer; another body under it is refused (422).
    409: the order was refused, and nothing is held; without an `order_no` it is sold out just now: ask again.
    422: nothing was started, and the key is still free."""
    if not may_place_for(caller, cart.buyer_id):
        raise not_for(caller.role, "a buyer orders for itself only: buyer_id must be your own")
    try:
        placed = await gateway.front.checkout.place(caller.name, key, cart)
    except TooLarge as large:
        raise _refused(large.refusal, LIMIT_EXCEEDED) from None
    except KeyReused:
        raise Problem(KEY_REUSED, "this key came before, with another body; take a new key for a new order") from None
    if isinstance(placed, Accepted):
        return _accepted(placed)
    if placed.refusal is not None:
        raise _refused(placed.refusal, order_no=placed.order_no)
    response.headers["Location"] = _address(placed.order_no)
    return placed


@router.get("/orders/{no}", response_model=OrderView, responses={**problems(404, 409, 422), 202: _ACCEPTED})
async def show(
    gateway: TheGateway, caller: Annotated[Caller, Depends(allow(*Role))], no: Number
) -> OrderView | Response:
    """An order, or the part of it that is yours. With a sub-order's number, that part alone.

    To whoever placed it: 202 while it is being placed, 409 when it was refused."""
    number = number_of(no)
    view = await gateway.front.views.order(number.order_no)
    placed_by = await gateway.front.owners.placed_by(number)
    if view is None:
        if not has_placed(caller, placed_by) or number.sub is not None:
            raise no_such_order()
        refused = await gateway.front.views.refusal(number.order_no)
        if refused is None or refused.refusal is None:
            return _accepted(Accepted(order_no=number.order_no))
        raise _refused(refused.refusal, order_no=number.order_no)
    shown = shown_to(caller, view, name_of(number) if number.sub is not None else None, placed_by)
    if shown is None:
        raise no_such_order()
    return shown


def _refused(refusal: Refusal, kind: ProblemKind = ORDER_REFUSED, **more: str) -> Problem:
    told: dict[str, Any] = {"code": refusal.code, "place": refusal.place, "remedy": refusal.remedy, **more}
    return Problem(kind, refusal.detail, **told)


def _accepted(accepted: Accepted) -> Response:
    headers = {"Location": _address(accepted.order_no), "Retry-After": str(RETRY_AFTER_S)}
    return Response(accepted.model_dump_json(), 202, headers, "application/json")


def _address(order_no: str) -> str:
    return f"/orders/{order_no}"
