"""The example of a payment provider of one's own: whole orders go through it, over HTTP and between processes."""

import os
from collections.abc import AsyncIterator

import httpx
import pytest

from domain.order.payment import ProviderState, RefundAnswer, RefundState
from domain.order.status import Status
from examples.own_payment_provider.acme import AcmePayments
from runtime.embedded import free_port
from tests.examples.house import House, Servers, answers, open_house, process
from tests.support.shop import Person, until
from tests.support.web import problem
from tests.support.webhooks import PATH, headers, notification

SECRETS = {"ACME_KEY": "the-key-of-our-calls", "ACME_WEBHOOK_SECRET": "any text will do, if it is long"}
PARTIES = "examples.own_payment_provider.parties:PARTIES"


@pytest.fixture(scope="module")
def acme_url() -> str:
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
async def house(servers: Servers, acme_url: str) -> AsyncIterator[House]:
    port, acme_port = free_port(), acme_url.rpartition(":")[2]
    serve = ["-m", "examples.own_payment_provider.acme_server", "--port", acme_port]
    serve += ["--webhook-url", f"http://127.0.0.1:{port}{PATH}"]
    async with (
        process(*serve, environment={**os.environ, **SECRETS}),
        open_house(servers, "acme", port, SECRETS, payment_url=acme_url, parties=PARTIES) as opened,
        httpx.AsyncClient(base_url=acme_url, trust_env=False) as http,
    ):
        await until(lambda: answers(http, "/docs"), bool)
        yield opened


@pytest.fixture
async def acme(acme_url: str) -> AsyncIterator[AcmePayments]:
    async with AcmePayments(acme_url, SECRETS["ACME_KEY"]) as party:
        yield party


async def test_an_order_is_paid_by_its_webhook_closed_and_refunded_there(house: House, acme: AcmePayments) -> None:
    shop, person = house.shop, Person()
    placed = await house.place([await shop.sku(price_fen=1000)], person)
    order_no = placed["order_no"]
    async with httpx.AsyncClient(trust_env=False) as buyer:
        assert (await buyer.post(placed["payment_link"])).json()["amount"] == "10.00"
    await shop.when_status(order_no, Status.AWAITING_SHIPMENT)
    assert (await acme.query(order_no)).state is ProviderState.PAID

    cancelled = await house.web.buyer(person).post(f"/orders/{order_no}/cancel", {"note": "too slow"})
    assert cancelled.status_code == 200, cancelled.text
    await shop.when_status(order_no, Status.CLOSED)
    assert (await shop.ended(order_no)).status is Status.CLOSED
    (refund,) = (await shop.show(order_no)).refunds
    done = RefundAnswer(refund_no=refund.refund_no, state=RefundState.DONE)
    assert await acme.query_refund(refund.refund_no) == done
    assert await shop.money(order_no) == {}


async def test_an_order_that_is_not_paid_is_closed_there_before_its_goods_go_back(
    house: House, acme: AcmePayments
) -> None:
    shop, person = house.shop, Person()
    sku = await shop.sku()
    placed = await house.place([sku], person)
    await house.web.buyer(person).post(f"/orders/{placed['order_no']}/cancel", {"note": "changed my mind"})
    await shop.ended(placed["order_no"])
    assert (await acme.query(placed["order_no"])).state is ProviderState.CLOSED
    assert (await shop.level(sku))["available"] == 10


async def test_the_gateway_believes_acmes_signature_and_no_other(house: House) -> None:
    """What is right by Standard Webhooks comes from nobody we know."""
    raw = notification("1")
    answer = await house.web.http.post(PATH, content=raw, headers=headers(raw))
    assert "acme-signature" in problem(answer, 401, "unauthenticated")["detail"]
