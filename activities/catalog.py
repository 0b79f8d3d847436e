"""The catalog, as a story sees it."""

from collections.abc import Sequence
from typing import Protocol

from temporalio import activity

from domain.base import Message
from domain.cart import Cart
from domain.checkout import Limits, price_order
from domain.order import PricedOrder, Product, Refusal


class Catalog(Protocol):
    """Put your own catalog behind this."""

    async def products(self, skus: Sequence[str]) -> dict[str, Product]:
        """What is on sale now, by SKU; those it does not know are left out."""
        ...


class PriceCart(Message):
    cart: Cart


class Priced(Message):
    """The price, or why there is none."""

    order: PricedOrder | None = None
    refusal: Refusal | None = None


class PricingActivities:
    def __init__(self, catalog: Catalog, limits: Limits) -> None:
        self._catalog = catalog
        self._limits = limits

    @activity.defn
    async def price_cart(self, request: PriceCart) -> Priced:
        """Reads only: needs no key. Asked again it may answer another price, but its answer is in the history."""
        products = await self._catalog.products([line.sku for line in request.cart.lines])
        priced = price_order(request.cart, products, self._limits)
        if isinstance(priced, Refusal):
            return Priced(refusal=priced)
        return Priced(order=priced)
