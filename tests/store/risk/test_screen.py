"""Screening a buyer on a real PostgreSQL: what the risk desk refuses, and that it writes nothing."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import ActivityEnvironment

from activities.risk import AssessRisk, RecordRiskDecision, RiskActivities, RiskDesk, ScreenBuyer
from domain.risk import (
    NOT_ACCEPTED,
    BlockKind,
    Decision,
    RiskVerdict,
)
from store.risk.desk import PostgresRisk
from tests.support.risk import HOUR, NOW, cart, insert_order, insert_rush, rows


def test_it_is_a_risk_desk(desk: PostgresRisk) -> None:
    as_the_stories_see_it: RiskDesk = desk
    assert as_the_stories_see_it is desk


async def test_the_activities_ask_the_desk_and_their_messages_survive_the_wire(
    desk: PostgresRisk, engine: AsyncEngine
) -> None:
    async def sent(message: Any) -> Any:
        payloads = await pydantic_data_converter.encode([message])
        return (await pydantic_data_converter.decode(payloads, [type(message)]))[0]

    order_no = await insert_rush(engine, range(1, 11))
    activities, run = RiskActivities(desk), ActivityEnvironment().run
    decision = Decision(approved=True, author="ops-1", note="called")
    screened = await run(activities.screen_buyer, await sent(ScreenBuyer(order_no="99", cart=cart(), now=NOW)))
    said = await run(activities.assess_risk, await sent(AssessRisk(order_no=order_no)))
    request = RecordRiskDecision(order_no=order_no, decision=decision, now=NOW)
    decided = await run(activities.record_risk_decision, await sent(request))
    assert (screened.passed, said.verdict, decided.decision) == (True, RiskVerdict.REVIEW, decision)
    assert [await sent(answer) for answer in (screened, said, decided)] == [screened, said, decided]


async def test_a_stranger_passes(desk: PostgresRisk) -> None:
    assert (await desk.screen("1", cart(), NOW)).passed


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (BlockKind.BUYER, "7"),
        (BlockKind.DEVICE, "device-of-7"),
        (BlockKind.ADDRESS, "浙江省杭州市 文三路1号 2-301"),
        (BlockKind.PHONE, "+86 138 0013 8000"),
        (BlockKind.IP_RANGE, "203.0.113.0/24"),
    ],
)
async def test_a_block_refuses_until_it_is_lifted(desk: PostgresRisk, kind: BlockKind, value: str) -> None:
    await desk.block(kind, value, reason="chargebacks", author="ops-1")
    said = await desk.screen("1", cart(), NOW)
    assert (said.passed, said.code) == (False, NOT_ACCEPTED)
    assert "chargebacks" in said.reason
    assert await desk.unblock(kind, value)
    assert (await desk.screen("1", cart(), NOW)).passed
    assert not await desk.unblock(kind, value)


async def test_a_block_ends_by_the_time_that_is_passed_in(desk: PostgresRisk) -> None:
    await desk.block(BlockKind.BUYER, "7", reason="cooling off", author="ops-1", expires_at=NOW)
    assert not (await desk.screen("1", cart(), NOW - timedelta(seconds=1))).passed
    assert (await desk.screen("1", cart(), NOW)).passed


async def test_blocking_again_replaces_reason_and_expiry(desk: PostgresRisk) -> None:
    await desk.block(BlockKind.BUYER, "7", reason="first", author="ops-1", expires_at=NOW)
    again = await desk.block(BlockKind.BUYER, "007", reason="second", author="ops-2")
    assert await desk.blocks() == [again]


async def test_a_block_needs_a_reason_and_an_author(desk: PostgresRisk) -> None:
    with pytest.raises(ValueError, match="needs a reason and an author"):
        await desk.block(BlockKind.BUYER, "7", reason=" ", author="ops-1")


async def test_a_device_of_eleven_buyers_in_a_month_is_refused(desk: PostgresRisk, engine: AsyncEngine) -> None:
    """Ten, one of them twice and one of them this buyer, are not; nor counts who came before."""
    await insert_order(engine, 90, device_id="device-of-7", buyer_id=7, ago=HOUR)
    await insert_order(engine, 91, device_id="device-of-7", buyer_id=1_001, ago=HOUR)
    await insert_order(engine, 92, device_id="device-of-7", ago=timedelta(days=30))
    for number in range(1, 10):
        await insert_order(engine, number, device_id="device-of-7", ago=number * HOUR)
    assert (await desk.screen("99", cart(), NOW)).passed
    await insert_order(engine, 10, device_id="device-of-7", ago=HOUR)
    assert "11 buyers" in (await desk.screen("99", cart(), NOW)).reason


async def test_a_buyer_with_too_many_unpaid_orders_is_refused(desk: PostgresRisk, engine: AsyncEngine) -> None:
    """Paid ones and this order itself, should the step be repeated after it was written, do not count."""
    await desk.change_settings({"unpaid_orders": 2}, "ops-1")
    await insert_order(engine, 1, buyer_id=7)
    await insert_order(engine, 2, buyer_id=7, status="AWAITING_SHIPMENT", paid_at=NOW)
    await insert_order(engine, 99, buyer_id=7)
    assert (await desk.screen("99", cart(), NOW)).passed
    await insert_order(engine, 3, buyer_id=7)
    assert "2 unpaid orders" in (await desk.screen("99", cart(), NOW)).reason


async def test_a_screen_writes_nothing(desk: PostgresRisk, engine: AsyncEngine) -> None:
    before = await rows(engine)
    await desk.screen("1", cart(), NOW)
    assert await rows(engine) == before
