"""The gateway as a process: it starts, drains, says why it can't start; and what it has acknowledged outlives it."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from domain.order.ownership import Role
from domain.order.status import Status
from runtime.embedded import TemporalServer, free_port
from runtime.settings import Settings
from runtime.temporal import connect
from tests.support.shop import Person, Shop, until, working
from tests.support.web import Web, new_key, problem, token
from tests.support.web import opened as opened_here
from tests.support.webhooks import PATH, headers, notification

ROOT = Path(__file__).parents[2]


def spawn(settings: Settings) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "runtime.serve"]
    return subprocess.Popen(command, cwd=ROOT, env=settings.environment(), stderr=subprocess.PIPE, text=True)


async def end_of(process: "subprocess.Popen[str]") -> tuple[int, str]:
    _, logged = await asyncio.to_thread(process.communicate, timeout=15)
    return process.returncode, logged


@pytest.fixture
def settings(shop: Shop, temporal: TemporalServer, tmp_path: Path) -> Settings:
    """Of a gateway beside the shop's, with no worker on its queue."""
    changed = {
        "temporal_address": temporal.address,
        "gateway_port": free_port(),
        "data_dir": tmp_path,
        "graceful_shutdown_s": 10,
    }
    return shop.settings.model_copy(update={**changed, "task_queue": f"own-{new_key()}"})


@pytest.fixture
async def process(settings: Settings) -> AsyncIterator["subprocess.Popen[str]"]:
    """A gateway that is up."""
    started = spawn(settings)
    async with httpx.AsyncClient(base_url=settings.gateway_url, trust_env=False) as http:

        async def health() -> int:
            assert started.poll() is None, await end_of(started)
            try:
                return (await http.get("/health")).status_code
            except httpx.TransportError:
                return 0

        await until(health, lambda status: status == 200)
    yield started
    started.kill()
    started.communicate()


async def test_a_notification_is_delivered_though_the_gateway_was_killed_right_after_its_204(
    shop: Shop, settings: Settings, process: "subprocess.Popen[str]"
) -> None:
    own = Shop(client=shop.client, engine=shop.engine, settings=settings, http=shop.http)
    async with opened_here(own) as web:
        async with working(settings, shop.client):
            order_no = await web.place([await shop.sku()], Person())
        # No worker now: nobody can deliver the notification before the gateway is gone.
        raw = notification(order_no)
        async with httpx.AsyncClient(base_url=settings.gateway_url, trust_env=False) as http:
            assert (await http.post(PATH, content=raw, headers=headers(raw))).status_code == 204
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait, 10)
        assert (await shop.show(order_no)).status is Status.PENDING_PAYMENT
        async with working(settings, shop.client):
            await shop.when_status(order_no, Status.AWAITING_SHIPMENT, timeout_s=40)


async def test_it_answers_what_is_under_way_when_it_is_told_to_stop(
    shop: Shop, settings: Settings, process: "subprocess.Popen[str]"
) -> None:
    """No worker: the checkout waits, and gets its order when one comes, although SIGTERM came first."""
    web_cart = Web(shop, shop.http).cart([await shop.sku()], Person())
    asked = {"Authorization": f"Bearer {token(Role.CHECKOUT, 'web')}", "Idempotency-Key": new_key()}
    async with httpx.AsyncClient(base_url=settings.gateway_url, trust_env=False, timeout=20) as http:
        waiting = asyncio.create_task(http.post("/orders", json=web_cart, headers=asked))
        await asyncio.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.2)
        assert process.poll() is None
        async with working(settings, shop.client):
            answer = await waiting
    assert answer.status_code == 201, answer.text
    code, logged = await end_of(process)
    assert code == 0, logged


async def test_a_taken_port_is_one_clear_line(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", settings.gateway_port))
        taken.listen()
        code, logged = await end_of(spawn(settings))
    assert code == 1
    assert len(logged.splitlines()) == 1, logged
    assert f"port {settings.gateway_port}" in logged
    assert "in use" in logged


async def test_a_webhook_secret_of_another_form_is_one_clear_line(settings: Settings) -> None:
    """Otherwise it would start, and refuse every notification that comes."""
    code, logged = await end_of(spawn(settings.model_copy(update={"webhook_secret": SecretStr("x" * 25)})))
    assert code == 1
    assert len(logged.splitlines()) == 1, logged
    assert "the webhook secret must be base64" in logged


async def test_without_temporal_it_says_so_and_ends(settings: Settings) -> None:
    nowhere = settings.model_copy(update={"temporal_address": "127.0.0.1:1"})
    code, logged = await end_of(spawn(nowhere))
    assert code == 1
    assert len(logged.splitlines()) == 1, logged
    assert "Temporal does not answer" in logged


async def test_when_temporal_goes_it_is_503_and_the_key_keeps_its_order(shop: Shop, tmp_path: Path) -> None:
    """Asking again under the same key, once Temporal is back, does nothing twice."""
    server = TemporalServer(tmp_path, headless=True)
    await asyncio.to_thread(server.start)
    client = await connect(shop.settings.model_copy(update={"temporal_address": server.address}))
    lonely = Shop(client=client, engine=shop.engine, settings=shop.settings, http=shop.http)
    await asyncio.to_thread(server.kill)
    async with opened_here(lonely) as web:
        cart, key = web.cart([await shop.sku()], Person()), new_key()
        for answer in (await web.checkout.post("/orders", cart, key=key), await web.http.get("/health")):
            problem(answer, 503, "unavailable")
            assert int(answer.headers["retry-after"]) > 0
    async with opened_here(shop) as web:
        assert (await web.checkout.post("/orders", cart, key=key)).status_code == 201
