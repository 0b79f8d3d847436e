"""Runs in Temporal: none is open when everything has ended, and none has failed."""

from temporalio.client import Client

from simulation.chaos.auditor.violation import Violation

FOR_EVER = "nothing for ever"
SERVER_RUNS = "temporal-sys-"  # the server's own runs, like those of schedules, never end


async def unfinished(client: Client) -> list[Violation]:
    found = [
        Violation(FOR_EVER, "a run has not ended", f"{run.id} ({run.run_id})")
        async for run in client.list_workflows('ExecutionStatus = "Running"')
        if not run.id.startswith(SERVER_RUNS)
    ]
    failed = client.list_workflows('ExecutionStatus = "Failed" OR ExecutionStatus = "TimedOut"')
    return found + [
        Violation(FOR_EVER, "a run has failed, which none ever should", f"{run.id} ({run.run_id})")
        async for run in failed
    ]
