"""The risk desk on a real PostgreSQL: what it sees, what it keeps, and what it does once."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic_core import to_jsonable_python
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import ActivityEnvironment

from activities.risk import AssessRisk, RecordRiskDecision, RiskActivities, RiskDesk, ScreenBuyer
from domain.order.cart import Address, Cart, CartLine
from domain.order.product import Product
from domain.risk import (
    NOT_ACCEPTED,
    BadSetting,
    BlockKind,
    Decision,
    RiskKind,
    RiskSettings,
    RiskVerdict,
    address_key,
    phone_key,
)
from store.catalog.products import PostgresCatalog
from store.risk.desk import PostgresRisk
from store.risk.facts import UnknownOrder
from store.tables import (
    metadata,
    order_events,
    order_lines,
    orders,
    outbox,
    reviews,
    risk_decisions,
    risk_settings,
    risk_verdicts,
    sub_orders,
)

NOW = datetime(2026, 11, 11, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOME = Address(recipient="Li Lei", phone="13800138000", region="浙江省杭州市", street="文三路1号2-301")


@pytest.fixture
def desk(engine: AsyncEngine) -> PostgresRisk:
    return PostgresRisk(engine)


def cart(**said: Any) -> Cart:
    own: dict[str, Any] = {
        "buyer_id": 7,
        "lines": [CartLine(line_no=1, sku="TEA", quantity=1)],
        "expected_amount_fen": 3_000,
        "address": HOME,
        "device_id": "device-of-7",
        "ip": "203.0.113.9",
    }
    return Cart(**(own | said))


async def insert_order(engine: AsyncEngine, number: int, *, ago: timedelta = timedelta(), **said: Any) -> str:
    """An order of one line. Everything about it is its own, unless it is said."""
    line = {"sku": "TEA", "merchant": "leaf", "quantity": 1, "goods_fen": 3_000, "pay_fen": 3_000}
    line |= {name: said.pop(name) for name in list(said) if name in line}
    row: dict[str, Any] = {
        "order_no": number,
        "buyer_id": 1_000 + number,
        "caller": "web",
        "device_id": f"device-{number}",
        "ip": "",
        "address": to_jsonable_python(HOME),
        "address_key": f"address-{number}",
        "phone_key": f"86138{number:08d}"[:13],
        "goods_fen": line["goods_fen"],
        "shipping_fen": 0,
        "amount_due_fen": line["pay_fen"],
        "coupons": [],
        "rules": {},
        "terms": {},
        "currency": "CNY",
        "payment": "UNPAID",
        "status": "PENDING_PAYMENT",
        "placed_at": NOW - ago,
    }
    shown = {"line_no": 1, "title": "Tea", "version": 1, "digest": "", "unit_price_fen": line["goods_fen"]}
    shown |= {"delivery_mode": "PHYSICAL", "handling": "ORDINARY", "weight_g": 0, "volume_cm3": 0, "policy": "-"}
    async with engine.begin() as db:
        await db.execute(insert(orders).values(row | said))
        await db.execute(insert(order_lines).values({"order_no": number} | shown | line))
    return str(number)


async def insert_praise(engine: AsyncEngine, order_no: str, at: datetime) -> None:
    """The order's one sub-order was received and reviewed at that time."""
    part = {"order_no": int(order_no), "idx": 1}
    shown = {"buyer_id": 7, "sub_order_no": f"{order_no}01", "merchant": "leaf", "shipping_fen": 0}
    shown |= {"delivery_mode": "PHYSICAL", "handling": "ORDINARY", "flags": []}
    async with engine.begin() as db:
        await db.execute(
            insert(sub_orders).values(
                part | shown | {"status": "REVIEWED", "goods_fen": 3_000, "pay_fen": 3_000, "received_at": at}
            )
        )
        await db.execute(insert(reviews).values(part | {"rating": 5, "text": "good", "at": at}))


async def rows(engine: AsyncEngine) -> dict[str, int]:
    async with engine.connect() as db:
        return {t.name: await db.scalar(select(func.count()).select_from(t)) or 0 for t in metadata.sorted_tables}


async def insert_rush(engine: AsyncEngine, numbers: Iterable[int]) -> str:
    """Orders of buyer 7, a minute apart, the last one now."""
    every = list(numbers)
    for minutes, number in enumerate(reversed(every)):
        await insert_order(engine, number, buyer_id=7, ago=timedelta(minutes=minutes), merchant=f"m{number}")
    return str(every[-1])


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


# --- screen


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


# --- assess: each kind of rule is fed from what the database holds


async def test_brushing_is_seen_in_receipts_and_reviews(desk: PostgresRisk, engine: AsyncEngine) -> None:
    for number in range(1, 5):
        order_no = await insert_order(engine, number, device_id="D", buyer_id=number % 2, ago=40 * HOUR)
        await insert_praise(engine, order_no, NOW - HOUR)
    said = await desk.assess(await insert_order(engine, 9, device_id="D"))
    assert [reason.kind for reason in said.reasons] == [RiskKind.BRUSHING]
    assert said.reasons[0].facts["quickly_praised"] == 4


