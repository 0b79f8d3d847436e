"""Verdicts, decisions and settings on a real PostgreSQL: each is kept, once, and others can be tried."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.risk import (
    BadSetting,
    Decision,
    RiskSettings,
    RiskVerdict,
    address_key,
    phone_key,
)
from store.risk.desk import PostgresRisk
from store.tables import (
    order_events,
    orders,
    outbox,
    risk_decisions,
    risk_settings,
    risk_verdicts,
)
from tests.support.risk import HOME, HOUR, NOW, insert_order, insert_praise, insert_rush, rows


async def test_the_first_verdict_stands(desk: PostgresRisk, engine: AsyncEngine) -> None:
    order_no = await insert_rush(engine, range(1, 11))
    first = await desk.assess(order_no)
    await desk.change_settings({"velocity_orders": 1_000}, "ops-1")
    assert await desk.assess(order_no) == await desk.verdict(order_no) == first
    assert first.verdict is RiskVerdict.REVIEW


async def test_a_review_raises_one_alarm_with_its_verdict(desk: PostgresRisk, engine: AsyncEngine) -> None:
    order_no = await insert_rush(engine, range(1, 11))
    answers = await asyncio.gather(*(desk.assess(order_no) for _ in range(8)))
    assert all(answer == answers[0] for answer in answers)
    async with engine.connect() as db:
        alarms = (await db.execute(select(outbox))).mappings().all()
    assert [(alarm["message_id"], alarm["topic"]) for alarm in alarms] == [(f"risk-review/{order_no}", "alarm")]
    assert alarms[0]["body"]["order_no"] == order_no
    assert alarms[0]["body"]["reasons"] == ["VELOCITY: 10 orders worth 30000 fen within an hour"]
    assert f"decide-risk {order_no}" in alarms[0]["body"]["decide"]


async def test_no_verdict_without_its_alarm(desk: PostgresRisk, engine: AsyncEngine) -> None:
    """They are one transaction: when the alarm can't be written, the verdict is not either."""
    order_no = await insert_rush(engine, range(1, 11))
    async with engine.begin() as db:
        await db.execute(text("ALTER TABLE outbox RENAME TO outbox_away"))
    try:
        with pytest.raises(Exception, match="outbox"):
            await desk.assess(order_no)
    finally:
        async with engine.begin() as db:
            await db.execute(text("ALTER TABLE outbox_away RENAME TO outbox"))
    assert await desk.verdict(order_no) is None
    assert (await desk.assess(order_no)).verdict is RiskVerdict.REVIEW


@pytest.mark.parametrize("weight", [39, 81], ids=["PASS", "REJECT"])
async def test_only_a_review_raises_an_alarm(desk: PostgresRisk, engine: AsyncEngine, weight: int) -> None:
    await desk.change_settings({"velocity_weight": weight}, "ops-1")
    said = await desk.assess(await insert_rush(engine, range(1, 11)))
    assert said.verdict is (RiskVerdict.PASS if weight == 39 else RiskVerdict.REJECT)
    counted = await rows(engine)
    assert (counted["risk_verdicts"], counted["outbox"]) == (1, 0)


async def test_a_verdict_names_the_settings_it_went_by(desk: PostgresRisk, engine: AsyncEngine) -> None:
    await desk.assess(await insert_order(engine, 1))
    await desk.change_settings({"velocity_orders": 20}, "ops-1")
    await desk.assess(await insert_order(engine, 2))
    async with engine.connect() as db:
        versions = await db.execute(select(risk_verdicts.c.settings_version).order_by(risk_verdicts.c.order_no))
        newest = await db.scalar(select(func.max(risk_settings.c.version)))
    assert versions.scalars().all() == [None, newest]


async def test_the_first_decision_stands_and_a_repeat_is_told_so(desk: PostgresRisk, engine: AsyncEngine) -> None:
    approve = Decision(approved=True, author="ops-1", note="called the buyer")
    reject = Decision(approved=False, author="ops-2", note="looks odd")
    first = await desk.decide("1", approve, NOW)
    assert (first.decision, first.decided_at, first.yours) == (approve, NOW, True)
    assert await desk.decide("1", approve, NOW + HOUR) == first
    assert await desk.decide("1", reject, NOW + HOUR) == first.model_copy(update={"yours": False})
    assert await desk.decision("1") == first
    assert await desk.decision("2") is None
    async with engine.connect() as db:
        assert (await db.scalars(select(risk_decisions.c.decision))).all() == ["APPROVE"]
        noted = (await db.execute(select(order_events.c.action, order_events.c.detail))).all()
    assert [tuple(line) for line in noted] == [("DECIDE_RISK", "APPROVE by ops-1: called the buyer")]


