"""What checkout is told when an order can't be placed: what is gone, where it is, and what would be right."""

from domain.order.cart import Address, Cart, CartLine
from domain.order.lines import GiftOf, OrderLine, PricedOrder, RefusalCode
from domain.order.refusals import coupon_gone, goods_gone, out_of_stock, too_many_unpaid
from domain.order.reservation import CouponsTaken, GoneCoupon, OverLimit, Reserved, Shortage
from tests.support.books import line

SHORT = Shortage(line_no=2, sku="SKU2", wanted=3, available=1)
GIFT = line(2).model_copy(update={"gift": GiftOf(promotion_id="p1", given_for=[1], returnable=True)})


def priced(*lines: OrderLine) -> PricedOrder:
    return PricedOrder(lines=list(lines), goods_fen=0, amount_due_fen=0)


def cart(*coupons: str) -> Cart:
    return Cart(
        buyer_id=1,
        lines=[CartLine(line_no=1, sku="SKU1", quantity=1)],
        expected_amount_fen=1_000,
        address=Address(recipient="Lin", phone="13800138000", region="Hangzhou", street="Road 1"),
        device_id="d1",
        coupons=list(coupons),
    )


def test_goods_that_are_reserved_are_no_reason_to_refuse() -> None:
    """Nor are coupons that are taken, or unpaid orders below the limit."""
    assert goods_gone(Reserved(short=[]), priced(line(1))) is None
    assert coupon_gone(CouponsTaken(gone=[]), cart("A")) is None
    assert too_many_unpaid(19, 20) is None


def test_what_is_sold_out_is_named_with_its_line() -> None:
    """And with how much of it is left."""
    refused = goods_gone(Reserved(short=[SHORT]), priced(line(1), line(2)))
    assert refused == out_of_stock([SHORT])
    assert (refused.code, refused.place) == (RefusalCode.OUT_OF_STOCK, "line 2")
    assert refused.detail == "SKU2: 3 wanted, 1 left"


def test_a_gift_that_has_run_out_is_no_fault_of_the_cart() -> None:
    """The buyer did not put it there, and is not told to take it out."""
    refused = goods_gone(Reserved(short=[SHORT]), priced(line(1), GIFT))
    assert refused is not None
    assert refused.remedy == "the gift of p1 has just run out: place the order again, without it"


def test_an_order_that_was_released_or_is_held_with_other_lines_takes_nothing() -> None:
    """Whatever else is lacking."""
    released = goods_gone(Reserved(short=[SHORT], released_before=True), priced(line(1), line(2)))
    other = goods_gone(Reserved(short=[SHORT], other_lines=True), priced(line(1), line(2)))
    assert released is not None and other is not None
    assert (released.code, other.code) == (RefusalCode.OUT_OF_STOCK, RefusalCode.PRICE_CHANGED)
    assert released.place == other.place == ""


def test_a_purchase_limit_says_how_many_may_still_be_taken() -> None:
    """With none left, the line is to go."""
    over = OverLimit(line_no=1, sku="SKU1", wanted=3, bought=1, limit=2, window_s=60)
    some = goods_gone(Reserved(short=[], over_limit=[over]), priced(line(1)))
    none = goods_gone(Reserved(short=[], over_limit=[over.model_copy(update={"bought": 5})]), priced(line(1)))
    assert some is not None and none is not None
    assert (some.code, some.place, some.remedy) == (RefusalCode.PURCHASE_LIMIT, "line 1", "take 1 of it")
    assert none.remedy == "take it out"


def test_a_coupon_that_is_gone_is_named_by_its_place_in_the_cart() -> None:
    """With why it is."""
    gone = CouponsTaken(gone=[GoneCoupon(coupon_id="B", why="is in use by another order")])
    refused = coupon_gone(gone, cart("A", "B"))
    assert refused is not None
    assert (refused.code, refused.place) == (RefusalCode.COUPON_GONE, "coupons[1]")
    assert refused.detail == "the coupon B: is in use by another order"


def test_coupons_that_were_given_back_are_not_taken_again() -> None:
    """A run that was reset after its order had closed."""
    refused = coupon_gone(CouponsTaken(gone=[], released_before=True), cart("A"))
    assert refused is not None
    assert refused.code is RefusalCode.COUPON_GONE


def test_a_buyer_has_so_many_unpaid_orders_and_no_more() -> None:
    """The one that would be one too many is refused."""
    refused = too_many_unpaid(20, 20)
    assert refused is not None
    assert refused.code is RefusalCode.TOO_MANY_UNPAID
    assert refused.detail == "the buyer has 20 unpaid orders; at most 20 may be open"
