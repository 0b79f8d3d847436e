"""What a cart costs, or why it can't be had."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from pydantic import TypeAdapter, ValidationError

from domain.order.cart import Cart, PricingMode, Recording, SplitTiming, Terms
from domain.order.lines import GiftOf, PricedOrder, Refusal, RefusalCode
from domain.order.order_number import candidate
from domain.order.product import OnSale, Product
from domain.order.snapshot import TradeSnapshot
from domain.pricing.market import Coupon, Market, Offers
from domain.pricing.order_price import Limits, price_order, within_limits
from domain.pricing.promotion import Promotion
from domain.splitting.freight import FreightTemplate
from domain.splitting.model import Warehouse

AT = datetime(2026, 11, 11, 12, 0, tzinfo=UTC)
ORDER_NO = candidate(b"0123456789abcdef", "test", "key", 1_234_567, date(2026, 11, 11), 1, 0)
ADDRESS = {"recipient": "Lin", "phone": "+86 13800138000", "region": "Hangzhou", "street": "Road 1"}


def on_sale(sku: str, merchant: str, price_fen: int, **more: Any) -> OnSale:
    product = Product(sku=sku, merchant=merchant, title=f"The {sku}", price_fen=price_fen, **more)
    return OnSale(product=product, version=3, digest=TradeSnapshot.of(product).digest, home="w1")


CATALOG = {
    sku: on_sale(sku, merchant, price_fen)
    for sku, merchant, price_fen in (("TEA", "m2", 1_000), ("CUP", "m1", 350), ("GIFT", "m1", 0))
}


def promotion(**keys: Any) -> Promotion:
    made: Promotion = TypeAdapter(Promotion).validate_json(json.dumps(keys))
    return made


def answer_to(
    asked: Cart, market: Market | None = None, limits: Limits | None = None, **terms: Any
) -> PricedOrder | Refusal:
    return price_order(ORDER_NO, asked, market or Market(CATALOG), Terms(**terms), limits or Limits(), AT)


def body(*lines: tuple[str, int], shown_fen: int = 0, **changed: Any) -> dict[str, Any]:
    own = {
        "buyer_id": 7,
        "lines": [{"line_no": n, "sku": sku, "quantity": pieces} for n, (sku, pieces) in enumerate(lines, start=1)],
        "expected_amount_fen": shown_fen,
        "address": ADDRESS,
        "device_id": "d1",
    }
    return own | changed


def cart(*lines: tuple[str, int], shown_fen: int = 0) -> Cart:
    return Cart.model_validate(body(*lines, shown_fen=shown_fen))


def refused(asked: Cart, limits: Limits | None = None) -> Refusal:
    answer = answer_to(asked, limits=limits)
    assert isinstance(answer, Refusal), answer
    return answer


def priced(asked: Cart, limits: Limits | None = None) -> PricedOrder:
    answer = answer_to(asked, limits=limits)
    assert isinstance(answer, PricedOrder), answer
    return answer


def test_an_order_is_priced_from_the_catalog_and_not_from_the_cart() -> None:
    """Each line holds its own price, title, merchant and warehouse from then on."""
    order = priced(cart(("TEA", 2), ("CUP", 3), shown_fen=3_050))
    assert (order.goods_fen, order.amount_due_fen, order.currency) == (3_050, 3_050, "CNY")
    first, second = order.lines
    assert (first.line_no, first.sku, first.title, first.merchant) == (1, "TEA", "The TEA", "m2")
    assert (second.quantity, second.unit_price_fen, second.goods_fen, second.pay_fen) == (3, 350, 1_050, 1_050)
    assert order.merchants == ["m1", "m2"]


@given(st.lists(st.tuples(st.sampled_from(sorted(CATALOG)), st.integers(1, 999)), min_size=1, max_size=20))
def test_the_lines_add_up_to_the_order(lines: list[tuple[str, int]]) -> None:
    """To the fen, also with one SKU on several lines."""
    due = sum(CATALOG[sku].product.price_fen * pieces for sku, pieces in lines)
    order = priced(cart(*lines, shown_fen=due))
    assert sum(line.pay_fen for line in order.lines) == sum(line.goods_fen for line in order.lines) == due
    assert order.amount_due_fen == due
    assert [line.line_no for line in order.lines] == list(range(1, len(lines) + 1))


def test_an_order_that_costs_nothing_is_an_order() -> None:
    """Edge case 8 begins here: amount due 0 is not a refusal."""
    assert priced(cart(("GIFT", 1))).amount_due_fen == 0


@pytest.mark.parametrize("shown_fen", [0, 999, 1_001])
def test_a_buyer_who_was_shown_another_total_is_refused_with_both_totals(shown_fen: int) -> None:
    """Higher or lower, by one fen: nobody pays what they did not see."""
    refusal = refused(cart(("TEA", 1), shown_fen=shown_fen))
    assert (refusal.code, refusal.place) == (RefusalCode.PRICE_CHANGED, "expected_amount_fen")
    assert f"{shown_fen} fen" in refusal.detail
    assert "1000 fen" in refusal.detail


def test_an_unknown_sku_is_named_with_its_place() -> None:
    """The line's position in the cart, as a caller counts it."""
    refusal = refused(cart(("TEA", 1), ("NOPE", 1), shown_fen=1_000))
    assert (refusal.code, refusal.place) == (RefusalCode.UNKNOWN_SKU, "lines[1].sku")
    assert "NOPE" in refusal.detail


