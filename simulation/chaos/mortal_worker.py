"""A worker that dies of a SIGKILL right after an activity has committed and before it can report, or before it runs.

`CHAOS_KILLS` names a folder with a file for each such death that is still to come, named after the activity (with
`@before` for a death before it runs). The first worker that gets there removes the file and dies.
"""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import uvloop
from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from runtime import logs, worker
from runtime.settings import load
from runtime.temporal import connect
from simulation.chaos import without_keys

KILLS, CONTROL = "CHAOS_KILLS", "CHAOS_CONTROL"


class _Mortal(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        _die_if_planned("@before")
        result = await super().execute_activity(input)
        _die_if_planned("")
        return result


class Mortal(Interceptor):
    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Mortal(next)


def _die_if_planned(when: str) -> None:
    plan = Path(os.environ[KILLS]) / f"{activity.info().activity_type}{when}"
    try:
        plan.unlink()  # only one of several workers succeeds
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


async def _work() -> None:
    settings = load()
    client = await connect(settings)
    await worker.run_worker(settings, client, asyncio.Event(), interceptors=[Mortal()])


def main() -> None:
    logs.as_json()
    if os.environ.get(CONTROL):
        without_keys.switch_off_the_keys()
    uvloop.run(_work())
