"""The real servers that the tests share, one of each for the whole run."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from runtime.embedded import Postgres, TemporalServer
from runtime.temporal import DATA_CONVERTER
from store.database.engine import engine_for
from store.tables import metadata
from tests.support.servers import a_database, a_postgres, a_sandbox, a_shop, a_temporal, a_webhook, open_shop
from tests.support.shop import Shop, working
from workflows import run_names

# How fast an example is says something of the machine, and nothing of the promise.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

TESTS = Path(__file__).parent


# What takes longest begins first, so that it is not what all others wait for in the end.
LONGEST = (
    "simulation/test_chaos.py",
    "workflows/test_races.py",
    "simulation/test_auditor.py",
    "workflows/test_faults.py",
    "kill/test_kill.py",
    "gateway/test_openapi.py",
    "cli/test_story.py",
    "workflows/test_audit_hundred.py",
    "workflows/test_stories.py",
    "simulation/test_bench.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    begin = {TESTS / name: at for at, name in enumerate(LONGEST)}
    items.sort(key=lambda item: begin.get(item.path, len(begin)))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with a_postgres() as server:
        yield server


@pytest.fixture(scope="session")
async def database_url(postgres: Postgres) -> str:
    """A database for the tests of the store."""
    return await a_database(postgres, "ledgers")


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
    with a_temporal() as server:
        yield server


@pytest.fixture(scope="session")
async def shop_database(postgres: Postgres) -> str:
    """A database for the tests of whole orders; never emptied, since orders of other tests may still be open."""
    return await a_database(postgres, "shop")


@pytest.fixture(scope="session")
async def shop_engine(shop_database: str) -> AsyncIterator[AsyncEngine]:
    engine = engine_for(shop_database)
    yield engine
    await engine.dispose()


@pytest.fixture(scope="session")
async def webhook_url(shop_engine: AsyncEngine) -> AsyncIterator[str]:
    """Where the sandbox's notifications arrive."""
    async with a_webhook(shop_engine) as url:
        yield url


@pytest.fixture(scope="session")
async def sandbox_port(webhook_url: str) -> AsyncIterator[int]:
    """The sandbox parties, as a process of their own."""
    async with a_sandbox(webhook_url) as port:
        yield port


@pytest.fixture(scope="session")
async def client(temporal: TemporalServer) -> Client:
    return await Client.connect(temporal.address, data_converter=DATA_CONVERTER)


@pytest.fixture(scope="session")
async def _shop(client: Client, shop_database: str, shop_engine: AsyncEngine, sandbox_port: int) -> AsyncIterator[Shop]:
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
async def _virtual(postgres: Postgres) -> AsyncIterator[Shop]:
    """With a database and a sandbox of its own: a relay must never offer one server's money to another's orders."""
    environment = await WorkflowEnvironment.start_time_skipping_v2(
        dev_server_existing_path=str(Path(sys.executable).parent / "temporal"),
        dev_server_extra_args=[
            *("--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"),
            *(part for name, kind in run_names.REGISTERED.items() for part in ("--search-attribute", f"{name}={kind}")),
        ],
        data_converter=DATA_CONVERTER,
    )
    async with environment, a_shop(postgres, environment.client, "virtual") as shop:
        shop.environment = environment
        yield shop


@pytest.fixture
async def virtual(_virtual: Shop) -> AsyncIterator[Shop]:
    """A shop on the time-skipping server, where days pass in a second."""
    yield _virtual
    await _virtual.bad_days()
