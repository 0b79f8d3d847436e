"""A split adds up to its order exactly, whatever is in it."""

from datetime import date

import hypothesis.strategies as st
import pytest
from hypothesis import given

from domain.order import OrderLine
from domain.order_number import candidate, parse
from domain.split import MOST_SUB_ORDERS, split

ORDER_NO = candidate(b"0123456789abcdef", "test", "key", 1_234_567, date(2026, 11, 11), 1, 0)


def line(line_no: int, merchant: str = "m1", warehouse: str = "w1", quantity: int = 1, fen: int = 100) -> OrderLine:
    return OrderLine(
        line_no=line_no,
        sku=f"SKU{line_no}",
        title=f"Thing {line_no}",
        merchant=merchant,
        warehouse=warehouse,
        quantity=quantity,
        unit_price_fen=fen,
        goods_fen=fen * quantity,
        pay_fen=fen * quantity - (fen * quantity) // 3,  # as if something had been taken off
    )


one_line = st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(1, 50), st.integers(0, 9_999))
orders = st.lists(one_line, min_size=1, max_size=15).map(
    lambda drawn: [line(n, *parts) for n, parts in enumerate(drawn, start=1)]
)


@given(orders)
def test_every_piece_and_every_fen_is_in_exactly_one_sub_order(lines: list[OrderLine]) -> None:
    """Lines, quantities, list prices and what was paid: nothing lost, nothing doubled."""
    parts = [part for plan in split(ORDER_NO, lines) for part in plan.lines]
    assert sorted((part.line_no, part.sku, part.quantity, part.goods_fen, part.pay_fen) for part in parts) == [
        (line.line_no, line.sku, line.quantity, line.goods_fen, line.pay_fen) for line in lines
    ]
    assert all((part.first_unit, part.last_unit) == (1, part.quantity) for part in parts)


@given(orders)
def test_the_sub_orders_add_up_to_the_order(lines: list[OrderLine]) -> None:
    """What the buyer paid once is what the parts were paid for."""
    plans = split(ORDER_NO, lines)
    assert sum(plan.pay_fen for plan in plans) == sum(line.pay_fen for line in lines)
    assert sum(plan.goods_fen for plan in plans) == sum(line.goods_fen for line in lines)


@given(orders)
def test_a_sub_order_has_one_merchant_and_one_warehouse_and_no_other_has_the_same_two(lines: list[OrderLine]) -> None:
    """As few sub-orders as the keys allow."""
    plans = split(ORDER_NO, lines)
    of_line = {line.line_no: (line.merchant, line.warehouse) for line in lines}
    for plan in plans:
        assert {of_line[part.line_no] for part in plan.lines} == {(plan.merchant, plan.warehouse)}
    assert len({(plan.merchant, plan.warehouse) for plan in plans}) == len(plans) == len(set(of_line.values()))


@given(orders.flatmap(lambda lines: st.tuples(st.just(lines), st.permutations(lines))))
def test_the_order_in_which_the_lines_come_changes_nothing(two: tuple[list[OrderLine], list[OrderLine]]) -> None:
    """A database may return them as it likes: the same plan with the same numbers."""
    assert split(ORDER_NO, two[0]) == split(ORDER_NO, two[1])


@given(orders)
def test_a_sub_orders_number_reads_back_to_its_order(lines: list[OrderLine]) -> None:
    """Numbered 1, 2, 3… in the order of their keys, with the buyer's gene."""
    plans = split(ORDER_NO, lines)
    assert [plan.index for plan in plans] == list(range(1, len(plans) + 1))
    for plan in plans:
        number = parse(plan.sub_order_no)
        assert (number.order_no, number.sub, number.gene) == (ORDER_NO, plan.index, 234_567)


def test_two_merchants_and_two_warehouses_make_three_sub_orders() -> None:
    """By the key's order: merchant first, then warehouse."""
    plans = split(ORDER_NO, [line(1, "m2"), line(2, "m1", "w2"), line(3, "m1", "w1"), line(4, "m2")])
    found = [(plan.merchant, plan.warehouse, [part.line_no for part in plan.lines]) for plan in plans]
    assert found == [("m1", "w1", [3]), ("m1", "w2", [2]), ("m2", "w1", [1, 4])]


def test_ninety_nine_sub_orders_have_numbers_and_a_hundredth_has_none() -> None:
    """The limit is said, not wrapped around."""
    lines = [line(n, merchant=f"m{n:03d}") for n in range(1, MOST_SUB_ORDERS + 1)]
    assert len({plan.sub_order_no for plan in split(ORDER_NO, lines)}) == MOST_SUB_ORDERS
    with pytest.raises(ValueError, match="1 to 99"):
        split(ORDER_NO, [*lines, line(100, merchant="m100")])
