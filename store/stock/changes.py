"""What people do to stock (receive, adjust, import, limit), and the history of what was done by anybody."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field
from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.base import Message
from domain.order.stock import MAIN_CHANNEL, PurchaseLimit
from store.database.engine import looking
from store.tables import merchant_warehouses, physical_stock, purchase_limits, stock, stock_entries

MANY = 100


class Change(Message):
    """A number of pieces more, or fewer, of a SKU: in a channel, or in a warehouse if one is named. A `merchant` who is
    named with a warehouse sends from it from then on. Idempotency key: `key`, if there is one."""

    sku: str
    pieces: int
    kind: Literal["receive", "adjust"]
    channel: str = MAIN_CHANNEL
    warehouse: str | None = None
    merchant: str | None = None
    actor: str = ""
    reason: str = ""
    key: str | None = None


class TooFew(Exception):
    """Raised when a change would take away more than is available. Nothing was changed; the command line tells it."""


class DoneBefore(Exception):
    """Raised when a change with the same key was made before. Nothing was changed; the command line tells it."""


class StockEntry(Message):
    """What a transaction did to a counter for one order, or what a person did to it. `gone` are the pieces that were
    deducted (sellable stock) or shipped (a warehouse)."""

    id: int
    at: datetime
    kind: str
    channel: str | None
    warehouse: str | None
    order_no: str | None
    available: int
    reserved: int
    gone: int
    actor: str
    reason: str


class Physical(Message):
    warehouse: str
    total: int
    available: int
    reserved: int
    shipped: int


class Sellable(Message):
    channel: str
    sellable_total: int
    available: int
    reserved: int
    deducted: int


class StockView(Message):
    """All that is known of a SKU's stock."""

    sku: str
    sellable: list[Sellable]
    physical: list[Physical]
    limit: PurchaseLimit | None = Field(default=None)


async def change_stock(engine: AsyncEngine, changes: Sequence[Change]) -> None:
    """Make all of the changes or none, each with its entry. Raises TooFew and DoneBefore."""
    async with engine.begin() as db:
        # Everybody locks counters by SKU and place.
        for change in sorted(changes, key=lambda one: (one.warehouse or "", one.sku, one.channel)):
            try:
                await db.execute(insert(stock_entries).values(_entry(change)))
                await _change(db, change)
            except IntegrityError as refused:
                raise _told(change, refused) from None
        if len(changes) >= MANY:
            # The query plans that orders use were made for fewer rows.
            await db.execute(text("ANALYZE stock, physical_stock"))


async def _change(db: AsyncConnection, change: Change) -> None:
    table = stock if change.warehouse is None else physical_stock
    total = "sellable_total" if change.warehouse is None else "total"
    row = {"sku": change.sku, **_place(change)}
    more = {name: table.c[name] + change.pieces for name in (total, "available")}
    if change.pieces < 0:
        found = await db.execute(table.update().where(*(table.c[name] == row[name] for name in row)).values(more))
        if not found.rowcount:
            raise TooFew(f"{change.sku}: there is none")
        return
    put = insert(table).values({**row, total: change.pieces, "available": change.pieces, **_none_yet(change)})
    await db.execute(put.on_conflict_do_update(index_elements=list(row), set_=more))
    if change.warehouse is not None and change.merchant is not None:
        await _own(db, change.merchant, change.warehouse)


def _told(change: Change, refused: IntegrityError) -> Exception:
    said = str(refused.orig)
    if "stock_entries_key_idx" in said:
        return DoneBefore(change.key)
    if "_available_check" in said:
        return TooFew(f"{change.sku}: fewer than {-change.pieces} are available")
    return refused


def _place(change: Change) -> dict[str, str]:
    return {"channel": change.channel} if change.warehouse is None else {"warehouse": change.warehouse}


def _none_yet(change: Change) -> dict[str, int]:
    return {"reserved": 0, "deducted" if change.warehouse is None else "shipped": 0}


def _entry(change: Change) -> dict[str, object]:
    told = change.model_dump(include={"sku", "kind", "actor", "reason", "key"})
    return {**told, **_place(change), "available": change.pieces, "reserved": 0, "gone": 0}


async def has_warehouse(engine: AsyncEngine, merchant: str, warehouse: str) -> None:
    """Record a merchant's warehouse: from now on its goods are sent only from what lies in its warehouses, even if that
    is nothing."""
    async with engine.begin() as db:
        await _own(db, merchant, warehouse)


async def _own(db: AsyncConnection, merchant: str, warehouse: str) -> None:
    owned = {"merchant": merchant, "warehouse": warehouse}
    await db.execute(insert(merchant_warehouses).values(owned).on_conflict_do_nothing())


async def set_limit(engine: AsyncEngine, limit: PurchaseLimit, actor: str) -> None:
    """Set a purchase limit for placements from now on. What a buyer has bought already counts towards it."""
    row = {**limit.model_dump(), "actor": actor, "changed_at": func.now()}
    put = insert(purchase_limits).values(row).on_conflict_do_update(index_elements=["sku"], set_=row)
    async with engine.begin() as db:
        await db.execute(put)


async def drop_limit(engine: AsyncEngine, sku: str) -> None:
    """Remove a purchase limit: a buyer may have any number again."""
    async with engine.begin() as db:
        await db.execute(delete(purchase_limits).where(purchase_limits.c.sku == sku))


async def view(engine: AsyncEngine, skus: Iterable[str]) -> list[StockView]:
    """The stock of each SKU, in the order given; a SKU that nobody has received has empty lists."""
    async with looking(engine).connect() as db:
        found = []
        for sku in skus:
            sellable = (await db.execute(select(stock).where(stock.c.sku == sku).order_by("channel"))).mappings()
            physical = (
                await db.execute(select(physical_stock).where(physical_stock.c.sku == sku).order_by("warehouse"))
            ).mappings()
            limit = (await db.execute(select(purchase_limits).where(purchase_limits.c.sku == sku))).mappings().first()
            found.append(
                StockView(
                    sku=sku,
                    sellable=[Sellable.model_validate(dict(row)) for row in sellable],
                    physical=[Physical.model_validate(dict(row)) for row in physical],
                    limit=PurchaseLimit.model_validate(dict(limit)) if limit else None,
                )
            )
        return found


# An entry for several orders is read as one entry for each of them, with the pieces that it moved for that order.
_HISTORY = text(
    """
    SELECT e.id, e.at, e.kind, e.channel, e.warehouse, o.order_no::text AS order_no,
      coalesce(o.pieces * sign(e.available)::int, e.available) AS available,
      coalesce(o.pieces * sign(e.reserved)::int, e.reserved) AS reserved,
      coalesce(o.pieces * sign(e.gone)::int, e.gone) AS gone, e.actor, e.reason
    FROM stock_entries e LEFT JOIN LATERAL unnest(e.order_nos, e.pieces) AS o(order_no, pieces) ON true
    WHERE e.sku = :sku ORDER BY e.id DESC, order_no DESC LIMIT :most
    """
)


async def history(engine: AsyncEngine, sku: str, most: int) -> list[StockEntry]:
    """What was done to the SKU's counters: the last `most` entries, the oldest of them first."""
    async with engine.connect() as db:
        rows = (await db.execute(_HISTORY, {"sku": sku, "most": most})).mappings()
        return [StockEntry.model_validate(dict(row)) for row in rows][::-1]
