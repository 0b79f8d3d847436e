"""RULES §3 in a quote document: what an order pays back before anything has shipped."""

import json
from typing import Any

from domain.quote.answer import QuoteAnswer
from tests.support.quotes import Doc, ask, document, line, off, product, promotion

WORKED = document([550], [off("p", "SHOP", 0, 275)], [5], shipping_fen=50)


def refunds(doc: Doc, *asked: dict[int, int]) -> list[tuple[int, int]]:
    return [(refund.amount_fen, refund.left_fen) for refund in answer(doc, *asked).refunds]


def answer(doc: Doc, *asked: dict[int, int]) -> QuoteAnswer:
    entries = [[{"line_no": no, "quantity": count} for no, count in refund.items()] for refund in asked]
    return ask({**doc, "refunds": entries})


def test_the_worked_refunds() -> None:
    assert ask(WORKED).amount_due_fen == 2525
    assert refunds(WORKED, {1: 2}) == [(990, 1535)]
    assert refunds(WORKED, {1: 5}) == [(2475 + 50, 0)]
    assert refunds(WORKED, {1: 2}, {1: 2}, {1: 1}) == [(990, 1535), (990, 545), (545, 0)]


def test_single_refunds_of_a_line_add_up_to_it() -> None:
    assert [amount for amount, _ in refunds(document([1000], [off("p", "SHOP", 0, 0)]), {1: 1})] == [1000]
    assert refunds(document([500], [off("p", "SHOP", 0, 500)], [3]), *[{1: 1}] * 3) == [
        (333, 667),
        (333, 334),
        (334, 0),
    ]


def test_cancelling_a_line_leaves_the_others_discounts_alone() -> None:
    # EDGE-CASES 25 and 26: nothing is pushed onto the survivors, nothing else is taken back.
    assert refunds(document([10000, 20000], [off("p", "SHOP", 30000, 3000)]), {1: 1}, {2: 1}) == [
        (9000, 18000),
        (18000, 0),
    ]


def test_a_sub_orders_shipping_goes_back_with_its_last_piece() -> None:
    """Edge case 40: two merchants share the shipping, and so does its refund."""
    doc = document([1000, 1000], [], [2, 1], shipping_fen=100)
    doc["catalog"][1]["merchant"] = "m2"
    assert [sub.shipping_fen for sub in ask(doc).sub_orders] == [67, 33]
    assert refunds(doc, {2: 1}, {1: 1}, {1: 1}) == [(1033, 2067), (1000, 1067), (1067, 0)]


def test_virtual_goods_bring_no_shipping_back() -> None:
    doc = document([100, 100, 100], [], shipping_fen=30)
    doc["catalog"][2]["delivery_mode"] = "VIRTUAL"
    assert refunds(doc, {1: 1}, {2: 1}, {3: 1}) == [(100, 230), (130, 100), (100, 0)]


def test_the_next_units_of_a_line_go_back_whichever_sub_order_has_them() -> None:
    """Three pieces for 1000 in parcels of one: 333, 333, 334, each with its share of the shipping."""
    doc = document([500], [off("p", "SHOP", 0, 500)], [3], shipping_fen=5, parcel_limit={"weight_g": 1})
    doc["catalog"][0]["weight_g"] = 1
    assert [sub.shipping_fen for sub in ask(doc).sub_orders] == [2, 1, 2]
    assert refunds(doc, {1: 2}, {1: 1}) == [(333 + 2 + 333 + 1, 336), (334 + 2, 0)]


def gift_doc(returnable: bool, **gifts_product: Any) -> Doc:
    gift = promotion("g", "SHOP", "GIFT", gift_sku="G", threshold_fen=2000, gift_returnable=returnable)
    doc = document([1000, 100], [gift | {"skus": ["A"]}], [2, 1])
    return {**doc, "catalog": [*doc["catalog"], product("G", 300, **gifts_product)]}


def test_no_gift_is_taken_off_before_anything_has_shipped() -> None:
    """Edge case 40: it lies with the shop, so it can always go back, whatever its promotion says."""
    for returnable in (True, False):
        doc = gift_doc(returnable)
        assert refunds(doc, {1: 1}, {1: 1}, {2: 1}) == [(1000, 1100), (1000, 100), (100, 0)]


def test_a_refund_says_two_amounts() -> None:
    told = json.loads(answer(gift_doc(False), {1: 2}).model_dump_json())
    assert told["refunds"] == [{"amount_fen": 2000, "left_fen": 100}]


def test_a_sub_order_keeps_its_shipping_while_a_gift_for_other_goods_ships_in_it() -> None:
    """m1's line and the gift, which was given for m2's, are one parcel: both have gone before its shipping does."""
    gift = promotion("g", "CROSS_SHOP", "GIFT", gift_sku="G", skus=["B"])
    doc = document([1000, 1000], [gift], shipping_fen=100)
    doc["catalog"][1]["merchant"] = "m2"
    doc["catalog"].append(product("G", 300))
    assert refunds(doc, {1: 1}, {2: 1}) == [(1000, 1100), (1100, 0)]


def test_a_refund_may_name_a_line_twice() -> None:
    doc = {"lines": [line(1, "A", 3)], "catalog": [product("A", 100)]}
    twice = [[{"line_no": 1, "quantity": 1}, {"line_no": 1, "quantity": 2}]]
    assert [r.amount_fen for r in ask({**doc, "refunds": twice}).refunds] == [300]
