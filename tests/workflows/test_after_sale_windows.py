"""The windows of after-sale at their real length, and runs that start over."""

from datetime import timedelta

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

from acts.relays import CaseKeeper
from domain.after_sale.case import CaseStatus
from tests.support.after_sale import REFUND, Counter, received
from tests.support.endings import books_balance
from tests.support.resets import FORGETTING
from tests.support.shop import Shop, until
from tests.support.trade import merchant

A_SECOND = timedelta(seconds=1)


async def test_two_days_without_an_answer_agree_and_a_week_without_the_goods_ends_it(virtual: Shop) -> None:
    assert virtual.environment is not None
    at = Counter(virtual)
    with virtual.environment.with_time_skipping_disabled():
        _, number = await received(virtual, (await virtual.sku(merchant=merchant()), 1))
        case_no = await at.opened(number, {1: 1})
        asked = await at.show(case_no)
        await virtual.environment.fast_forward(at.run(case_no), timedelta(days=2) + A_SECOND)
        agreed = await at.when(case_no, CaseStatus.AWAITING_RETURN)
        assert agreed.since - asked.since >= timedelta(days=2)
        await virtual.environment.fast_forward(at.run(case_no), timedelta(days=7) + A_SECOND)
        assert (await at.when(case_no, CaseStatus.EXPIRED)).since - agreed.since >= timedelta(days=7)


async def test_three_days_without_an_inspection_accept_all_and_sell_none_of_it_again(virtual: Shop) -> None:
    assert virtual.environment is not None
    at = Counter(virtual)
    with virtual.environment.with_time_skipping_disabled():
        sku = await virtual.sku(merchant=merchant())
        _, number = await received(virtual, (sku, 2))
        case_no = await at.sent_back(number, {1: 2})
        await virtual.environment.fast_forward(at.run(case_no), timedelta(days=3) - timedelta(minutes=1))
        assert (await at.show(case_no)).status is CaseStatus.RETURNING
        await virtual.environment.fast_forward(at.run(case_no), timedelta(minutes=1) + A_SECOND)
        assert (await at.when(case_no, CaseStatus.REFUNDED)).amount_fen == 2_000
        assert (await virtual.level(sku))["available"] == 8


async def test_two_days_without_a_decision_let_the_refusal_stand(virtual: Shop) -> None:
    assert virtual.environment is not None
    at = Counter(virtual)
    with virtual.environment.with_time_skipping_disabled():
        order_no, number = await received(virtual, (await virtual.sku(merchant=merchant()), 1))
        case_no = await at.opened(number, {1: 1}, REFUND)
        await at.refuse(case_no)
        await virtual.when(order_no, lambda view: bool(view.attention))
        await virtual.environment.fast_forward(at.run(case_no), timedelta(days=2) + A_SECOND)
        await at.when(case_no, CaseStatus.REFUSED)
        await virtual.when(order_no, lambda view: not view.attention)


@pytest.mark.parametrize("ended", [False, True])
async def test_a_case_that_is_reset_takes_no_step_back(shop: Shop, ended: bool) -> None:
    """Also when the reset forgets what parties did: in the middle of it, and after its end."""
    at, sku = Counter(shop), await shop.sku(merchant=merchant())
    order_no, number = await received(shop, (sku, 1))
    case_no = await at.sent_back(number, {1: 1})
    if ended:
        await at.inspect(case_no, {1: 1})
        await at.ended(case_no, CaseStatus.REFUNDED)
    await reset(shop, at, case_no)
    if not ended:
        assert (await at.inspect(case_no, {1: 1})).refused is None
    await at.ended(case_no, CaseStatus.REFUNDED)
    assert (await shop.level(sku))["available"] == 10
    assert len((await shop.show(order_no)).refunds) == 1
    await books_balance(shop, order_no)


async def test_a_case_that_is_terminated_while_its_refund_hangs_still_pays_back_once(shop: Shop) -> None:
    at = Counter(shop)
    order_no, number = await received(shop, (await shop.sku(merchant=merchant()), 1))
    case_no = await at.opened(number, {1: 1}, REFUND)
    await shop.bad_days(refund_refuses=True)
    await at.agree(case_no)
    await shop.when(order_no, lambda view: bool(view.attention))
    await at.run(case_no).terminate("by mistake")
    await shop.bad_days()
    assert (await at.withdraw(case_no)).refused is not None
    await at.ended(case_no, CaseStatus.REFUNDED)
    assert [refund.state for refund in (await shop.show(order_no)).refunds] == ["DONE"]
    await books_balance(shop, order_no)


async def test_a_terminated_case_that_nobody_touches_is_started_again_when_its_clock_is_due(shop: Shop) -> None:
    at = Counter(shop)
    _, number = await received(shop, (await shop.sku(merchant=merchant()), 1), after_sale_return_window_s=1)
    case_no = await at.opened(number, {1: 1})
    await at.agree(case_no)
    await at.run(case_no).terminate("by mistake")
    keeper = CaseKeeper(at.cases, at.front, overdue=timedelta(0))

    async def looked() -> CaseStatus:
        await keeper.look()
        return (await at.show(case_no)).status

    await until(looked, lambda status: status is CaseStatus.EXPIRED)
    await keeper.look()
    await at.ended(case_no, CaseStatus.EXPIRED)


async def reset(shop: Shop, at: Counter, case_no: str) -> None:
    """To the first workflow task, without the messages that came since."""
    run = at.run(case_no)
    described = await run.describe()
    tasks = [
        event.event_id
        async for event in run.fetch_history_events()
        if event.HasField("workflow_task_completed_event_attributes")
    ]
    await shop.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=run.id, run_id=described.run_id),
            reason="test",
            workflow_task_finish_event_id=tasks[0],
            request_id=case_no,
            **FORGETTING,  # type: ignore[arg-type]
        )
    )
