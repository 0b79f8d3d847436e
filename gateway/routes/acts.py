"""What parties do to an order that exists. Each act is one call; who acts is in the token, never in the body."""

from typing import Annotated

from fastapi import APIRouter, Depends

from domain.order.acts import Cancel, CancelPieces, ConfirmReceipt, Deliver, Reschedule, Review, Scan, Ship
from domain.order.ownership import Role
from domain.risk import Decision
from gateway.bodies import CancelBody, CancelPiecesBody, DecisionBody, RescheduleBody, ShipBody, body
from gateway.context import TheGateway
from gateway.openapi import problems, takes
from gateway.parties import Acting, Done, acting

router = APIRouter(tags=["acts"])

_WITHOUT_BODY = problems(403, 404, 409, 422)
_WITH_BODY = problems(403, 404, 409, reads_body=True)


@router.post(
    "/orders/{no}/cancel",
    responses=_WITH_BODY,
    openapi_extra=takes(CancelBody, {"note": "ordered the wrong size"}, required=False),
)
async def cancel(
    gateway: TheGateway,
    on: Annotated[Acting, Depends(acting(Role.BUYER, Role.MERCHANT, Role.OPERATOR, orders=True, sub_orders=True))],
    told: Annotated[CancelBody, Depends(body(CancelBody, optional=True))],
) -> Done:
    """Cancel an order (buyer, operator), or one sub-order (its merchant, too), before it ships."""
    wanted = Cancel(actor=on.caller.actor, note=told.note)
    return on.done(await gateway.front.acts.cancel(on.number, wanted, on.key_of("cancel")))


@router.post(
    "/sub-orders/{no}/reschedule",
    responses=_WITH_BODY,
    openapi_extra=takes(RescheduleBody, {"ships_from": "2026-12-24"}),
)
async def reschedule(
    gateway: TheGateway,
    on: Annotated[Acting, Depends(acting(Role.MERCHANT, Role.OPERATOR, sub_orders=True))],
    told: Annotated[RescheduleBody, Depends(body(RescheduleBody))],
) -> Done:
    """Move a presale's ship date, before it has left. A date that has come: it leaves now."""
    changed = Reschedule(actor=on.caller.actor, ships_from=told.ships_from)
    return on.done(await gateway.front.acts.reschedule(on.number, changed, on.key_of("reschedule")))


@router.post(
    "/sub-orders/{no}/cancel-pieces",
    responses=_WITH_BODY,
    openapi_extra=takes(CancelPiecesBody, {"lines": [{"line_no": 1, "quantity": 2}], "note": "two are enough"}),
)
async def cancel_pieces(
    gateway: TheGateway,
    on: Annotated[Acting, Depends(acting(Role.BUYER, Role.MERCHANT, Role.OPERATOR, sub_orders=True))],
    told: Annotated[CancelPiecesBody, Depends(body(CancelPiecesBody))],
) -> Done:
    """Cancel some pieces of a sub-order before it ships; the others ship as before. Send a key: without one, a repeat
    cancels more."""
    wanted = CancelPieces(actor=on.caller.actor, lines=told.lines, note=told.note)
    return on.done(await gateway.front.acts.cancel_pieces(on.number, wanted, on.key_of("cancel-pieces")))


@router.post(
    "/sub-orders/{no}/ship",
    responses=_WITH_BODY,
    openapi_extra=takes(ShipBody, {"carrier": "SF", "tracking_no": "SF1390000001"}),
)
async def ship(
    gateway: TheGateway,
    on: Annotated[Acting, Depends(acting(Role.MERCHANT, sub_orders=True))],
    told: Annotated[ShipBody, Depends(body(ShipBody))],
) -> Done:
    """The merchant gave the parcel to a carrier, who from now on reports on it."""
    shipment = Ship(actor=on.caller.actor, carrier=told.carrier, tracking_no=told.tracking_no)
    return on.done(await gateway.front.acts.ship(on.number, shipment, on.key_of("ship")))


@router.post(
    "/sub-orders/{no}/track",
    responses=_WITH_BODY,
    openapi_extra=takes(
        Scan, {"event_id": "sf-88123", "kind": "in_transit", "place": "杭州", "at": "2026-11-12T08:00:00Z"}
    ),
)
async def track(
    gateway: TheGateway,
    on: Annotated[Acting, Depends(acting(Role.CARRIER, sub_orders=True))],
    scan: Annotated[Scan, Depends(body(Scan))],
) -> Done:
    """A carrier's scan. Its `event_id` is the key: a repeat changes nothing. `delivered` also delivers."""
    return on.done(await gateway.front.acts.track(on.number, scan, on.caller.actor))


@router.post("/sub-orders/{no}/deliver", responses=_WITHOUT_BODY)
async def deliver(gateway: TheGateway, on: Annotated[Acting, Depends(acting(Role.CARRIER, sub_orders=True))]) -> Done:
    """The carrier handed the parcel to the buyer."""
    return on.done(await gateway.front.acts.deliver(on.number, Deliver(actor=on.caller.actor), on.key_of("deliver")))


@router.post("/sub-orders/{no}/confirm-receipt", responses=_WITHOUT_BODY)
async def confirm_receipt(
    gateway: TheGateway, on: Annotated[Acting, Depends(acting(Role.BUYER, sub_orders=True))]
) -> Done:
    """The buyer has the goods."""
    receipt = ConfirmReceipt(actor=on.caller.actor)
    return on.done(await gateway.front.acts.confirm(on.number, receipt, on.key_of("confirm-receipt")))


@router.post(
    "/sub-orders/{no}/review", responses=_WITH_BODY, openapi_extra=takes(Review, {"rating": 5, "text": "crisp"})
)
async def review(
    gateway: TheGateway,
    on: Annotated[Acting, Depends(acting(Role.BUYER, sub_orders=True))],
    told: Annotated[Review, Depends(body(Review))],
) -> Done:
    """What the buyer thinks of a received sub-order. Once."""
    return on.done(await gateway.front.acts.review(on.number, told))


@router.post(
    "/orders/{no}/decide-risk",
    responses=_WITH_BODY,
    openapi_extra=takes(DecisionBody, {"approved": True, "note": "called the buyer, all well"}),
)
async def decide_risk(
    gateway: TheGateway,
    on: Annotated[Acting, Depends(acting(Role.OPERATOR, orders=True))],
    told: Annotated[DecisionBody, Depends(body(DecisionBody))],
) -> Done:
    """Approve or reject an order that waits for a risk review. The author is the token's."""
    decision = Decision(approved=told.approved, author=on.caller.sub, note=told.note)
    return on.done(await gateway.front.acts.decide_risk(on.number, decision))
