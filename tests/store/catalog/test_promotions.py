"""What a buyer is offered, and how promotions come into the database, on a real PostgreSQL."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.order.snapshot import digest
from domain.pricing.market import Offers
from store.accounts.members import PostgresMembers
from store.catalog.promotions import LoadedBefore, PostgresPromotions
from tests.support.books import BUYER, NOW, order_number
from tests.support.offers import SECOND, TOMORROW, promotion, take, with_coupons


@pytest.fixture
def desk(engine: AsyncEngine) -> PostgresPromotions:
    return PostgresPromotions(engine)


async def offered(desk: PostgresPromotions, *coupons: str, **more: Any) -> list[str]:
    """The ids of what BUYER is offered for goods of m1."""
    fields = {"buyer_id": BUYER, "merchants": ["m1"], "at": NOW, **more}
    return [given.promotion_id for given in (await desk.offers(coupons=coupons, **fields)).promotions]


class TestOffers:
    async def test_a_shop_with_nothing_on_offers_nothing(self, desk: PostgresPromotions) -> None:
        assert await desk.offers(BUYER, ["m1"], ["UNKNOWN"], NOW) == Offers()

    async def test_a_promotion_comes_back_as_it_was_loaded(self, desk: PostgresPromotions) -> None:
        """Every kind, with its own keys."""
        given = [
            promotion("a", kind="PERCENT_OFF", percent_off=10, funded_by={"MERCHANT": 40, "PLATFORM": 60}),
            promotion("b", kind="GIFT", gift_sku="G", threshold_pieces=2, starts_at=NOW, issued_under="PARALLEL"),
            promotion("c", "ITEM", kind="ITEM_PRICE", price_fen=1, tier="GOLD", skus=["龙井"]),
            promotion("d", kind="BUNDLE_PRICE", price_fen=1, pieces=3, categories=["tea"], ends_at=TOMORROW),
            promotion("e", threshold_fen=600, repeat=True, max_off_fen=1000, merchant="m1"),
        ]
        await desk.load(given)
        assert (await desk.offers(BUYER, ["m1"], [], NOW)).promotions == given

    @pytest.mark.parametrize(("shift", "there"), [(-SECOND, False), (timedelta(0), True)])
    async def test_it_starts_at_its_second(self, desk: PostgresPromotions, shift: timedelta, there: bool) -> None:
        await desk.load([promotion("p", starts_at=NOW)])
        assert await offered(desk, at=NOW + shift) == (["p"] if there else [])

    @pytest.mark.parametrize(("shift", "there"), [(-SECOND, True), (timedelta(0), False)])
    async def test_it_is_over_at_the_second_it_ends(
        self, desk: PostgresPromotions, shift: timedelta, there: bool
    ) -> None:
        await desk.load([promotion("p", ends_at=NOW)])
        assert await offered(desk, at=NOW + shift) == (["p"] if there else [])

    @pytest.mark.parametrize(("shift", "there"), [(-SECOND, True), (timedelta(0), False)])
    async def test_a_stop_ends_it_at_once_for_new_orders_only(
        self, desk: PostgresPromotions, shift: timedelta, there: bool
    ) -> None:
        """An order placed a second before is still priced by it, though its pricing comes late."""
        await desk.load([promotion("p")])
        await desk.stop("p", NOW, "ann")
        assert await offered(desk, at=NOW + shift) == (["p"] if there else [])

    async def test_those_of_other_merchants_are_left_out(self, desk: PostgresPromotions) -> None:
        """One that names no merchant is everybody's."""
        await desk.load([promotion("mine", merchant="m1"), promotion("theirs", merchant="m2"), promotion("all")])
        assert await offered(desk) == ["all", "mine"]
        assert await offered(desk, merchants=["m1", "m2"]) == ["all", "mine", "theirs"]

    async def test_those_issued_under_the_other_mode_are_there(self, desk: PostgresPromotions) -> None:
        """Whether they are void is the price's to say, for one place decides it."""
        await desk.load([promotion(mode, issued_under=mode) for mode in ("PARALLEL", "PROGRESSIVE")])
        assert await offered(desk) == ["PARALLEL", "PROGRESSIVE"]

    async def test_a_coupons_promotion_is_there_only_when_its_owner_names_the_coupon(
        self, engine: AsyncEngine, desk: PostgresPromotions
    ) -> None:
        await with_coupons(engine, "C")
        assert await offered(desk) == []
        assert await offered(desk, "UNKNOWN") == []
        assert await offered(desk, "C", buyer_id=BUYER + 1) == []
        assert await offered(desk, "C") == ["ticket"]
        await desk.stop("ticket", NOW, "ann")
        assert await offered(desk, "C") == []

    async def test_the_coupons_that_are_named_come_with_the_order_that_has_them(
        self, engine: AsyncEngine, desk: PostgresPromotions
    ) -> None:
        """Expired ones too: who may use them is the price's to say."""
        ledger, order_no = await with_coupons(engine, "A", "B", "NOT NAMED"), order_number()
        await take(ledger, order_no, "B")
        found = (await desk.offers(BUYER, ["m1"], ["B", "A", "UNKNOWN"], TOMORROW)).coupons
        assert [(coupon.coupon_id, coupon.order_no) for coupon in found] == [("A", None), ("B", order_no)]
        assert {(c.promotion_id, c.buyer_id, c.expires_at) for c in found} == {("ticket", BUYER, TOMORROW)}

    async def test_the_buyers_tier_is_there_with_and_without_coupons(
        self, engine: AsyncEngine, desk: PostgresPromotions
    ) -> None:
        await with_coupons(engine, "A", "B")
        members = PostgresMembers(engine)
        assert await members.tier(BUYER) is None
        for tier in ("GOLD", "SILVER", "SILVER"):
            await members.set_tier(BUYER, tier)
        assert await members.tier(BUYER) == "SILVER"
        tiers = [(await desk.offers(BUYER, [], named, NOW)).tier for named in ([], ["A"], ["A", "B"], ["UNKNOWN"])]
        assert tiers == ["SILVER"] * 4
        assert (await desk.offers(BUYER + 1, [], ["A"], NOW)).tier is None

    async def test_it_takes_two_statements_however_much_is_named(
        self, engine: AsyncEngine, desk: PostgresPromotions
    ) -> None:
        """Placement asks for every order."""
        await with_coupons(engine, "A", "B")
        await desk.load([promotion(f"p{n}") for n in range(9)])
        said: list[str] = []

        def listen(*words: Any) -> None:
            said.append(words[2])

        event.listen(engine.sync_engine, "before_cursor_execute", listen)
        try:
            assert len(await offered(desk, "A", "B")) == 10
        finally:
            event.remove(engine.sync_engine, "before_cursor_execute", listen)
        assert len(said) == 2


