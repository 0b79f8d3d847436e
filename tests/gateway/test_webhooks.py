"""The payment provider's notifications: proven over the raw body, in the inbox before they are answered."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from domain.order.status import Status
from tests.support.shop import Person, Shop
from tests.support.web import Web, opened, problem
from tests.support.webhooks import PATH, headers, notification

OTHER_SECRET = "whsec_YW5vdGhlciBzZWNyZXQsIG5vdCBvdXJz"


async def post(web: Web, raw: bytes, signed: Any) -> httpx.Response:
    return await web.http.post(PATH, content=raw, headers=signed)


async def inbox(shop: Shop, id: str) -> int:
    return len(await shop.sql("SELECT 1 FROM payment_notifications WHERE notification_id = :id", id=id))


async def test_a_notification_pays_the_order_and_repeats_change_nothing(web: Web, shop: Shop) -> None:
    order_no = await web.place([await shop.sku()], Person())
    await shop.pay(order_no)  # the provider's books must know the money, too
    raw = notification(order_no)
    signed = headers(raw)
    for _ in range(3):
        answer = await post(web, raw, signed)
        assert (answer.status_code, answer.content) == (204, b"")
    assert await inbox(shop, signed["webhook-id"]) == 1
    await shop.when_status(order_no, Status.AWAITING_SHIPMENT)


RAW = notification("p")
OK = headers(RAW)
FORGED: dict[str, Any] = {
    "unsigned": {},
    "without an id": {name: value for name, value in OK.items() if name != "webhook-id"},
    "without a time": {name: value for name, value in OK.items() if name != "webhook-timestamp"},
    "without a signature": {name: value for name, value in OK.items() if name != "webhook-signature"},
    "by another secret": headers(RAW, secret=OTHER_SECRET),
    "of another body": headers(RAW + b" "),
    "of another id": {**OK, "webhook-id": "ntf-other"},
    "too old": headers(RAW, at=datetime.now(UTC) - timedelta(minutes=10)),
    "from the future": headers(RAW, at=datetime.now(UTC) + timedelta(days=1)),
    "without a comma": {**OK, "webhook-signature": "v1"},
    "that is empty": {**OK, "webhook-signature": ""},
    "that is not ASCII": {**OK, "webhook-signature": "v1,é".encode()},
    "that is no base64": {**OK, "webhook-signature": "v1,***"},
    "at no time": {**OK, "webhook-timestamp": "now"},
    "at an endless time": {**OK, "webhook-timestamp": "9" * 400},
    "with a long id": {**OK, "webhook-id": "x" * 5000},
    "with two ids": [*OK.items(), ("webhook-id", "ntf-other")],
}


@pytest.mark.parametrize("signed", FORGED.values(), ids=FORGED.keys())
async def test_a_bad_signature_of_any_shape_is_401(web: Web, signed: Any) -> None:
    answer = await post(web, RAW, signed)
    problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b'{"type": "payment.captured", "type": "payment.captured"}',
        notification("p", amount_fen=0),
        notification("p", amount_fen=1.0),
        notification("p", amount_fen=2**60),
        notification("a\0"),
        notification("p", currency="¥"),
        RAW.replace(b"1000", b"NaN"),
        RAW.replace(b"payment.captured", b"payment.lost"),
    ],
)
async def test_what_is_signed_but_wrong_is_400_and_not_kept(web: Web, shop: Shop, raw: bytes) -> None:
    signed = headers(raw)
    problem(await post(web, raw, signed), 400, "malformed")
    assert await inbox(shop, signed["webhook-id"]) == 0


async def test_a_body_is_not_read_beyond_its_limit(shop: Shop) -> None:
    async with opened(shop, body_bytes=1000) as web:
        problem(await post(web, b"x" * 1001, {}), 413, "too-large")


async def test_who_guesses_signatures_is_slowed_down_and_the_provider_is_not(shop: Shop) -> None:
    async with opened(shop, requests_per_minute=3) as web:
        for _ in range(3):
            problem(await post(web, RAW, {}), 401, "unauthenticated")
        slowed = await post(web, RAW, {})
        problem(slowed, 429, "too-many-requests")
        assert int(slowed.headers["retry-after"]) > 0
        raw = notification("nobody")
        assert (await post(web, raw, headers(raw))).status_code == 204
