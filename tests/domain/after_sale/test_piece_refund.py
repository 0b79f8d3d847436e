"""What goes back over several sub-orders at once, without a database."""

from domain.after_sale.piece_refund import LinePart, OrderPieces
from tests.support.refunds import gift, shared


def test_what_is_owed_for_a_kept_gift_is_withheld_once_over_all_sub_orders() -> None:
    """300 fen: 200 of the first sub-order's goods, 100 of the second's, and of the shipping last."""
    parts = [
        LinePart(1, shared(1, "m1", 1, 200, 0), 1, 1, 0, shipped=False),
        LinePart(2, shared(2, "m2", 1, 90, 0), 1, 1, 0, shipped=False),
        LinePart(3, gift(3, "m3", [1], returnable=False, fen=300), 1, 1, 0, shipped=True),
    ]
    stands = OrderPieces(parts, {1: 0, 2: 50, 3: 0})
    taken = stands.take_back({(1, 1): 1, (2, 2): 1}, gifts_may_follow=True)
    assert [(sub.withheld_fen, sub.goods_fen, sub.amount_fen) for sub in taken.subs] == [(200, 0, 0), (100, 0, 40)]
    assert (taken.amount_fen, taken.coupons) == (40, True)


def test_a_gift_in_two_parcels_is_kept_as_one() -> None:
    two = gift(2, "m1", [1], returnable=False, fen=300).model_copy(update={"quantity": 2})
    parts = [
        LinePart(1, shared(1, "m1", 1, 1_000, 0), 1, 1, 0, shipped=True),
        LinePart(2, two, 1, 1, 0, shipped=True),
        LinePart(3, two, 2, 2, 0, shipped=True),
    ]
    taken = OrderPieces(parts, {1: 0, 2: 0, 3: 0}).take_back({(1, 1): 1}, gifts_may_follow=False)
    assert [(kept.pieces, kept.value_fen) for kept in taken.gifts_kept] == [(2, 600)]
    assert taken.amount_fen == 400
