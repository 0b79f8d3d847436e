"""A split adds up to its order exactly, whatever is in it."""

from datetime import date

import hypothesis.strategies as st
import pytest
from hypothesis import given

from domain.order.cart import Terms
from domain.order.lines import OrderLine, SubOrderPlan
from domain.order.order_number import candidate, parse
from domain.splitting.model import BACKORDER, MAX_SUB_ORDERS, Warehouse
from domain.splitting.packing import TooManyParcels
from domain.splitting.plan import check_units, cut, plan, replan

ORDER_NO = candidate(b"0123456789abcdef", "test", "key", 1_234_567, date(2026, 11, 11), 1, 0)


def line(line_no: int, merchant: str = "m1", warehouse: str = "w1", quantity: int = 1, fen: int = 100) -> OrderLine:
    return OrderLine(
        line_no=line_no,
        sku=f"SKU{line_no}",
        version=1,
        digest="",
        title=f"Thing {line_no}",
        merchant=merchant,
        warehouse=warehouse,
        quantity=quantity,
        unit_price_fen=fen,
        goods_fen=fen * quantity,
        pay_fen=fen * quantity - (fen * quantity) // 3,  # as if something had been taken off
    )


def split(order_no: str, lines: list[OrderLine], shipping_fen: int = 0) -> list[SubOrderPlan]:
    """Every line lies where it is preferably shipped from, and nowhere else."""
    return plan(order_no, lines, cut(lines, shelves(lines), Terms()), shipping_fen)


def shelves(lines: list[OrderLine]) -> list[Warehouse]:
    stock: dict[tuple[str, str], dict[str, int]] = {}
    for line in lines:
        stock.setdefault((line.merchant, line.warehouse or ""), {})[line.sku] = line.quantity
    return [Warehouse(merchant=m, warehouse=w, stock=pieces) for (m, w), pieces in sorted(stock.items())]


one_line = st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(1, 50), st.integers(0, 9_999))
orders = st.lists(one_line, min_size=1, max_size=15).map(
    lambda drawn: [line(n, *parts) for n, parts in enumerate(drawn, start=1)]
)


@given(orders)
def test_every_piece_and_every_fen_is_in_exactly_one_sub_order(lines: list[OrderLine]) -> None:
    """Lines, quantities, list prices and what was paid: nothing lost, nothing doubled."""
    parts = [part for one in split(ORDER_NO, lines) for part in one.lines]
    assert sorted((part.line_no, part.sku, part.quantity, part.goods_fen, part.pay_fen) for part in parts) == [
        (line.line_no, line.sku, line.quantity, line.goods_fen, line.pay_fen) for line in lines
    ]
    assert all((part.first_unit, part.last_unit) == (1, part.quantity) for part in parts)


@given(orders)
def test_the_sub_orders_add_up_to_the_order(lines: list[OrderLine]) -> None:
    """What the buyer paid once is what the parts were paid for."""
    plans = split(ORDER_NO, lines)
    assert sum(one.pay_fen for one in plans) == sum(line.pay_fen for line in lines)
    assert sum(one.goods_fen for one in plans) == sum(line.goods_fen for line in lines)


@given(orders)
def test_a_sub_order_has_one_merchant_and_one_warehouse_and_no_other_has_the_same_two(lines: list[OrderLine]) -> None:
    """As few sub-orders as the keys allow."""
    plans = split(ORDER_NO, lines)
    of_line = {line.line_no: (line.merchant, line.warehouse) for line in lines}
    for one in plans:
        assert {of_line[part.line_no] for part in one.lines} == {(one.merchant, one.warehouse)}
    assert len({(one.merchant, one.warehouse) for one in plans}) == len(plans) == len(set(of_line.values()))


@given(orders.flatmap(lambda lines: st.tuples(st.just(lines), st.permutations(lines))))
def test_the_order_in_which_the_lines_come_changes_nothing(two: tuple[list[OrderLine], list[OrderLine]]) -> None:
    """A database may return them as it likes: the same plan with the same numbers."""
    assert split(ORDER_NO, two[0]) == split(ORDER_NO, two[1])


