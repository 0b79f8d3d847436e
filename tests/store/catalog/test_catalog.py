"""The catalog's promises: what is on sale is one version of many, and none is ever changed."""

import asyncio
from datetime import date
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.order.product import DeliveryMode, OnSale, Product
from domain.order.snapshot import TradeSnapshot
from domain.order.stock import StockPolicy
from domain.splitting.freight import FreightRates, FreightTemplate
from store.catalog.products import CatalogChanges, Listing, PostgresCatalog

TEA = Product(
    sku="TEA",
    merchant="leaf",
    price_fen=12_800,
    category="tea",
    delivery_mode=DeliveryMode.PHYSICAL,
    ships_from=date(2026, 12, 1),
    handling="FRAGILE",
    weight_g=250,
    volume_cm3=900,
    title='西湖龙井 "first" picking\n250g',
    description="The first leaves of spring.",
    images=["https://img.example/tea.jpg"],
    services=["7-day return"],
    attributes={"origin": "Hangzhou"},
)
# Each field of a product, changed.
CHANGES: list[dict[str, Any]] = [
    {"merchant": "root"},
    {"price_fen": 12_801},
    {"category": None},
    {"delivery_mode": DeliveryMode.VIRTUAL},
    {"ships_from": None},
    {"handling": "ORDINARY"},
    {"weight_g": 251},
    {"volume_cm3": 0},
    {"title": "Longjing"},
    {"description": ""},
    {"images": []},
    {"services": ["7-day return", "invoice"]},
    {"attributes": {"origin": "Kunming"}},
]


@pytest.fixture
def catalog(engine: AsyncEngine) -> PostgresCatalog:
    return PostgresCatalog(engine)


async def sql(engine: AsyncEngine, query: str, **values: Any) -> list[Any]:
    async with engine.begin() as db:
        result = await db.execute(text(query), values)
        return list(result.all()) if result.returns_rows else []


async def test_what_was_put_is_on_sale(catalog: PostgresCatalog) -> None:
    """Every field comes back as it was written, with its version, its snapshot's digest and its merchant's policy."""
    assert await catalog.put(TEA, home="hangzhou", limited=True, author="ann") == 1
    digest = TradeSnapshot.of(TEA).digest
    assert await catalog.on_sale(["TEA", "NONE"]) == {
        "TEA": OnSale(product=TEA, version=1, digest=digest, home="hangzhou", limited=True)
    }
    (first,) = await catalog.versions("TEA")
    assert (first.version, first.product, first.digest, first.author) == (1, TEA, digest, "ann")


async def test_the_same_put_again_makes_no_new_version(catalog: PostgresCatalog) -> None:
    for _ in range(3):
        assert await catalog.put(TEA, home="hangzhou") == 1
    assert len(await catalog.versions("TEA")) == 1


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
async def test_a_change_of_any_field_is_a_new_version_and_the_old_one_stays(
    catalog: PostgresCatalog, change: dict[str, Any]
) -> None:
    changed = TEA.model_copy(update=change)
    assert [await catalog.put(TEA), await catalog.put(changed), await catalog.put(changed)] == [1, 2, 2]
    assert [one.version for one in await catalog.versions("TEA")] == [2, 1]
    assert (await catalog.on_sale(["TEA"]))["TEA"].product == changed
    assert [await catalog.version("TEA", 1), await catalog.version("TEA", 2)] == [TEA, changed]


def test_every_field_of_a_product_is_among_the_changes() -> None:
    assert {name for change in CHANGES for name in change} == set(Product.model_fields) - {"sku"}


async def test_going_back_is_a_new_version_too(catalog: PostgresCatalog) -> None:
    dearer = TEA.model_copy(update={"price_fen": 15_000})
    assert [await catalog.put(product) for product in (TEA, dearer, TEA)] == [1, 2, 3]


async def test_where_it_is_shipped_from_is_not_what_the_buyer_saw(catalog: PostgresCatalog) -> None:
    """A new home or a new limit changes what is on sale, and no version."""
    await catalog.put(TEA, home="hangzhou")
    assert await catalog.put(TEA, home="kunming", limited=True) == 1
    on_sale = (await catalog.on_sale(["TEA"]))["TEA"]
    assert (on_sale.home, on_sale.limited, on_sale.version) == ("kunming", True, 1)


async def test_a_version_that_never_was(catalog: PostgresCatalog) -> None:
    await catalog.put(TEA)
    with pytest.raises(KeyError, match="there is no version 2 of TEA"):
        await catalog.version("TEA", 2)
    assert await catalog.versions("CUP") == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE product_versions SET snapshot = replace(snapshot, '12800', '1')",
        "UPDATE product_versions SET digest = 'x'",
        "DELETE FROM product_versions",
    ],
)
async def test_the_database_refuses_to_change_a_version(
    catalog: PostgresCatalog, engine: AsyncEngine, statement: str
) -> None:
    await catalog.put(TEA)
    with pytest.raises(IntegrityError, match="product_versions is only ever added to"):
        await sql(engine, statement)
    assert await catalog.version("TEA", 1) == TEA


