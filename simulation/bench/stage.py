"""Everything that whole orders need, on free ports: the product's own stack, and workers that are started and
stopped."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from runtime.embedded import free_port
from runtime.settings import (
    DEVELOPMENT_JWT_KEY,
    DEVELOPMENT_ORDER_NUMBER_KEY,
    DEVELOPMENT_WEBHOOK_SECRET,
    Settings,
)
from runtime.temporal import connect
from runtime.up import Process, Stack, polls
from runtime.wiring import open_engine
from simulation.bench.meter import Meter
from simulation.bench.servers import data_folder

WITHOUT_WORKER = ("temporal", "postgres", "sandbox", "gateway")
_names = itertools.count(1)


class Stage:
    """The running stack, the clients to ask it with, and the means to add workers to it."""

    def __init__(self, stack: Stack, client: Client, engine: AsyncEngine, cashier: httpx.AsyncClient) -> None:
        self.settings = stack.settings
        self.client = client
        self.engine = engine
        self.cashier = cashier
        self._stack = stack

    def settings_for(self, queue: str, **changed: object) -> Settings:
        return self.settings.model_copy(update={"task_queue": queue, **changed})

    @asynccontextmanager
    async def worker(self, settings: Settings, variant: str = "") -> AsyncIterator[Process]:
        """A worker process on the settings' queue: the product's own, or one of the benchmark's variants."""
        program = ["-m", "simulation.bench.worker", variant] if variant else ["worker.py"]
        name = f"worker-{next(_names)}"
        process = Process(name, program, settings, lambda since: polls(settings, since))
        process.launch()  # in the main thread, since the process ends when the thread that starts it ends
        try:
            await _until_healthy(process)
            yield process
        finally:
            await asyncio.to_thread(process.stop)

    def meter(self, **workers: Process) -> Meter:
        servers = {name: self._stack.child(name).pid for name in WITHOUT_WORKER}
        pids = {**servers, **{name: process.pid for name, process in workers.items()}}
        return Meter({name: pid for name, pid in pids.items() if pid is not None})


async def _until_healthy(process: Process, within_s: float = 60.0) -> None:
    until = time.monotonic() + within_s
    while not await asyncio.to_thread(process.healthy):
        if not process.running or time.monotonic() > until:
            raise process.failure(within_s)
        await asyncio.sleep(0.05)


def settings_in(folder: Path, **changed: object) -> Settings:
    """The product's default settings on free ports. The environment is ignored: no benchmark runs on somebody's
    servers."""
    ports = ("temporal_port", "temporal_ui_port", "gateway_port", "sandbox_port")
    given: dict[str, object] = {
        **{name: free_port() for name in ports},
        **dict.fromkeys(("database_url", "temporal_address", "temporal_namespace"), ""),
        **dict.fromkeys(("temporal_profile", "temporal_config_file", "embedded"), ""),
        **dict.fromkeys(("payment_url", "merchant_url", "notify_url", "deployment_name", "build_id"), ""),
        "jwt_key": SecretStr(DEVELOPMENT_JWT_KEY),
        "webhook_secret": SecretStr(DEVELOPMENT_WEBHOOK_SECRET),
        "order_number_key": SecretStr(DEVELOPMENT_ORDER_NUMBER_KEY),
        "data_dir": folder,
        "metrics_port": 0,
        "requests_per_minute": 10_000_000,
        "graceful_shutdown_s": 1,
        **changed,
    }
    return Settings.model_validate(given)


@asynccontextmanager
async def a_stage(**changed: object) -> AsyncIterator[Stage]:
    """A stage with servers, sandbox and gateway, and no worker yet."""
    with data_folder() as folder:
        async with Stack(settings_in(folder, **changed), only=WITHOUT_WORKER) as stack:
            client = await connect(stack.settings)
            async with (
                open_engine(stack.settings) as engine,
                httpx.AsyncClient(base_url=stack.settings.sandbox_url, trust_env=False, timeout=60) as cashier,
            ):
                yield Stage(stack, client, engine, cashier)