@given(orders)
def test_a_sub_orders_number_reads_back_to_its_order(lines: list[OrderLine]) -> None:
    """Numbered 1, 2, 3… in the order of their keys, with the buyer's gene."""
    plans = split(ORDER_NO, lines)
    assert [one.index for one in plans] == list(range(1, len(plans) + 1))
    for one in plans:
        number = parse(one.sub_order_no)
        assert (number.order_no, number.sub, number.gene) == (ORDER_NO, one.index, 234_567)


def test_two_merchants_and_two_warehouses_make_three_sub_orders() -> None:
    """In the order of the keys, merchant first, then warehouse; merchants in the order of the lines."""
    plans = split(ORDER_NO, [line(1, "m2"), line(2, "m1", "w2"), line(3, "m1", "w1"), line(4, "m2")])
    found = [(one.merchant, one.warehouse, [part.line_no for part in one.lines]) for one in plans]
    assert found == [("m2", "w1", [1, 4]), ("m1", "w1", [3]), ("m1", "w2", [2])]


def test_ninety_nine_sub_orders_have_numbers_and_a_hundredth_has_none() -> None:
    """The limit is said, not wrapped around."""
    lines = [line(n, merchant=f"m{n:03d}") for n in range(1, MAX_SUB_ORDERS + 1)]
    assert len({part.sub_order_no for part in split(ORDER_NO, lines)}) == MAX_SUB_ORDERS
    with pytest.raises(TooManyParcels):
        split(ORDER_NO, [*lines, line(100, merchant="m100")])


@given(orders)
def test_what_we_split_has_each_unit_once(lines: list[OrderLine]) -> None:
    check_units(split(ORDER_NO, lines))


@pytest.mark.parametrize(
    ("units", "said"),
    [
        ([(1, 2), (2, 3)], "unit 2 of line 1 is in the sub-orders 1 and 2: it can ship in one only"),
        ([(1, 3), (1, 1)], "unit 1 of line 1 is in the sub-orders 2 and 1: it can ship in one only"),
        ([(1, 1), (3, 3)], "unit 2 of line 1 is in no sub-order: put it into one"),
        ([(2, 3)], "unit 1 of line 1 is in no sub-order: put it into one"),
    ],
)
def test_a_rule_that_ships_a_unit_twice_or_never_is_refused_by_name(units: list[tuple[int, int]], said: str) -> None:
    """A platform's own rule may be wrong; nothing is set aside for it."""
    (whole,) = split(ORDER_NO, [line(1, quantity=3)])
    plans = [
        whole.model_copy(
            update={
                "index": index,
                "lines": [whole.lines[0].model_copy(update={"first_unit": first, "last_unit": last})],
            }
        )
        for index, (first, last) in enumerate(units, start=1)
    ]
    with pytest.raises(ValueError, match=said):
        check_units(plans)


@given(orders, st.integers(0, 5_000), st.data())
def test_a_plan_of_the_placement_keeps_its_numbers_whatever_has_run_out_or_was_closed(
    lines: list[OrderLine], shipping_fen: int, data: st.DataObject
) -> None:
    """Closed lines leave it, what has run out is a back-order, and the shipping still adds up."""
    planned = split(ORDER_NO, lines, shipping_fen)
    live = data.draw(st.lists(st.sampled_from(lines), min_size=1, unique_by=lambda line: line.line_no))
    left = [site.model_copy(update={"stock": {}}) for site in shelves(lines) if data.draw(st.booleans())]
    carried = replan(planned, live, left, shipping_fen)
    told = {part.sub_order_no: part for part in planned}
    assert {part.sub_order_no for part in carried} <= set(told)
    assert sorted(line.line_no for part in carried for line in part.lines) == sorted(line.line_no for line in live)
    assert sum(part.shipping_fen for part in carried) == shipping_fen
    empty = {(site.merchant, site.warehouse) for site in left}
    for part in carried:
        assert (BACKORDER in part.flags) is ((part.merchant, part.warehouse) in empty)
