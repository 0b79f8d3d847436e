"""A house whose worker and gateway are processes with parties of one's own, started as anybody would start them."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from temporalio.client import Client

from providers.calls import LIMITS
from runtime.embedded import Postgres, TemporalServer
from store.database.engine import engine_for
from tests.support.servers import ROOT, a_database, a_sandbox, open_shop
from tests.support.shop import Person, Shop, until
from tests.support.web import Web, new_key


@asynccontextmanager
async def process(*arguments: str, environment: Mapping[str, str]) -> AsyncIterator[None]:
    """A Python process, which is stopped at the end of the block."""
    started = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, env=environment)
    try:
        yield
    finally:
        if started.returncode is None:
            started.terminate()
        await started.wait()


async def answers(http: httpx.AsyncClient, path: str) -> bool:
    try:
        return (await http.get(path)).status_code < 500
    except httpx.TransportError:
        return False


@dataclass
class House:
    web: Web
    shop: Shop

    async def ask_for(self, skus: Sequence[str], person: Person) -> httpx.Response:
        """Checkout's answer. On a busy machine it asks again, as callers do."""
        cart, key = self.web.cart(list(skus), person), new_key()
        return await until(
            lambda: self.web.checkout.post("/orders", cart, key=key),
            lambda answer: answer.status_code not in (202, 503),
        )

    async def place(self, skus: Sequence[str], person: Person) -> dict[str, Any]:
        placed = await self.ask_for(skus, person)
        assert placed.status_code == 201, placed.text
        answer: dict[str, Any] = placed.json()
        return answer


@dataclass(frozen=True)
class Servers:
    temporal: TemporalServer
    postgres: Postgres
    client: Client


@asynccontextmanager
async def open_house(
    servers: Servers, name: str, port: int, secrets: Mapping[str, str], **settings: object
) -> AsyncIterator[House]:
    """The house has a database, a task queue and a sandbox of its own; its gateway is on `port`. `secrets` are the
    variables of the parties that the settings name."""
    async with AsyncExitStack() as stack:
        database = await a_database(servers.postgres, name)
        engine = engine_for(database)
        stack.push_async_callback(engine.dispose)
        sandbox = await stack.enter_async_context(a_sandbox(f"http://127.0.0.1:{port}/webhooks/payments"))
        ports = {"gateway_port": port, "audit_interval_s": 0}
        shop = await stack.enter_async_context(
            open_shop(servers.client, database, engine, sandbox, name, **ports, **settings)
        )
        shop.settings = shop.settings.model_copy(update={"temporal_address": servers.temporal.address})
        environment = {**os.environ, **shop.settings.environment(), **secrets}
        await stack.enter_async_context(process("worker.py", environment=environment))
        await stack.enter_async_context(process("-m", "runtime.serve", environment=environment))
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=shop.settings.gateway_url, trust_env=False, timeout=15, limits=LIMITS)
        )
        await until(lambda: answers(http, "/health"), bool)
        yield House(Web(shop, http), shop)