async def test_reviews_written_after_the_placement_are_not_seen(desk: PostgresRisk, engine: AsyncEngine) -> None:
    for number in range(1, 5):
        order_no = await insert_order(engine, number, device_id="D", buyer_id=7, ago=40 * HOUR)
        await insert_praise(engine, order_no, NOW + HOUR)
    await insert_praise(engine, await insert_order(engine, 50, ago=40 * HOUR), NOW - HOUR)  # somebody else's
    assert not (await desk.assess(await insert_order(engine, 9, device_id="D", buyer_id=7))).reasons


@pytest.mark.parametrize(
    ("mark", "accounts"), [("device_id", 4), ("address_key", 4), ("phone_key", 7)], ids=["device", "address", "phones"]
)
async def test_promo_abuse_is_seen_in_first_orders(
    desk: PostgresRisk, engine: AsyncEngine, mark: str, accounts: int
) -> None:
    def shared(number: int) -> dict[str, Any]:
        return {mark: f"8613800138{number:03d}" if mark == "phone_key" else "shared"}

    for number in range(1, accounts + 1):
        await insert_order(engine, number, **shared(number), ago=number * HOUR, merchant=f"m{number}")
    said = await desk.assess(await insert_order(engine, 99, **shared(99)))
    assert [reason.kind for reason in said.reasons] == [RiskKind.PROMO_ABUSE]


async def test_an_account_with_an_older_order_is_not_new(desk: PostgresRisk, engine: AsyncEngine) -> None:
    for number in range(1, 5):
        await insert_order(engine, number, device_id="shared", ago=number * HOUR, merchant=f"m{number}")
    await insert_order(engine, 50, buyer_id=1_001, ago=timedelta(days=400))
    assert not (await desk.assess(await insert_order(engine, 99, device_id="shared"))).reasons


async def test_promo_abuse_is_seen_in_orders_let_go(desk: PostgresRisk, engine: AsyncEngine) -> None:
    for number in range(1, 4):
        closed = {"status": "CLOSED", "close_reason": "CANCELLED_BY_BUYER", "closed_at": NOW - HOUR / 2}
        await insert_order(engine, number, buyer_id=7, ago=HOUR, **closed)
    said = await desk.assess(await insert_order(engine, 99, buyer_id=7))
    assert [reason.kind for reason in said.reasons] == [RiskKind.PROMO_ABUSE]


async def test_promo_abuse_is_seen_in_the_share_of_the_discount(desk: PostgresRisk, engine: AsyncEngine) -> None:
    await desk.change_settings({"usual_orders": 3}, "ops-1")
    for number in range(1, 4):
        await insert_order(engine, number, goods_fen=10_000, pay_fen=7_600, ago=HOUR)
    said = await desk.assess(await insert_order(engine, 99, goods_fen=10_000, pay_fen=5_000))
    assert [reason.kind for reason in said.reasons] == [RiskKind.PROMO_ABUSE]
    assert said.reasons[0].facts["platform_discount_fen"] == 7_200
    await insert_order(engine, 4, goods_fen=10_000, pay_fen=0, ago=HOUR)
    assert not (await desk.assess(await insert_order(engine, 98, goods_fen=10_000, pay_fen=5_000))).reasons


@pytest.mark.parametrize("limited", [True, False])
async def test_scalping_is_seen_where_the_catalog_says_limited(
    desk: PostgresRisk, engine: AsyncEngine, limited: bool
) -> None:
    await PostgresCatalog(engine).put(Product(sku="TEA", merchant="leaf", price_fen=3_000), limited=limited)
    for number in (1, 2):
        await insert_order(engine, number, phone_key="8613800138000", ago=HOUR)
    said = await desk.assess(await insert_order(engine, 99, phone_key="8613800138000"))
    assert [reason.kind for reason in said.reasons] == ([RiskKind.SCALPING] if limited else [])


async def test_velocity_is_seen_in_the_last_hour(desk: PostgresRisk, engine: AsyncEngine) -> None:
    said = await desk.assess(await insert_rush(engine, range(1, 11)))
    assert [reason.kind for reason in said.reasons] == [RiskKind.VELOCITY]
    assert said.reasons[0].facts["orders"] == 10


async def test_what_everybody_does_is_counted_without_the_buyers_own_rush(
    desk: PostgresRisk, engine: AsyncEngine
) -> None:
    await desk.change_settings({"usual_orders": 4}, "ops-1")
    for number in range(101, 105):
        await insert_order(engine, number, buyer_id=8 + number % 2, ago=3 * HOUR)
    said = await desk.assess(await insert_rush(engine, range(1, 12)))
    assert said.reasons[0].facts["platform_orders"] == 4
    assert said.reasons[0].facts["platform_buyer_hours"] == 2


async def test_an_order_is_judged_by_what_came_before_it(desk: PostgresRisk, engine: AsyncEngine) -> None:
    """However late it is assessed, the first of a rush is innocent; at one instant the numbers decide."""
    await insert_rush(engine, range(1, 12))
    for number in range(21, 31):
        await insert_order(engine, number, buyer_id=8, merchant=f"m{number}")
    assert not (await desk.assess("1")).reasons
    assert not (await desk.assess("29")).reasons
    assert (await desk.assess("30")).reasons


async def test_an_order_that_does_not_exist_is_a_fault(desk: PostgresRisk) -> None:
    with pytest.raises(UnknownOrder, match="there is no order 404"):
        await desk.assess("404")


# --- verdicts and decisions are kept, once


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


# --- settings, and trying others


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
