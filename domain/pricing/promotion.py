"""Promotions (优惠) as a merchandiser writes them: five levels and five kinds, each kind with its own keys only."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from domain.base import Document
from domain.order.cart import PricingMode
from domain.order.product import Amount, Name, Product, Quantity, Time


class Level(StrEnum):
    """The five levels, in the order in which they apply."""

    ITEM = "ITEM"  # 单品优惠
    SHOP = "SHOP"  # 店铺优惠
    SHOP_COUPON = "SHOP_COUPON"  # 店铺券
    CROSS_SHOP = "CROSS_SHOP"  # 跨店满减
    PLATFORM_COUPON = "PLATFORM_COUPON"  # 平台券


COUPON_LEVELS = frozenset({Level.SHOP_COUPON, Level.PLATFORM_COUPON})
MERCHANT_LEVELS = frozenset({Level.SHOP, Level.SHOP_COUPON})
PLATFORM_LEVELS = frozenset({Level.CROSS_SHOP, Level.PLATFORM_COUPON})


class PromotionKind(StrEnum):
    ITEM_PRICE = "ITEM_PRICE"  # 单品价
    AMOUNT_OFF = "AMOUNT_OFF"  # 满减, 每满减
    PERCENT_OFF = "PERCENT_OFF"  # 满折
    GIFT = "GIFT"  # 满赠
    BUNDLE_PRICE = "BUNDLE_PRICE"  # M元N件


class Funder(StrEnum):
    MERCHANT = "MERCHANT"
    PLATFORM = "PLATFORM"


def wrong(at: str, problem: str) -> PydanticCustomError:
    """The error of a broken rule that spans several keys; `at` is the path, below the model, that the author should
    change."""
    return PydanticCustomError("wrong", "{problem}", {"at": at, "problem": problem})


_FAR = datetime.max.replace(tzinfo=UTC)


class PromotionBase(Document):
    """What every kind of promotion has: level, scope, threshold, validity and funding."""

    promotion_id: Name
    level: Level
    merchant: Name | None = None
    skus: list[Name] | None = None
    categories: list[Name] | None = None
    threshold_fen: Amount = 0
    threshold_pieces: Quantity | None = None
    issued_under: PricingMode | None = None
    starts_at: Time | None = None
    ends_at: Time | None = None
    funded_by: dict[Funder, Annotated[int, Field(ge=0, le=100)]] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.threshold_fen and self.threshold_pieces is not None:
            raise wrong("threshold_pieces", "is a second threshold; keep threshold_fen or threshold_pieces, not both")
        if self.funded_by is not None and sum(self.funded_by.values()) != 100:
            total = sum(self.funded_by.values())
            raise wrong("funded_by", f"adds up to {total}; let the shares add up to 100")
        return self

    @property
    def funding(self) -> dict[Funder, int]:
        """The percentage that each funder pays: by default the merchant all up to `SHOP_COUPON`, the platform above."""
        shares = self.funded_by
        if shares is None:
            shares = {Funder.PLATFORM if self.level in PLATFORM_LEVELS else Funder.MERCHANT: 100}
        return {funder: shares.get(funder, 0) for funder in Funder}

    @property
    def precedence(self) -> tuple[datetime, str]:
        """The key by which equal savings are ranked, smallest first: what ends first, then the smaller id."""
        return (self.ends_at or _FAR, self.promotion_id)

    def covers(self, product: Product) -> bool:
        """Whether a product is in scope; a part of the scope that is not named includes everything."""
        return (
            (self.merchant is None or self.merchant == product.merchant)
            and (self.skus is None or product.sku in self.skus)
            and (self.categories is None or product.category in self.categories)
        )


class ItemPrice(PromotionBase):
    """Another price for a SKU, for everybody or for one member tier."""

    kind: Literal[PromotionKind.ITEM_PRICE]
    price_fen: Amount
    tier: Name | None = None
    max_off_fen: Amount | None = None

    @model_validator(mode="after")
    def _at_item_only(self) -> Self:
        if self.level is not Level.ITEM:
            raise wrong("level", f"is {self.level}, but an ITEM_PRICE applies at ITEM only; use ITEM or another kind")
        return self


class AmountOff(PromotionBase):
    """An amount off at a threshold; with `repeat`, once for every time that the threshold is reached."""

    kind: Literal[PromotionKind.AMOUNT_OFF]
    off_fen: Amount
    repeat: bool = False
    max_off_fen: Amount | None = None

    @model_validator(mode="after")
    def _repeats_at_something(self) -> Self:
        if self.repeat and not (self.threshold_fen or self.threshold_pieces):
            raise wrong("repeat", "needs a threshold to repeat at; add threshold_fen or threshold_pieces")
        return self

    @model_validator(mode="after")
    def _gives_no_more_than_everything(self) -> Self:
        # With no threshold, or one in pieces, the amount is not known here; a price never falls below zero anyway.
        most = self.off_fen if self.max_off_fen is None else min(self.off_fen, self.max_off_fen)
        if 0 < self.threshold_fen < most:
            raise wrong(
                "off_fen",
                f"{self.off_fen} off at {self.threshold_fen} gives more than 100 %; "
                f"write at most {self.threshold_fen}, or raise threshold_fen",
            )
        return self


class PercentOff(PromotionBase):
    """A percentage off: a `percent_off` of 25 means that the buyer pays 75 %."""

    kind: Literal[PromotionKind.PERCENT_OFF]
    percent_off: Annotated[int, Field(ge=1, le=100)]
    max_off_fen: Amount | None = None


class BundlePrice(PromotionBase):
    """A price of `price_fen` for any `pieces` pieces of the eligible SKUs."""

    kind: Literal[PromotionKind.BUNDLE_PRICE]
    price_fen: Amount
    pieces: Quantity
    max_off_fen: Amount | None = None


class Gift(PromotionBase):
    """A gift SKU at a threshold. It takes nothing off the price."""

    kind: Literal[PromotionKind.GIFT]
    gift_sku: Name
    gift_quantity: Quantity = 1
    gift_returnable: bool = True


Discount = ItemPrice | AmountOff | PercentOff | BundlePrice
Promotion = Annotated[Discount | Gift, Field(discriminator="kind")]
