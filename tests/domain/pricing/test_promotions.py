"""The rules of RULES §1, and the edge of each: one fen, one piece, one second."""

from typing import Any

import pytest

from tests.support.quotes import ask, document, off, promotion, reasons, shares

CLASSIC = [
    off("p1", "SHOP", 30000, 5000),
    off("c1", "SHOP_COUPON", 28000, 4000),
    off("x1", "CROSS_SHOP", 29000, 5000, repeat=True),
]


@pytest.mark.parametrize(("mode", "pays"), [("PROGRESSIVE", 25000), ("PARALLEL", 16000)])
def test_the_classic_example(mode: str, pays: int) -> None:
    assert ask(document([10000, 20000], CLASSIC, coupons=["c1"], mode=mode)).amount_due_fen == pays


@pytest.mark.parametrize(("price", "pays"), [(9999, 9999), (10000, 9000), (10001, 9001)])
@pytest.mark.parametrize("level", ["ITEM", "SHOP", "CROSS_SHOP"])
def test_a_threshold_is_reached_at_the_fen(level: str, price: int, pays: int) -> None:
    assert ask(document([price], [off("p", level, 10000, 1000)])).amount_due_fen == pays


@pytest.mark.parametrize(("pieces", "off_fen"), [(2, 0), (3, 100), (4, 100), (6, 200)])
def test_a_threshold_of_pieces_is_reached_at_the_piece_and_repeats(pieces: int, off_fen: int) -> None:
    promo = promotion("p", "SHOP", "AMOUNT_OFF", threshold_pieces=3, off_fen=100, repeat=True)
    assert ask(document([1000], [promo], [pieces])).discount_fen == off_fen


@pytest.mark.parametrize(("price", "off_fen"), [(9999, 1000), (10000, 1500), (20000, 1500)])
def test_max_off_caps_the_repeats_and_all(price: int, off_fen: int) -> None:
    assert ask(document([price], [off("p", "SHOP", 5000, 1000, repeat=True, max_off_fen=1500)])).discount_fen == off_fen


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        ("2026-11-10T23:59:59Z", "NOT_STARTED"),
        ("2026-11-11T00:00:00Z", None),
        ("2026-11-11T23:59:59Z", None),
        ("2026-11-12T00:00:00Z", "EXPIRED"),
    ],
)
def test_a_promotion_is_valid_from_its_start_until_before_its_end(at: str, reason: str | None) -> None:
    when = {"starts_at": "2026-11-11T00:00:00Z", "ends_at": "2026-11-12T00:00:00Z"}
    assert reasons(ask(document([100], [off("p", "SHOP", 0, 10, **when)], at=at))).get("p") == reason


def percent(level: str, percent_off: int, **more: Any) -> dict[str, Any]:
    return promotion("%", level, "PERCENT_OFF", percent_off=percent_off, **more)


def test_a_percentage_is_rounded_half_up_once_on_the_whole_amount() -> None:
    # Line by line it would be 1 + 1 + 1; on the 15 together it is 1.5.
    assert ask(document([5, 5, 5], [percent("SHOP", 10)])).discount_fen == 2
    assert ask(document([14], [percent("SHOP", 10)])).discount_fen == 1
    assert ask(document([5, 5, 5], [percent("ITEM", 10)])).discount_fen == 2


@pytest.mark.parametrize(("mode", "discount"), [("PROGRESSIVE", 5000 + 500), ("PARALLEL", 5000 + 1000)])
def test_only_in_parallel_a_percentage_is_of_the_base(mode: str, discount: int) -> None:
    assert (
        ask(document([10000], [off("p", "SHOP", 0, 5000), percent("CROSS_SHOP", 10)], mode=mode)).discount_fen
        == discount
    )


@pytest.mark.parametrize("mode", ["PROGRESSIVE", "PARALLEL"])
def test_the_base_is_what_item_level_left(mode: str) -> None:
    item = promotion("i", "ITEM", "ITEM_PRICE", price_fen=8000)
    answer = ask(document([10000], [item, off("p", "SHOP", 8001, 100), off("q", "CROSS_SHOP", 8000, 10)], mode=mode))
    assert (answer.amount_due_fen, reasons(answer)) == (7990, {"p": "THRESHOLD_NOT_REACHED"})


@pytest.mark.parametrize("mode", ["PROGRESSIVE", "PARALLEL"])
def test_at_item_level_thresholds_are_tested_on_list_prices(mode: str) -> None:
    item = promotion("i", "ITEM", "ITEM_PRICE", price_fen=900, skus=["A"])
    answer = ask(document([1000, 1000], [item, off("p", "ITEM", 1000, 300, skus=["B"])], mode=mode))
    assert [line.pay_fen for line in answer.lines] == [900, 700]


