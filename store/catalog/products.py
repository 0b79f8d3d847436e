"""The catalog in PostgreSQL: what is on sale, and every version that there ever was of it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ARRAY, Row, Text, any_, bindparam, cast, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.base import Message, Utc
from domain.order.product import OnSale, Product
from domain.order.snapshot import TradeSnapshot, canonical, digest
from domain.order.stock import StockPolicy
from domain.splitting.freight import FreightRates, FreightTemplate
from store.database.engine import single
from store.tables import freight_templates, merchants, product_versions, products

# An arbitrary number that all processes share: changes of the catalog run one after the other. Reading waits for none.
_ONE_WRITER = 7_030_912
_EVERY_WAREHOUSE = ""
_PAGE = tuple(Product.model_fields)

_POLICY = func.coalesce(merchants.c.stock_policy, literal(StockPolicy.RESERVE_ON_PLACEMENT.value))
_ON_SALE = (
    select(products, _POLICY.label("policy"))
    .join(merchants, merchants.c.merchant == products.c.merchant, isouter=True)
    .where(products.c.sku == any_(bindparam("skus", type_=ARRAY(Text))))
)
_FREIGHT = (
    select(freight_templates)
    .where(freight_templates.c.merchant == any_(bindparam("merchants", type_=ARRAY(Text))))
    .order_by(freight_templates.c.merchant, freight_templates.c.warehouse)
)


@dataclass(frozen=True, slots=True)
class Listing:
    """A product as it is to be sold from now on. `home` is the warehouse that it is preferably shipped from."""

    product: Product
    home: str | None = None
    limited: bool = False


@dataclass(frozen=True, slots=True)
class CatalogChanges:
    """Changes of the catalog that are made together. `freight` replaces all the templates of the merchants it names."""

    listings: Sequence[Listing] = ()
    policies: Mapping[str, StockPolicy] = field(default_factory=dict)
    freight: Mapping[str, Sequence[FreightRates]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Changed:
    """The result of a change: the versions on sale from now on, and those of them that are new, by SKU."""

    on_sale: Mapping[str, int]
    changed: dict[str, int]


class ProductVersion(Message):
    """One entry of a product's history."""

    version: int
    product: Product
    digest: str
    author: str
    at: Utc


class PostgresCatalog:
    """Implements `activities.catalog.Catalog`. Orders keep the versions that they were placed with."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._single = single(engine)

    async def on_sale(self, skus: Collection[str]) -> dict[str, OnSale]:
        async with self._single.connect() as db:
            return {row.sku: _on_sale(row) for row in await db.execute(_ON_SALE, {"skus": list(set(skus))})}

    async def freight(self, merchants: Collection[str]) -> list[FreightTemplate]:
        async with self._single.connect() as db:
            rows = await db.execute(_FREIGHT, {"merchants": list(set(merchants))})
            return [FreightTemplate(**{**row, "warehouse": row["warehouse"] or None}) for row in rows.mappings()]

    async def version(self, sku: str, version: int) -> Product:
        """A product as it was in that version. Raises KeyError when there is no such version."""
        of_version = (product_versions.c.sku == sku) & (product_versions.c.version == version)
        async with self._single.connect() as db:
            found = await db.scalar(select(cast(product_versions.c.product, Text)).where(of_version))
        if found is None:
            raise KeyError(f"there is no version {version} of {sku}")
        return Product.model_validate_json(found)

    async def versions(self, sku: str) -> list[ProductVersion]:
        """A product's versions, the newest first; empty for one that was never on sale."""
        page = cast(product_versions.c.product, Text).label("page")
        wanted = select(product_versions, page).where(product_versions.c.sku == sku)
        async with self._engine.connect() as db:
            return [_version(row) for row in await db.execute(wanted.order_by(product_versions.c.version.desc()))]

    async def put(self, product: Product, *, home: str | None = None, limited: bool = False, author: str = "") -> int:
        """Put a product on sale, or change it; returns the version that is on sale from now on. A product that has not
        changed keeps its version, so that asking again changes nothing."""
        done = await self.change(CatalogChanges([Listing(product, home, limited)]), author)
        return done.on_sale[product.sku]

    async def set_policy(self, merchant: str, policy: StockPolicy) -> None:
        """Set when orders take this merchant's stock. Orders placed before keep the policy that they have."""
        await self.change(CatalogChanges(policies={merchant: policy}))

    async def put_freight(self, templates: Iterable[FreightTemplate]) -> None:
        """Replace all the freight templates of the merchants that are named."""
        rates: dict[str, list[FreightRates]] = {}
        for template in templates:
            rates.setdefault(template.merchant, []).append(template)
        await self.change(CatalogChanges(freight=rates))

    async def change(self, changes: CatalogChanges, author: str = "") -> Changed:
        """Make all of these changes, or none."""
        async with self._engine.begin() as db:
            await db.execute(select(func.pg_advisory_xact_lock(_ONE_WRITER)))
            await _set_policies(db, changes.policies)
            await _replace_freight(db, changes.freight)
            return await _put(db, changes.listings, author)


