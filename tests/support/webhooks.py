"""The payment provider's notifications, signed by hand."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

from runtime.settings import DEVELOPMENT_WEBHOOK_SECRET as SECRET
from tests.support.web import new_key

PATH = "/webhooks/payments"


def capture(payment_id: str, **changed: Any) -> dict[str, Any]:
    told = {"capture_id": f"cap-{new_key()}", "payment_id": payment_id, "amount_fen": 1000, "currency": "CNY"}
    return {**told, "captured_at": "2026-11-12T08:00:00Z", **changed}


def notification(payment_id: str, **changed: Any) -> bytes:
    data = capture(payment_id, **changed)
    return json.dumps({"type": "payment.captured", "timestamp": data["captured_at"], "data": data}).encode()


def headers(raw: bytes, *, id: str | None = None, secret: str = SECRET, at: datetime | None = None) -> dict[str, str]:
    """Signed by hand: the library signs text only, and a body may be any bytes."""
    id, sent = id or f"ntf-{new_key()}", str(int((at or datetime.now(UTC)).timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.digest(key, f"{id}.{sent}.".encode() + raw, hashlib.sha256)).decode()
    return {"webhook-id": id, "webhook-timestamp": sent, "webhook-signature": f"v1,{signature}"}
