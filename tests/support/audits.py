"""Audits as tests want them: losing runs, and asking what came of it."""

import asyncio
import hashlib
import uuid
from datetime import UTC, datetime

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.service import RPCError

from activities.coupons import TakeCoupons
from domain.order.cart import Cart
from domain.order.order_number import parse
from domain.order.reservation import ReserveStock, StockLine
from domain.records.audit import AuditReport
from domain.risk import Decision
from runtime.wiring import CHANNEL
from store.accounts.coupons import PostgresCoupons
from store.orders.checkout_keys import PostgresCheckoutKeys
from tests.support.shop import Shop, until
from workflows.stock_audit import StartAudit, StockAudit


async def audit(shop: Shop, **start: int) -> AuditReport:
    """Without grace: what a test has just done counts."""
    run = shop.client.get_workflow_handle(await look_at(shop, **start), result_type=AuditReport)
    report: AuditReport = await run.result()
    return report


async def look_at(shop: Shop, **start: int) -> str:
    """The id of an audit's run that is over."""
    run = await shop.client.start_workflow(
        StockAudit.run,
        StartAudit.model_validate({"grace_s": 0, **start}),
        id=f"stock-audit/{uuid.uuid4()}",
        task_queue=shop.settings.task_queue,
    )
    await run.result()
    return run.id


async def no_longer_listed(shop: Shop, order_nos: list[str]) -> None:
    """Temporal's list of runs is a moment old."""
    names = ", ".join(f"'order/{order_no}'" for order_no in order_nos)
    query = f"ExecutionStatus = 'Running' AND WorkflowId IN ({names})"
    await until(lambda: shop.client.count_workflows(query), lambda found: found.count == 0)


async def terminate(shop: Shop, *order_nos: str) -> None:
    await asyncio.gather(*(shop.run(order_no).terminate("by mistake") for order_no in order_nos))
    await no_longer_listed(shop, list(order_nos))


async def delete(shop: Shop, *workflow_ids: str) -> None:
    """As after the retention: neither the runs nor their histories are there."""
    for workflow_id in workflow_ids:
        execution = WorkflowExecution(workflow_id=workflow_id)
        request = DeleteWorkflowExecutionRequest(namespace="default", workflow_execution=execution)
        await shop.client.workflow_service.delete_workflow_execution(request)

    async def there(workflow_id: str) -> bool:
        try:
            await shop.client.get_workflow_handle(workflow_id).describe()
        except RPCError:
            return False
        return True

    # The server takes its time over it.
    await asyncio.gather(*(until(lambda one=one: there(one), lambda still: not still, 60) for one in workflow_ids))  # type: ignore[misc]


def done_about(report: AuditReport, order_no: str) -> list[str]:
    return [one.split(": ", 1)[1] for one in report.done if one.startswith(order_no)]


def found_about(report: AuditReport, name: str) -> list[str]:
    return [one.text for one in report.found if name in (one.order_no, one.subject)]


async def runs_of(shop: Shop, order_no: str) -> int:
    found = await shop.client.count_workflows(f"WorkflowId = 'order/{order_no}'")
    return found.count


async def received(shop: Shop, order_no: str) -> None:
    for number in await shop.split(order_no):
        assert (await shop.ship(number)).refused is None
        assert (await shop.confirm(number)).refused is None


async def approve(shop: Shop, order_no: str) -> None:
    """As soon as the run asks a person."""
    decided = Decision(approved=True, author="ann", note="called")
    await until(lambda: shop.acts.decide_risk(parse(order_no), decided), lambda answer: answer.refused is None)


async def lost_in_placing(shop: Shop, key: str, asked: Cart) -> str:
    """What a run that was deleted in the middle of placing leaves behind."""
    secret = shop.settings.order_number_key.get_secret_value().encode()
    keys = PostgresCheckoutKeys(shop.engine, secret, CHANNEL)
    now = datetime.now(UTC)
    digest = hashlib.sha256(asked.model_dump_json().encode()).hexdigest()
    order_no = (await keys.mint("test", key, digest, asked.buyer_id, now.date())).order_no
    lines = [StockLine(line_no=line.line_no, sku=line.sku, quantity=line.quantity) for line in asked.lines]
    await shop.stock.reserve(ReserveStock(order_no=order_no, buyer_id=asked.buyer_id, lines=lines, at=now))
    taking = TakeCoupons(order_no=order_no, buyer_id=asked.buyer_id, coupons=asked.coupons, at=now)
    assert (await PostgresCoupons(shop.engine).take(taking)).gone == []
    return order_no
