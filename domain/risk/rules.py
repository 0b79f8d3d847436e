"""The rules BRUSHING, SCALPING and VELOCITY. Each looks at the facts and gives a reason, or None."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from domain.risk.facts import AssessFacts, PastOrder
from domain.risk.settings import RiskSettings
from domain.risk.verdict import RiskKind, RiskReason


def brushing(facts: AssessFacts, settings: RiskSettings) -> RiskReason | None:
    """刷单: many cheap orders at one merchant that were quickly confirmed and reviewed, or came from several buyers on
    one device or address, or both."""
    for merchant in sorted({line.merchant for line in facts.order.lines}):
        bought = _cheap_orders(facts, settings, merchant)
        praised = sum(_praised_quickly(past, merchant, facts.order.placed_at, settings) for past in bought)
        sharing = [past for past in bought if past.shares_device_or_address(facts.order)]
        buyers = len({past.buyer_id for past in sharing})
        weight = settings.brushing_praised_weight if praised >= settings.brushing_praised_orders else 0
        weight += settings.brushing_shared_weight if buyers >= settings.brushing_shared_buyers else 0
        if len(bought) >= settings.brushing_orders and weight:
            return RiskReason(
                kind=RiskKind.BRUSHING,
                text=f"{len(bought)} cheap orders at {merchant} in {settings.brushing_days} days",
                weight=weight,
                facts={
                    "merchant": merchant,
                    "orders": [past.order_no for past in bought],
                    "quickly_praised": praised,
                    "buyers_on_device_or_address": buyers,
                },
            )
    return None


def scalping(facts: AssessFacts, settings: RiskSettings) -> RiskReason | None:
    """黄牛: a limited SKU, bought by several buyers who share an address, phone or device, together over its limit."""
    near = [past for past in facts.within(timedelta(days=settings.scalping_days)) if _is_live_kin(past, facts.order)]
    for sku in sorted({line.sku for line in facts.order.lines if line.limited}):
        bought = [order for order in [*near, facts.order] if order.pieces(sku)]
        pieces = sum(order.pieces(sku) for order in bought)
        limit = settings.sku_limits.get(sku, settings.limited_pieces)
        buyers = len({order.buyer_id for order in bought})
        if pieces > limit and buyers > 1:
            return RiskReason(
                kind=RiskKind.SCALPING,
                text=f"{buyers} buyers who share an address, phone or device bought {pieces} of {sku}, limit {limit}",
                weight=settings.scalping_weight,
                facts={
                    "sku": sku,
                    "pieces": pieces,
                    "limit": limit,
                    "buyers": buyers,
                    "orders": [order.order_no for order in bought],
                },
            )
    return None


def velocity(facts: AssessFacts, settings: RiskSettings) -> RiskReason | None:
    """Far more orders, or far more money, within an hour than in a usual hour of this buyer and of the platform's."""
    mine = [past for past in facts.earlier if past.buyer_id == facts.order.buyer_id]
    since = facts.order.placed_at - timedelta(hours=1)
    hour = [*(past for past in mine if past.placed_at > since), facts.order]
    before = [past for past in mine if past.placed_at <= since]
    own_hours = len({_hour(past.placed_at) for past in before})
    usual = facts.usual if facts.usual.orders >= settings.usual_orders else None
    platform_hours = usual.buyer_hours if usual else 0

    def far_over(now: int, floor: int, own: int, platform: int) -> bool:
        # Products are compared, since a mean of whole fen would have to be rounded. With no hours, nothing is usual.
        factor = settings.velocity_factor
        over_own = not own_hours or now * own_hours > factor * own
        over_platform = not platform_hours or now * platform_hours > factor * platform
        return now >= floor and over_own and over_platform

    orders, goods_fen = len(hour), _goods_fen(hour)
    too_many = far_over(orders, settings.velocity_orders, len(before), usual.orders if usual else 0)
    too_much = far_over(goods_fen, settings.velocity_fen, _goods_fen(before), usual.goods_fen if usual else 0)
    if not (too_many or too_much):
        return None
    return RiskReason(
        kind=RiskKind.VELOCITY,
        text=f"{orders} orders worth {goods_fen} fen within an hour",
        weight=settings.velocity_weight,
        facts={
            "orders": orders,
            "goods_fen": goods_fen,
            "own_orders_before": len(before),
            "own_hours_before": own_hours,
            "platform_orders": facts.usual.orders,
            "platform_buyer_hours": facts.usual.buyer_hours,
        },
    )


def _cheap_orders(facts: AssessFacts, settings: RiskSettings, merchant: str) -> list[PastOrder]:
    """This order and the earlier ones of its buyer, device or address that bought cheaply from the merchant; none if
    this order did not."""
    kin = [
        past
        for past in facts.within(timedelta(days=settings.brushing_days))
        if (past.buyer_id == facts.order.buyer_id or past.shares_device_or_address(facts.order))
        and not past.closed_by(facts.order.placed_at)
    ]
    sells = [order for order in [*kin, facts.order] if any(line.merchant == merchant for line in order.lines)]
    cheap = [order for order in sells if order.goods_fen(merchant) <= settings.brushing_low_fen]
    return cheap if facts.order in cheap else []


def _praised_quickly(order: PastOrder, merchant: str, moment: datetime, settings: RiskSettings) -> bool:
    """Whether an order was confirmed and reviewed soon after it was placed, as far as was known at `moment`."""
    latest = min(moment, order.placed_at + timedelta(hours=settings.brushing_praised_hours))
    return any(
        receipt.received_at is not None and receipt.reviewed_at is not None and receipt.reviewed_at <= latest
        for receipt in order.receipts
        if receipt.merchant == merchant
    )


def _is_live_kin(past: PastOrder, order: PastOrder) -> bool:
    same = past.buyer_id == order.buyer_id or past.phone_key == order.phone_key
    return (same or past.shares_device_or_address(order)) and not past.closed_by(order.placed_at)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _goods_fen(orders: Iterable[PastOrder]) -> int:
    return sum(order.goods_fen() for order in orders)