async def test_settings_are_the_defaults_until_changed(desk: PostgresRisk, engine: AsyncEngine) -> None:
    assert await desk.settings() == RiskSettings()
    changed = await desk.change_settings({"velocity_orders": 3, "sku_limits": {"TEA": 9}}, "ops-1")
    assert await desk.settings() == changed == RiskSettings(velocity_orders=3, sku_limits={"TEA": 9})
    with pytest.raises(BadSetting, match="there is no setting 'velocity'"):
        await desk.change_settings({"velocity": 3, "brushing_orders": 9}, "ops-1")
    assert await desk.settings() == changed


async def test_changes_at_once_do_not_undo_each_other(desk: PostgresRisk) -> None:
    names = ["velocity_orders", "brushing_orders", "new_accounts", "placed_again", "limited_pieces", "unpaid_orders"]
    await asyncio.gather(*(desk.change_settings({name: 77}, "ops-1") for name in names))
    now = (await desk.settings()).model_dump()
    assert [now[name] for name in names] == [77] * len(names)


async def test_settings_that_an_older_version_stored_can_be_read(desk: PostgresRisk, engine: AsyncEngine) -> None:
    async with engine.begin() as db:
        await db.execute(insert(risk_settings).values(settings={"velocity_orders": 3, "gone": 1}, author="ops-1"))
    assert await desk.settings() == RiskSettings(velocity_orders=3)


async def test_trying_settings_counts_verdicts_names_changes_and_leaves_no_trace(
    desk: PostgresRisk, engine: AsyncEngine
) -> None:
    await insert_rush(engine, range(1, 11))
    for number in range(1, 11):
        await desk.assess(str(number))
    await insert_order(engine, 50, ago=2 * HOUR)
    before = await rows(engine)
    same = await desk.try_rules(await desk.settings(), NOW - HOUR)
    assert (same.orders, same.changed, same.more) == (10, [], False)
    assert same.verdicts == {RiskVerdict.PASS: 9, RiskVerdict.REVIEW: 1, RiskVerdict.REJECT: 0}
    stricter = await desk.try_rules(RiskSettings(velocity_orders=9))
    assert stricter.verdicts == {RiskVerdict.PASS: 9, RiskVerdict.REVIEW: 2, RiskVerdict.REJECT: 0}
    assert [(changed.order_no, changed.was, changed.would_be) for changed in stricter.changed] == [
        ("9", RiskVerdict.PASS, RiskVerdict.REVIEW),
        ("50", None, RiskVerdict.PASS),
    ]
    assert await rows(engine) == before


async def test_trying_says_the_same_when_the_orders_have_moved_on(desk: PostgresRisk, engine: AsyncEngine) -> None:
    """What happens to orders later, closings too, changes nothing of what was known at the placement."""
    order_no = await insert_rush(engine, range(1, 11))
    await desk.assess(order_no)
    for number in range(1, 4):
        await insert_praise(engine, str(number), NOW + HOUR)
    async with engine.begin() as db:
        gone = {"status": "CLOSED", "close_reason": "CANCELLED_BY_BUYER", "closed_at": NOW + HOUR}
        await db.execute(update(orders).values(gone))
    assert not [c for c in (await desk.try_rules(RiskSettings())).changed if c.order_no == order_no]


async def test_trying_looks_at_the_newest_and_says_that_there_are_more(desk: PostgresRisk, engine: AsyncEngine) -> None:
    for number in range(1, 4):
        await insert_order(engine, number, ago=number * HOUR)
    report = await desk.try_rules(RiskSettings(), most=2)
    assert ([changed.order_no for changed in report.changed], report.more) == (["1", "2"], True)


async def test_the_desk_compares_what_checkout_stores(desk: PostgresRisk, engine: AsyncEngine) -> None:
    """An order stored with the normal forms of its address and phone is kin to the next one of the same place."""
    home: dict[str, Any] = {"address_key": address_key(HOME), "phone_key": phone_key(HOME.phone)}
    for number in range(1, 5):
        await insert_order(engine, number, **home, ago=number * HOUR, merchant=f"m{number}")
    said = await desk.assess(await insert_order(engine, 99, **home))
    assert said.reasons[0].facts["shared"] == "address"