async def test_many_at_once_make_one_version_each_and_in_a_row(catalog: PostgresCatalog) -> None:
    prices = range(1, 21)
    made = await asyncio.gather(*(catalog.put(TEA.model_copy(update={"price_fen": price})) for price in prices))
    assert sorted(made) == list(prices)
    history = await catalog.versions("TEA")
    assert {one.product.price_fen for one in history} == set(prices)
    assert (await catalog.on_sale(["TEA"]))["TEA"].product == history[0].product


_page = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    title=_page,
    images=st.lists(_page, max_size=3),
    attributes=st.dictionaries(_page, _page, max_size=3),
    price_fen=st.integers(0, 10**12),
)
async def test_any_page_comes_back_from_the_database_with_its_digest(catalog: PostgresCatalog, **page: Any) -> None:
    product = TEA.model_copy(update=page)
    version = await catalog.put(product)
    assert await catalog.version("TEA", version) == product
    assert (await catalog.on_sale(["TEA"]))["TEA"].digest == TradeSnapshot.of(product).digest


# --- what merchants choose


async def test_a_merchants_policy_is_on_all_its_goods(catalog: PostgresCatalog) -> None:
    """One that has chosen nothing reserves on placement."""
    await catalog.change(
        CatalogChanges([Listing(TEA), Listing(TEA.model_copy(update={"sku": "CUP", "merchant": "kiln"}))])
    )
    await catalog.set_policy("kiln", StockPolicy.DEDUCT_ON_PAYMENT)
    on_sale = await catalog.on_sale(["TEA", "CUP"])
    assert (on_sale["TEA"].policy, on_sale["CUP"].policy) == (
        StockPolicy.RESERVE_ON_PLACEMENT,
        StockPolicy.DEDUCT_ON_PAYMENT,
    )
    await catalog.set_policy("kiln", StockPolicy.RESERVE_ON_PLACEMENT)
    assert (await catalog.on_sale(["CUP"]))["CUP"].policy is StockPolicy.RESERVE_ON_PLACEMENT


def template(merchant: str, warehouse: str | None = None, fee_fen: int = 800) -> FreightTemplate:
    return FreightTemplate(
        merchant=merchant,
        warehouse=warehouse,
        first_g=1_000,
        first_fee_fen=fee_fen,
        further_g=500,
        further_fee_fen=200,
        free_from_fen=9_900 if warehouse else None,
    )


async def test_freight_templates_are_by_merchant(catalog: PostgresCatalog) -> None:
    leaf, kiln = [template("leaf"), template("leaf", "hangzhou")], [template("kiln")]
    await catalog.put_freight([*leaf, *kiln])
    assert await catalog.freight(["leaf"]) == leaf
    assert await catalog.freight(["leaf", "kiln", "root"]) == [*kiln, *leaf]


async def test_new_templates_replace_all_of_that_merchant(catalog: PostgresCatalog) -> None:
    await catalog.put_freight([template("leaf"), template("leaf", "hangzhou"), template("kiln")])
    await catalog.put_freight([template("leaf", fee_fen=900)])
    assert await catalog.freight(["leaf"]) == [template("leaf", fee_fen=900)]
    await catalog.change(CatalogChanges(freight={"leaf": []}))
    assert await catalog.freight(["leaf", "kiln"]) == [template("kiln")]


async def test_changes_are_made_together_or_not_at_all(catalog: PostgresCatalog, engine: AsyncEngine) -> None:
    nowhere = FreightRates.model_construct(first_g=0, first_fee_fen=0, further_g=1, further_fee_fen=0)
    changes = CatalogChanges([Listing(TEA)], {"leaf": StockPolicy.DEDUCT_ON_PAYMENT}, {"leaf": [nowhere]})
    with pytest.raises(IntegrityError, match="first_g"):
        await catalog.change(changes)
    assert await sql(engine, "SELECT merchant FROM merchants") == []
    assert await catalog.on_sale(["TEA"]) == {}


async def test_placement_asks_once_for_all_its_goods(catalog: PostgresCatalog, engine: AsyncEngine) -> None:
    listings = [Listing(TEA.model_copy(update={"sku": f"SKU{n}"})) for n in range(200)]
    await catalog.change(CatalogChanges(listings))
    asked: list[str] = []

    def count(_: Any, __: Any, statement: str, *___: Any) -> None:
        asked.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", count)
    try:
        found = await catalog.on_sale([f"SKU{n}" for n in range(200)])
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", count)
    assert (len(found), len(asked)) == (200, 1)
