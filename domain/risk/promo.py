"""PROMO_ABUSE (羊毛党): three signs of people who exploit promotions, each a rule of its own."""

from datetime import timedelta

from domain.order.status import CloseReason
from domain.risk.facts import AssessFacts, PastOrder
from domain.risk.settings import RiskSettings
from domain.risk.verdict import RiskKind, RiskReason

_LET_GO = {CloseReason.CANCELLED_BY_BUYER, CloseReason.UNPAID}


def new_accounts(facts: AssessFacts, settings: RiskSettings) -> RiskReason | None:
    """Many accounts, each placing its first order, on one device, one address or one block of phone numbers."""
    order = facts.order
    if not order.first_of_buyer:
        return None
    firsts = [past for past in facts.within(timedelta(days=settings.new_accounts_days)) if past.first_of_buyer]
    digits = settings.phone_block_digits
    groups = {
        "device": ([past for past in firsts if past.device_id == order.device_id], settings.new_accounts),
        "address": ([past for past in firsts if past.address_key == order.address_key], settings.new_accounts),
        "block of phone numbers": (
            [past for past in firsts if past.shares_phone_block(order, digits)],
            settings.new_accounts_near_phone,
        ),
    }
    for shared, (group, enough) in groups.items():
        accounts = len(group) + 1
        if accounts >= enough:
            return RiskReason(
                kind=RiskKind.PROMO_ABUSE,
                text=f"{accounts} new accounts on one {shared} in {settings.new_accounts_days} days",
                weight=settings.new_accounts_weight,
                facts={"shared": shared, "accounts": accounts, "orders": _numbers([*group, order])},
            )
    return None


def discount_share(facts: AssessFacts, settings: RiskSettings) -> RiskReason | None:
    """A discount that takes off far more of the price than discounts usually do."""
    goods_fen, off_fen, usual = facts.order.goods_fen(), facts.order.discount_fen(), facts.usual
    if goods_fen == 0 or goods_fen < settings.discount_goods_fen:
        return None
    is_high = off_fen * 1_000 >= settings.discount_floor_permille * goods_fen
    known = usual.orders >= settings.usual_orders
    is_unusual = not known or off_fen * usual.goods_fen > settings.discount_factor * usual.discount_fen * goods_fen
    if not (is_high and is_unusual and off_fen):
        return None
    return RiskReason(
        kind=RiskKind.PROMO_ABUSE,
        text=f"{off_fen} of {goods_fen} fen are discount",
        weight=settings.discount_weight,
        facts={
            "discount_fen": off_fen,
            "goods_fen": goods_fen,
            "platform_discount_fen": usual.discount_fen,
            "platform_goods_fen": usual.goods_fen,
        },
    )


def placed_again(facts: AssessFacts, settings: RiskSettings) -> RiskReason | None:
    """The same goods ordered and let go again and again, by this buyer or from this device, to probe for a price.

    An order was let go if the buyer cancelled it or left it unpaid until the deadline.
    """
    order = facts.order
    dropped = [
        past
        for past in facts.within(timedelta(hours=settings.placed_again_hours))
        if (past.buyer_id == order.buyer_id or past.device_id == order.device_id)
        and past.closed_by(order.placed_at)
        and past.close_reason in _LET_GO
        and past.skus() & order.skus()
    ]
    if len(dropped) < settings.placed_again:
        return None
    return RiskReason(
        kind=RiskKind.PROMO_ABUSE,
        text=f"{len(dropped)} orders for the same goods let go in {settings.placed_again_hours} hours",
        weight=settings.placed_again_weight,
        facts={"orders": _numbers(dropped)},
    )


def _numbers(orders: list[PastOrder]) -> list[str]:
    return [order.order_no for order in orders]