class TestLoading:
    async def test_loading_again_changes_nothing(self, desk: PostgresPromotions) -> None:
        """The answer names what is new."""
        given = [promotion("b"), promotion("a")]
        assert await desk.load(given) == ["a", "b"]
        assert await desk.load([*given, promotion("c")]) == ["c"]
        assert await desk.load([]) == []

    async def test_loads_at_once_and_in_opposite_orders_load_once_and_never_deadlock(
        self, desk: PostgresPromotions
    ) -> None:
        for attempt in range(5):
            given = [promotion(f"{attempt}-{n:03d}") for n in range(300)]
            answers = await asyncio.gather(*(desk.load(given[:: 1 if n % 2 else -1]) for n in range(8)))
            assert sorted(map(len, answers)) == [0] * 7 + [300]

    async def test_other_content_under_the_same_id_is_refused_and_nothing_is_loaded(
        self, desk: PostgresPromotions
    ) -> None:
        """Orders may have been priced by it. Each such id is named, with the remedy."""
        await desk.load([promotion("a"), promotion("b"), promotion("c")])
        changed = [promotion("d"), promotion("c", off_fen=1), promotion("b"), promotion("a", ends_at=NOW)]
        with pytest.raises(LoadedBefore, match=r"^c, a: .*issue it under a new id$") as refused:
            await desk.load(changed)
        assert refused.value.promotion_ids == ["c", "a"]
        assert await offered(desk) == ["a", "b", "c"]

    async def test_a_stopped_one_is_not_loaded_again(self, desk: PostgresPromotions) -> None:
        await desk.load([promotion("p")])
        await desk.stop("p", NOW, "ann")
        assert await desk.load([promotion("p")]) == []
        assert await offered(desk) == []

    async def test_the_document_is_kept_as_its_canonical_text_with_its_digest(
        self, engine: AsyncEngine, desk: PostgresPromotions
    ) -> None:
        """So an order's record of its rules can be checked against it for ever."""
        given = promotion("p", skus=["龙井"], funded_by={"PLATFORM": 60, "MERCHANT": 40})
        await desk.load([given])
        kept = await desk.promotion("p")
        assert kept is not None
        assert (kept.promotion, kept.digest) == (given, digest(given))
        async with engine.connect() as db:
            assert (await db.execute(text("SELECT digest FROM promotions"))).scalar_one() == digest(kept.promotion)

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE promotions SET document = '{}', digest = encode(sha256('{}'), 'hex')",
            "UPDATE promotions SET digest = 'x'",
            "UPDATE promotions SET ends_at = now()",
            "UPDATE promotions SET stopped_at = now()",  # by nobody
            "DELETE FROM promotions",
        ],
    )
    async def test_the_database_itself_refuses_to_change_one(
        self, engine: AsyncEngine, desk: PostgresPromotions, change: str
    ) -> None:
        await desk.load([promotion("p")])
        with pytest.raises(IntegrityError):
            async with engine.begin() as db:
                await db.execute(text(change))


class TestStopping:
    async def test_the_first_stop_stands(self, engine: AsyncEngine, desk: PostgresPromotions) -> None:
        await desk.load([promotion("p")])
        assert (await desk.stop("unknown", NOW, "ann")) is None
        first = await desk.stop("p", NOW, "ann")
        assert first is not None and (first.stopped_at, first.stopped_by) == (NOW, "ann")
        assert await desk.stop("p", TOMORROW, "bob") == first == await desk.promotion("p")
        with pytest.raises(IntegrityError):
            async with engine.begin() as db:
                await db.execute(text("UPDATE promotions SET stopped_at = NULL, stopped_by = NULL"))

    async def test_the_list_has_what_is_on_or_to_come_or_everything(self, desk: PostgresPromotions) -> None:
        await desk.load([promotion("past", ends_at=NOW), promotion("on", ends_at=TOMORROW), promotion("ever")])
        await desk.load([promotion("to come", starts_at=TOMORROW), promotion("stopped")])
        await desk.stop("stopped", NOW, "ann")
        listed = [[known.promotion.promotion_id for known in await desk.promotions(at)] for at in (NOW, None)]
        assert listed == [["on", "ever", "to come"], ["past", "on", "ever", "stopped", "to come"]]
