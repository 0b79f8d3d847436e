"""What pricing and splitting know of a product."""

import re
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from domain.base import Document, Message, Utc
from domain.order.stock import StockPolicy

Name = Annotated[str, Field(min_length=1, max_length=64)]
Amount = Annotated[int, Field(ge=0, le=10**12)]
"""An amount of fen in a document; its limit keeps every sum of an order below 2^63."""
Quantity = Annotated[int, Field(ge=1, le=1_000_000)]
Measure = Annotated[int, Field(ge=0, le=10**12)]

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def _written_out(value: object) -> datetime:
    # pydantic alone would also take a number of seconds, and a date for its midnight.
    try:
        if isinstance(value, datetime):
            return value
        if isinstance(value, str) and _RFC3339.fullmatch(value):
            return datetime.fromisoformat(value.upper())
    except ValueError:
        pass  # a 30th of February, or a 25th hour
    raise ValueError("must be a time in UTC; write it like 2026-11-11T00:00:00Z")


Time = Annotated[Utc, BeforeValidator(_written_out)]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DeliveryMode(StrEnum):
    PHYSICAL = "PHYSICAL"
    VIRTUAL = "VIRTUAL"


class Product(Document):
    """One SKU (商品) as the catalog describes it. `ships_from` is a presale's (预售) ship date; a product without one
    ships at once."""

    sku: Name
    merchant: Name
    price_fen: Amount
    category: Name | None = None
    delivery_mode: DeliveryMode = DeliveryMode.PHYSICAL
    ships_from: date | None = None
    handling: Name = "ORDINARY"
    weight_g: Measure = 0
    volume_cm3: Measure = 0
    title: str = ""
    description: str = ""
    images: list[str] = Field(default_factory=list)
    services: list[str] = Field(default_factory=list)
    attributes: dict[str, str] = Field(default_factory=dict)


class OnSale(Message):
    """A product as it is sold now: the version on sale, its snapshot's digest, and its merchant's stock policy.

    `home` is the warehouse that it is preferably shipped from; `limited` goods are watched for scalpers."""

    product: Product
    version: int
    digest: str
    policy: StockPolicy = StockPolicy.RESERVE_ON_PLACEMENT
    home: str | None = None
    limited: bool = False
