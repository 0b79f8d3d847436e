"""M元N件 and 满赠: the two kinds that count pieces."""

from typing import Any

import pytest

from tests.support.quotes import ask, document, off, product, promotion, reasons, shares


@pytest.mark.parametrize(
    ("pieces", "discount"),
    [([2, 0], 0), ([2, 1], 500 + 500 + 300 - 1000), ([3, 2], 1500 - 1000), ([3, 3], 1500 - 1000)],
)
def test_bundles_take_the_dearest_pieces_and_only_as_many_as_save(pieces: list[int], discount: int) -> None:
    bundle = promotion("b", "SHOP", "BUNDLE_PRICE", pieces=3, price_fen=1000)
    doc = document([500, 300], [bundle], [max(1, count) for count in pieces])
    doc["lines"] = [entry for entry, count in zip(doc["lines"], pieces, strict=True) if count]
    assert ask(doc).discount_fen == discount


def test_a_bundle_lies_on_the_bundled_pieces_in_proportion() -> None:
    bundle = promotion("b", "ITEM", "BUNDLE_PRICE", pieces=3, price_fen=1000)
    answer = ask(document([500, 300, 100], [bundle], [2, 2, 1]))
    # 500 + 500 + 300 in the bundle: 300 off, as 1000 to 300.
    assert shares(answer, "b") == [231, 69, 0]


def test_a_bundle_that_saves_nothing_bears_no_share() -> None:
    # 600 + 600 saves 200; 500 + 500 for 1000 saves nothing, so B is no part of it.
    bundle = promotion("b", "SHOP", "BUNDLE_PRICE", pieces=2, price_fen=1000)
    assert shares(ask(document([600, 500], [bundle], [2, 2])), "b") == [200, 0]


@pytest.mark.parametrize(("mode", "worth"), [("PROGRESSIVE", 100), ("PARALLEL", 600)])
def test_a_bundle_above_item_level_is_counted_as_percentages_are(mode: str, worth: int) -> None:
    bundle = promotion("b", "CROSS_SHOP", "BUNDLE_PRICE", pieces=2, price_fen=1400)
    answer = ask(document([1000], [off("p", "SHOP", 0, 500), bundle], [2], mode=mode))
    assert shares(answer, "b") == [worth]


def gift(id_: str, level: str, **more: Any) -> dict[str, Any]:
    return promotion(id_, level, "GIFT", **{"gift_sku": "G", **more})


def with_gift(prices: list[int], promos: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    doc = document(prices, promos, **more)
    doc["catalog"].append(product("G", 300, weight_g=7))
    return doc


def test_gifts_compete_only_with_gifts_of_their_level() -> None:
    promos = [
        off("p", "SHOP", 0, 10),
        gift("g2", "SHOP"),
        gift("g1", "SHOP"),
        gift("g3", "CROSS_SHOP", gift_quantity=2),
    ]
    answer = ask(with_gift([100], promos))
    assert answer.discount_fen == 10
    assert [(g.promotion_id, g.quantity, g.line_no) for g in answer.gifts] == [("g1", 1, 2), ("g3", 2, 3)]
    assert reasons(answer) == {"g2": "ANOTHER_SAVES_MORE"}


@pytest.mark.parametrize(("mode", "given"), [("PROGRESSIVE", 0), ("PARALLEL", 1)])
def test_a_gift_is_earned_on_what_the_mode_counts(mode: str, given: int) -> None:
    promos = [off("p", "SHOP", 0, 10), gift("g", "CROSS_SHOP", threshold_fen=100)]
    assert len(ask(with_gift([100], promos, mode=mode)).gifts) == given


def test_a_gift_is_a_line_of_its_sub_order_with_nothing_to_pay() -> None:
    answer = ask(with_gift([100], [gift("g", "SHOP")]))
    assert [(entry.line_no, entry.pay_fen) for entry in answer.sub_orders[0].lines] == [(1, 100), (2, 0)]
    assert [entry.line_no for entry in answer.lines] == [1]


def test_gifts_at_item_level_are_one_for_each_line_and_may_fail_in_a_chain() -> None:
    promos = [
        gift("g1", "ITEM", skus=["A"]),
        gift("g2", "ITEM", skus=["A", "B"], threshold_pieces=2),
        gift("g3", "ITEM", skus=["B", "C"], threshold_pieces=2),
    ]
    answer = ask(with_gift([100, 100, 100], promos))
    assert [g.promotion_id for g in answer.gifts] == ["g1", "g3"]
