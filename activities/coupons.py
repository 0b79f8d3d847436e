"""The coupon ledger, as a story sees it: taken at placement, redeemed at payment, given back when the order ends."""

from typing import Protocol

from temporalio import activity

from domain.base import Message, Utc
from domain.order.reservation import CouponsTaken


class TakeCoupons(Message):
    order_no: str
    buyer_id: int
    coupons: list[str]
    at: Utc


class CouponsOf(Message):
    order_no: str
    at: Utc


class CouponsRedeemed(Message):
    coupons: int


class CouponsGivenBack(Message):
    """How many the buyer can use again, and how many have expired meanwhile."""

    usable: int
    expired: int


class CouponLedger(Protocol):
    """Put your own coupon service behind this. Each call may be repeated; the key makes it count once."""

    async def take(self, request: TakeCoupons) -> CouponsTaken:
        """Take all of the coupons, or none. Idempotency key: the order. After a giving back for the same order it
        takes nothing, for ever."""
        ...

    async def redeem(self, request: CouponsOf) -> CouponsRedeemed:
        """The order is paid: its coupons are used up. Idempotency key: the order."""
        ...

    async def give_back(self, request: CouponsOf) -> CouponsGivenBack:
        """The order has closed, or is fully refunded. Idempotency key: the order. Nothing to give back is a success,
        and leaves a tombstone. A coupon that has expired at `at` is not usable again."""
        ...


class CouponActivities:
    def __init__(self, ledger: CouponLedger) -> None:
        self._ledger = ledger

    @activity.defn
    async def take_coupons(self, request: TakeCoupons) -> CouponsTaken:
        return await self._ledger.take(request)

    @activity.defn
    async def redeem_coupons(self, request: CouponsOf) -> CouponsRedeemed:
        return await self._ledger.redeem(request)

    @activity.defn
    async def give_back_coupons(self, request: CouponsOf) -> CouponsGivenBack:
        return await self._ledger.give_back(request)
