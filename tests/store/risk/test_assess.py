"""Assessing a placed order on a real PostgreSQL: each kind of rule is fed from what the database holds."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.order.product import Product
from domain.risk import (
    RiskKind,
)
from store.catalog.products import PostgresCatalog
from store.risk.desk import PostgresRisk
from store.risk.facts import UnknownOrder
from tests.support.risk import HOUR, NOW, insert_order, insert_praise, insert_rush


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
