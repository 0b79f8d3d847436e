"""Any document that a shop could write, small: for the properties that hold of all."""

import string
from typing import Any

from hypothesis import strategies as st

from tests.support.quotes import Doc

LEVELS = ["ITEM", "SHOP", "SHOP_COUPON", "CROSS_SHOP", "PLATFORM_COUPON"]
MERCHANTS = ["m1", "m2"]
fen = st.integers(0, 3000)
maybe_fen = st.none() | fen


@st.composite
def products(draw: st.DrawFn, sku: str) -> Doc:
    return {
        "sku": sku,
        "merchant": draw(st.sampled_from(MERCHANTS)),
        "price_fen": draw(fen),
        "category": draw(st.sampled_from([None, "toys"])),
        "delivery_mode": draw(st.sampled_from(["PHYSICAL", "PHYSICAL", "VIRTUAL"])),
        "ships_from": draw(st.sampled_from([None, None, "2026-12-24"])),
        "handling": draw(st.sampled_from(["ORDINARY", "ORDINARY", "FRAGILE", "OVERSIZED"])),
        "weight_g": draw(st.integers(0, 80)),
    }


@st.composite
def promotions(draw: st.DrawFn, promotion_id: str, skus: list[str], issued_under: str | None) -> Doc:
    kind = draw(st.sampled_from(["AMOUNT_OFF", "PERCENT_OFF", "BUNDLE_PRICE", "GIFT", "ITEM_PRICE"]))
    promotion: Doc = {
        "promotion_id": promotion_id,
        "kind": kind,
        "level": "ITEM" if kind == "ITEM_PRICE" else draw(st.sampled_from(LEVELS)),
        "merchant": draw(st.sampled_from([None, *MERCHANTS])),
        "skus": draw(st.none() | st.lists(st.sampled_from(skus), max_size=3)),
        "issued_under": issued_under,
    }
    if draw(st.booleans()):
        promotion |= draw(st.sampled_from([{"threshold_fen": 500}, {"threshold_fen": 3000}, {"threshold_pieces": 2}]))
    share = draw(st.none() | st.integers(0, 100))
    if share is not None:
        promotion["funded_by"] = {"MERCHANT": share, "PLATFORM": 100 - share}
    return promotion | draw(kinds(kind, promotion, skus))


@st.composite
def kinds(draw: st.DrawFn, kind: str, promotion: Doc, skus: list[str]) -> Doc:
    if kind == "GIFT":
        return {"gift_sku": draw(st.sampled_from(skus)), "gift_returnable": draw(st.booleans())}
    keys: Doc = {"max_off_fen": draw(maybe_fen)}
    if kind == "AMOUNT_OFF":
        repeat = bool(promotion.keys() & {"threshold_fen", "threshold_pieces"}) and draw(st.booleans())
        off_fen = draw(fen)
        if "threshold_fen" in promotion:
            off_fen = min(off_fen, promotion["threshold_fen"])  # more than 100 % is refused
        return keys | {"off_fen": off_fen, "repeat": repeat}
    if kind == "PERCENT_OFF":
        return keys | {"percent_off": draw(st.integers(1, 100))}
    if kind == "BUNDLE_PRICE":
        return keys | {"price_fen": draw(fen), "pieces": draw(st.integers(1, 4))}
    return keys | {"price_fen": draw(fen)}


@st.composite
def documents(draw: st.DrawFn, issued_under: str | None = None) -> Doc:
    skus = list(string.ascii_uppercase[: draw(st.integers(1, 5))])
    lines = [
        {"line_no": 2 * i + 1, "sku": draw(st.sampled_from(skus)), "quantity": draw(st.integers(1, 4))}
        for i in range(draw(st.integers(1, 5)))
    ]
    promos = [draw(promotions(f"p{i}", skus, issued_under)) for i in range(draw(st.integers(0, 7)))]
    coupons = [p["promotion_id"] for p in promos if p["level"].endswith("COUPON") and draw(st.booleans())]
    return {
        "mode": draw(st.sampled_from(["PARALLEL", "PROGRESSIVE"])),
        "lines": lines,
        "catalog": [draw(products(sku)) for sku in skus],
        "promotions": promos,
        "coupons": coupons,
        "shipping_fen": draw(st.sampled_from([0, 1, 100, 999])),
        "warehouses": draw(warehouses(skus)),
        "parcel_limit": draw(st.sampled_from([None, {"weight_g": 70}, {"weight_g": 150, "value_fen": 4000}])),
    }


@st.composite
def warehouses(draw: st.DrawFn, skus: list[str]) -> list[Doc]:
    count = draw(st.integers(0, 3))
    stocks: list[dict[str, Any]] = [{sku: draw(st.integers(0, 6)) for sku in skus} for _ in range(count)]
    return [{"warehouse": f"w{w}", "merchant": "m1", "stock": stock} for w, stock in enumerate(stocks)]


@st.composite
def documents_with_refunds(draw: st.DrawFn) -> Doc:
    """All that was asked for goes back, some pieces of some lines at a time; now and then something is kept."""
    doc = draw(documents())
    pieces = draw(st.permutations([line["line_no"] for line in doc["lines"] for _ in range(line["quantity"])]))
    pieces = pieces[: len(pieces) - draw(st.sampled_from([0, 0, 0, 1, 3]))]
    refunds = []
    while pieces:
        size = draw(st.integers(1, 5))
        refunds.append([{"line_no": line_no, "quantity": 1} for line_no in pieces[:size]])
        pieces = pieces[size:]
    return {**doc, "refunds": refunds}
