"""Coupons in memory."""

from dataclasses import dataclass, field

from activities.coupons import CouponsGivenBack, CouponsOf, CouponsRedeemed, TakeCoupons
from domain.order.reservation import CouponsTaken, GoneCoupon
from domain.pricing.market import Coupon, unusable


@dataclass
class CouponsOfOrder:
    """What the ledger has answered one order, under its key."""

    taken: CouponsTaken | None = None
    redeemed: CouponsRedeemed | None = None
    given_back: CouponsGivenBack | None = None


@dataclass
class MemoryCoupons:
    """Implements `activities.coupons.CouponLedger`. `coupons` are those that were issued, by id."""

    coupons: dict[str, Coupon] = field(default_factory=dict)
    orders: dict[str, CouponsOfOrder] = field(default_factory=dict)

    async def take(self, request: TakeCoupons) -> CouponsTaken:
        order = self.orders.setdefault(request.order_no, CouponsOfOrder())
        if order.given_back is not None:
            return CouponsTaken(gone=[], released_before=True)
        if order.taken is None:
            gone = [
                GoneCoupon(coupon_id=coupon_id, why=why)
                for coupon_id in request.coupons
                if (why := unusable(self.coupons.get(coupon_id), request.buyer_id, request.order_no, request.at))
            ]
            order.taken = CouponsTaken(gone=gone)
            for coupon_id in request.coupons if not gone else ():
                self._move(self.coupons[coupon_id], request.order_no)
        return order.taken

    async def redeem(self, request: CouponsOf) -> CouponsRedeemed:
        order = self.orders.setdefault(request.order_no, CouponsOfOrder())
        if order.redeemed is None:
            order.redeemed = CouponsRedeemed(coupons=len(self._of(request.order_no)))
        return order.redeemed

    async def give_back(self, request: CouponsOf) -> CouponsGivenBack:
        order = self.orders.setdefault(request.order_no, CouponsOfOrder())
        if order.given_back is None:
            held = self._of(request.order_no)
            expired = sum(coupon.expires_at is not None and request.at >= coupon.expires_at for coupon in held)
            for coupon in held:
                self._move(coupon, None)
            order.given_back = CouponsGivenBack(usable=len(held) - expired, expired=expired)
        return order.given_back

    def _of(self, order_no: str) -> list[Coupon]:
        return [coupon for coupon in self.coupons.values() if coupon.order_no == order_no]

    def _move(self, coupon: Coupon, order_no: str | None) -> None:
        self.coupons[coupon.coupon_id] = coupon.model_copy(update={"order_no": order_no})
