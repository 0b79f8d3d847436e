"""The figures of the closing note: `python -m tests.support.quote_figures`."""

import json
import random
from statistics import median
from time import perf_counter
from typing import Any

from domain.quote.answer import quote, read_quote_document
from tests.support.quote_oracle import fewest_sub_orders
from tests.support.quotes import Doc, document, line, off, product, promotion
from tests.support.warehouses import found, small_case


def small() -> Doc:
    """3 lines, 5 promotions."""
    promotions = [
        promotion("i", "ITEM", "ITEM_PRICE", price_fen=9000, skus=["A"]),
        off("s", "SHOP", 30000, 5000),
        off("c", "SHOP_COUPON", 28000, 4000),
        off("x", "CROSS_SHOP", 20000, 3000, repeat=True),
        promotion("p", "PLATFORM_COUPON", "PERCENT_OFF", percent_off=5, max_off_fen=1000),
    ]
    return document([10000, 20000, 5000], promotions, [1, 2, 3], coupons=["c", "p"])


def large(merchants: int, seed: int = 1) -> Doc:
    """200 lines, 100 promotions, 20 warehouses."""
    rng = random.Random(seed)
    skus = [f"s{i}" for i in range(200)]
    levels = ["ITEM", "SHOP", "SHOP_COUPON", "CROSS_SHOP", "PLATFORM_COUPON"]
    promotions = [_any_promotion(rng, f"p{i}", levels[i % 5], skus) for i in range(100)]
    return {
        "lines": [_any_line(rng, i, sku, merchants) for i, sku in enumerate(skus, 1)],
        "catalog": [_any_product(rng, sku, f"m{i % merchants}") for i, sku in enumerate(skus)],
        "promotions": promotions,
        "coupons": [p["promotion_id"] for p in promotions if p["level"].endswith("COUPON")],
        "warehouses": [
            {
                "warehouse": f"w{w}",
                "merchant": f"m{w % merchants}",
                "stock": {s: _any_stock(rng) for s in skus},
            }
            for w in range(20)
        ],
        "parcel_limit": {"weight_g": 30000, "volume_cm3": 120000},
        "shipping_fen": 5000,
    }


def _any_line(rng: random.Random, line_no: int, sku: str, merchants: int) -> Doc:
    home = rng.randrange(20 // merchants) * merchants + (line_no - 1) % merchants
    return line(line_no, sku, rng.randint(1, 3), preferred_warehouse=f"w{home}")


def _any_product(rng: random.Random, sku: str, merchant: str) -> Doc:
    size = {"weight_g": rng.randint(10, 3000), "volume_cm3": rng.randint(10, 9000)}
    return product(sku, rng.randint(100, 90000), merchant, **size)


def _any_stock(rng: random.Random) -> int:
    return rng.choice([0, 0, 1, 2, 3, 9])


def _any_promotion(rng: random.Random, id_: str, level: str, skus: list[str]) -> Doc:
    scope: dict[str, Any] = {"skus": rng.sample(skus, 60), "threshold_fen": rng.choice([0, 10000])}
    kind = rng.choice(["AMOUNT_OFF", "PERCENT_OFF", "BUNDLE_PRICE"])
    keys: dict[str, dict[str, Any]] = {
        "AMOUNT_OFF": {"off_fen": rng.randint(100, 5000)},
        "PERCENT_OFF": {"percent_off": rng.randint(1, 20)},
        "BUNDLE_PRICE": {"price_fen": rng.randint(1000, 50000), "pieces": 3},
    }
    return promotion(id_, level, kind, **scope, **keys[kind])


def timed(doc: Doc, times: int) -> float:
    """Median milliseconds from the JSON text to the answer."""
    text = json.dumps(doc)
    spent = []
    for _ in range(times):
        start = perf_counter()
        quote(read_quote_document(text))
        spent.append(perf_counter() - start)
    return median(spent) * 1000


def against_the_optimum(cases: int) -> tuple[float, float, int]:
    """Sub-orders found by sub-orders needed: the mean and worst ratio, and how often more pieces moved than
    needed."""
    ratios, moves = [], 0
    for seed in range(cases):
        case = small_case(seed)
        count, moved = found(case)
        best, least = fewest_sub_orders(*case)
        ratios.append(count / best)
        moves += count == best and moved > least
    return sum(ratios) / cases, max(ratios), moves


def main() -> None:
    print(f"3 lines, 5 promotions: {timed(small(), 300):.2f} ms")
    for merchants in (1, 4):
        spent = timed(large(merchants), 9)
        print(f"200 lines, 100 promotions, 20 warehouses of {merchants} merchants: {spent:.0f} ms")
    mean, worst, moves = against_the_optimum(1000)
    print(f"sub-orders by the optimum, 1000 cases: mean {mean:.4f}, worst {worst:.2f}; more moved in {moves}")


if __name__ == "__main__":
    main()
