"""The real servers that the tests share, one of each for the whole run."""

import asyncio
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request, Response
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from providers.notifications import verify
from runtime.embedded import Postgres, TemporalServer, free_port
from runtime.settings import DEVELOPMENT_WEBHOOK_SECRET, Settings
from store import migrate
from store.engine import engine_for
from store.inbox import PostgresInbox
from store.tables import metadata
from tests.shop import Shop, working
from workflows import search

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder))
        server.start()
        yield server
        server.stop()


async def _database(server: Postgres, name: str) -> str:
    """A migrated database of its own on the shared server."""
    admin = create_async_engine(server.url, isolation_level="AUTOCOMMIT")
    async with admin.connect() as db:
        await db.execute(text(f"CREATE DATABASE {name}"))
    await admin.dispose()
    url = server.url.replace("/postgres?", f"/{name}?")
    await migrate.upgrade(url)
    return url


@pytest.fixture(scope="session")
async def database_url(postgres: Postgres) -> str:
    """A database for the tests of the store."""
    return await _database(postgres, "ledgers")


@pytest.fixture(scope="session")
async def shared_engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = engine_for(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
async def engine(shared_engine: AsyncEngine) -> AsyncEngine:
    """The store's database, empty."""
    async with shared_engine.begin() as db:
        await db.execute(text(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY CASCADE"))
    return shared_engine


@pytest.fixture(scope="session")
def temporal() -> Iterator[TemporalServer]:
    """The real dev server."""
    with tempfile.TemporaryDirectory() as folder:
        server = TemporalServer(Path(folder), headless=True, search_attributes=search.REGISTERED)
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
async def shop_database(postgres: Postgres) -> str:
    """A database for the tests of whole orders; never emptied, since orders of other tests may still be open."""
    return await _database(postgres, "shop")


@pytest.fixture(scope="session")
async def shop_engine(shop_database: str) -> AsyncIterator[AsyncEngine]:
    engine = engine_for(shop_database)
    yield engine
    await engine.dispose()


@pytest.fixture(scope="session")
async def webhook_url(shop_engine: AsyncEngine) -> AsyncIterator[str]:
    """Where the sandbox's notifications arrive."""
    inbox = PostgresInbox(shop_engine)
    app = FastAPI()

    @app.post("/webhooks/payments")
    async def receive(request: Request) -> Response:
        notification_id, capture = verify(DEVELOPMENT_WEBHOOK_SECRET, request.headers, await request.body())
        await inbox.put(notification_id, capture)
        return Response(status_code=204)

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/webhooks/payments"
        server.should_exit = True
        await serving


@pytest.fixture(scope="session")
async def sandbox_port(webhook_url: str) -> AsyncIterator[int]:
    """The sandbox parties, as a process of their own."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--port", str(port), "--state", f"{folder}/sandbox.db", "--notify-url", webhook_url]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "providers.sandbox", *arguments, "--webhook-secret", DEVELOPMENT_WEBHOOK_SECRET),
            cwd=ROOT,
        )
        async with httpx.AsyncClient(trust_env=False) as http:
            for _ in range(200):
                try:
                    await http.get(f"http://127.0.0.1:{port}/health")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
        yield port
        process.terminate()
        await process.wait()


@asynccontextmanager
async def open_shop(
    client: Client, database: str, engine: AsyncEngine, port: int, queue: str, **more: object
) -> AsyncIterator[Shop]:
    settings = Settings(
        database_url=database,
        temporal_address="127.0.0.1:1",  # the client is given
        embedded="temporal,postgres",
        sandbox_port=port,
        notify_url=f"http://127.0.0.1:{port}/hooks",
        metrics_port=0,
        task_queue=queue,
        graceful_shutdown_s=1,
        **more,  # type: ignore[arg-type]
    )
    async with httpx.AsyncClient(base_url=settings.sandbox_url, trust_env=False, timeout=10) as http:
        yield Shop(client=client, engine=engine, settings=settings, http=http)


@pytest.fixture(scope="session")
async def client(temporal: TemporalServer) -> Client:
    return await Client.connect(temporal.address, data_converter=pydantic_data_converter)


@pytest.fixture(scope="session")
async def _shop(
    client: Client, shop_database: str, shop_engine: AsyncEngine, sandbox_port: int
) -> AsyncIterator[Shop]:
    async with (
        open_shop(client, shop_database, shop_engine, sandbox_port, "orders") as shop,
        working(shop.settings, client),
    ):
        yield shop


@pytest.fixture
async def shop(_shop: Shop) -> AsyncIterator[Shop]:
    """A shop on the dev server, where time is real. Bad days end with the test."""
    yield _shop
    await _shop.bad_days()


@pytest.fixture(scope="session")
async def _virtual(shop_database: str, shop_engine: AsyncEngine, sandbox_port: int) -> AsyncIterator[Shop]:
    environment = await WorkflowEnvironment.start_time_skipping_v2(
        dev_server_existing_path=str(Path(sys.executable).parent / "temporal"),
        dev_server_extra_args=[
            *("--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"),
            *(part for name, kind in search.REGISTERED.items() for part in ("--search-attribute", f"{name}={kind}")),
        ],
        data_converter=pydantic_data_converter,
    )
    async with environment:
        async with (
            open_shop(environment.client, shop_database, shop_engine, sandbox_port, "virtual") as shop,
            working(shop.settings, environment.client),
        ):
            shop.environment = environment
            yield shop


@pytest.fixture
async def virtual(_virtual: Shop) -> AsyncIterator[Shop]:
    """A shop on the time-skipping server, where days pass in a second."""
    yield _virtual
    await _virtual.bad_days()
