"""Which lines travel together: one sub-order per merchant and warehouse."""

from collections.abc import Callable

from domain.order import OrderLine, SubOrderLine, SubOrderPlan
from domain.order_number import sub_order_no

MOST_SUB_ORDERS = 99

# In this order; a platform adds a key here and every sub-order has one value of it.
KEYS: tuple[Callable[[OrderLine], str], ...] = (
    lambda line: line.merchant,
    lambda line: line.warehouse,
)


def split(order_no: str, lines: list[OrderLine]) -> list[SubOrderPlan]:
    """Cut an order into sub-orders, numbered in the order of their keys. Lines and amounts add up to the order."""
    groups: dict[tuple[str, ...], list[OrderLine]] = {}
    for line in sorted(lines, key=lambda line: (*(key(line) for key in KEYS), line.line_no)):
        groups.setdefault(tuple(key(line) for key in KEYS), []).append(line)
    return [_plan(order_no, index, group) for index, group in enumerate(groups.values(), start=1)]


def _plan(order_no: str, index: int, lines: list[OrderLine]) -> SubOrderPlan:
    return SubOrderPlan(
        sub_order_no=sub_order_no(order_no, index),
        index=index,
        merchant=lines[0].merchant,
        warehouse=lines[0].warehouse,
        lines=[
            SubOrderLine(
                line_no=line.line_no,
                sku=line.sku,
                title=line.title,
                first_unit=1,
                last_unit=line.quantity,
                goods_fen=line.goods_fen,
                pay_fen=line.pay_fen,
            )
            for line in lines
        ],
    )
