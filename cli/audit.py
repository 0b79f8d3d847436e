"""`starter.py audit`: look now for what is held without a run, and for what does not add up."""

import asyncio

import typer

from cli import base
from cli.tables import Column, print_table
from domain.records.audit import AuditReport

PATIENCE_S = 300.0
WORKER_S = 60.0


def audit(as_json: base.AsJson = False) -> None:
    """Run the stock audit now, and print what it found and did.

    Orders that have lost their run get it back; an order whose run is open is never touched. Exit code 0: all is well,
    or was put right; 1: something needs a person."""
    report = base.run(_audit)
    if as_json:
        base.say_json(report)
    else:
        _show(report)
    if not report.well:
        raise typer.Exit(base.REFUSED)


async def _audit() -> AuditReport:
    from datetime import UTC, datetime, timedelta

    from runtime.audit import audit_now
    from runtime.temporal import connect, worker_polls

    settings = base.settings()
    client = await connect(settings)
    if not await worker_polls(settings, datetime.now(UTC) - timedelta(seconds=WORKER_S)):
        raise base.Fault("no worker is up: start one with `python worker.py`", base.UNREACHABLE)
    try:
        report = await asyncio.wait_for(audit_now(client, settings), PATIENCE_S)
    except TimeoutError:
        raise base.Fault("the audit is still under way: see its run in the Temporal UI", base.UNREACHABLE) from None
    finally:
        await asyncio.sleep(0.05)  # a client that is still finishing a call may abort the process when it ends
    return report


def _show(report: AuditReport) -> None:
    base.say_fields(
        {
            "orders looked at": str(report.looked_at),
            "started again": str(report.started_again),
            "given back": str(report.given_back),
            "told to look again": str(report.nudged),
            "need a person": str(len(report.found) + report.more),
        }
    )
    if report.done:
        rows = [[*one.split(": ", 1)] for one in report.done]
        print_table([Column("order", fixed=True), Column("what was done")], rows, "Put right")
    if report.found:
        found = [[one.subject or one.order_no, one.text] for one in report.found]
        print_table([Column("order or counter", fixed=True), Column("what is wrong")], found, "Needs a person")
