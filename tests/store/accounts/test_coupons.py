"""The coupon ledger's promises, on a real PostgreSQL."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.coupons import CouponsGivenBack, CouponsRedeemed
from domain.order.reservation import CouponsTaken, GoneCoupon
from store.accounts.coupons import NotIssued, PostgresCoupons
from store.catalog.promotions import PostgresPromotions
from tests.support.books import BUYER, NOW, AnswerLost, forgetful, order_number
from tests.support.offers import SECOND, TOMORROW, entries, of, promotion, states, take, with_coupons

TAKEN = CouponsTaken(gone=[])
NOT_YOURS = "is not one of this buyer's"


async def test_a_coupon_is_taken_redeemed_and_given_back_and_its_history_says_so(engine: AsyncEngine) -> None:
    ledger, order_no = await with_coupons(engine, "C"), order_number()
    assert await take(ledger, order_no, "C") == TAKEN
    assert await states(ledger) == {"C": "TAKEN"}
    assert await ledger.redeem(of(order_no)) == CouponsRedeemed(coupons=1)
    assert await states(ledger) == {"C": "REDEEMED"}
    assert await ledger.give_back(of(order_no)) == CouponsGivenBack(usable=1, expired=0)
    assert await states(ledger) == {"C": "AVAILABLE"}
    assert await take(ledger, order_number(), "C") == TAKEN
    history = await ledger.history("C")
    assert [entry.entry for entry in history] == ["ISSUED", "TAKEN", "REDEEMED", "GIVEN_BACK", "TAKEN"]
    assert [entry.order_no == order_no for entry in history] == [False, True, True, True, False]
    assert {entry.at for entry in history} == {NOW}


async def test_edge_case_23_one_coupon_and_five_concurrent_orders_and_one_gets_it(engine: AsyncEngine) -> None:
    """The others hear that it is in use (mall#1003)."""
    for coupon_id in (f"C{n}" for n in range(20)):
        ledger = await with_coupons(engine, coupon_id)
        answers = await asyncio.gather(*(take(ledger, order_number(), coupon_id) for _ in range(5)))
        gone = [answer.gone for answer in answers if answer.gone]
        assert gone == [[GoneCoupon(coupon_id=coupon_id, why="is in use by another order")]] * 4
        assert await entries(ledger, coupon_id) == ["ISSUED", "TAKEN"]


async def test_all_of_the_coupons_are_taken_or_none(engine: AsyncEngine) -> None:
    """And every one that is lacking is named, in the order's order."""
    ledger = await with_coupons(engine, "A", "B", "USED")
    await take(ledger, order_number(), "USED")
    answer = await take(ledger, order_number(), "USED", "B", "NEVER SEEN", "A")
    assert [(gone.coupon_id, gone.why) for gone in answer.gone] == [
        ("USED", "is in use by another order"),
        ("NEVER SEEN", NOT_YOURS),
    ]
    assert await states(ledger) == {"A": "AVAILABLE", "B": "AVAILABLE", "USED": "TAKEN"}
    assert await entries(ledger, "A") == ["ISSUED"]


async def test_somebody_elses_coupon_looks_like_an_unknown_one(engine: AsyncEngine) -> None:
    """Also when it is in use, or has expired: whose it is is told to nobody."""
    ledger = await with_coupons(engine, "C", "IN USE", buyer_id=BUYER + 1)
    assert await take(ledger, order_number(), "IN USE", buyer_id=BUYER + 1) == TAKEN
    for coupon_id in ("C", "IN USE", "UNKNOWN"):
        answer = await take(ledger, order_number(), coupon_id, at=TOMORROW)
        assert answer.gone == [GoneCoupon(coupon_id=coupon_id, why=NOT_YOURS)]


@pytest.mark.parametrize(("before", "taken"), [(SECOND, True), (timedelta(0), False), (-SECOND, False)])
async def test_a_coupon_expires_at_its_second(engine: AsyncEngine, before: timedelta, taken: bool) -> None:
    """One second before it can be taken; at that second and after it can not."""
    ledger = await with_coupons(engine, "C")
    answer = await take(ledger, order_number(), "C", at=TOMORROW - before)
    assert (answer == TAKEN) == taken
    assert [gone.why for gone in answer.gone] == ([] if taken else ["has expired at 2026-11-12 12:30:00 UTC"])


async def test_a_coupon_that_was_taken_in_time_is_redeemed_after_it_has_expired(engine: AsyncEngine) -> None:
    """The buyer has paid the price that was promised."""
    ledger, order_no = await with_coupons(engine, "C"), order_number()
    await take(ledger, order_no, "C")
    assert await ledger.redeem(of(order_no, at=TOMORROW)) == CouponsRedeemed(coupons=1)


async def test_a_repeat_gives_the_first_answer_after_the_coupon_has_moved(engine: AsyncEngine) -> None:
    """A refusal stays one when the coupon comes back; a promise stays one when it has expired."""
    ledger, first, second = await with_coupons(engine, "C"), order_number(), order_number()
    assert await take(ledger, first, "C") == TAKEN
    refused = await take(ledger, second, "C")
    assert await take(ledger, first, "C", at=TOMORROW) == TAKEN
    await ledger.give_back(of(first))
    assert await take(ledger, second, "C") == refused
    assert await states(ledger) == {"C": "AVAILABLE"}


async def test_twenty_concurrent_repeats_of_each_step_count_once(engine: AsyncEngine) -> None:
    """And all hear the same."""
    ledger, order_no = await with_coupons(engine, "A", "B"), order_number()
    assert await asyncio.gather(*(take(ledger, order_no, "A", "B") for _ in range(20))) == [TAKEN] * 20
    redeemed = await asyncio.gather(*(ledger.redeem(of(order_no)) for _ in range(20)))
    assert redeemed == [CouponsRedeemed(coupons=2)] * 20
    back = await asyncio.gather(*(ledger.give_back(of(order_no)) for _ in range(20)))
    assert back == [CouponsGivenBack(usable=2, expired=0)] * 20
    assert await entries(ledger, "A") == ["ISSUED", "TAKEN", "REDEEMED", "GIVEN_BACK"]


async def test_what_was_given_back_and_taken_by_another_order_is_not_given_back_again(engine: AsyncEngine) -> None:
    """However often the first order asks, closed first and refunded after."""
    ledger, first, second = await with_coupons(engine, "C"), order_number(), order_number()
    await take(ledger, first, "C")
    await ledger.give_back(of(first))
    await take(ledger, second, "C")
    assert await ledger.give_back(of(first)) == CouponsGivenBack(usable=1, expired=0)
    assert await ledger.redeem(of(first)) == CouponsRedeemed(coupons=0)
    assert await states(ledger) == {"C": "TAKEN"}


async def test_an_order_that_gave_its_coupon_back_is_not_told_again_that_it_has_it(engine: AsyncEngine) -> None:
    """A lost try took it, another gave it back: a third that still thought it had it would be cheaper for nothing."""
    ledger, order_no = await with_coupons(engine, "C"), order_number()
    assert await take(ledger, order_no, "C") == TAKEN
    await ledger.give_back(of(order_no))
    assert await take(ledger, order_no, "C") == CouponsTaken(gone=[], released_before=True)
    assert await states(ledger) == {"C": "AVAILABLE"}


async def test_a_give_back_before_the_take_leaves_a_tombstone(engine: AsyncEngine) -> None:
    """The late take takes nothing, for ever: no undo is overtaken by what it undoes."""
    ledger, order_no = await with_coupons(engine, "C"), order_number()
    assert await ledger.give_back(of(order_no)) == CouponsGivenBack(usable=0, expired=0)
    for _ in range(2):
        assert await take(ledger, order_no, "C") == CouponsTaken(gone=[], released_before=True)
    assert await states(ledger) == {"C": "AVAILABLE"}


async def test_edge_case_30_a_take_and_its_give_back_at_one_instant_leave_nothing_taken(engine: AsyncEngine) -> None:
    """Whichever comes first (yudao-cloud#310)."""
    named = [f"C{n:02d}" for n in range(30)]
    ledger = await with_coupons(engine, *named)
    for coupon_id in named:
        order_no = order_number()
        await asyncio.gather(take(ledger, order_no, coupon_id), ledger.give_back(of(order_no)))
    assert set((await states(ledger)).values()) == {"AVAILABLE"}


async def test_a_payment_and_a_close_at_one_instant_end_with_the_coupon_given_back(engine: AsyncEngine) -> None:
    """Redeemed first or not."""
    for coupon_id in (f"C{n}" for n in range(20)):
        ledger, order_no = await with_coupons(engine, coupon_id), order_number()
        await take(ledger, order_no, coupon_id)
        redeemed, back = await asyncio.gather(ledger.redeem(of(order_no)), ledger.give_back(of(order_no)))
        assert redeemed.coupons in (0, 1) and back.usable == 1
        assert (await states(ledger))[coupon_id] == "AVAILABLE"


@pytest.mark.parametrize("paid", [True, False])
async def test_an_expired_coupon_is_not_given_back_usable(engine: AsyncEngine, paid: bool) -> None:
    """It stays expired, even for an order that has an earlier time."""
    ledger, order_no = await with_coupons(engine, "C"), order_number()
    await ledger.issue("ticket", BUYER, NOW, coupon_id="FOR EVER")
    await take(ledger, order_no, "C", "FOR EVER")
    if paid:
        await ledger.redeem(of(order_no))
    assert await ledger.give_back(of(order_no, at=TOMORROW)) == CouponsGivenBack(usable=1, expired=1)
    assert await states(ledger) == {"C": "EXPIRED", "FOR EVER": "AVAILABLE"}
    assert (await entries(ledger, "C"))[-1] == "EXPIRED"
    assert [gone.coupon_id for gone in (await take(ledger, order_number(), "C")).gone] == ["C"]


async def test_a_coupon_that_nobody_used_in_time_is_shown_as_expired(engine: AsyncEngine) -> None:
    ledger = await with_coupons(engine, "C")
    shown = [[coupon.state for coupon in await ledger.of_buyer(BUYER, at)] for at in (TOMORROW - SECOND, TOMORROW)]
    assert shown == [["AVAILABLE"], ["EXPIRED"]]


@pytest.mark.parametrize("step", ["take", "redeem", "give_back"])
async def test_a_commit_whose_answer_is_lost_has_its_effect_once(engine: AsyncEngine, step: str) -> None:
    """The caller hears of a fault, asks again, and gets the answer of the first time."""
    ledger, order_no = await with_coupons(engine, "C"), order_number()
    losing = PostgresCoupons(forgetful(engine))
    if step != "take":
        await take(ledger, order_no, "C")

    async def ask(ledger: PostgresCoupons) -> CouponsTaken | CouponsRedeemed | CouponsGivenBack:
        if step == "take":
            return await take(ledger, order_no, "C")
        return await (ledger.redeem(of(order_no)) if step == "redeem" else ledger.give_back(of(order_no)))

    with pytest.raises(AnswerLost):
        await ask(losing)
    once = {"take": TAKEN, "redeem": CouponsRedeemed(coupons=1), "give_back": CouponsGivenBack(usable=1, expired=0)}
    assert await ask(ledger) == once[step]
    assert len(await entries(ledger, "C")) == (2 if step == "take" else 3)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE coupons SET order_no = 2 WHERE coupon_id = 'TAKEN'",  # over to another order
        "UPDATE coupons SET state = 'AVAILABLE' WHERE coupon_id = 'TAKEN'",  # somebody's, and free
        "UPDATE coupons SET state = 'REDEEMED', order_no = 2 WHERE coupon_id = 'FREE'",  # never taken
        "UPDATE coupons SET state = 'LENT', order_no = 2 WHERE coupon_id = 'FREE'",
        "UPDATE coupons SET buyer_id = 2, state = 'TAKEN', order_no = 2 WHERE coupon_id = 'FREE'",
        "UPDATE coupons SET expires_at = NULL WHERE coupon_id = 'FREE'",
        "DELETE FROM coupons",
        "UPDATE coupon_entries SET at = now()",
        "DELETE FROM coupon_entries",
    ],
)
async def test_the_database_itself_refuses_what_no_coupon_does(engine: AsyncEngine, change: str) -> None:
    ledger = await with_coupons(engine, "FREE", "TAKEN")
    await take(ledger, order_number(), "TAKEN")
    with pytest.raises(IntegrityError):
        async with engine.begin() as db:
            await db.execute(text(change))


