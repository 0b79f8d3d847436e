"""RULES §3: the original shares stand, whatever is returned."""

import pytest

from domain.after_sale.refunds import Claim, MoreThanIsLeft, refund_units
from domain.apportion import slice_worth
from domain.order.product import Product
from domain.pricing.priced import PricedLine, Share
from domain.pricing.promotion import Funder
from tests.support.quotes import Doc, ask, document, line, off, product, promotion

WORKED = document([550], [off("p", "SHOP", 0, 275)], [5], shipping_fen=50)


def refunds(doc: Doc, *asked: dict[int, int]) -> list[tuple[int, int]]:
    entries = [[{"line_no": no, "quantity": count} for no, count in refund.items()] for refund in asked]
    return [(refund.amount_fen, refund.left_fen) for refund in ask({**doc, "refunds": entries}).refunds]


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


def test_shipping_goes_back_with_the_last_piece_that_it_covered() -> None:
    doc = document([100, 100, 100], [], shipping_fen=30)
    doc["catalog"][2]["delivery_mode"] = "VIRTUAL"
    assert refunds(doc, {1: 1}, {2: 1}, {3: 1}) == [(100, 230), (130, 100), (100, 0)]


def gift_doc(returnable: bool) -> Doc:
    gift = promotion("g", "SHOP", "GIFT", gift_sku="G", threshold_fen=2000, gift_returnable=returnable)
    doc = document([1000, 100], [gift | {"skus": ["A"]}], [2, 1])
    return {**doc, "catalog": [*doc["catalog"], product("G", 300)]}


def test_a_gift_goes_back_with_the_last_piece_of_what_it_was_given_for() -> None:
    assert refunds(gift_doc(True), {1: 1}, {1: 1}, {2: 1}) == [(1000, 1100), (1000, 100), (100, 0)]


def test_a_gift_that_cannot_come_back_is_taken_off_and_the_quote_says_so() -> None:
    asked = [[{"line_no": 1, "quantity": 1}], [{"line_no": 1, "quantity": 1}]]
    answer = ask({**gift_doc(False), "refunds": asked})
    assert [(r.amount_fen, r.left_fen) for r in answer.refunds] == [(1000, 1100), (700, 400)]
    assert [[(k.promotion_id, k.sku, k.value_fen) for k in r.gifts_kept] for r in answer.refunds] == [
        [],
        [("g", "G", 300)],
    ]


def test_what_a_refund_is_too_small_for_comes_off_the_next() -> None:
    gift = promotion("g", "SHOP", "GIFT", gift_sku="B", skus=["A"], gift_returnable=False)
    doc = document([100, 250], [gift])
    assert refunds(doc, {1: 1}, {2: 1}) == [(0, 350), (100, 250)]


def priced_line(merchant_leg: int) -> PricedLine:
    share = Share("p", 100, {Funder.MERCHANT: merchant_leg, Funder.PLATFORM: 100 - merchant_leg})
    return PricedLine(1, 7, Product(sku="A", merchant="m1", price_fen=143), 1001, [share])


def test_after_a_split_each_sub_orders_refunds_add_up_to_what_was_paid_for_it() -> None:
    line = priced_line(40)
    for first, last in ((1, 3), (4, 7)):
        claim, paid = Claim(line, first, last), 0
        while claim.left:
            refund, claim = refund_units(claim, 1)
            paid += refund.amount_fen
        assert paid == slice_worth(line.pay_fen, 7, first, last)
        with pytest.raises(MoreThanIsLeft):
            refund_units(claim, 1)


def test_the_funding_legs_are_reversed_in_proportion_and_in_full() -> None:
    claim = Claim.whole(priced_line(40))
    legs = []
    for pieces in (2, 2, 3):
        refund, claim = refund_units(claim, pieces)
        legs.append((refund.funding[Funder.MERCHANT], refund.funding[Funder.PLATFORM]))
    assert legs == [(11, 17), (11, 17), (18, 26)]
    assert (sum(m for m, _ in legs), sum(p for _, p in legs)) == (40, 60)


@pytest.mark.parametrize("pieces", [0, -1, 8])
def test_a_refund_of_more_than_is_left_is_refused(pieces: int) -> None:
    with pytest.raises(MoreThanIsLeft):
        refund_units(Claim.whole(priced_line(0)), pieces)


def test_a_refund_may_name_a_line_twice() -> None:
    doc = {"lines": [line(1, "A", 3)], "catalog": [product("A", 100)]}
    twice = [[{"line_no": 1, "quantity": 1}, {"line_no": 1, "quantity": 2}]]
    assert [r.amount_fen for r in ask({**doc, "refunds": twice}).refunds] == [300]
