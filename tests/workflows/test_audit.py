"""The audit finds what is held for runs that are gone, and brings them back; an order with a run is never touched."""

import uuid

from domain.audit import AuditReport
from domain.status import CloseReason, Status
from tests.shop import Shop, until
from tests.workflows.test_stories import FAR, closed_and_given_back, paid
from workflows.stock_audit import StartAudit, StockAudit


async def audit(shop: Shop, **start: int) -> AuditReport:
    """Without grace: what a test has just done counts."""
    report: AuditReport = await shop.client.execute_workflow(
        StockAudit.run,
        StartAudit(grace_s=0, **start),
        id=f"stock-audit/{uuid.uuid4()}",
        task_queue=shop.settings.task_queue,
    )
    return report


async def terminate(shop: Shop, *order_nos: str) -> None:
    """And wait until Temporal's list of runs knows."""
    for order_no in order_nos:
        await shop.run(order_no).terminate("by mistake")
    names = ", ".join(f"'order/{order_no}'" for order_no in order_nos)
    query = f"ExecutionStatus = 'Running' AND WorkflowId IN ({names})"
    await until(lambda: shop.client.count_workflows(query), lambda found: found.count == 0)


async def test_an_unpaid_order_that_was_terminated_keeps_its_deadline_and_can_be_paid(shop: Shop) -> None:
    sku = await shop.sku()
    order_no = await shop.place([sku], **FAR)
    before = await shop.show(order_no)
    await terminate(shop, order_no)
    report = await audit(shop)
    assert f"{order_no}: started again, its run had ended: TERMINATED" in report.done
    (number,) = await paid(shop, order_no)
    assert (await shop.show(order_no)).pay_by == before.pay_by
    await shop.ship(number)
    await shop.confirm(number)
    assert (await shop.ended(order_no)).status is Status.COMPLETED


async def test_an_unpaid_order_that_was_terminated_closes_at_its_deadline(shop: Shop) -> None:
    sku = await shop.sku()
    order_no = await shop.place([sku], payment_window_s=1)
    await terminate(shop, order_no)
    await audit(shop)
    await closed_and_given_back(shop, order_no, CloseReason.UNPAID, sku)
