"""A catalog file: merchants with their terms, warehouses with what lies in them, and products."""

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from domain.base import Document
from domain.order.product import DeliveryMode, Name, Product
from domain.order.stock import StockPolicy
from domain.splitting.freight import FreightRates, FreightTemplate
from domain.splitting.model import Warehouse
from domain.strict_json import BadInput, inside, read_whole_document
from store.catalog.products import CatalogChanges, Listing

MOST_BYTES = 32 * 1024 * 1024
Rows = list[dict[str, Any]]


def _id(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
        raise ValueError("must be letters, digits, and . _ - between them; mend the id")
    return value


Id = Annotated[Name, AfterValidator(_id)]


class ProductRow(Product):
    """One product. `home` is the warehouse that it is preferably shipped from, `limited` goods are watched for
    scalpers, and `sellable` is how many pieces there should be to sell once the file is loaded."""

    sku: Id
    merchant: Id
    title: str = Field(min_length=1, max_length=300)
    description: str = Field(default="", max_length=4_000)
    images: list[str] = Field(default_factory=list, max_length=20)
    services: list[str] = Field(default_factory=list, max_length=20)
    attributes: dict[str, str] = Field(default_factory=dict, max_length=50)
    home: Id | None = None
    limited: bool = False
    sellable: int = Field(default=0, ge=0, le=100_000_000)

    @property
    def listing(self) -> Listing:
        product = Product.model_validate(self.model_dump(include=set(Product.model_fields)))
        return Listing(product, self.home, self.limited)


class MerchantRow(Document):
    """All of a merchant's terms. Without `freight` the merchant ships free."""

    merchant: Id
    stock_policy: StockPolicy = StockPolicy.RESERVE_ON_PLACEMENT
    freight: list[FreightRates] = Field(default_factory=list, max_length=200)


class CatalogFile(Document):
    merchants: list[MerchantRow] = Field(default_factory=list, max_length=10_000)
    warehouses: list[Warehouse] = Field(default_factory=list, max_length=10_000)
    products: list[ProductRow] = Field(min_length=1, max_length=10_000)

    @property
    def changes(self) -> CatalogChanges:
        return CatalogChanges(
            listings=[row.listing for row in self.products],
            policies={row.merchant: row.stock_policy for row in self.merchants},
            freight={row.merchant: row.freight for row in self.merchants},
        )

    @property
    def freight(self) -> list[FreightTemplate]:
        """The freight templates of all merchants."""
        rates = [(row.merchant, rates) for row in self.merchants for rates in row.freight]
        return [FreightTemplate(merchant=merchant, **own.model_dump()) for merchant, own in rates]


def read_catalog(text: str | bytes) -> CatalogFile:
    """Read a catalog file and check that it is consistent. Raises BadDocument, which names every bad row with its place
    and remedy."""
    return read_whole_document(CatalogFile, text, _disagreements)


def _disagreements(raw: Any) -> Iterator[BadInput]:
    """The mistakes that can't be seen in a single row. The rows may be anything here, since the model reports what is
    wrong with each of them."""
    products, merchants, sites = (_rows(raw, name) for name in ("products", "merchants", "warehouses"))
    yield from _twice("products", "sku", ((row.get("sku"),) for row in products))
    yield from _twice("merchants", "merchant", ((row.get("merchant"),) for row in merchants))
    yield from _twice("warehouses", "warehouse", ((site.get("merchant"), site.get("warehouse")) for site in sites))
    for position, row in enumerate(merchants):
        warehouses = (rates.get("warehouse") or "" for rates in _rows(row, "freight"))
        yield from _twice(f"merchants[{position}].freight", "warehouse", ((name,) for name in warehouses))
    yield from _homes(products, merchants, sites)
    yield from _stock(products, sites)


def _rows(raw: Any, name: str) -> Rows:
    """The list of that name. An entry that is no object counts as an empty one, so that positions stay right."""
    rows = raw.get(name) if isinstance(raw, dict) else None
    return [row if isinstance(row, dict) else {} for row in rows] if isinstance(rows, list) else []


def _twice(place: str, key: str, names: Iterable[tuple[Any, ...]]) -> Iterator[BadInput]:
    seen: dict[tuple[str, ...], int] = {}
    for position, name in enumerate(names):
        if all(isinstance(part, str) for part in name):
            first = seen.setdefault(name, position)
            if first != position:
                yield BadInput(f"{place}[{position}].{key}", f"is at {place}[{first}] already; keep one of the two")


def _homes(rows: Rows, merchants: Rows, sites: Rows) -> Iterator[BadInput]:
    """Names of warehouses that their merchant does not have. A merchant without any in this file may have them
    elsewhere."""
    own: dict[str, list[str]] = {}
    for site in sites:
        if isinstance(site.get("merchant"), str) and isinstance(site.get("warehouse"), str):
            own.setdefault(site["merchant"], []).append(site["warehouse"])
    named = [(f"products[{p}].home", row.get("home"), row.get("merchant")) for p, row in enumerate(rows)]
    for m, row in enumerate(merchants):
        for f, rates in enumerate(_rows(row, "freight")):
            named.append((f"merchants[{m}].freight[{f}].warehouse", rates.get("warehouse"), row.get("merchant")))
    for place, name, merchant in named:
        if isinstance(name, str) and isinstance(merchant, str) and name not in own.get(merchant, [name]):
            yield BadInput(place, f"{name!r} is no warehouse of {merchant!r}; write one of {', '.join(own[merchant])}")
    for p, row in enumerate(rows):
        if row.get("delivery_mode") == DeliveryMode.VIRTUAL and row.get("home") is not None:
            yield BadInput(f"products[{p}].home", "virtual goods lie in no warehouse; leave it out")


def _stock(products: Rows, sites: Rows) -> Iterator[BadInput]:
    sold_by = {row["sku"]: row for row in products if isinstance(row.get("sku"), str)}
    for position, site in enumerate(sites):
        stock = site.get("stock")
        for sku in stock if isinstance(stock, dict) else ():
            place, row = inside(f"warehouses[{position}].stock", sku), sold_by.get(sku)
            if row is None:
                yield BadInput(place, "is no product of this file; add it to products or mend the name")
            elif row.get("merchant") != site.get("merchant"):
                yield BadInput(place, f"is sold by {row.get('merchant')!r}; move it to a warehouse of that merchant")
            elif row.get("delivery_mode") == DeliveryMode.VIRTUAL:
                yield BadInput(place, "is virtual and lies in no warehouse; take it out")
