"""A worker: runs the workflows, their activities and the relays. Several workers may run."""

import asyncio
import logging
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial

import uvloop
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.worker import (
    Interceptor,
    UnsandboxedWorkflowRunner,
    Worker,
    WorkerDeploymentConfig,
    WorkflowRunner,
)

from acts.after_sales import AfterSales
from acts.relays import CaseKeeper, InboxRelay, OutboxRelay, StrayKeeper, keep_going, look_now_and_then
from providers.notifier import HttpNotifier
from runtime import logs
from runtime.audit import ensure_audit
from runtime.parties import BadParties
from runtime.settings import Settings, load
from runtime.temporal import Unreachable, connect, ensure_search_attributes
from runtime.wiring import open_activities, open_engine
from store.after_sale.cases import PostgresAfterSales
from store.database.outbox import PostgresOutbox
from store.money.inbox import PostgresInbox
from workflows import run_names
from workflows.after_sale import AfterSale
from workflows.order import Order
from workflows.stock_audit import StockAudit
from workflows.stray_payment import StrayPayment
from workflows.sub_order import SubOrder

WORKFLOWS = [Order, SubOrder, AfterSale, StrayPayment, StockAudit]

# The SDK's sandbox watches for what a replay could not repeat, and costs a fifth of a worker's CPU. The tests and the
# replay of the recorded histories run in it, so that nothing is left for it to find here.
NO_SANDBOX = UnsandboxedWorkflowRunner()

log = logging.getLogger("worker")


def _deployment(settings: Settings) -> WorkerDeploymentConfig | None:
    if not settings.deployment_name:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(settings.deployment_name, settings.build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )


def _telemetry(settings: Settings) -> Runtime | None:
    if not settings.metrics_port:
        return None
    metrics = PrometheusConfig(bind_address=f"127.0.0.1:{settings.metrics_port}")
    return Runtime(telemetry=TelemetryConfig(metrics=metrics))


async def run_worker(
    settings: Settings,
    client: Client,
    stopping: asyncio.Event,
    interceptors: Sequence[Interceptor] = (),
    runner: WorkflowRunner = NO_SANDBOX,
) -> None:
    """Work until `stopping` is set; then finish what is under way, within the time that the settings give."""
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_engine(settings))
        performed = await stack.enter_async_context(open_activities(settings, engine, client))
        notifier = None
        if settings.notify_url:
            notifier = await stack.enter_async_context(HttpNotifier(settings.notify_url))
        worker = Worker(
            client,
            task_queue=settings.task_queue,
            workflows=WORKFLOWS,
            activities=performed.activities,
            workflow_runner=runner,
            max_cached_workflows=settings.max_cached_workflows,
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=settings.sticky_timeout_s),
            graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_s),
            deployment_config=_deployment(settings),
            interceptors=interceptors,
        )
        inbox = InboxRelay(client, PostgresInbox(engine), performed.audit, settings.task_queue)
        outbox = OutboxRelay(PostgresOutbox(engine), notifier)
        cases = PostgresAfterSales(engine)
        front = AfterSales(client, cases, settings.task_queue, settings.workflow_task_timeout_s)
        looks = {
            "cases": CaseKeeper(cases, front).look,
            "stray payments": StrayKeeper(PostgresInbox(engine), inbox).look,
        }
        async with worker:
            relays = [
                asyncio.create_task(keep_going(inbox.step, "inbox")),
                asyncio.create_task(keep_going(outbox.step, "outbox")),
                *(
                    asyncio.create_task(keep_going(partial(look_now_and_then, look), what))
                    for what, look in looks.items()
                ),
            ]
            log.info("working on %s", settings.task_queue)
            await stopping.wait()
            log.info("stopping: finishing what is under way")
            for relay in relays:
                relay.cancel()
            await asyncio.gather(*relays, return_exceptions=True)
    log.info("stopped")


async def work(settings: Settings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    client = await connect(settings, runtime=_telemetry(settings))
    await ensure_search_attributes(client, run_names.REGISTERED)
    await ensure_audit(client, settings)
    await run_worker(settings, client, stopping)


def main() -> int:
    """Run a worker; returns the exit status: 0 after an orderly stop, 1 when Temporal can't be
    reached, or ORDERS_PARTIES names nothing."""
    logs.as_json()
    try:
        uvloop.run(work(load()))
    except (Unreachable, BadParties) as fault:
        log.error("%s", fault)
        return 1
    return 0
