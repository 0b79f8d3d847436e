"""The pieces of the example of a payment provider: its calls keep the Protocol's promises, its webhooks are proven."""

import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException

from activities.notifications import BadNotification, BadSecret, BadSignature
from domain.order.payment import Capture, ProviderState, RefundState
from examples.own_payment_provider.acme import AcmePayments
from examples.own_payment_provider.acme_server import Acme, acme_app
from examples.own_payment_provider.messages import fen_of, yuan_of
from examples.own_payment_provider.webhooks import HEADER, AcmeWebhooks, sign
from providers.calls import PartyFault
from tests.support.parties import payment_request, refund_of
from tests.support.serving import serving

KEY = "the-key-of-our-calls"
SECRET = "any text will do, if it is long"
NOWHERE = "http://127.0.0.1:1/webhooks/payments"


@pytest.fixture(scope="module")
async def url() -> AsyncIterator[str]:
    async with serving(acme_app(Acme(KEY, NOWHERE, SECRET))) as url:
        yield url


@pytest.fixture
async def acme(url: str) -> AsyncIterator[AcmePayments]:
    async with AcmePayments(url, KEY) as party:
        yield party


async def paid(acme: AcmePayments, **wanted: Any) -> Capture:
    request = payment_request(**wanted)
    opened = await acme.create(request)
    async with httpx.AsyncClient(trust_env=False) as buyer:
        (await buyer.post(opened.cashier_url)).raise_for_status()
    (capture,) = (await acme.query(request.payment_id)).captures
    return capture


async def test_a_payment_is_opened_once_and_paid(acme: AcmePayments) -> None:
    request = payment_request(amount_fen=12_345)
    assert await acme.create(request) == await acme.create(request)
    assert (await acme.query(request.payment_id)).state is ProviderState.OPEN
    capture = await paid(acme, payment_id=request.payment_id, amount_fen=99)
    assert (capture.payment_id, capture.amount_fen, capture.currency) == (request.payment_id, 12_345, "CNY")


async def test_a_close_says_closed_or_what_was_paid(acme: AcmePayments) -> None:
    request, capture = payment_request(), await paid(acme)
    await acme.create(request)
    for _ in range(2):
        assert (await acme.close(request.payment_id)).state is ProviderState.CLOSED
        known = await acme.close(capture.payment_id)
        assert (known.state, known.captures) == (ProviderState.PAID, (capture,))


async def test_what_was_closed_before_it_was_created_takes_no_money(acme: AcmePayments) -> None:
    request = payment_request()
    assert (await acme.query(request.payment_id)).state is ProviderState.UNKNOWN
    await acme.close(request.payment_id)
    opened = await acme.create(request)
    async with httpx.AsyncClient(trust_env=False) as buyer:
        assert (await buyer.post(opened.cashier_url)).status_code == 409
    assert (await acme.query(request.payment_id)).state is ProviderState.CLOSED


async def test_a_refund_is_made_once_and_never_more_than_was_paid(acme: AcmePayments) -> None:
    capture = await paid(acme, amount_fen=1_000)
    most = refund_of(capture, amount_fen=990)
    assert await acme.query_refund(most.refund_no) is None
    answers = [await acme.refund(most), await acme.refund(most), await acme.query_refund(most.refund_no)]
    assert [answer and answer.state for answer in answers] == [RefundState.DONE] * 3
    refused = await acme.refund(refund_of(capture, amount_fen=11))
    assert (refused.state, refused.detail) == (RefundState.REFUSED, "0.10 of the receipt can be refunded")
    assert (await acme.refund(refund_of(capture, amount_fen=10))).state is RefundState.DONE


async def test_a_wrong_key_is_a_fault(url: str) -> None:
    async with AcmePayments(url, "another key") as acme:
        for call in (acme.create(payment_request()), acme.close("1"), acme.query("1"), acme.query_refund("1")):
            with pytest.raises(PartyFault, match="answered 401"):
                await call


async def test_only_acmes_own_word_means_that_it_has_never_heard_of_it() -> None:
    """A server that is not Acme's says 404 to everything; the refund may have been made all the same."""
    async with serving(FastAPI()) as elsewhere, AcmePayments(elsewhere, KEY) as acme:
        for call in (acme.query_refund("1"), acme.query("1"), acme.close("1")):
            with pytest.raises(PartyFault, match="answered 404"):
                await call


