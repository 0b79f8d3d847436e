"""A worker process of the benchmark: `python -m simulation.bench.worker VARIANT`, where `floor` runs the bare
workflows."""

import asyncio
import signal
import sys
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker

from runtime import logs, worker
from runtime.settings import Settings, load
from runtime.temporal import connect
from simulation.bench import floor
from simulation.bench.variants import VARIANTS, running_as

FLOOR = "floor"


def floor_worker(client: Client, settings: Settings) -> Worker:
    """A worker for the bare workflows, with the settings of the product's worker."""
    return Worker(
        client,
        task_queue=settings.task_queue,
        workflows=[floor.FloorOrder, floor.FloorPart],
        activities=[floor.nothing],
        workflow_runner=worker.NO_SANDBOX,
        max_cached_workflows=settings.max_cached_workflows,
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=settings.sticky_timeout_s),
        graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_s),
    )


async def work(name: str) -> None:
    settings, stopping = load(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    if name == FLOOR:
        async with floor_worker(await connect(settings), settings):
            await stopping.wait()
        return
    with running_as(VARIANTS[name]):
        await worker.run_worker(settings, await connect(settings), stopping)


if __name__ == "__main__":
    logs.as_json()
    variant = VARIANTS["default" if sys.argv[1] == FLOOR else sys.argv[1]]
    variant.run(work(sys.argv[1]))
