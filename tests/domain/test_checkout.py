"""What a cart costs, or why it can't be had."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from pydantic import ValidationError

from domain.cart import Address, Cart, CartLine
from domain.checkout import Limits, price_order, within_limits
from domain.order import PricedOrder, Product, Refusal, RefusalCode

ADDRESS = {"recipient": "Lin", "phone": "+86 13800138000", "region": "Hangzhou", "street": "Road 1"}
CATALOG = {
    sku: Product(sku=sku, merchant=merchant, title=f"The {sku}", price_fen=price_fen, warehouse="w1")
    for sku, merchant, price_fen in (("TEA", "m2", 1_000), ("CUP", "m1", 350), ("GIFT", "m1", 0))
}


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
    answer = price_order(asked, CATALOG, limits or Limits())
    assert isinstance(answer, Refusal), answer
    return answer


def priced(asked: Cart, limits: Limits | None = None) -> PricedOrder:
    answer = price_order(asked, CATALOG, limits or Limits())
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
    due = sum(CATALOG[sku].price_fen * pieces for sku, pieces in lines)
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
    assert isinstance(price_order(asked, CATALOG, Limits(lines=3)), PricedOrder) == fits
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
    with pytest.raises(ValidationError, match="line number 1 stands twice"):
        Cart.model_validate(body(lines=[line, {**line, "sku": "CUP"}]))
    assert len(Cart.model_validate(body(lines=[line, {**line, "line_no": 2}])).lines) == 2


@pytest.mark.parametrize(("merchants", "refused"), [(99, False), (100, True)])
def test_a_cart_that_would_split_into_more_than_99_sub_orders_is_refused_before_anything_is_taken(
    merchants: int, refused: bool
) -> None:
    products = {
        f"s{n}": Product(sku=f"s{n}", merchant=f"m{n}", title="t", price_fen=1, warehouse="w") for n in range(merchants)
    }
    address = Address(recipient="r", phone="13800138000", region="r", street="s")
    cart = Cart(
        buyer_id=1,
        lines=[CartLine(line_no=n + 1, sku=f"s{n}", quantity=1) for n in range(merchants)],
        expected_amount_fen=merchants,
        address=address,
        device_id="d",
    )
    priced = price_order(cart, products, Limits())
    assert isinstance(priced, Refusal) is refused
