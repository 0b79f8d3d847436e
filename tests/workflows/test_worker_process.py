"""The worker as a process: it drains, it is measured, it may be versioned, and orders wait for it."""

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.workflowservice.v1 import SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client
from temporalio.service import RPCError

from acts.checkout import Accepted
from runtime.embedded import TemporalServer, free_port
from runtime.temporal import DATA_CONVERTER
from tests.support.servers import ROOT, a_database, a_sandbox, a_webhook, open_shop
from tests.support.shop import Person, Shop, until, working
from workflows import run_names


@asynccontextmanager
async def worker_process(shop: Shop, address: str, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {**os.environ, **shop.settings.environment(), "TEMPORAL_ADDRESS": address, **settings}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "worker.py", cwd=ROOT, env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_worker_serves_its_metrics_logs_in_json_and_drains_on_sigterm(
    shop: Shop, temporal: TemporalServer
) -> None:
    port = free_port()
    queued = shop.settings.model_copy(update={"task_queue": "process"})
    of_process = Shop(client=shop.client, engine=shop.engine, settings=queued, http=shop.http)
    metrics = {"ORDERS_METRICS_PORT": str(port)}
    async with worker_process(of_process, temporal.address, **metrics) as process:
        order_no = await of_process.place([await shop.sku()], payment_window_s=600)
        async with httpx.AsyncClient(trust_env=False) as http:
            measured = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
        assert "temporal_workflow_task_execution_latency" in measured
        process.send_signal(signal.SIGTERM)
        _, logged = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 0
    lines = [json.loads(line) for line in logged.splitlines() if line.startswith(b"{")]
    assert [line["message"] for line in lines][-1] == "stopped"
    async with working(queued, shop.client):
        await of_process.cancel(order_no)


async def test_a_versioned_worker_takes_orders_once_its_version_is_current(
    shop: Shop, temporal: TemporalServer
) -> None:
    queued = shop.settings.model_copy(update={"task_queue": "versioned"})
    versioned = Shop(client=shop.client, engine=shop.engine, settings=queued, http=shop.http)
    version = {"ORDERS_DEPLOYMENT_NAME": "orders", "ORDERS_BUILD_ID": "build-1", "ORDERS_METRICS_PORT": "0"}
    async with worker_process(versioned, temporal.address, **version):
        request = SetWorkerDeploymentCurrentVersionRequest(
            namespace="default", deployment_name="orders", build_id="build-1", ignore_missing_task_queues=True
        )

        async def current() -> bool:
            try:
                await shop.client.workflow_service.set_worker_deployment_current_version(request)
            except RPCError:
                return False  # the server has not heard of the worker yet
            return True

        await until(current, lambda done: done)
        order_no = await versioned.place([await shop.sku()], payment_window_s=600)
        await versioned.cancel(order_no)
        described = await shop.run(order_no).describe()
    assert described.raw_description.workflow_execution_info.versioning_info.deployment_version.build_id == "build-1"


@pytest.fixture
async def own_temporal() -> AsyncIterator[TemporalServer]:
    """One to kill."""
    with tempfile.TemporaryDirectory() as folder:
        server = TemporalServer(Path(folder), headless=True, search_attributes=run_names.REGISTERED)
        server.start()
        yield server
        server.stop()


async def test_an_order_accepted_with_no_worker_up_comes_through_also_when_the_server_is_killed_meanwhile(
    own_temporal: TemporalServer, postgres: object, request: pytest.FixtureRequest
) -> None:
    """The caller gets 202; the run was started with all it needs, and asking again gives the answer."""
    database = await a_database(request.getfixturevalue("postgres"), "lonely")
    from store.database.engine import engine_for

    engine: AsyncEngine = engine_for(database)
    client = await Client.connect(own_temporal.address, data_converter=DATA_CONVERTER)
    async with (
        a_webhook(engine) as url,
        a_sandbox(url) as port,
        open_shop(client, database, engine, port, "lonely") as shop,
    ):
        cart = shop.cart([await shop.sku()], Person(), expected_fen=1000)
        accepted = await shop.checkout(wait_s=1.0).place("test", "one-key", cart)
        assert isinstance(accepted, Accepted)
        own_temporal.kill()
        own_temporal.start()
        async with working(shop.settings, client):
            view = await until(
                lambda: shop.views.order(accepted.order_no), lambda view: view is not None and bool(view.payment_link)
            )
            assert view is not None
            again = await shop.checkout().place("test", "one-key", cart)
            assert not isinstance(again, Accepted)
            assert (again.order_no, again.payment_link) == (accepted.order_no, view.payment_link)
    await engine.dispose()
