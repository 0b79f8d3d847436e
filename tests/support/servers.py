"""The real servers that tests and the recording of histories run on: each starts, and is stopped with its block."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI, Request, Response
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from temporalio.client import Client

from providers.calls import LIMITS
from providers.notifications import StandardWebhooks
from runtime.embedded import Postgres, TemporalServer, free_port
from runtime.settings import DEVELOPMENT_WEBHOOK_SECRET, Settings
from store.database import migrate
from store.database.engine import engine_for
from store.money.inbox import PostgresInbox
from tests.support.serving import serving
from tests.support.shop import Shop, working
from workflows import run_names

ROOT = Path(__file__).parents[2]


@contextmanager
def a_postgres() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def a_temporal() -> Iterator[TemporalServer]:
    """The real dev server."""
    with tempfile.TemporaryDirectory() as folder:
        server = TemporalServer(Path(folder), headless=True, search_attributes=run_names.REGISTERED)
        server.start()
        try:
            yield server
        finally:
            server.stop()


async def a_database(server: Postgres, name: str) -> str:
    """A migrated database of its own on the shared server."""
    admin = create_async_engine(server.url, isolation_level="AUTOCOMMIT")
    async with admin.connect() as db:
        await db.execute(text(f"CREATE DATABASE {name}"))
    await admin.dispose()
    url = server.url.replace("/postgres?", f"/{name}?")
    await migrate.upgrade(url)
    return url


@asynccontextmanager
async def a_webhook(engine: AsyncEngine) -> AsyncIterator[str]:
    """Where the sandbox's notifications arrive."""
    inbox, reader = PostgresInbox(engine), StandardWebhooks(DEVELOPMENT_WEBHOOK_SECRET)
    app = FastAPI()

    @app.post("/webhooks/payments")
    async def receive(request: Request) -> Response:
        notification_id, capture = reader.read(request.headers, await request.body())
        await inbox.put(notification_id, capture)
        return Response(status_code=204)

    async with serving(app) as url:
        yield f"{url}/webhooks/payments"


@asynccontextmanager
async def a_sandbox(webhook_url: str) -> AsyncIterator[int]:
    """The sandbox parties, as a process of their own; their port."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--port", str(port), "--state", f"{folder}/sandbox.db", "--notify-url", webhook_url]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "providers.sandbox", *arguments, "--webhook-secret", DEVELOPMENT_WEBHOOK_SECRET),
            cwd=ROOT,
        )
        try:
            async with httpx.AsyncClient(trust_env=False) as http:
                for _ in range(200):
                    try:
                        await http.get(f"http://127.0.0.1:{port}/health")
                        break
                    except httpx.TransportError:
                        await asyncio.sleep(0.05)
            yield port
        finally:
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
    async with httpx.AsyncClient(base_url=settings.sandbox_url, trust_env=False, timeout=10, limits=LIMITS) as http:
        yield Shop(client=client, engine=engine, settings=settings, http=http)


@asynccontextmanager
async def a_shop(postgres: Postgres, client: Client, name: str, *, worked: bool = True) -> AsyncIterator[Shop]:
    """A shop with a database, a sandbox and a task queue of its own. Without `worked` no worker has a hand in it."""
    database = await a_database(postgres, name)
    engine = engine_for(database)
    async with (
        a_webhook(engine) as url,
        a_sandbox(url) as port,
        open_shop(client, database, engine, port, name) as shop,
    ):
        if worked:
            async with working(shop.settings, client):
                yield shop
        else:
            yield shop
    await engine.dispose()
