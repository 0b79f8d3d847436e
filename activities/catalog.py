"""What an order is priced against, as a story sees it: the catalog, the promotions, the shelves, the freight."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from temporalio import activity

from activities.stock_party import Shelves
from domain.base import Message, Utc
from domain.order.cart import Cart, Terms
from domain.order.lines import PricedOrder, Refusal
from domain.order.product import OnSale
from domain.pricing.market import Market, Offers
from domain.pricing.order_price import Limits, price_order
from domain.pricing.promotion import Gift
from domain.splitting.freight import FreightTemplate


class Catalog(Protocol):
    """Put your own catalog behind this."""

    async def on_sale(self, skus: Collection[str]) -> dict[str, OnSale]:
        """What is on sale now, by SKU; those it does not know are left out."""
        ...

    async def freight(self, merchants: Collection[str]) -> list[FreightTemplate]:
        """The merchants' freight templates."""
        ...


class Promotions(Protocol):
    """Put your own promotion service behind this."""

    async def offers(self, buyer_id: int, merchants: Collection[str], coupons: Collection[str], at: datetime) -> Offers:
        """The promotions that may hold for goods of these merchants, those coupons of the ones named that there are,
        and the buyer's member tier. What is over, or of another merchant, may be left out."""
        ...


class PriceCart(Message):
    order_no: str
    cart: Cart
    terms: Terms
    at: Utc


class PricingAnswer(Message):
    """The price, or why there is none."""

    order: PricedOrder | None = None
    refusal: Refusal | None = None


class PricingActivities:
    def __init__(self, catalog: Catalog, promotions: Promotions, shelves: Shelves, limits: Limits) -> None:
        self._catalog = catalog
        self._promotions = promotions
        self._shelves = shelves
        self._limits = limits

    @activity.defn
    async def price_cart(self, request: PriceCart) -> PricingAnswer:
        """Reads only: needs no key. Asked again it may answer another price, but its answer is in the history."""
        market = await self._market(request)
        priced = price_order(request.order_no, request.cart, market, request.terms, self._limits, request.at)
        if isinstance(priced, Refusal):
            return PricingAnswer(refusal=priced)
        return PricingAnswer(order=priced)

    async def _market(self, request: PriceCart) -> Market:
        cart = request.cart
        on_sale = await self._catalog.on_sale({line.sku for line in cart.lines})
        merchants = {known.product.merchant for known in on_sale.values()}
        offers = await self._promotions.offers(cart.buyer_id, merchants, cart.coupons, request.at)
        offers, gifts = await self._with_gifts_that_there_are(offers)
        on_sale = {sku: _in_stock_by(request.at, known) for sku, known in (gifts | on_sale).items()}
        wanted: dict[str, set[str]] = {}
        for sku, known in on_sale.items():
            wanted.setdefault(known.product.merchant, set()).add(sku)
        return Market(
            on_sale, offers, await self._shelves.warehouses(wanted), await self._catalog.freight(list(wanted))
        )

    async def _with_gifts_that_there_are(self, offers: Offers) -> tuple[Offers, dict[str, OnSale]]:
        """A gift that has run out is not promised: another promotion may give another one."""
        wanted = {promotion.gift_sku for promotion in offers.promotions if isinstance(promotion, Gift)}
        if not wanted:
            return offers, {}
        gifts = await self._catalog.on_sale(wanted)
        left = await self._shelves.sellable(wanted)
        promised = [
            promotion
            for promotion in offers.promotions
            if not isinstance(promotion, Gift)
            or (promotion.gift_sku in gifts and left.get(promotion.gift_sku, 0) >= promotion.gift_quantity)
        ]
        return offers.model_copy(update={"promotions": promised}), gifts


def _in_stock_by(at: datetime, known: OnSale) -> OnSale:
    """A presale whose ship date has come is in stock."""
    ships_from = known.product.ships_from
    if ships_from is None or ships_from > at.date():
        return known
    return known.model_copy(update={"product": known.product.model_copy(update={"ships_from": None})})
