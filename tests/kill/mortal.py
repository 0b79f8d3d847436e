"""A shop whose worker is killed as planned, and started again by what does a process manager's work."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.servers import ROOT, open_shop
from tests.support.shop import Shop


def log_of(kills: Path, queue: str) -> Path:
    return kills / f"{queue}.log"


def last_words(kills: Path) -> str:
    """What the workers said in the end, should an order be stuck."""
    return "\n".join(f"{log.name}: {log.read_text()[-1_000:]}" for log in sorted(kills.glob("*.log")))


async def keep_restarting(shop: Shop, kills: Path, ends: list[int]) -> None:
    """The workers of one task queue, one after the other, until nobody wants them any more."""
    environment = {**os.environ, **shop.settings.environment(), "KILL_DIR": str(kills)}
    environment["TEMPORAL_ADDRESS"] = shop.client.service_client.config.target_host
    with log_of(kills, shop.settings.task_queue).open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.kill.worker"),
            cwd=ROOT,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            ends.append(int(line))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


@asynccontextmanager
async def mortal(shop: Shop, kills: Path, queue: str, ends: list[int]) -> AsyncIterator[Shop]:
    """A shop whose worker is killed as planned, and started again."""
    async with open_shop(
        shop.client,
        shop.settings.database_url,
        shop.engine,
        shop.settings.sandbox_port,
        queue,
        workflow_task_timeout_s=2,
        sticky_timeout_s=1,
    ) as killed:
        keeping = asyncio.create_task(keep_restarting(killed, kills, ends))
        try:
            yield killed
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
