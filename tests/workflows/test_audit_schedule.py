"""The audit's schedule in Temporal: every worker sees to it, and together they make one."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from runtime.audit import SCHEDULE, ensure_audit
from runtime.settings import Settings


def settings(interval_s: int) -> Settings:
    return Settings(audit_interval_s=interval_s, task_queue="nobody")


async def intervals(client: Client) -> list[timedelta]:
    described = await client.get_schedule_handle(SCHEDULE).describe()
    return [interval.every for interval in described.schedule.spec.intervals]


async def test_workers_that_race_make_one_schedule_which_follows_the_setting(client: Client) -> None:
    await asyncio.gather(*(ensure_audit(client, settings(600)) for _ in range(5)))
    assert await intervals(client) == [timedelta(seconds=600)]
    await client.get_schedule_handle(SCHEDULE).pause(note="while we look")
    await asyncio.gather(*(ensure_audit(client, settings(1_200)) for _ in range(3)))
    assert await intervals(client) == [timedelta(seconds=1_200)]
    described = await client.get_schedule_handle(SCHEDULE).describe()
    assert described.schedule.state.paused, "an operator's pause stays"
    await ensure_audit(client, settings(0))
    await ensure_audit(client, settings(0))
    with pytest.raises(RPCError, match="not found"):
        await intervals(client)


async def test_the_schedule_runs_the_audit(client: Client) -> None:
    await ensure_audit(client, settings(3_600))
    try:
        await client.get_schedule_handle(SCHEDULE).trigger()
        found = [run async for run in client.list_workflows("WorkflowType = 'StockAudit' AND TaskQueue = 'nobody'")]
        while not found:
            await asyncio.sleep(0.1)
            found = [run async for run in client.list_workflows("WorkflowType = 'StockAudit' AND TaskQueue = 'nobody'")]
        assert found[0].id.startswith(f"{SCHEDULE}-")
        await client.get_workflow_handle(found[0].id).terminate("the test is over")
    finally:
        await ensure_audit(client, settings(0))
