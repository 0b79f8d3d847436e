"""The payment provider's notifications by the specification Standard Webhooks, which the sandbox keeps to."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NoReturn

from pydantic import Field, ValidationError
from standardwebhooks import Webhook

from activities.notifications import BadNotification, BadSecret, BadSignature, PaymentNotification
from domain.base import Message, Utc
from domain.order.payment import Capture

# The library is lax where the standard is strict (it skips stray characters in base64, and takes 1.5 for a time), so
# each header's shape is checked first. An id has no dot, since what is signed is "id.timestamp.body".
_SIGNATURE = r"v[0-9]+[a-z]?,[A-Za-z0-9+/]+={0,2}"
_SHAPES = {
    "webhook-id": re.compile(r"[A-Za-z0-9_\-]{1,128}"),
    "webhook-timestamp": re.compile(r"[0-9]{1,12}"),
    "webhook-signature": re.compile(rf"(?=.{{1,2000}}\Z){_SIGNATURE}( {_SIGNATURE})*"),
}

Id = Annotated[str, Field(pattern=r"^[!-~]{1,128}$")]


class _WireCapture(Capture):
    """A capture that the ledgers can hold: a NUL or a number beyond bigint is refused here, not by the database."""

    capture_id: Id
    payment_id: Id
    amount_fen: int = Field(ge=1, le=2**53)
    currency: str = Field(pattern=r"^[A-Z]{3}$")


class _Notification(Message):
    type: Literal["payment.captured"]
    timestamp: Utc
    data: _WireCapture


class StandardWebhooks:
    """Implements `activities.notifications.NotificationReader`: signed with `secret` within five minutes of now."""

    def __init__(self, secret: str) -> None:
        """Raises `BadSecret` for what is not base64, optionally after `whsec_`."""
        try:
            self._webhook = Webhook(secret)
        except Exception:
            # Not chained, so that the secret is in no log.
            raise BadSecret("the webhook secret must be base64, optionally after whsec_") from None

    def read(self, headers: Mapping[str, str], raw_body: bytes) -> PaymentNotification:
        signed = _signature_headers(headers)
        try:
            self._webhook.verify(raw_body, signed, json_parse=False)
        except Exception:
            # Everything: the library lets ValueError and others through for input that is merely malformed.
            raise BadSignature("the signature is not right") from None
        return PaymentNotification(signed["webhook-id"], _capture(raw_body, signed["webhook-id"]))


def _signature_headers(headers: Mapping[str, str]) -> dict[str, str]:
    signed: dict[str, str] = {}
    for given, value in headers.items():
        name = given.lower()
        if name not in _SHAPES:
            continue
        if name in signed:
            raise BadSignature(f"the header {name} is there twice")
        if not _SHAPES[name].fullmatch(value):
            raise BadSignature(f"the header {name} is malformed")
        signed[name] = value
    missing = sorted(_SHAPES.keys() - signed.keys())
    if missing:
        raise BadSignature(f"missing: {', '.join(missing)}")
    return signed


def _capture(raw_body: bytes, notification_id: str) -> Capture:
    try:
        json.loads(raw_body, object_pairs_hook=_each_key_once, parse_constant=_no_constant)
        wire = _Notification.model_validate_json(raw_body).data
    except ValidationError as error:
        fields = sorted({".".join(str(part) for part in e["loc"]) or "body" for e in error.errors()})
        raise BadNotification(f"wrong or missing: {', '.join(fields)}", notification_id) from None
    except (ValueError, RecursionError) as error:
        raise BadNotification(f"not strict JSON: {error}", notification_id) from None
    return Capture(**wire.model_dump())


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
