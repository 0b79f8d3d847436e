"""The migration makes the tables that the code means, and keeps what was in those of before."""

from alembic import command
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from activities.stock import Deducted, Moved, ReleaseStock, Restock, StockOf
from domain.order.reservation import Reserved, ReserveStock, Shortage
from runtime.embedded import Postgres
from store.database import migrate
from store.database.engine import engine_for
from store.stock.changes import history
from store.stock.ledger import PostgresStock
from store.tables import metadata
from tests.support.books import lines, order_number

TABLES = sorted(metadata.tables)

_SHAPE = """
SELECT c.conrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid) FROM pg_constraint c
WHERE c.conrelid::regclass::text = ANY(:tables) AND c.contype NOT IN ('n', 't')
UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE tablename = ANY(:tables)
UNION ALL SELECT table_name, column_name, concat(data_type, ' ', is_nullable, ' ', column_default)
FROM information_schema.columns WHERE table_name = ANY(:tables) AND table_schema = 'public'
ORDER BY 1, 2, 3
"""


async def empty(postgres: Postgres, name: str) -> str:
    admin = create_async_engine(postgres.url, isolation_level="AUTOCOMMIT")
    async with admin.connect() as db:
        await db.execute(text(f"CREATE DATABASE {name}"))
    await admin.dispose()
    return postgres.url.replace("/postgres?", f"/{name}?")


async def shape(engine: AsyncEngine) -> list[tuple[str, str, str]]:
    async with engine.connect() as db:
        return [(a, b, c) for a, b, c in await db.execute(text(_SHAPE), {"tables": TABLES})]


async def test_the_migrated_tables_are_those_of_the_code(engine: AsyncEngine, postgres: Postgres) -> None:
    """Every column, CHECK, key and index of every ledger; the first migration had lost the CHECKs."""
    meant = create_async_engine(await empty(postgres, "meant"))
    async with meant.begin() as db:
        await db.run_sync(metadata.create_all)
    wanted = await shape(meant)
    await meant.dispose()
    assert len([1 for _, name, _ in wanted if name.endswith("_check")]) > 20
    assert await shape(engine) == wanted


async def test_what_was_in_the_ledger_before_is_there_after(postgres: Postgres) -> None:
    """Counters, reservations, and the first answers of every verb."""
    url = await empty(postgres, "before")
    old = create_async_engine(url)
    taken, refused, buried, closed = (order_number() for _ in range(4))
    async with old.begin() as db:
        await db.run_sync(_upgrade_to_0002)
        await db.execute(text("INSERT INTO stock VALUES ('A', 10, 5, 2, 3)"))
        reserved = "INSERT INTO stock_reservations (order_no, line_no, sku, quantity, state, restocked)"
        await db.execute(
            text(f"{reserved} VALUES ({taken}, 1, 'A', 2, 'RESERVED', 0), ({closed}, 1, 'A', 4, 'DEDUCTED', 1)")
        )
        short = Reserved(short=[Shortage(line_no=1, sku="A", wanted=99, available=5)])
        for key, answer in {
            f"{taken}/reserve": Reserved(short=[]),
            f"{refused}/reserve": short,
            f"{buried}/release": Moved(pieces=0),
            f"{buried}/reserve": Reserved(short=[], released_before=True),
            f"{closed}/reserve": Reserved(short=[]),
            f"{closed}/deduct": Moved(pieces=4),
            f"{closed}/restock/cancel/1": Moved(pieces=1),
        }.items():
            row = {"key": key, "result": answer.model_dump_json()}
            await db.execute(text("INSERT INTO stock_operations VALUES (:key, (:result)::text::jsonb)"), row)
    await old.dispose()
    await migrate.upgrade(url)
    engine = engine_for(url)
    stock = PostgresStock(engine)
    answers = [
        await stock.reserve(ReserveStock(order_no=order_no, lines=lines(("A", pieces))))
        for order_no, pieces in ((taken, 2), (refused, 99), (buried, 1), (closed, 4))
    ]
    assert answers == [Reserved(short=[]), short, Reserved(short=[], released_before=True), Reserved(short=[])]
    assert await stock.deduct(StockOf(order_no=closed)) == Deducted(pieces=4)
    again = Restock(order_no=closed, reason_key="cancel/1", lines=lines(("A", 1)))
    assert await stock.restock(again) == Moved(pieces=1)
    assert await stock.release(ReleaseStock(order_no=buried)) == Moved(pieces=0)
    assert await stock.release(ReleaseStock(order_no=taken)) == Moved(pieces=2)
    assert (await stock.levels(["A"]))["A"] == {"sellable_total": 10, "available": 7, "reserved": 0, "deducted": 3}
    entries = await history(engine, "A", 9)
    assert [sum(getattr(e, name) for e in entries) for name in ("available", "reserved", "gone")] == [7, 0, 3]
    await engine.dispose()


def _upgrade_to_0002(connection: Connection) -> None:
    made = migrate.config()
    made.attributes["connection"] = connection
    command.upgrade(made, "0002")