@pytest.mark.parametrize(("lines", "fits"), [(2, True), (3, True), (4, False)])
def test_the_limit_of_lines_is_itself_allowed(lines: int, fits: bool) -> None:
    """One below, at, one above."""
    asked = cart(*[("TEA", 1)] * lines, shown_fen=1_000 * lines)
    refusal = within_limits(asked, Limits(lines=3))
    assert (refusal is None) == fits
    assert isinstance(answer_to(asked, limits=Limits(lines=3)), PricedOrder) == fits
    if refusal:
        assert (refusal.code, refusal.place, refusal.remedy) == (RefusalCode.LIMIT_EXCEEDED, "lines", "at most 3")


@pytest.mark.parametrize(("pieces", "fits"), [(4, True), (5, True), (6, False)])
def test_the_limit_of_pieces_on_a_line_is_itself_allowed(pieces: int, fits: bool) -> None:
    """One below, at, one above; the place is the line's."""
    refusal = within_limits(cart(("TEA", 1), ("CUP", pieces)), Limits(pieces_per_line=5))
    assert (refusal is None) == fits
    if refusal:
        assert (refusal.place, refusal.remedy) == ("lines[1].quantity", "at most 5")
        assert "6 pieces of CUP" in refusal.detail


@pytest.mark.parametrize(("limit_fen", "fits"), [(2_001, True), (2_000, True), (1_999, False)])
def test_the_limit_of_an_orders_amount_is_itself_allowed(limit_fen: int, fits: bool) -> None:
    """One below, at, one above."""
    asked = cart(("TEA", 2), shown_fen=2_000)
    if fits:
        assert priced(asked, Limits(amount_fen=limit_fen)).amount_due_fen == 2_000
    else:
        assert refused(asked, Limits(amount_fen=limit_fen)).code is RefusalCode.LIMIT_EXCEEDED


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"lines": []}, "lines"),
        ({"lines": [{"line_no": 1, "sku": "TEA", "quantity": 0}]}, "lines.0.quantity"),
        ({"lines": [{"line_no": 1, "sku": "TEA", "quantity": -1}]}, "lines.0.quantity"),
        ({"lines": [{"line_no": 1, "sku": "TEA", "quantity": True}]}, "lines.0.quantity"),
        ({"lines": [{"line_no": 1, "sku": "TEA", "quantity": 1.0}]}, "lines.0.quantity"),
        ({"lines": [{"line_no": 1, "sku": "TEA", "quantity": "1"}]}, "lines.0.quantity"),
        ({"lines": [{"line_no": 0, "sku": "TEA", "quantity": 1}]}, "lines.0.line_no"),
        ({"lines": [{"line_no": 1, "sku": "", "quantity": 1}]}, "lines.0.sku"),
        ({"lines": [{"line_no": 1, "sku": "TEA", "quantity": 1, "price": 1}]}, "lines.0.price"),
        ({"expected_amount_fen": -1}, "expected_amount_fen"),
        ({"expected_amount_fen": float("nan")}, "expected_amount_fen"),
        ({"buyer_id": 0}, "buyer_id"),
        ({"buyer_id": 2**53 + 1}, "buyer_id"),
        ({"device_id": ""}, "device_id"),
        ({"address": {**ADDRESS, "phone": "call me"}}, "address.phone"),
        ({"coupon": "A"}, "coupon"),
    ],
)
def test_a_cart_that_is_wrong_is_told_where(changed: dict[str, Any], place: str) -> None:
    """No lax reading of numbers, and no unknown field is passed over."""
    with pytest.raises(ValidationError) as error:
        Cart.model_validate(body(("TEA", 1), **changed))
    assert [".".join(map(str, found["loc"])) for found in error.value.errors()] == [place]


