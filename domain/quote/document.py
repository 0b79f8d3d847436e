"""The document that a quote is asked with: cart, catalog, promotions and warehouses in one, with no server
behind it."""

from collections.abc import Hashable, Iterable
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from domain.base import Document
from domain.order.cart import PricingMode, SplitTiming
from domain.order.product import EPOCH, Amount, Name, Product, Quantity, Time
from domain.pricing.promotion import COUPON_LEVELS, Gift, Promotion, wrong
from domain.splitting.model import Places, Warehouse
from domain.splitting.packing import ParcelLimit

MAX_LINES = 1_000
"""Limits on one document; beyond, a clear error instead of a slow answer."""
MAX_PRODUCTS = 10_000
MAX_PROMOTIONS = 1_000
MAX_WAREHOUSES = 200
MAX_REFUNDS = 1_000


class QuoteBuyer(Document):
    """Who asks. `tier` is the member tier (会员等级), for item prices."""

    buyer_id: Annotated[int, Field(ge=1, le=2**53)]
    tier: Name | None = None


class QuoteLine(Document):
    line_no: Annotated[int, Field(ge=1, le=10_000)]
    sku: Name
    quantity: Quantity
    preferred_warehouse: Name | None = None


class RefundPieces(Document):
    line_no: int
    quantity: Quantity


class QuoteDocument(Document):
    """What is to be priced, split and, as before shipping, refunded. It is consistent by the time it
    exists."""

    mode: PricingMode = PricingMode.PARALLEL
    split_timing: SplitTiming = SplitTiming.AFTER_PAYMENT
    at: Time = EPOCH
    buyer: QuoteBuyer | None = None
    lines: Annotated[list[QuoteLine], Field(min_length=1, max_length=MAX_LINES)]
    coupons: Annotated[list[Name], Field(default_factory=list, max_length=MAX_PROMOTIONS)]
    shipping_fen: Amount = 0
    catalog: Annotated[list[Product], Field(max_length=MAX_PRODUCTS)]
    promotions: Annotated[list[Promotion], Field(default_factory=list, max_length=MAX_PROMOTIONS)]
    warehouses: Annotated[list[Warehouse], Field(default_factory=list, max_length=MAX_WAREHOUSES)]
    parcel_limit: ParcelLimit | None = None
    handling_groups: Annotated[list[list[Name]], Field(default_factory=list, max_length=MAX_PRODUCTS)]
    refunds: Annotated[list[list[RefundPieces]], Field(default_factory=list, max_length=MAX_REFUNDS)]

    @property
    def products(self) -> dict[str, Product]:
        """The catalog by SKU."""
        return {product.sku: product for product in self.catalog}

    @property
    def places(self) -> Places:
        """What the split depends on beside the lines."""
        return Places(self.warehouses, self.parcel_limit or ParcelLimit(), self.handling_groups)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _once("lines[{}].line_no", "line number", (line.line_no for line in self.lines))
        _once("catalog[{}].sku", "SKU", (product.sku for product in self.catalog))
        _once("promotions[{}].promotion_id", "promotion", (p.promotion_id for p in self.promotions))
        _once("coupons[{}]", "coupon", self.coupons)
        _once(
            "warehouses[{}].warehouse",
            "merchant's warehouse",
            ((w.merchant, w.warehouse) for w in self.warehouses),
        )
        self._check_names()
        self._check_coupons()
        self._check_groups()
        self._check_refunds()
        return self

    def _check_names(self) -> None:
        products = self.products
        sites = {(site.merchant, site.warehouse) for site in self.warehouses}
        for i, line in enumerate(self.lines):
            if line.sku not in products:
                raise wrong(f"lines[{i}].sku", f"{line.sku!r} is not in the catalog; add it there or mend the name")
            merchant = products[line.sku].merchant
            own = {name for owner, name in sites if owner == merchant} or {merchant}
            if line.preferred_warehouse is not None and line.preferred_warehouse not in own:
                raise wrong(
                    f"lines[{i}].preferred_warehouse",
                    f"{line.preferred_warehouse!r} is no warehouse of {merchant!r}; name its own",
                )
        for i, promotion in enumerate(self.promotions):
            if isinstance(promotion, Gift) and promotion.gift_sku not in products:
                raise wrong(
                    f"promotions[{i}].gift_sku",
                    f"{promotion.gift_sku!r} is not in the catalog; add it there or mend the name",
                )

    def _check_coupons(self) -> None:
        levels = {promotion.promotion_id: promotion.level for promotion in self.promotions}
        for i, coupon in enumerate(self.coupons):
            if coupon not in levels:
                raise wrong(f"coupons[{i}]", f"{coupon!r} is not among the promotions; add it there or mend the name")
            if levels[coupon] not in COUPON_LEVELS:
                raise wrong(
                    f"coupons[{i}]",
                    f"{coupon!r} is of level {levels[coupon]}, no coupon level; do not name it",
                )

    def _check_groups(self) -> None:
        seen: set[str] = set()
        for g, group in enumerate(self.handling_groups):
            for i, handling in enumerate(group):
                if handling in seen:
                    raise wrong(
                        f"handling_groups[{g}][{i}]",
                        f"{handling!r} appears twice; put each class into one group",
                    )
                seen.add(handling)

    def _check_refunds(self) -> None:
        left = {line.line_no: line.quantity for line in self.lines}
        for r, refund in enumerate(self.refunds):
            for i, part in enumerate(refund):
                place = f"refunds[{r}][{i}]"
                if part.line_no not in left:
                    raise wrong(f"{place}.line_no", f"there is no line {part.line_no}; name a line of the document")
                if part.quantity > left[part.line_no]:
                    raise wrong(
                        f"{place}.quantity",
                        f"{part.quantity} is more than the {left[part.line_no]} left; ask for less",
                    )
                left[part.line_no] -= part.quantity


def _once(place: str, what: str, values: Iterable[Hashable]) -> None:
    seen: set[Any] = set()
    for i, value in enumerate(values):
        if value in seen:
            shown = " ".join(value) if isinstance(value, tuple) else value
            raise wrong(place.format(i), f"{what} {shown!r} appears twice; keep one or rename it")
        seen.add(value)
