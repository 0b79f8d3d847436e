"""What the shop of a simulation sells: ample and scarce goods, with and without warehouses, physical and virtual."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from cli.catalog_file import read_catalog
from cli.load_catalog import load_catalog
from domain.pricing.promotion import AmountOff, Level, PromotionKind
from store.accounts.coupons import PostgresCoupons
from store.catalog.promotions import PostgresPromotions

RIVER, HILL, CLOUD = "river", "hill", "cloud"  # no warehouses; two warehouses; stock is taken by the payment
MERCHANTS = (RIVER, HILL, CLOUD)
AMPLE = {RIVER: ("TEA", "CUP"), HILL: ("LAMP", "DESK"), CLOUD: ("FILM", "GAME")}
SCARCE = {RIVER: "LAST-POT", HILL: "LAST-CHAIR", CLOUD: "LAST-TICKET"}
CODE = "CODE"  # virtual goods: a code and no parcel
GOLD = "GOLD"  # limited and expensive: the risk check looks at who buys it
LATE = "LATE-BENCH"  # more is sold than lies in the warehouses, which makes back-orders

PRICES_FEN = {"TEA": 1_250, "CUP": 990, "LAMP": 19_999, "DESK": 45_001, "FILM": 333, "GAME": 7_777}
PRICES_FEN |= {"LAST-POT": 5_005, "LAST-CHAIR": 8_008, "LAST-TICKET": 2_002, CODE: 100, GOLD: 600_000, LATE: 3_003}
SHIPPING_FEN = 700  # what RIVER charges, whatever it sends
COUPON_OFF_FEN = 90
_COUPON = "chaos-coupon"
_PLENTY = 1_000_000


def merchant_of(sku: str) -> str:
    every = {name: merchant for merchant, skus in AMPLE.items() for name in skus}
    every |= {name: merchant for merchant, name in SCARCE.items()}
    return (every | {CODE: CLOUD, GOLD: HILL, LATE: HILL})[sku]


def price_fen(lines: Sequence[tuple[str, int]], coupons: int) -> int:
    """The total that a buyer of these lines is shown at checkout, in fen."""
    goods = sum(PRICES_FEN[sku] * pieces for sku, pieces in lines)
    shipping = SHIPPING_FEN if any(merchant_of(sku) == RIVER for sku, _ in lines) else 0
    return max(goods - COUPON_OFF_FEN * coupons, 0) + shipping


def sellable(orders: int) -> dict[str, int]:
    """The pieces to sell of each SKU; of scarce goods, fewer than this many orders will want."""
    scarce = max(3, orders // 25)
    return {sku: scarce if sku in SCARCE.values() else _PLENTY for sku in PRICES_FEN}


async def put_on_sale(engine: AsyncEngine, orders: int) -> dict[str, int]:
    """Put all these goods on sale; returns the pieces that there are to sell, by SKU."""
    pieces = sellable(orders)
    await load_catalog(engine, read_catalog(json.dumps(_catalog(pieces))), "chaos")
    off = AmountOff(
        promotion_id=_COUPON,
        level=Level.PLATFORM_COUPON,
        kind=PromotionKind.AMOUNT_OFF,
        off_fen=COUPON_OFF_FEN,
    )
    await PostgresPromotions(engine).load([off])
    return pieces


async def issue_coupons(engine: AsyncEngine, owners: dict[str, int]) -> None:
    """Issue each coupon to its buyer."""
    ledger = PostgresCoupons(engine)
    for coupon_id, buyer_id in owners.items():
        await ledger.issue(_COUPON, buyer_id, datetime.now(UTC), coupon_id=coupon_id)


def _catalog(pieces: dict[str, int]) -> dict[str, object]:
    freight = {"first_g": 1_000_000, "first_fee_fen": SHIPPING_FEN, "further_g": 1_000_000, "further_fee_fen": 0}
    lies = {sku: count // 2 for sku, count in pieces.items() if merchant_of(sku) == HILL}
    lies[LATE] = 2
    return {
        "merchants": [
            {"merchant": RIVER, "freight": [freight]},
            {"merchant": HILL},
            {"merchant": CLOUD, "stock_policy": "DEDUCT_ON_PAYMENT"},
        ],
        "warehouses": [{"merchant": HILL, "warehouse": name, "stock": lies} for name in ("hill-east", "hill-west")],
        "products": [_product(sku, count) for sku, count in pieces.items()],
    }


def _product(sku: str, pieces: int) -> dict[str, object]:
    row: dict[str, object] = {"sku": sku, "merchant": merchant_of(sku), "title": f"{sku} of a simulation"}
    row |= {"price_fen": PRICES_FEN[sku], "sellable": pieces, "limited": sku == GOLD}
    return row | ({"delivery_mode": "VIRTUAL"} if sku == CODE else {"weight_g": 10})
