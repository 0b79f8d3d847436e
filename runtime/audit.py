"""When the audit runs: by its schedule in Temporal, which every worker keeps up to date, and when somebody asks."""

import logging
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleHandle,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from domain.records.audit import AuditReport
from runtime.settings import Settings
from workflows.stock_audit import StartAudit, StockAudit

SCHEDULE = "stock-audit"
BY_HAND = "stock-audit/by-hand"
SUMMARY = "what is held without a run; what does not add up"

log = logging.getLogger("audit")


async def ensure_audit(client: Client, settings: Settings) -> None:
    """Make the audit's schedule what the settings say; an interval of 0 removes it. Workers may do this concurrently,
    since all of them want the same."""
    handle = client.get_schedule_handle(SCHEDULE)
    if settings.audit_interval_s == 0:
        await _remove(handle)
        return
    wanted = _schedule(settings)
    try:
        await client.create_schedule(SCHEDULE, wanted)
    except ScheduleAlreadyRunningError:
        await handle.update(lambda found: _changed(found, wanted))


async def _remove(handle: ScheduleHandle) -> None:
    try:
        await handle.delete()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


def _changed(found: ScheduleUpdateInput, wanted: Schedule) -> ScheduleUpdate | None:
    """The update that the schedule needs; None if it is as it should be. A pause that an operator has set stays."""
    there = found.description.schedule
    action = there.action
    same_queue = (
        isinstance(action, ScheduleActionStartWorkflow)
        and isinstance(wanted.action, ScheduleActionStartWorkflow)
        and action.task_queue == wanted.action.task_queue
    )
    if there.spec.intervals == wanted.spec.intervals and same_queue:
        return None
    log.info("the schedule of the stock audit follows the settings")
    wanted.state = there.state
    return ScheduleUpdate(schedule=wanted)


def _schedule(settings: Settings) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            StockAudit.run,
            StartAudit(),
            id=SCHEDULE,
            task_queue=settings.task_queue,
            task_timeout=timedelta(seconds=settings.workflow_task_timeout_s),
            static_summary=SUMMARY,
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(seconds=settings.audit_interval_s))]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
    )


async def audit_now(client: Client, settings: Settings, start: StartAudit | None = None) -> AuditReport:
    """Run the audit now and return its report. If one that somebody asked for is under way, its report is returned."""
    report: AuditReport = await client.execute_workflow(
        StockAudit.run,
        start or StartAudit(),
        id=BY_HAND,
        task_queue=settings.task_queue,
        task_timeout=timedelta(seconds=settings.workflow_task_timeout_s),
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=SUMMARY,
    )
    return report
