"""Every threshold and weight of the risk check. `starter.py risk set` changes one; the newest version is in force."""

from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator

from domain.base import Document

USUAL_SAMPLE = 300
"""How many of the platform's latest orders tell what is usual."""

Count = Annotated[int, Field(ge=1, le=100_000)]
Days = Annotated[int, Field(ge=1, le=30)]
Hours = Annotated[int, Field(ge=1, le=30 * 24)]
Fen = Annotated[int, Field(ge=0)]
Permille = Annotated[int, Field(ge=0, le=1_000)]
Factor = Annotated[int, Field(ge=1, le=1_000)]
Weight = Annotated[int, Field(ge=0, le=1_000)]


class BadSetting(ValueError):
    """Raised for a setting that does not exist, or a value that it can't have; the message says what would be right,
    and the command line tells it."""


class RiskSettings(Document):
    """The settings of the risk check. The defaults suit a platform of ordinary goods: one strong reason asks for a
    person, two reject."""

    # A score below `pass_below` passes, one above `reject_above` is rejected; between them a person decides.
    pass_below: Weight = 40
    reject_above: Weight = 80

    # screen
    device_days: Days = 30
    device_buyers: Count = 10  # the most buyers that one device may have
    unpaid_orders: Count = 20  # a buyer who has this many unpaid orders may place no other

    # BRUSHING: one merchant, one buyer, device or address, cheap orders, quickly confirmed and praised
    brushing_praised_weight: Weight = 50
    brushing_shared_weight: Weight = 25  # less, since the people of one office do buy from one merchant
    brushing_days: Days = 7
    brushing_orders: Count = 5  # counting this one and the earlier ones
    brushing_low_fen: Fen = 5_000  # an order is cheap if what it buys of the merchant is worth at most this
    brushing_praised_hours: Hours = 48  # from placement to review
    brushing_praised_orders: Count = 3
    brushing_shared_buyers: Count = 4  # buyers on the address or device, which then may be the merchant's own

    # PROMO_ABUSE
    new_accounts_weight: Weight = 50
    new_accounts_days: Days = 7
    new_accounts: Count = 5  # first orders on one device or address, this one included
    new_accounts_near_phone: Count = 8  # first orders from one block of phone numbers
    phone_block_digits: Annotated[int, Field(ge=1, le=4)] = 3  # a block: numbers that differ in these last digits
    discount_weight: Weight = 25
    discount_floor_permille: Permille = 500
    discount_factor: Factor = 2  # the discount's share is also over this many times the platform's usual share
    discount_goods_fen: Fen = 10_000
    placed_again_weight: Weight = 25
    placed_again_hours: Hours = 24
    placed_again: Count = 3  # orders for the same goods, closed unpaid shortly before

    # SCALPING: limited goods, by buyers who share an address, phone or device
    scalping_weight: Weight = 50
    scalping_days: Days = 30
    limited_pieces: Count = 2
    sku_limits: dict[str, Count] = {}  # noqa: RUF012  pydantic copies it; other limits, by SKU

    # VELOCITY: so much within one hour, and far over both the buyer's own and the platform's usual hour
    velocity_weight: Weight = 50
    velocity_orders: Count = 10
    velocity_fen: Fen = 5_000_000
    velocity_factor: Factor = 5

    # How many orders must have been seen before anything is called the platform's usual.
    usual_orders: Annotated[int, Field(ge=1, le=USUAL_SAMPLE)] = 100

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        if self.pass_below > self.reject_above:
            raise ValueError(
                f"pass_below ({self.pass_below}) is over reject_above ({self.reject_above}): a score would be both;"
                " lower the one or raise the other"
            )
        return self

    def window_days(self) -> int:
        """How far back the rules look."""
        again_days = -(-self.placed_again_hours // 24)
        return max(self.brushing_days, self.new_accounts_days, self.scalping_days, again_days)

    def changed(self, changes: dict[str, object]) -> "RiskSettings":
        """These settings with some of them changed; raises BadSetting."""
        for name in changes:
            if name not in RiskSettings.model_fields:
                raise BadSetting(f"there is no setting {name!r}; there are: {', '.join(RiskSettings.model_fields)}")
        try:
            return RiskSettings.model_validate({**self.model_dump(), **changes})
        except ValidationError as wrong:
            raise BadSetting("; ".join(_told(dict(error)) for error in wrong.errors())) from None


def _told(error: dict[str, object]) -> str:
    place = error.get("loc")
    where = ".".join(str(part) for part in place) if isinstance(place, tuple) else ""
    said = str(error["msg"]).removeprefix("Value error, ")
    return f"{where}: {said}, not {error['input']!r}" if where else said
