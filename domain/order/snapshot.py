"""Trade snapshots (交易快照): what a product's page said when an order was placed, and digests that prove it."""

import hashlib
import json
from typing import Any

from pydantic import BaseModel, Field

from domain.base import Document
from domain.order.product import Product


class TradeSnapshot(Document):
    """What a product's page said. Its digest is kept on the order's line, in the run's history and in the evidence
    log, so that it is evidence in a dispute."""

    sku: str
    merchant: str
    price_fen: int
    title: str
    description: str
    images: list[str] = Field(default_factory=list)
    attributes: dict[str, str] = Field(default_factory=dict)
    services: list[str] = Field(default_factory=list)

    @classmethod
    def of(cls, product: Product) -> "TradeSnapshot":
        return cls(**{name: getattr(product, name) for name in cls.model_fields})

    @property
    def digest(self) -> str:
        return digest(self)


def canonical(value: BaseModel | dict[str, Any]) -> str:
    """The one canonical JSON text of a document: sorted keys, no spaces, characters unescaped."""
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: BaseModel | dict[str, Any]) -> str:
    """SHA-256 of the canonical text, in hexadecimal."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()
