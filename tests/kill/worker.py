"""A worker that dies: SIGKILL right after an activity has committed and before it can report it.

`KILL_DIR` holds a file for each kill that is still to come, named `{order}@{activity}`, or `{order}@{activity}@before`
for a kill before the activity runs. Each is removed just before its kill, so that it happens once.
"""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import uvloop
from temporalio import activity
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from activities.payment import StrayCapture
from runtime import logs, worker
from runtime.settings import load
from runtime.temporal import connect

KILL_DIR = Path(os.environ["KILL_DIR"])


def die_if_planned(input: ExecuteActivityInput, when: str) -> None:
    info = activity.info()
    order = (info.workflow_id or "").split("/")[-1]
    if isinstance(input.args[0], StrayCapture):
        order = input.args[0].capture.payment_id
    # A sub-order's steps are planned under its order's buyer: the last six digits are the same.
    plan = KILL_DIR / f"{order[-6:]}@{info.activity_type}{when}"
    if plan.exists():
        plan.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


class _Deadly(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        die_if_planned(input, "@before")
        result = await super().execute_activity(input)
        die_if_planned(input, "")
        return result


class Deadly(Interceptor):
    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Deadly(next)


async def work() -> None:
    settings = load()
    client = await connect(settings)
    await worker.run_worker(settings, client, asyncio.Event(), interceptors=[Deadly()])


def main() -> None:
    """One worker after the other, as a process manager has it, with a line for each end: its exit code.

    Each is forked from this process, which has imported everything once: that is most of what a start costs."""
    while True:
        pid = os.fork()
        if pid == 0:
            os.dup2(2, 1)  # what the SDK prints is no line of ours
            logs.as_json()
            uvloop.run(work())
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
