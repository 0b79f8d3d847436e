"""Orders and the warehouses they could be sent from."""

import random
from typing import Any

from tests.support.quotes import Doc, ask, line, product


def stock_doc(stocks: dict[str, dict[str, int]], lines: list[Doc], **more: Any) -> Doc:
    skus = sorted({entry["sku"] for entry in lines})
    return {
        "lines": lines,
        "catalog": [product(sku, 100, weight_g=10) for sku in skus],
        "warehouses": [{"warehouse": w, "merchant": "m1", "stock": stock} for w, stock in stocks.items()],
        **more,
    }


Case = tuple[list[tuple[int, tuple[int], int | None]], list[list[int]], tuple[int, ...]]


def small_case(seed: int) -> Case:
    """Up to 4 warehouses and 5 lines, everything in stock somewhere; half of them with a parcel limit that
    binds."""
    rng = random.Random(seed)
    warehouses, lines = rng.randint(2, 4), rng.randint(1, 5)
    demands = [(rng.randint(1, 3), (rng.randint(5, 60),), rng.choice([None, *range(warehouses)])) for _ in range(lines)]
    stocks = [[rng.choice([0, 0, 1, 2, 3]) for _ in range(lines)] for _ in range(warehouses)]
    for i, (quantity, _, _) in enumerate(demands):
        short = quantity - sum(stock[i] for stock in stocks)
        stocks[rng.randrange(warehouses)][i] += max(0, short)
    return demands, stocks, rng.choice([(), (100,)])


def as_document(case: Case) -> Doc:
    demands, stocks, caps = case
    return {
        "lines": [
            line(i + 1, f"s{i}", quantity, preferred_warehouse=None if home is None else f"w{home}")
            for i, (quantity, _, home) in enumerate(demands)
        ],
        "catalog": [product(f"s{i}", 1, weight_g=size[0]) for i, (_, size, _) in enumerate(demands)],
        "warehouses": [
            {"warehouse": f"w{w}", "merchant": "m1", "stock": {f"s{i}": n for i, n in enumerate(stock)}}
            for w, stock in enumerate(stocks)
        ],
        "parcel_limit": {"weight_g": caps[0]} if caps else None,
    }


def found(case: Case) -> tuple[int, int]:
    """The sub-orders of the quote, and the pieces moved."""
    sub_orders = ask(as_document(case)).sub_orders
    homes = {i + 1: None if home is None else f"w{home}" for i, (_, _, home) in enumerate(case[0])}
    moved = sum(
        entry.quantity
        for sub_order in sub_orders
        for entry in sub_order.lines
        if homes[entry.line_no] not in (None, sub_order.warehouse)
    )
    return len(sub_orders), moved