def _on_sale(row: Row[Any]) -> OnSale:
    return OnSale(
        product=_product(row),
        version=row.version,
        digest=row.digest,
        policy=StockPolicy(row.policy),
        home=row.home,
        limited=row.limited,
    )


def _product(row: Row[Any]) -> Product:
    return Product.model_validate({name: getattr(row, name) for name in _PAGE}, strict=False)


def _version(row: Row[Any]) -> ProductVersion:
    product = Product.model_validate_json(row.page)
    return ProductVersion(version=row.version, product=product, digest=row.digest, author=row.author, at=row.at)


async def _put(db: AsyncConnection, listings: Sequence[Listing], author: str) -> Changed:
    skus = {listing.product.sku for listing in listings}
    before = {row.sku: row for row in await db.execute(select(products).where(products.c.sku.in_(skus)))}
    new_versions, rows = [], []
    on_sale = {sku: row.version for sku, row in before.items()}
    for listing in listings:
        row = before.get(listing.product.sku)
        if row is not None and listing == Listing(_product(row), row.home, row.limited):
            continue
        sku = listing.product.sku
        if row is None or _product(row) != listing.product:
            on_sale[sku] = on_sale.get(sku, 0) + 1
            new_versions.append(_version_row(listing.product, on_sale[sku], author))
        rows.append(_row(listing, on_sale[sku]))
    if new_versions:
        await db.execute(insert(product_versions), new_versions)
    if rows:
        change = insert(products)
        changed = {column.name: change.excluded[column.name] for column in products.columns if column.name in rows[0]}
        upsert = change.on_conflict_do_update(index_elements=["sku"], set_={**changed, "changed_at": func.now()})
        await db.execute(upsert, rows)
    return Changed(on_sale, {row["sku"]: row["version"] for row in new_versions})


def _version_row(product: Product, version: int, author: str) -> dict[str, Any]:
    snapshot = TradeSnapshot.of(product)
    return {
        "sku": product.sku,
        "version": version,
        "product": product.model_dump(mode="json"),
        "snapshot": canonical(snapshot),
        "digest": digest(snapshot),
        "author": author,
    }


def _row(listing: Listing, version: int) -> dict[str, Any]:
    own = {"version": version, "digest": TradeSnapshot.of(listing.product).digest}
    return {**listing.product.model_dump(), **own, "home": listing.home, "limited": listing.limited}


async def _set_policies(db: AsyncConnection, policies: Mapping[str, StockPolicy]) -> None:
    if not policies:
        return
    change = insert(merchants)
    upsert = change.on_conflict_do_update(
        index_elements=["merchant"],
        set_={"stock_policy": change.excluded.stock_policy, "changed_at": func.now()},
        where=merchants.c.stock_policy != change.excluded.stock_policy,
    )
    await db.execute(upsert, [{"merchant": name, "stock_policy": policy.value} for name, policy in policies.items()])


async def _replace_freight(db: AsyncConnection, freight: Mapping[str, Sequence[FreightRates]]) -> None:
    await db.execute(delete(freight_templates).where(freight_templates.c.merchant.in_(list(freight))))
    rows = [
        {
            **rates.model_dump(include=set(FreightRates.model_fields)),
            "merchant": merchant,
            "warehouse": rates.warehouse or _EVERY_WAREHOUSE,
        }
        for merchant, of_merchant in freight.items()
        for rates in of_merchant
    ]
    if rows:
        await db.execute(insert(freight_templates), rows)
