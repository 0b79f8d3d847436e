"""Promotions and coupons, as short as the tests of the store want them."""

from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.coupons import CouponsOf, TakeCoupons
from domain.order.reservation import CouponsTaken
from domain.pricing.promotion import Promotion
from store.accounts.coupons import PostgresCoupons
from store.catalog.promotions import PostgresPromotions
from tests.support.books import BUYER, NOW

_document: TypeAdapter[Promotion] = TypeAdapter(Promotion)
TOMORROW = NOW + timedelta(days=1)
SECOND = timedelta(seconds=1)


def promotion(promotion_id: str, level: str = "SHOP", **more: Any) -> Promotion:
    """Takes 500 off, unless `more` makes it another kind."""
    kind = {} if "kind" in more else {"kind": "AMOUNT_OFF", "off_fen": 500}
    return _document.validate_python({"promotion_id": promotion_id, "level": level, **kind, **more}, strict=False)


async def with_coupons(engine: AsyncEngine, *coupon_ids: str, **more: Any) -> PostgresCoupons:
    """A ledger in which BUYER has these coupons, until TOMORROW unless `more` says otherwise."""
    await PostgresPromotions(engine).load([promotion("ticket", "PLATFORM_COUPON")])
    ledger = PostgresCoupons(engine)
    fields = {"buyer_id": BUYER, "expires_at": TOMORROW, "at": NOW, **more}
    for coupon_id in coupon_ids:
        await ledger.issue("ticket", coupon_id=coupon_id, **fields)
    return ledger


async def take(ledger: PostgresCoupons, order_no: str, *coupon_ids: str, **more: Any) -> CouponsTaken:
    fields = {"buyer_id": BUYER, "at": NOW, **more}
    return await ledger.take(TakeCoupons(order_no=order_no, coupons=list(coupon_ids), **fields))


def of(order_no: str, **more: Any) -> CouponsOf:
    return CouponsOf(order_no=order_no, **{"at": NOW, **more})


async def states(ledger: PostgresCoupons) -> dict[str, str]:
    """BUYER's coupons."""
    return {coupon.coupon_id: str(coupon.state) for coupon in await ledger.of_buyer(BUYER, NOW)}


async def entries(ledger: PostgresCoupons, coupon_id: str) -> list[str]:
    return [entry.entry for entry in await ledger.history(coupon_id)]
