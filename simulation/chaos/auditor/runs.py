"""Runs in Temporal: none is open when all is over, and none has failed."""

from temporalio.client import Client

from simulation.chaos.auditor.violation import Violation

FOR_EVER = "nothing for ever"
STANDING = "temporal-sys-"  # the server's own: schedules run for ever


async def unfinished(client: Client) -> list[Violation]:
    found = [
        Violation(FOR_EVER, "a run has not ended", f"{run.id} ({run.run_id})")
        async for run in client.list_workflows('ExecutionStatus = "Running"')
        if not run.id.startswith(STANDING)
    ]
    failed = client.list_workflows('ExecutionStatus = "Failed" OR ExecutionStatus = "TimedOut"')
    return found + [
        Violation(FOR_EVER, "a run has failed, which none ever should", f"{run.id} ({run.run_id})")
        async for run in failed
    ]
