"""What was there before a migration is there after it."""

from collections.abc import AsyncIterator

import pytest
from alembic import command
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from activities.orders import Owed
from activities.stock import GoodsOf, Moved
from domain.order.product import OnSale, Product
from domain.order.snapshot import TradeSnapshot
from runtime.embedded import Postgres
from store.catalog.products import PostgresCatalog
from store.database import migrate
from store.database.engine import engine_for
from store.orders.closings import closing_owes
from store.orders.evidence import PostgresEvidence
from store.stock.physical import PostgresPhysical

CUP = Product(sku="CUP", merchant="kiln", price_fen=4_500, title='青瓷 "cup"\n')
OLD_ORDER = 1_251_612_183_153_010_003


def _upgrade(connection: Connection, revision: str) -> None:
    config = migrate.config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def _new_database(postgres: Postgres, name: str) -> AsyncEngine:
    admin = create_async_engine(postgres.url, isolation_level="AUTOCOMMIT")
    async with admin.connect() as db:
        await db.execute(text(f"CREATE DATABASE {name}"))
    await admin.dispose()
    return engine_for(postgres.url.replace("/postgres?", f"/{name}?"))


@pytest.fixture
async def before_versions(postgres: Postgres) -> AsyncIterator[AsyncEngine]:
    """A database as it was before the catalog had versions and the log its chains, with rows in it."""
    engine = await _new_database(postgres, "before_versions")
    async with engine.begin() as db:
        await db.run_sync(_upgrade, "0003")
        product = {"sku": CUP.sku, "merchant": CUP.merchant, "title": CUP.title, "price_fen": CUP.price_fen}
        columns = "sku, merchant, title, price_fen, warehouse, limited"
        values = ":sku, :merchant, :title, :price_fen, 'longquan', true"
        await db.execute(text(f"INSERT INTO products ({columns}) VALUES ({values})"), product)
        for number in (OLD_ORDER, OLD_ORDER, OLD_ORDER + 1, OLD_ORDER):
            event = (
                "INSERT INTO order_events (order_no, actor, action, detail) VALUES (:no, 'BUYER', 'PLACE', '4500 fen')"
            )
            await db.execute(text(event), {"no": number})
    yield engine
    await engine.dispose()


async def test_what_was_on_sale_is_version_1_and_the_past_is_chained(before_versions: AsyncEngine) -> None:
    async with before_versions.begin() as db:
        await db.run_sync(_upgrade, "head")
    catalog = PostgresCatalog(before_versions)
    digest = TradeSnapshot.of(CUP).digest
    on_sale = OnSale(product=CUP, version=1, digest=digest, home="longquan", limited=True)
    assert await catalog.on_sale(["CUP"]) == {"CUP": on_sale}
    assert await catalog.version("CUP", 1) == CUP
    assert await catalog.put(CUP, home="longquan", limited=True) == 1

    async with before_versions.begin() as db:
        rows = (await db.execute(text("SELECT chain, seq, order_no FROM order_events ORDER BY id"))).all()
        assert [(row.chain, row.seq) for row in rows] == [(19, 1), (19, 2), (20, 1), (19, 3)]
        insert = "INSERT INTO orders (order_no, buyer_id, caller, device_id, ip, address, address_key, phone_key, "
        insert += "goods_fen, shipping_fen, amount_due_fen, currency, coupons, rules, terms, payment, status) VALUES "
        insert += "(:no, 10003, '', '', '', '{}', '', '', 0, 0, 0, 'CNY', '[]', '{}', '{}', 'PAID', 'COMPLETED')"
        await db.execute(text(insert), {"no": OLD_ORDER})
    verified = await PostgresEvidence(before_versions).verify(str(OLD_ORDER))
    assert verified is not None and verified.chain.whole and verified.chain.links == 3
    assert verified.problems == [
        "the log does not say what was placed: the order is older than the log's evidence, or it was taken out"
    ]


async def test_what_closings_had_decided_and_reshelved_under_older_words_is_still_owed_and_done(
    postgres: Postgres,
) -> None:
    engine = await _new_database(postgres, "older_words")
    sub_order_no = "125161218315303000301"
    older = '{"closed": [], "pay_back": {"key": "k", "put_back": ["S"], "put_back_pieces": []}}'
    async with engine.begin() as db:
        await db.run_sync(_upgrade, "0012")
        kept = "INSERT INTO {} (key, result) VALUES (:key, CAST(:result AS jsonb))"
        await db.execute(text(kept.format("order_operations")), {"key": f"{sub_order_no}/cancel", "result": older})
        moved = {"key": f"{sub_order_no}/put_back", "result": '{"pieces": 3}'}
        await db.execute(text(kept.format("physical_operations")), moved)
        await db.run_sync(_upgrade, "head")
        assert await closing_owes(db, sub_order_no) == Owed(key="k", reshelve=["S"])
    assert await PostgresPhysical(engine).reshelve(GoodsOf(sub_order_no=sub_order_no)) == Moved(pieces=3)
    await engine.dispose()
