"""The fewest sub-orders, then the fewest pieces moved; what nobody has is a back-order."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.quote_oracle import fewest_sub_orders
from tests.support.quotes import Doc, ask, line, product
from tests.support.warehouses import found, small_case, stock_doc

Sent = list[tuple[str | None, dict[int, int], list[str]]]


def sent(doc: Doc) -> Sent:
    return [(s.warehouse, {e.line_no: e.quantity for e in s.lines}, s.flags) for s in ask(doc).sub_orders]


def test_one_warehouse_that_has_everything_is_better_than_two_preferred() -> None:
    lines = [line(1, "A", preferred_warehouse="w1"), line(2, "B", preferred_warehouse="w2")]
    assert sent(stock_doc({"w1": {"A": 1}, "w2": {"B": 1}, "w3": {"A": 1, "B": 1}}, lines)) == [
        ("w3", {1: 1, 2: 1}, [])
    ]


def test_among_the_fewest_the_fewest_pieces_move() -> None:
    lines = [line(1, "A", 2, preferred_warehouse="w1"), line(2, "B", 3, preferred_warehouse="w2")]
    both = {"A": 9, "B": 9}
    assert sent(stock_doc({"w1": both, "w2": both}, lines)) == [("w2", {1: 2, 2: 3}, [])]


@pytest.mark.parametrize(
    ("stock", "expected"),
    [
        (5, [("w1", {1: 5}, [])]),
        (4, [("w1", {1: 4}, []), ("w2", {1: 1}, [])]),
    ],
)
def test_a_line_is_spread_only_when_no_warehouse_has_enough_to_the_piece(stock: int, expected: Sent) -> None:
    assert sent(stock_doc({"w1": {"A": stock}, "w2": {"A": 4}}, [line(1, "A", 5)])) == expected


def test_a_line_is_not_spread_to_save_moves_when_one_warehouse_has_enough() -> None:
    lines = [line(1, "A", 5, preferred_warehouse="w1")]
    assert sent(stock_doc({"w1": {"A": 4}, "w2": {"A": 5}}, lines)) == [("w2", {1: 5}, [])]


def test_what_no_warehouse_has_is_a_flagged_back_order_at_the_preferred_else_the_first() -> None:
    lines = [line(1, "A", 3, preferred_warehouse="w2"), line(2, "B", 1)]
    assert sent(stock_doc({"w1": {"A": 1}, "w2": {"A": 1}}, lines)) == [
        ("w1", {1: 1}, []),
        ("w1", {2: 1}, ["BACKORDER"]),
        ("w2", {1: 1}, []),
        ("w2", {1: 1}, ["BACKORDER"]),
    ]


def test_two_lines_of_one_sku_do_not_get_the_same_piece() -> None:
    lines = [line(1, "A", 3), line(2, "A", 3)]
    assert sent(stock_doc({"w1": {"A": 4}, "w2": {"A": 3}}, lines)) == [
        ("w1", {1: 3}, []),
        ("w2", {2: 3}, []),
    ]


def test_gifts_are_the_first_to_wait() -> None:
    gift = {"promotion_id": "g", "level": "SHOP", "kind": "GIFT", "gift_sku": "A", "gift_quantity": 2}
    doc = stock_doc({"w1": {"A": 4}}, [line(1, "A", 3)], promotions=[gift])
    assert sent(doc) == [("w1", {1: 3, 2: 1}, []), ("w1", {2: 1}, ["BACKORDER"])]


def test_the_choice_of_warehouses_counts_parcels() -> None:
    # Two warehouses are enough (w1, w2), but then five parcels are not: w3 pairs what they would send alone.
    catalog = [product(sku, 100, weight_g=g) for sku, g in zip("ABCDEF", (60, 60, 60, 60, 40, 40), strict=True)]
    stocks = {"w1": "ABC", "w2": "DEF", "w3": "CF"}
    doc = {
        "lines": [line(i, sku) for i, sku in enumerate("ABCDEF", 1)],
        "catalog": catalog,
        "warehouses": [{"warehouse": w, "merchant": "m1", "stock": dict.fromkeys(s, 1)} for w, s in stocks.items()],
        "parcel_limit": {"weight_g": 100},
    }
    assert len(sent(doc)) == 4


@given(st.integers(0, 10**9))
@settings(deadline=None, max_examples=60)
def test_small_orders_are_cut_and_moved_as_little_as_the_exact_solver_finds(seed: int) -> None:
    case = small_case(seed)
    assert found(case) == fewest_sub_orders(*case)


@given(st.integers(0, 10**9))
@settings(deadline=None, max_examples=40)
def test_a_feasible_plan_is_found_whatever_the_stock(seed: int) -> None:
    rng = random.Random(seed)
    lines = [line(i, rng.choice("ABC"), rng.randint(1, 6)) for i in range(1, rng.randint(2, 9))]
    stocks = {f"w{w}": {sku: rng.randint(0, 9) for sku in "ABC"} for w in range(rng.randint(1, 6))}
    left = {w: dict(stock) for w, stock in stocks.items()}
    late = dict.fromkeys("ABC", 0)
    skus = {entry["line_no"]: entry["sku"] for entry in lines}
    for warehouse, pieces, flags in sent(stock_doc(stocks, lines)):
        for line_no, count in pieces.items():
            if "BACKORDER" in flags:
                late[skus[line_no]] += count
            else:
                left[str(warehouse)][skus[line_no]] -= count
    assert all(count >= 0 for stock in left.values() for count in stock.values())
    for sku in "ABC":
        wanted = sum(entry["quantity"] for entry in lines if entry["sku"] == sku)
        assert late[sku] == max(0, wanted - sum(stock[sku] for stock in stocks.values()))
