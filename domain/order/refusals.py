"""What a buyer is told when an order can't be placed, since something it needs is gone, or too much is open."""

from collections.abc import Sequence

from domain.order.cart import Cart
from domain.order.lines import PricedOrder, Refusal, RefusalCode
from domain.order.reservation import CouponsTaken, OverLimit, Reserved, Shortage


def goods_gone(reserved: Reserved, priced: PricedOrder) -> Refusal | None:
    """Why the goods could not be taken; None when they are."""
    if reserved.released_before:  # a run that was reset after its order had closed
        return Refusal(code=RefusalCode.OUT_OF_STOCK, detail="this order's stock was given back before")
    if reserved.other_lines:  # a worker died between the reserve and its report, and meanwhile an offer changed
        return Refusal(
            code=RefusalCode.PRICE_CHANGED,
            detail="what the order holds changed while it was being placed",
            remedy="show the buyer the new total and place the order again under a new key",
        )
    lines = {line.line_no: line for line in priced.lines}
    if reserved.over_limit:
        return _limit_reached(reserved.over_limit)
    if not reserved.short:
        return None
    refused = out_of_stock(reserved.short)
    gift = lines[reserved.short[0].line_no].gift
    if gift is None:
        return refused
    remedy = f"the gift of {gift.promotion_id} has just run out: place the order again, without it"
    return refused.model_copy(update={"remedy": remedy})


def out_of_stock(short: Sequence[Shortage]) -> Refusal:
    """There is too little of goods that the buyer wants."""
    return Refusal(
        code=RefusalCode.OUT_OF_STOCK,
        detail="; ".join(f"{each.sku}: {each.wanted} wanted, {each.available} left" for each in short),
        remedy="take less of it, or take it out",
        place=f"line {short[0].line_no}",
    )


def coupon_gone(taken: CouponsTaken, cart: Cart) -> Refusal | None:
    """Why the coupons could not be taken; None when they are."""
    if taken.released_before:
        return Refusal(code=RefusalCode.COUPON_GONE, detail="this order's coupons were given back before")
    if not taken.gone:
        return None
    return Refusal(
        code=RefusalCode.COUPON_GONE,
        detail="; ".join(f"the coupon {gone.coupon_id}: {gone.why}" for gone in taken.gone),
        remedy="leave it out and show the buyer the new total",
        place=f"coupons[{cart.coupons.index(taken.gone[0].coupon_id)}]",
    )


def too_many_unpaid(unpaid: int, most: int) -> Refusal | None:
    """Why a buyer with so many unpaid orders can't have another one; None when it can."""
    if unpaid < most:
        return None
    return Refusal(
        code=RefusalCode.TOO_MANY_UNPAID,
        detail=f"the buyer has {unpaid} unpaid orders; at most {most} may be open",
        remedy="pay one of them, or cancel it",
    )


def _limit_reached(over: list[OverLimit]) -> Refusal:
    first = over[0]
    left = max(0, first.limit - first.bought)
    return Refusal(
        code=RefusalCode.PURCHASE_LIMIT,
        detail="; ".join(
            f"{each.sku}: at most {each.limit} for one buyer, {each.bought} bought, {each.wanted} more wanted"
            for each in over
        ),
        remedy=f"take {left} of it" if left else "take it out",
        place=f"line {first.line_no}",
    )