def test_two_lines_of_one_number_are_refused_and_two_lines_of_one_sku_are_not() -> None:
    """The number is the line's identity, the SKU is not."""
    line = {"line_no": 1, "sku": "TEA", "quantity": 1}
    with pytest.raises(ValidationError, match="line number 1 appears twice"):
        Cart.model_validate(body(lines=[line, {**line, "sku": "CUP"}]))
    assert len(Cart.model_validate(body(lines=[line, {**line, "line_no": 2}])).lines) == 2


@pytest.mark.parametrize(("merchants", "refused"), [(99, False), (100, True)])
def test_a_cart_that_would_split_into_more_than_99_sub_orders_is_refused_before_anything_is_taken(
    merchants: int, refused: bool
) -> None:
    catalog = {f"s{n}": on_sale(f"s{n}", f"m{n}", 1) for n in range(merchants)}
    asked = cart(*((sku, 1) for sku in catalog), shown_fen=merchants)
    assert isinstance(answer_to(asked, Market(catalog)), Refusal) is refused


# --- promotions, coupons, gifts, freight

CLASSIC = [
    {"promotion_id": "p1", "level": "SHOP", "merchant": "m1", "threshold_fen": 30_000, "off_fen": 5_000},
    {"promotion_id": "c1", "level": "SHOP_COUPON", "merchant": "m1", "threshold_fen": 28_000, "off_fen": 4_000},
    {"promotion_id": "x1", "level": "CROSS_SHOP", "threshold_fen": 29_000, "off_fen": 5_000, "repeat": True},
]
GOODS = {"A": on_sale("A", "m1", 10_000, weight_g=800), "B": on_sale("B", "m1", 20_000, weight_g=1_300)}


def classic(
    coupon: Coupon | None = None, freight: Sequence[FreightTemplate] = (), warehouses: Sequence[Warehouse] = ()
) -> Market:
    promotions = [promotion(kind="AMOUNT_OFF", **keys) for keys in CLASSIC]
    offers = Offers(promotions=promotions, coupons=[coupon] if coupon else [])
    return Market(GOODS, offers, warehouses, freight)


def coupon(**changed: Any) -> Coupon:
    return Coupon(coupon_id="k1", promotion_id="c1", buyer_id=7).model_copy(update=changed)


def named(*coupons: str, shown_fen: int) -> Cart:
    return Cart.model_validate(body(("A", 1), ("B", 1), shown_fen=shown_fen, coupons=list(coupons)))


@pytest.mark.parametrize(("mode", "pays"), [(PricingMode.PROGRESSIVE, 25_000), (PricingMode.PARALLEL, 16_000)])
def test_an_order_pays_what_its_quote_says_in_either_mode(mode: PricingMode, pays: int) -> None:
    """The classic example, with the coupon as a thing in the buyer's hands."""
    order = answer_to(named("k1", shown_fen=pays), classic(coupon()), pricing_mode=mode)
    assert isinstance(order, PricedOrder), order
    assert sum(line.pay_fen for line in order.lines) == order.amount_due_fen == pays
    assert sum(share.amount_fen for line in order.lines for share in line.shares) == 30_000 - pays
    assert all(
        share.amount_fen == share.merchant_fen + share.platform_fen for line in order.lines for share in line.shares
    )


def test_only_coupons_that_save_something_are_taken() -> None:
    """Under PROGRESSIVE the coupon's threshold is not reached: it stays the buyer's, and is no rule of the order."""
    order = answer_to(named("k1", shown_fen=25_000), classic(coupon()), pricing_mode=PricingMode.PROGRESSIVE)
    assert isinstance(order, PricedOrder)
    assert (order.coupons, set(order.rules)) == ([], {"p1"})
    order = answer_to(named("k1", shown_fen=16_000), classic(coupon()))
    assert isinstance(order, PricedOrder)
    assert (order.coupons, set(order.rules)) == (["k1"], {"p1", "c1", "x1"})


