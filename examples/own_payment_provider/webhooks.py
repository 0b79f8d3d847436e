"""Acme's webhooks: one header with the time and a signature in hex, and a secret that is any text."""

import hashlib
import hmac
import re
import time
from collections.abc import Mapping

from pydantic import ValidationError

from activities.notifications import BadNotification, BadSecret, BadSignature, PaymentNotification
from examples.own_payment_provider.messages import AcmeEvent

HEADER = "acme-signature"
TOLERANCE_S = 300
SHORTEST_SECRET = 24

_SIGNATURE = re.compile(r"t=([0-9]{1,12}),s=([0-9a-f]{64})")


def sign(secret: str, at: int, raw_body: bytes) -> str:
    """The header's value."""
    signature = hmac.new(secret.encode(), f"{at}.".encode() + raw_body, hashlib.sha256).hexdigest()
    return f"t={at},s={signature}"


class AcmeWebhooks:
    """Implements `activities.notifications.NotificationReader`."""

    def __init__(self, secret: str) -> None:
        if len(secret) < SHORTEST_SECRET:
            raise BadSecret(f"ACME_WEBHOOK_SECRET must have {SHORTEST_SECRET} characters or more")
        self._secret = secret

    def read(self, headers: Mapping[str, str], raw_body: bytes) -> PaymentNotification:
        given = [value for name, value in headers.items() if name.lower() == HEADER]
        signature = _SIGNATURE.fullmatch(given[0]) if len(given) == 1 else None
        if signature is None:
            raise BadSignature(f"the header {HEADER} is missing, twice there or malformed")
        signed_at = int(signature[1])
        if abs(time.time() - signed_at) > TOLERANCE_S:
            raise BadSignature("the signature is of another time")
        if not hmac.compare_digest(sign(self._secret, signed_at, raw_body), given[0]):
            raise BadSignature("the signature is not right")
        return _read(raw_body)


def _read(raw_body: bytes) -> PaymentNotification:
    try:
        event = AcmeEvent.model_validate_json(raw_body)
    except ValidationError as error:
        fields = sorted({".".join(map(str, one["loc"])) or "body" for one in error.errors()})
        # Its id can't be read: the digest tells a repeat, so that each raises one alarm.
        digest = hashlib.sha256(raw_body).hexdigest()
        raise BadNotification(f"wrong or missing: {', '.join(fields)}", digest) from None
    return PaymentNotification(event.event_id, event.receipt.capture)