class TestIssuing:
    async def test_codes_are_long_and_never_alike(self, engine: AsyncEngine) -> None:
        """Nobody guesses one: twenty characters of thirty-two."""
        ledger = await with_coupons(engine)
        issued = await ledger.issue("ticket", BUYER, NOW, count=500)
        assert len({coupon.coupon_id for coupon in issued}) == 500
        assert {len(coupon.coupon_id) for coupon in issued} == {20}
        assert len({letter for coupon in issued for letter in coupon.coupon_id}) == 32

    async def test_the_same_id_again_is_the_same_coupon(self, engine: AsyncEngine) -> None:
        """Also when an order has it: nothing changes."""
        ledger = await with_coupons(engine, "C")
        await take(ledger, order_number(), "C")
        await with_coupons(engine, "C")
        assert await states(ledger) == {"C": "TAKEN"}
        assert await entries(ledger, "C") == ["ISSUED", "TAKEN"]

    @pytest.mark.parametrize("change", [{"buyer_id": BUYER + 1}, {"expires_at": TOMORROW + SECOND}])
    async def test_the_same_id_for_another_coupon_is_refused(
        self, engine: AsyncEngine, change: dict[str, object]
    ) -> None:
        ledger = await with_coupons(engine, "C")
        with pytest.raises(NotIssued, match="another coupon C: issue it under a new id"):
            await with_coupons(engine, "C", **change)
        assert await entries(ledger, "C") == ["ISSUED"]

    async def test_it_holds_as_long_as_its_promotion_unless_said_otherwise(self, engine: AsyncEngine) -> None:
        await PostgresPromotions(engine).load([promotion("short", "SHOP_COUPON", ends_at=TOMORROW)])
        ledger = PostgresCoupons(engine)
        (whole,) = await ledger.issue("short", BUYER, NOW)
        (half,) = await ledger.issue("short", BUYER, NOW, expires_at=NOW + SECOND)
        assert (whole.expires_at, half.expires_at) == (TOMORROW, NOW + SECOND)

    async def test_only_promotions_of_a_coupon_level_that_are_not_over_have_coupons(self, engine: AsyncEngine) -> None:
        promotions = PostgresPromotions(engine)
        await promotions.load([promotion("sale"), promotion("past", "SHOP_COUPON", ends_at=NOW)])
        await promotions.load([promotion("stopped", "SHOP_COUPON")])
        await promotions.stop("stopped", NOW, "ann")
        said = {"sale": "of level SHOP and needs no", "past": "over", "stopped": "over", "unknown": "no promotion"}
        for promotion_id, why in said.items():
            with pytest.raises(NotIssued, match=why):
                await PostgresCoupons(engine).issue(promotion_id, BUYER, NOW)

    async def test_all_buyers_get_theirs_or_none_does(self, engine: AsyncEngine) -> None:
        ledger = await with_coupons(engine)
        with pytest.raises(NotIssued, match="too many"):
            await ledger.issue_to_all("ticket", [BUYER] * 10_001, NOW)
        assert await states(ledger) == {}
        issued = await ledger.issue_to_all("ticket", [BUYER, BUYER + 1], NOW)
        assert [coupon.buyer_id for coupon in issued] == [BUYER, BUYER + 1]