@pytest.mark.parametrize("mode", ["PROGRESSIVE", "PARALLEL"])
def test_no_line_goes_below_zero_and_what_does_not_fit_is_not_given(mode: str) -> None:
    promos = [off("p", "SHOP", 0, 900, skus=["A"]), off("x", "CROSS_SHOP", 0, 900, skus=["A"])]
    answer = ask(document([1000, 50], promos, mode=mode))
    assert [line.pay_fen for line in answer.lines] == [0, 50]
    assert shares(answer, "x") == [100, 0]


def test_in_parallel_what_a_line_has_no_room_for_goes_to_those_with_room() -> None:
    promos = [off("p", "SHOP", 0, 900, skus=["A"]), off("x", "CROSS_SHOP", 0, 800)]
    # 400 each by base; A has 100 left, so B takes 700.
    assert shares(ask(document([1000, 1000], promos)), "x") == [100, 700]


def test_a_price_is_never_raised() -> None:
    answer = ask(document([1000], [promotion("i", "ITEM", "ITEM_PRICE", price_fen=1200)]))
    assert (answer.amount_due_fen, reasons(answer)) == (1000, {"i": "SAVES_NOTHING"})


def test_the_winner_saves_most_after_the_cap() -> None:
    # "a" promises 900 and "b" 800, but both can only take the 500 that are left: a tie, and "b" ends first.
    promos = [
        off("s", "SHOP", 0, 500),
        off("a", "CROSS_SHOP", 0, 900),
        off("b", "CROSS_SHOP", 0, 800, ends_at="2030-01-01T00:00:00Z"),
    ]
    answer = ask(document([1000], promos))
    assert shares(answer, "b") == [500]
    assert reasons(answer) == {"a": "ANOTHER_SAVES_MORE"}


@pytest.mark.parametrize(
    ("ends", "winner"),
    [
        ({}, "p10"),
        ({"p9": "2030-01-01T00:00:00Z"}, "p9"),
        ({"p10": "2031-01-01T00:00:00Z", "p9": "2030-01-01T00:00:00Z"}, "p9"),
    ],
)
def test_ties_go_to_what_ends_first_then_to_the_smaller_id_as_text(ends: dict[str, str], winner: str) -> None:
    promos = [off(id_, "SHOP", 0, 100, **({"ends_at": ends[id_]} if id_ in ends else {})) for id_ in ("p9", "p10")]
    assert shares(ask(document([1000], promos)), winner) == [100]


def test_the_quote_explains_which_one_won() -> None:
    promos = [off("p5", "SHOP", 0, 5000), off("p4", "SHOP", 0, 4000), off("p3", "SHOP", 0, 3000)]
    assert [str(win) for win in ask(document([10000], promos)).wins] == [
        "m1: p5 saves 5000, 4000 would have been the next (p4)"
    ]


def test_a_shop_promotion_without_a_merchant_applies_to_each_by_itself() -> None:
    doc = document([1000, 600, 500], [off("p", "SHOP", 1000, 100), off("c", "SHOP_COUPON", 1000, 10)], coupons=["c"])
    doc["catalog"][0]["merchant"] = "m2"
    answer = ask(doc)
    assert sum(shares(answer, "p")) == 200
    assert shares(answer, "p")[0] == 100
    assert sum(shares(answer, "c")) == 20


def test_each_merchant_has_its_own_winner_and_the_platform_one_for_all() -> None:
    doc = document(
        [1000, 1000],
        [off("a", "SHOP", 0, 100), off("b", "SHOP", 0, 300, merchant="m2"), off("x", "CROSS_SHOP", 2000, 10)],
    )
    doc["catalog"][1]["merchant"] = "m2"
    answer = ask(doc)
    assert (shares(answer, "a"), shares(answer, "b"), shares(answer, "x")) == ([100, 0], [0, 300], [5, 5])


def test_each_line_takes_the_item_promotion_that_saves_most_on_it() -> None:
    promos = [promotion("i", "ITEM", "ITEM_PRICE", price_fen=6000, skus=["A"]), percent("ITEM", 10)]
    answer = ask(document([10000, 20000], promos))
    assert (shares(answer, "i"), shares(answer, "%")) == ([4000, 0], [0, 2000])


def test_a_line_that_takes_another_item_promotion_does_not_count_towards_a_threshold() -> None:
    promos = [promotion("i", "ITEM", "ITEM_PRICE", price_fen=6000, skus=["A"]), off("p", "ITEM", 30000, 5000)]
    answer = ask(document([10000, 20000], promos))
    assert (answer.discount_fen, reasons(answer)) == (4000, {"p": "ANOTHER_SAVES_MORE"})


