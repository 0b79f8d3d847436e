"""Many orders want the same coupons at once, through several connections; and a control without the lock."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from domain.order.reservation import CouponsTaken
from store.accounts.coupons import PostgresCoupons
from tests.support.books import order_number
from tests.support.offers import entries, of, states, take, with_coupons

TAKEN = CouponsTaken(gone=[])


@pytest.fixture
async def opposite(engine: AsyncEngine, database_url: str) -> AsyncIterator[list[PostgresCoupons]]:
    """Two workers whose databases' plans read the rows in opposite orders: by the heap, and by the index."""
    plans = [{"enable_bitmapscan": "off", off: "off"} for off in ("enable_indexscan", "enable_seqscan")]
    made = [create_async_engine(database_url, connect_args={"server_settings": plan}) for plan in plans]
    yield [PostgresCoupons(one) for one in made]
    for one in made:
        await one.dispose()


async def test_orders_that_name_their_coupons_in_opposite_orders_never_deadlock(
    engine: AsyncEngine, opposite: list[PostgresCoupons]
) -> None:
    """A hundred coupons that lie in the table from the last to the first, taken and given back by two at once."""
    named = [f"C{n:03d}" for n in range(100)]
    ledger = await with_coupons(engine, *reversed(named))

    async def live(n: int) -> bool:
        order_no, own = order_number(), opposite[n % 2]
        taken = await take(own, order_no, *(named if n % 4 < 2 else reversed(named)))
        if n % 3:
            await own.redeem(of(order_no))
        await own.give_back(of(order_no))
        return taken == TAKEN

    outcomes = await asyncio.gather(*(live(n) for n in range(24)))
    assert any(outcomes)
    assert set((await states(ledger)).values()) == {"AVAILABLE"}


async def test_orders_whose_coupons_overlap_take_each_coupon_once(
    engine: AsyncEngine, opposite: list[PostgresCoupons]
) -> None:
    """A and B, B and C, C and A: one order gets its two, and nobody a half."""
    for attempt in range(15):
        a, b, c = (f"{letter}{attempt}" for letter in "ABC")
        ledger = await with_coupons(engine, a, b, c)
        wanted = [(a, b), (b, c), (c, a)]
        answers = await asyncio.gather(*(take(opposite[n % 2], order_number(), *pair) for n, pair in enumerate(wanted)))
        assert [answer == TAKEN for answer in answers].count(True) == 1
        taken = [coupon_id for coupon_id in (a, b, c) if "TAKEN" in await entries(ledger, coupon_id)]
        assert taken in [sorted(pair) for pair in wanted]


async def naively(engine: AsyncEngine, coupon_id: str) -> bool:
    """The control: look, then write what was seen to be free."""
    order_no = int(order_number())
    async with engine.begin() as db:
        await db.execute(text("SELECT pg_advisory_xact_lock(:no)"), {"no": order_no})
        state = await db.scalar(text("SELECT state FROM coupons WHERE coupon_id = :id"), {"id": coupon_id})
        if state != "AVAILABLE":
            return False
        change = text("UPDATE coupons SET state = 'TAKEN', order_no = :no WHERE coupon_id = :id")
        await db.execute(change, {"id": coupon_id, "no": order_no})
        return True


async def test_a_control_without_the_lock_is_stopped_by_the_database(engine: AsyncEngine) -> None:
    """It tries to take one coupon twice, so the race is real; and the table's own guard refuses."""
    refused = 0
    for coupon_id in (f"C{n}" for n in range(20)):
        await with_coupons(engine, coupon_id)
        tries = await asyncio.gather(*(naively(engine, coupon_id) for _ in range(5)), return_exceptions=True)
        assert tries.count(True) == 1
        refused += sum(isinstance(outcome, IntegrityError) for outcome in tries)
    assert refused > 0
