"""What is paid back for pieces of an order, without a database."""

from dataclasses import replace

import pytest

from domain.after_sale.piece_refund import LinePart, MoreThanIsLeft, OrderPieces, before_split
from domain.apportion import slice_worth
from domain.order.lines import OrderLine
from domain.order.product import DeliveryMode
from tests.support.books import line
from tests.support.refunds import gift, shared


def split_in(sold: OrderLine, *lasts: int) -> OrderPieces:
    """One line, cut after these units."""
    parts: list[LinePart] = []
    for idx, last in enumerate(lasts, start=1):
        parts.append(LinePart(idx, sold, parts[-1].last + 1 if parts else 1, last, 0, shipped=False))
    return OrderPieces(parts, dict.fromkeys(range(1, len(lasts) + 1), 0))


def test_each_sub_orders_refunds_add_up_to_what_was_paid_for_it() -> None:
    pieces = split_in(shared(1, "m1", 7, 157, 98), 3, 7)
    for idx, (first, last) in enumerate(((1, 3), (4, 7)), start=1):
        paid = 0
        while pieces.left.get((idx, 1)):
            refund = pieces.refund({(idx, 1): 1})
            paid += refund.amount_fen
            pieces = pieces.after(refund)
        assert paid == slice_worth(1_001, 7, first, last)


def test_the_funding_legs_are_reversed_in_proportion_and_in_full() -> None:
    pieces = split_in(shared(1, "m1", 7, 157, 100, platform_fen=60), 7)
    legs = []
    for count in (2, 2, 3):
        refund = pieces.refund({(1, 1): count})
        legs.append([(units.merchant_fen, units.platform_fen) for units in refund.units])
        pieces = pieces.after(refund)
    assert legs == [[(11, 17)], [(11, 17)], [(18, 26)]]


@pytest.mark.parametrize(("place", "count"), [((1, 1), 0), ((1, 1), -1), ((1, 1), 8), ((1, 2), 1), ((2, 1), 1)])
def test_a_refund_of_more_than_is_left_is_refused(place: tuple[int, int], count: int) -> None:
    with pytest.raises(MoreThanIsLeft):
        split_in(line(1, quantity=7), 7).refund({place: count})


def test_what_is_owed_for_a_kept_gift_is_withheld_once_over_all_sub_orders() -> None:
    """300 fen: 200 of the first sub-order's goods, 100 of the second's, and of the shipping last."""
    parts = [
        LinePart(1, shared(1, "m1", 1, 200, 0), 1, 1, 0, shipped=False),
        LinePart(2, shared(2, "m2", 1, 90, 0), 1, 1, 0, shipped=False),
        LinePart(3, gift(3, "m3", [1], returnable=False, fen=300), 1, 1, 0, shipped=True),
    ]
    refund = OrderPieces(parts, {1: 0, 2: 50, 3: 0}).refund({(1, 1): 1, (2, 2): 1})
    said = [(sub.withheld_fen, sub.goods_fen, sub.amount_fen) for sub in refund.sub_orders]
    assert said == [(200, 0, 0), (100, 0, 40)]
    assert (refund.amount_fen, refund.coupons) == (40, True)


def test_what_a_refund_is_too_small_for_comes_off_the_next() -> None:
    """And only once, since the gift is reckoned as kept from then on."""
    parts = [
        LinePart(1, line(1, fen=100), 1, 1, 0, shipped=False),
        LinePart(1, line(2, fen=250), 1, 1, 0, shipped=False),
        LinePart(1, line(4, fen=250), 1, 1, 0, shipped=False),
        LinePart(2, gift(3, "m1", [1], returnable=False, fen=250), 1, 1, 0, shipped=True),
    ]
    pieces = OrderPieces(parts, {1: 0, 2: 0})
    refunds = []
    for line_no in (1, 2, 4):
        refunds.append(pieces.refund({(1, line_no): 1}))
        pieces = pieces.after(refunds[-1])
    assert [(refund.withheld_fen, refund.amount_fen) for refund in refunds] == [(100, 0), (150, 100), (0, 250)]
    assert [[kept.value_fen for kept in refund.gifts_kept] for refund in refunds] == [[250], [], []]


def test_a_gift_in_two_parcels_is_kept_as_one() -> None:
    two = gift(2, "m1", [1], returnable=False, fen=300).model_copy(update={"quantity": 2})
    parts = [
        LinePart(1, shared(1, "m1", 1, 1_000, 0), 1, 1, 0, shipped=True),
        LinePart(2, two, 1, 1, 0, shipped=True),
        LinePart(3, two, 2, 2, 0, shipped=True),
    ]
    refund = OrderPieces(parts, {1: 0, 2: 0, 3: 0}).refund({(1, 1): 1}, gifts_may_follow=False)
    assert [(kept.pieces, kept.value_fen) for kept in refund.gifts_kept] == [(2, 600)]
    assert refund.amount_fen == 400


@pytest.mark.parametrize(("may_follow", "came", "amount"), [(True, [], 1_000), (False, [], 700), (False, [2], 1_000)])
def test_a_gift_that_could_come_back_is_taken_off_when_it_no_longer_may(
    may_follow: bool, came: list[int], amount: int
) -> None:
    parts = [LinePart(1, sold, 1, 1, 0, shipped=True) for sold in (line(1), gift(2, "m1", [1]))]
    assert OrderPieces(parts, {1: 50}).refund({(1, 1): 1}, came, gifts_may_follow=may_follow).amount_fen == amount


def test_what_has_shipped_keeps_its_shipping() -> None:
    pieces = split_in(line(1, quantity=2), 2)
    shipping = {1: 50}
    assert replace(pieces, shipping_of=shipping).refund({(1, 1): 2}).amount_fen == 2_050
    shipped = [replace(part, shipped=True) for part in pieces.parts]
    assert OrderPieces(shipped, shipping).refund({(1, 1): 2}).amount_fen == 2_000


# --- before the split


def virtual(line_no: int) -> OrderLine:
    return line(line_no).model_copy(update={"delivery_mode": DeliveryMode.VIRTUAL})


def test_before_the_split_the_shipping_goes_with_the_last_piece_that_it_covers() -> None:
    sold = [line(1), line(2), virtual(3)]
    pieces = before_split(sold, [], 30)
    amounts = []
    for place in list(pieces.left):
        refund = pieces.refund({place: 1})
        amounts.append(refund.amount_fen)
        pieces = pieces.after(refund)
    assert amounts == [1_000, 1_030, 1_000]
    rest = before_split(sold, [1, 2], 30)
    assert rest.refund(rest.left).amount_fen == 1_000


def test_before_the_split_a_gift_covers_shipping_too_and_takes_it_along() -> None:
    """Virtual goods with a gift that would have been a parcel."""
    pieces = before_split([virtual(1), virtual(2), gift(3, "m1", [1])], [], 30)
    assert [sub.amount_fen for sub in pieces.refund({(2, 1): 1}).sub_orders] == [30, 1_000]


def test_where_nothing_is_physical_the_shipping_covers_all() -> None:
    pieces = before_split([virtual(1), virtual(2)], [], 30)
    assert pieces.refund({(1, 1): 1}).amount_fen == 1_000
    assert pieces.refund(pieces.left).amount_fen == 2_030
