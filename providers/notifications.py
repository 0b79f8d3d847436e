"""The payment provider's notifications: whether one is from the provider, and what it says.

They are Standard Webhooks, checked over the raw body: nothing is parsed, let alone believed, before the signature is
verified. A valid signature does not make a notification new: the caller keeps the ids for ever, to know a repeat.
"""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NoReturn

from pydantic import Field, ValidationError
from standardwebhooks import Webhook

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


class BadSignature(Exception):
    """Raised for a notification that is not provably from the provider. The route answers 401."""


class BadNotification(Exception):
    """Raised for a signed notification that has not the agreed form. The route answers 4xx and raises an alarm, since
    money may be behind it."""


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


def verify(secret: str, headers: Mapping[str, str], raw_body: bytes) -> tuple[str, Capture]:
    """The notification's id, and the capture that it reports.

    Raises BadSignature for whatever is not signed with `secret` within five minutes of now, BadNotification for
    what is signed but has the wrong form, and ValueError when `secret` is not a webhook secret.
    """
    webhook = _webhook(secret)
    signed = _signature_headers(headers)
    try:
        webhook.verify(raw_body, signed, json_parse=False)
    except Exception:
        # Everything is caught: the library lets ValueError and others through for input that is merely malformed.
        raise BadSignature("the signature is not right") from None
    return signed["webhook-id"], _capture(raw_body)


def _webhook(secret: str) -> Webhook:
    try:
        return Webhook(secret)
    except Exception:
        # This is for us to mend, so it is no BadSignature; it is not chained, so that no log has the secret.
        raise ValueError("the webhook secret must be base64, optionally after whsec_") from None


def _signature_headers(headers: Mapping[str, str]) -> dict[str, str]:
    signed: dict[str, str] = {}
    for given, value in headers.items():
        name = given.lower()
        if name not in _SHAPES:
            continue
        if name in signed:
            raise BadSignature(f"the header {name} appears twice")
        if not _SHAPES[name].fullmatch(value):
            raise BadSignature(f"the header {name} is malformed")
        signed[name] = value
    missing = sorted(_SHAPES.keys() - signed.keys())
    if missing:
        raise BadSignature(f"missing: {', '.join(missing)}")
    return signed


def _capture(raw_body: bytes) -> Capture:
    try:
        json.loads(raw_body, object_pairs_hook=_each_key_once, parse_constant=_no_constant)
        wire = _Notification.model_validate_json(raw_body).data
    except ValidationError as error:
        fields = sorted({".".join(str(part) for part in e["loc"]) or "body" for e in error.errors()})
        raise BadNotification(f"wrong or missing: {', '.join(fields)}") from None
    except (ValueError, RecursionError) as error:
        raise BadNotification(f"not strict JSON: {error}") from None
    return Capture(**wire.model_dump())


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