async def test_a_close_that_did_not_happen_is_a_fault_whatever_the_charge_is_like() -> None:
    app = FastAPI()

    @app.get("/v3/charges/{charge_id}")
    async def charge(charge_id: str) -> dict[str, str]:
        return {"charge_id": charge_id, "status": "open", "pay_url": ""}

    @app.post("/v3/charges/{charge_id}/cancel")
    async def cancel() -> None:
        raise HTTPException(503, "come again")

    async with serving(app) as weary, AcmePayments(weary, KEY) as acme:
        assert (await acme.query("1")).state is ProviderState.OPEN
        with pytest.raises(PartyFault, match="answered 503"):
            await acme.close("1")


async def test_an_answer_about_another_charge_is_a_fault() -> None:
    app = FastAPI()

    @app.post("/v3/charges/{charge_id}/cancel")
    async def cancel(charge_id: str) -> dict[str, str]:
        return {"charge_id": "another", "status": "canceled", "pay_url": ""}

    async with serving(app) as mistaken, AcmePayments(mistaken, KEY) as acme:
        with pytest.raises(PartyFault, match="another charge"):
            await acme.close("1")


@pytest.mark.parametrize(("fen", "yuan"), [(1, "0.01"), (10, "0.10"), (100, "1.00"), (123_456, "1234.56")])
def test_fen_are_yuan_on_the_wire_and_back(fen: int, yuan: str) -> None:
    assert (yuan_of(fen), fen_of(yuan)) == (yuan, fen)


@pytest.mark.parametrize("amount", ["1", "1.5", "1.005", "-1.00", "1e2", "", " 1.00", "1.00\n", "١.٠٠", 1.0, 100])
def test_an_amount_in_another_form_is_refused(amount: object) -> None:
    with pytest.raises(ValueError, match="amount in yuan"):
        fen_of(amount)


# --- the webhooks

RECEIPT = {"receipt_id": "rcpt-1", "charge_id": "1001", "amount": "1.00", "currency": "CNY"}
EVENT = {"event_id": "evt-1", "kind": "charge.paid", "receipt": {**RECEIPT, "paid_at": "2026-11-11T00:00:00Z"}}
RAW = json.dumps(EVENT).encode()
READER = AcmeWebhooks(SECRET)


def signed(raw: bytes = RAW, *, secret: str = SECRET, age_s: int = 0) -> dict[str, str]:
    return {HEADER: sign(secret, int(time.time()) - age_s, raw)}


def test_a_webhook_that_acme_has_signed_tells_of_a_capture() -> None:
    at = datetime(2026, 11, 11, tzinfo=UTC)
    capture = Capture(capture_id="rcpt-1", payment_id="1001", amount_fen=100, currency="CNY", captured_at=at)
    for headers in (signed(), {HEADER.title(): signed()[HEADER]}):
        assert READER.read(headers, RAW) == ("evt-1", capture)


FORGERIES: dict[str, tuple[dict[str, str], bytes]] = {
    "unsigned": ({}, RAW),
    "empty": ({HEADER: ""}, RAW),
    "another secret": (signed(secret="another secret altogether"), RAW),
    "another body": (signed(), RAW + b" "),
    "too old": (signed(age_s=310), RAW),
    "too new": (signed(age_s=-3_600), RAW),
    "another time": ({HEADER: signed()[HEADER].replace("t=", "t=1")}, RAW),
    "time in other digits": ({HEADER: signed()[HEADER].replace("1", "١")}, RAW),
    "no time": ({HEADER: signed()[HEADER].partition(",")[2]}, RAW),
    "more behind it": ({HEADER: signed()[HEADER] + "\n"}, RAW),
    "twice": ({**signed(), HEADER.title(): signed()[HEADER]}, RAW),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_a_bad_signature(name: str) -> None:
    headers, raw = FORGERIES[name]
    with pytest.raises(BadSignature):
        READER.read(headers, raw)


@pytest.mark.parametrize(
    "changed", [{"kind": "charge.canceled"}, {"receipt": RECEIPT}, {"event_id": ""}, {"event_id": "1\0"}], ids=str
)
def test_what_acme_has_signed_and_we_can_not_read_raises_one_alarm_each(
    changed: dict[str, Any],
) -> None:
    seen = set()
    for n in range(2):
        raw = json.dumps({**EVENT, **changed, "n": n}).encode()
        with pytest.raises(BadNotification) as refused:
            READER.read(signed(raw), raw)
        seen.add(refused.value.notification_id)
    assert len(seen) == 2


def test_a_secret_that_is_too_short_is_our_fault() -> None:
    with pytest.raises(BadSecret, match="ACME_WEBHOOK_SECRET"):
        AcmeWebhooks("short")