@pytest.mark.parametrize(
    ("held", "why"),
    [
        (None, "not one of this buyer's"),
        (coupon(buyer_id=8), "not one of this buyer's"),
        (coupon(expires_at=AT), "has expired"),
        (coupon(order_no="1"), "in use by another order"),
    ],
)
def test_a_coupon_that_cant_be_used_refuses_the_order_and_names_it(held: Coupon | None, why: str) -> None:
    """Unknown and somebody else's look the same: nobody learns which codes there are."""
    answer = answer_to(named("k1", shown_fen=16_000), classic(held))
    assert isinstance(answer, Refusal)
    assert (answer.code, answer.place) == (RefusalCode.COUPON_GONE, "coupons[0]")
    assert why in answer.detail


def test_a_coupon_is_good_until_the_second_it_expires() -> None:
    for left_s, good in ((1, True), (0, False)):
        held = coupon(expires_at=AT + timedelta(seconds=left_s))
        assert isinstance(answer_to(named("k1", shown_fen=16_000), classic(held)), PricedOrder) is good


def test_freight_is_paid_with_the_goods_and_shared_by_the_sub_orders() -> None:
    """One first weight per warehouse: 2,100 g are 1,000 g and three further 500 g begun."""
    template = FreightTemplate(
        merchant="m1", first_g=1_000, first_fee_fen=1_000, further_g=500, further_fee_fen=100, free_from_fen=26_000
    )
    asked = cart(("A", 1), ("B", 1), shown_fen=16_000 + 1_300)
    market = classic(freight=[template])
    assert isinstance(answer_to(asked, market), Refusal)  # without its coupon: 20,000
    order = answer_to(
        named("k1", shown_fen=17_300), classic(coupon(), [template]), split_timing=SplitTiming.AT_PLACEMENT
    )
    assert isinstance(order, PricedOrder), order
    assert (order.shipping_fen, order.amount_due_fen) == (1_300, 17_300)
    assert order.plan is not None
    assert sum(part.shipping_fen for part in order.plan) == 1_300
    assert sum(part.pay_fen for part in order.plan) == 16_000


def test_split_at_placement_tells_the_numbers_and_after_payment_does_not() -> None:
    shelves = [
        Warehouse(warehouse="w1", merchant="m1", stock={"A": 1}),
        Warehouse(warehouse="w2", merchant="m1", stock={"B": 1}),
    ]
    at_once = answer_to(named(shown_fen=20_000), classic(warehouses=shelves), split_timing=SplitTiming.AT_PLACEMENT)
    assert isinstance(at_once, PricedOrder) and at_once.plan is not None
    assert [(part.index, part.warehouse) for part in at_once.plan] == [(1, "w1"), (2, "w2")]
    later = answer_to(named(shown_fen=20_000), classic(warehouses=shelves))
    assert isinstance(later, PricedOrder) and later.plan is None


def test_a_gift_is_a_line_that_costs_nothing_and_knows_what_it_was_given_for() -> None:
    gift = promotion(promotion_id="g1", level="SHOP", kind="GIFT", threshold_fen=1_000, gift_sku="CUP", gift_quantity=2)
    order = answer_to(cart(("TEA", 1), shown_fen=1_000), Market(CATALOG, Offers(promotions=[gift])))
    assert isinstance(order, PricedOrder), order
    bought, given_line = order.lines
    assert (given_line.line_no, given_line.sku, given_line.quantity, given_line.pay_fen) == (2, "CUP", 2, 0)
    assert given_line.gift == GiftOf(promotion_id="g1", given_for=[1], returnable=True)
    assert bought.gift is None


@pytest.mark.parametrize("recording", list(Recording))
def test_a_line_holds_its_version_and_digest_and_its_own_copy_only_where_it_is_to(recording: Recording) -> None:
    order = answer_to(cart(("TEA", 1), shown_fen=1_000), recording=recording)
    assert isinstance(order, PricedOrder)
    (line,) = order.lines
    assert (line.version, line.digest) == (3, TradeSnapshot.of(CATALOG["TEA"].product).digest)
    assert (line.snapshot is not None) is (recording is Recording.EMBEDDED)
    if line.snapshot:
        assert line.snapshot.digest == line.digest
