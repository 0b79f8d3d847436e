"""Who brings no token: the payment provider, who signs, and whoever asks whether we are well."""

import asyncio
import logging
from typing import Any

from fastapi import APIRouter, Request, Response
from temporalio.service import RPCError

from activities.notifications import BadNotification, BadSignature
from domain.base import Message
from gateway.auth import count_stranger
from gateway.context import TheGateway
from gateway.limits import read_body
from gateway.openapi import problems
from gateway.problems import MALFORMED, UNAUTHENTICATED, Problem, unavailable

router = APIRouter(tags=["outside"])

HEALTHY_WITHIN_S = 1.5

log = logging.getLogger("gateway")


class Health(Message):
    status: str = "ok"


_SIGNED: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
}


@router.post(
    "/webhooks/payments",
    status_code=204,
    response_class=Response,
    responses=problems(400, 413),
    openapi_extra=_SIGNED,
)
async def payments(request: Request, gateway: TheGateway) -> Response:
    """A payment notification, signed over its raw body. In the inbox before it is answered; a repeat gets 204, too.

    Which headers carry the signature is the provider's protocol; Standard Webhooks has `webhook-id`,
    `webhook-timestamp` and `webhook-signature`."""
    raw = await read_body(request, gateway.settings.body_bytes)
    try:
        notification_id, capture = gateway.notifications.read(request.headers, raw)
    except BadSignature as bad:
        count_stranger(request, gateway)
        raise Problem(UNAUTHENTICATED, str(bad), {"WWW-Authenticate": "Webhook-Signature"}) from None
    except BadNotification as bad:
        log.error("a notification that the provider signed can't be read, money may be behind it: %s", bad)
        await gateway.front.inbox.alarm(bad.notification_id, f"signed, but it can't be read: {bad}")
        raise Problem(MALFORMED, str(bad)) from None
    await gateway.front.inbox.put(notification_id, capture)
    return Response(status_code=204)


@router.get("/health", responses=problems(always=(500, 503)))
async def health(gateway: TheGateway) -> Health:
    """Well when the database and Temporal answer."""
    try:
        async with asyncio.timeout(HEALTHY_WITHIN_S):
            await asyncio.gather(gateway.front.owners.ping(), gateway.front.client.service_client.check_health())
    except (RPCError, TimeoutError):
        raise unavailable("Temporal or the database does not answer") from None
    return Health()
