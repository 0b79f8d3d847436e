"""What a buyer asks for, and the terms it is sold under: the input of an order's run."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, field_validator

from domain.base import Document, Message


class Address(Document):
    """Where the goods go. It is personal: it never appears in an id, a search attribute or a log."""

    recipient: str = Field(min_length=1, max_length=100)
    phone: str = Field(pattern=r"^\+?[0-9][0-9\- ]{4,24}$")
    region: str = Field(min_length=1, max_length=100)
    street: str = Field(min_length=1, max_length=300)


class CartLine(Document):
    line_no: int = Field(ge=1, le=10_000)
    sku: str = Field(min_length=1, max_length=64)
    quantity: int = Field(ge=1, le=1_000_000)


class Cart(Document):
    """A checkout's body. `expected_amount_fen` is the total that the buyer was shown; an order that comes to another
    total is refused."""

    buyer_id: int = Field(ge=1, le=2**53)
    lines: list[CartLine] = Field(min_length=1)
    expected_amount_fen: int = Field(ge=0)
    address: Address
    coupons: list[Annotated[str, Field(min_length=1, max_length=64)]] = Field(default_factory=list)
    device_id: str = Field(min_length=1, max_length=128)
    ip: str = Field(default="", max_length=45)

    @field_validator("lines")
    @classmethod
    def _numbered_once(cls, lines: list[CartLine]) -> list[CartLine]:
        seen: set[int] = set()
        for line in lines:
            if line.line_no in seen:
                raise ValueError(f"line number {line.line_no} appears twice; number each line once")
            seen.add(line.line_no)
        return lines

    @field_validator("coupons")
    @classmethod
    def _named_once(cls, coupons: list[str]) -> list[str]:
        for coupon in coupons:
            if coupons.count(coupon) > 1:
                raise ValueError(f"the coupon {coupon} appears twice; name it once")
        return coupons


class PricingMode(StrEnum):
    PROGRESSIVE = "PROGRESSIVE"  # 递进式: a threshold is tested on what earlier levels left
    PARALLEL = "PARALLEL"  # 平行式: every threshold is tested on the same base


class SplitTiming(StrEnum):
    """When an order is split (拆单时机). The plan is the same in both cases; only its moment differs."""

    AT_PLACEMENT = "AT_PLACEMENT"
    AFTER_PAYMENT = "AFTER_PAYMENT"


class Recording(StrEnum):
    """How an order keeps the evidence of what the buyer saw."""

    VERSIONED = "VERSIONED"  # the line names the product's version, which the catalog keeps for ever
    EMBEDDED = "EMBEDDED"  # the line holds its own copy: for rare, large trades


class Terms(Message):
    """The rules, windows and defaults that an order is sold under. They are fixed when it is placed: a setting that
    changes later changes no order.

    Windows are in whole seconds, the platform's fee in basis points (hundredths of a percent). A parcel limit of 0
    means no limit. `handling_groups` joins classes of goods that may share a parcel by + and separates groups by
    spaces, as in "FRAGILE+VALUABLE EXPIRY+ORDINARY"; a class it does not name is a group of its own."""

    payment_window_s: int = 1_800
    dispatch_window_s: int = 3 * 86_400
    transit_window_s: int = 15 * 86_400
    receipt_window_s: int = 7 * 86_400
    review_window_s: int = 3_600
    escalation_window_s: int = 4 * 3_600
    undecided_passes: bool = False
    pricing_mode: PricingMode = PricingMode.PARALLEL
    split_timing: SplitTiming = SplitTiming.AFTER_PAYMENT
    recording: Recording = Recording.VERSIONED
    parcel_weight_g: int = 0
    parcel_volume_cm3: int = 0
    parcel_value_fen: int = 0
    handling_groups: str = ""
    shortage_closes_order: bool = False  # a paid line that is sold out closes the whole order, not only itself
    backorder_window_s: int = 14 * 86_400
    after_sale_window_s: int = 7 * 86_400
    after_sale_answer_window_s: int = 2 * 86_400
    after_sale_overrule_window_s: int = 2 * 86_400
    after_sale_undecided_overrules: bool = False
    after_sale_return_window_s: int = 7 * 86_400
    after_sale_inspection_window_s: int = 3 * 86_400
    fee_bps: int = 500
    points_per_yuan: int = 1
    unpaid_orders_per_buyer: int = 20


class StartOrder(Message):
    """The start input of an order's run: all that the run needs, so that it goes on whichever process dies."""

    order_no: str
    caller: str
    cart: Cart
    terms: Terms
