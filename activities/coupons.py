"""The coupon ledger, as a story sees it."""

from typing import Protocol

from temporalio import activity

from domain.base import Message, Utc


class TakeCoupons(Message):
    order_no: str
    buyer_id: int
    coupons: list[str]
    at: Utc


class GoneCoupon(Message):
    coupon_id: str
    why: str


class CouponsTaken(Message):
    gone: list[GoneCoupon] = []  # noqa: RUF012  pydantic copies it
    released_before: bool = False


class CouponsOf(Message):
    order_no: str
    at: Utc


class CouponsMoved(Message):
    coupons: int


class CouponLedger(Protocol):
    async def take(self, request: TakeCoupons) -> CouponsTaken: ...
    async def redeem(self, request: CouponsOf) -> CouponsMoved: ...
    async def give_back(self, request: CouponsOf) -> CouponsMoved: ...


class CouponActivities:
    def __init__(self, ledger: CouponLedger) -> None:
        self._ledger = ledger

    @activity.defn
    async def take_coupons(self, request: TakeCoupons) -> CouponsTaken:
        return await self._ledger.take(request)

    @activity.defn
    async def redeem_coupons(self, request: CouponsOf) -> CouponsMoved:
        return await self._ledger.redeem(request)

    @activity.defn
    async def give_back_coupons(self, request: CouponsOf) -> CouponsMoved:
        return await self._ledger.give_back(request)