def test_a_promotion_gets_its_lines_back_from_a_winner_that_no_longer_applies() -> None:
    # A goes to its own price, so "two" lacks a piece; then B is free for "both", which needs B and C.
    promos = [
        promotion("i", "ITEM", "ITEM_PRICE", price_fen=100, skus=["A"]),
        promotion("two", "ITEM", "AMOUNT_OFF", threshold_pieces=2, off_fen=1000, skus=["A", "B"]),
        promotion("both", "ITEM", "AMOUNT_OFF", threshold_pieces=2, off_fen=400, skus=["B", "C"]),
    ]
    answer = ask(document([1000, 1000, 1000], promos))
    assert (shares(answer, "i"), shares(answer, "both")) == ([900, 0, 0], [0, 200, 200])
    assert reasons(answer) == {"two": "ANOTHER_SAVES_MORE"}


@pytest.mark.parametrize(("tier", "pays"), [(None, 1000), ("silver", 1000), ("gold", 700)])
def test_an_item_price_may_be_for_one_tier(tier: str | None, pays: int) -> None:
    item = promotion("i", "ITEM", "ITEM_PRICE", price_fen=700, tier="gold")
    answer = ask(document([1000], [item], buyer={"buyer_id": 1, "tier": tier}))
    assert answer.amount_due_fen == pays
    assert reasons(answer) == ({} if tier == "gold" else {"i": "OTHER_TIER"})


def test_coupons_apply_only_when_named() -> None:
    promos = [off("c", "SHOP_COUPON", 0, 10), off("d", "PLATFORM_COUPON", 0, 10)]
    answer = ask(document([100], promos, coupons=["d"]))
    assert (answer.discount_fen, reasons(answer)) == (10, {"c": "COUPON_NOT_NAMED"})


def test_under_the_other_mode_a_promotion_is_void() -> None:
    promos = [off("p", "SHOP", 0, 10, issued_under="PROGRESSIVE"), off("q", "CROSS_SHOP", 0, 10)]
    answer = ask(document([100], promos, mode="PARALLEL"))
    assert (answer.discount_fen, reasons(answer)) == (10, {"p": "ISSUED_UNDER_OTHER_MODE"})


def test_the_reason_is_the_first_that_holds() -> None:
    late = {"starts_at": "2030-01-01T00:00:00Z"}
    gone = {"ends_at": "2020-01-01T00:00:00Z"}
    promos = [
        off("1", "SHOP_COUPON", 999, 1, issued_under="PROGRESSIVE", **late),
        off("2", "SHOP_COUPON", 999, 1, **late),
        off("3", "SHOP_COUPON", 999, 1, **gone),
        off("4", "SHOP_COUPON", 999, 1),
        promotion("5", "ITEM", "ITEM_PRICE", price_fen=1, tier="gold", threshold_fen=999),
        off("6", "SHOP", 999, 1),
        off("7", "SHOP", 0, 1),
        off("8", "SHOP", 0, 2),
        off("9", "CROSS_SHOP", 0, 0),
        off("out of scope", "SHOP", 0, 0, skus=["Z"]),
    ]
    assert reasons(ask(document([100], promos, at="2026-11-11T00:00:00Z"))) == {
        "1": "ISSUED_UNDER_OTHER_MODE",
        "2": "NOT_STARTED",
        "3": "EXPIRED",
        "4": "COUPON_NOT_NAMED",
        "5": "OTHER_TIER",
        "6": "THRESHOLD_NOT_REACHED",
        "7": "ANOTHER_SAVES_MORE",
        "9": "SAVES_NOTHING",
    }


def test_funding_is_cut_once_for_the_whole_discount() -> None:
    promo = off("p", "SHOP", 0, 299, funded_by={"MERCHANT": 40, "PLATFORM": 60})
    assert ask(document([1000, 1000, 1000], [promo])).funding_fen == {"MERCHANT": 120, "PLATFORM": 179}


@pytest.mark.parametrize(("scope", "expected"), [({"skus": ["A"]}, [10, 0]), ({"categories": ["toys"]}, [0, 10])])
def test_a_promotion_takes_nothing_outside_its_scope(scope: dict[str, Any], expected: list[int]) -> None:
    doc = document([100, 100], [off("p", "CROSS_SHOP", 0, 10, **scope)])
    doc["catalog"][1]["category"] = "toys"
    assert shares(ask(doc), "p") == expected
