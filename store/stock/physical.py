"""The physical ledger in PostgreSQL: what lies in each warehouse, and for which sub-order it is set aside."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Text, any_, bindparam, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.stock import Allocation, Answer, GoodsOf, GoodsTaken, Moved, ReshelvePieces, StockOf, TakeGoods
from domain.order.order_number import parse
from domain.order.reservation import StockLine
from domain.splitting.model import Warehouse
from store.database.keys import kept, once
from store.tables import (
    merchant_warehouses,
    physical_operations,
    physical_reservations,
    physical_reshelvings,
    physical_stock,
    stock_entries,
)

Place = tuple[str, str]
"""A counter of the physical ledger: SKU and warehouse."""


class PostgresPhysical:
    """Implements `activities.stock.PhysicalLedger`. Calls for one order run one after the other; counters are locked by
    SKU and warehouse."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def allocate(
        self,
        order_no: str,
        skus: Mapping[str, str],
        plan: Callable[[list[Warehouse]], tuple[Answer, Sequence[Allocation]]],
        answer: type[Answer],
    ) -> Answer:
        async def effect() -> Answer:
            given, allocations = plan(await _seen(db, skus))
            if allocations and not await _was_released(db, order_no):
                await _reserve(db, [one for one in allocations if not await _was_reshelved(db, one.sub_key)])
            return given

        async with self._engine.begin() as db:
            await _lock_order(db, order_no)
            return await once(db, physical_operations, f"{order_no}/allocate", answer, effect)

    async def release(self, request: StockOf) -> Moved:
        async with self._engine.begin() as db:
            await _lock_order(db, request.order_no)
            key = _release_key(request.order_no)
            return await once(db, physical_operations, key, Moved, lambda: _release(db, request.order_no))

    async def take_goods(self, request: TakeGoods) -> GoodsTaken:
        async def effect() -> GoodsTaken:
            if await _was_reshelved(db, request.sub_order_no):
                return GoodsTaken(taken=False)
            unwanted = await _pieces_reshelved(db, request.sub_order_no)
            wanted = [
                Allocation(
                    sub_key=request.sub_order_no,
                    sku=line.sku,
                    warehouse=request.warehouse,
                    quantity=line.quantity - unwanted.get(line.line_no, 0),
                    line_no=line.line_no,
                )
                for line in request.lines
                if line.quantity > unwanted.get(line.line_no, 0)
            ]
            return GoodsTaken(taken=await _reserve_if_there(db, wanted))

        async with self._engine.begin() as db:
            await _lock_order(db, parse(request.sub_order_no).order_no)
            key = f"{request.sub_order_no}/take"
            return await once(db, physical_operations, key, GoodsTaken, effect, keep=lambda answer: answer.taken)

    async def ship_goods(self, request: GoodsOf) -> Moved:
        return await self._end(request.sub_order_no, "ship", "SHIPPED")

    async def reshelve(self, request: GoodsOf) -> Moved:
        return await self._end(request.sub_order_no, "reshelve", "RESHELVED")

    async def reshelve_pieces(self, request: ReshelvePieces) -> Moved:
        async with self._engine.begin() as db:
            await _lock_order(db, parse(request.sub_order_no).order_no)
            key = f"{request.sub_order_no}/reshelve/{request.reason_key}"
            return await once(db, physical_operations, key, Moved, lambda: _reshelve_pieces(db, request))

    async def _end(self, sub_order_no: str, verb: str, state: str) -> Moved:
        async with self._engine.begin() as db:
            await _lock_order(db, parse(sub_order_no).order_no)
            key = f"{sub_order_no}/{verb}"
            return await once(db, physical_operations, key, Moved, lambda: _end(db, sub_order_no, state))


# --- within a transaction


_LOCK_ORDER = select(func.pg_advisory_xact_lock(bindparam("order_no", type_=BigInteger)))
_OWNED = (
    select(merchant_warehouses.c.merchant, merchant_warehouses.c.warehouse)
    .where(merchant_warehouses.c.merchant == any_(bindparam("merchants", type_=ARRAY(Text))))
    .order_by(merchant_warehouses.c.merchant, merchant_warehouses.c.warehouse)
)


async def _lock_order(db: AsyncConnection, order_no: str) -> None:
    """Lock the order, so that a re-shelving or `release` and a late `allocate` can't pass each other."""
    await db.execute(_LOCK_ORDER, {"order_no": int(order_no)})


def _release_key(order_no: str) -> str:
    return f"{order_no}/release"


async def _was_released(db: AsyncConnection, order_no: str) -> bool:
    return await kept(db, physical_operations, _release_key(order_no), Moved) is not None


async def _was_reshelved(db: AsyncConnection, sub_order_no: str) -> bool:
    return await kept(db, physical_operations, f"{sub_order_no}/reshelve", Moved) is not None


async def _seen(db: AsyncConnection, skus: Mapping[str, str]) -> list[Warehouse]:
    """The available pieces in the warehouses of the SKUs' merchants, locked until the transaction ends."""
    owned = (await db.execute(_OWNED, {"merchants": list(set(skus.values()))})).all()
    if not owned:
        return []
    names = {warehouse for _, warehouse in owned}
    there = await _lock(db, physical_stock.c.sku.in_(list(skus)) & physical_stock.c.warehouse.in_(names))
    return [
        Warehouse(
            warehouse=warehouse,
            merchant=merchant,
            stock={sku: pieces for (sku, at), pieces in there.items() if at == warehouse and skus[sku] == merchant},
        )
        for merchant, warehouse in owned
    ]


async def _reserve_if_there(db: AsyncConnection, wanted: Sequence[Allocation]) -> bool:
    pieces = _by_place((one.sku, one.warehouse, one.quantity) for one in wanted)
    there = await _lock(db, tuple_(physical_stock.c.sku, physical_stock.c.warehouse).in_(list(pieces)))
    if any(there.get(place, 0) < count for place, count in pieces.items()):
        return False
    await _reserve(db, wanted)
    return True


async def _reserve(db: AsyncConnection, allocations: Sequence[Allocation]) -> None:
    """Set the pieces aside; the counters must be locked. A CHECK refuses more than lies there."""
    if not allocations:
        return
    rows = [
        {
            "order_no": int(parse(one.sub_key).order_no),
            "sub_order_no": one.sub_key,
            "line_no": one.line_no,
            "sku": one.sku,
            "warehouse": one.warehouse,
            "quantity": one.quantity,
        }
        for one in allocations
    ]
    await db.execute(insert(physical_reservations), rows)
    for sub_order_no in sorted({one.sub_key for one in allocations}):
        of_sub = [(one.sku, one.warehouse, one.quantity) for one in allocations if one.sub_key == sub_order_no]
        await _move(db, sub_order_no, "reserve", _by_place(of_sub), {"available": -1, "reserved": +1})


async def _end(db: AsyncConnection, sub_order_no: str, state: str) -> Moved:
    """End the open reservations of a sub-order; what has ended already is left as it is."""
    rows = await db.execute(
        update(physical_reservations)
        .where(physical_reservations.c.sub_order_no == sub_order_no, physical_reservations.c.state == "RESERVED")
        .values(state=state)
        .returning(physical_reservations.c.sku, physical_reservations.c.warehouse, physical_reservations.c.quantity)
    )
    ended = _by_place((row.sku, row.warehouse, row.quantity) for row in rows)
    await _lock(db, tuple_(physical_stock.c.sku, physical_stock.c.warehouse).in_(list(ended)))
    if state == "SHIPPED":
        await _move(db, sub_order_no, "ship", ended, {"reserved": -1, "shipped": +1})
    else:
        await _move(db, sub_order_no, "release", ended, {"reserved": -1, "available": +1})
    return Moved(pieces=sum(ended.values()))


async def _release(db: AsyncConnection, order_no: str) -> Moved:
    """End the open reservations of all of an order's sub-orders. Every counter is locked before the first is changed,
    sorted over the whole order, as `allocate` does it."""
    held = physical_reservations
    of_order = (held.c.order_no == int(order_no)) & (held.c.state == "RESERVED")
    rows = (await db.execute(select(held.c.sub_order_no, held.c.sku, held.c.warehouse).where(of_order))).all()
    places = {(row.sku, row.warehouse) for row in rows}
    await _lock(db, tuple_(physical_stock.c.sku, physical_stock.c.warehouse).in_(places))
    ended = [await _end(db, sub_order_no, "RESHELVED") for sub_order_no in sorted({row.sub_order_no for row in rows})]
    return Moved(pieces=sum(one.pieces for one in ended))


async def _pieces_reshelved(db: AsyncConnection, sub_order_no: str) -> dict[int, int]:
    """The pieces of each line that are not wanted any more, by line number."""
    pieces = func.sum(physical_reshelvings.c.quantity)
    of_sub = physical_reshelvings.c.sub_order_no == sub_order_no
    found = await db.execute(
        select(physical_reshelvings.c.line_no, pieces).where(of_sub).group_by(physical_reshelvings.c.line_no)
    )
    return {line_no: int(count) for line_no, count in found}


async def _reshelve_pieces(db: AsyncConnection, request: ReshelvePieces) -> Moved:
    """Put some pieces back on the shelf. It is recorded even if nothing is reserved yet: a late `take_goods` then takes
    that many fewer."""
    of_refund = {"sub_order_no": request.sub_order_no, "reason_key": request.reason_key}
    rows = [{**of_refund, "line_no": line.line_no, "quantity": line.quantity} for line in request.lines]
    await db.execute(insert(physical_reshelvings), rows)
    moved: defaultdict[Place, int] = defaultdict(int)
    for line in request.lines:
        for place, pieces in await _take_off(db, request.sub_order_no, line):
            moved[place] += pieces
    back = dict(sorted(moved.items()))
    await _lock(db, tuple_(physical_stock.c.sku, physical_stock.c.warehouse).in_(list(back)))
    await _move(db, request.sub_order_no, "release", back, {"reserved": -1, "available": +1})
    return Moved(pieces=sum(back.values()))


async def _take_off(db: AsyncConnection, sub_order_no: str, line: StockLine) -> list[tuple[Place, int]]:
    """Reduce a line's reservations by the pieces that go back; one of which nothing is left ends."""
    held = physical_reservations
    of_line = (held.c.sub_order_no == sub_order_no) & (held.c.line_no == line.line_no) & (held.c.state == "RESERVED")
    taken, wanted = [], line.quantity
    for row in (await db.execute(select(held).where(of_line).with_for_update())).all():
        pieces = min(wanted, row.quantity)
        ended = {"state": "RESHELVED"} if pieces == row.quantity else {"quantity": row.quantity - pieces}
        await db.execute(update(held).where(of_line, held.c.warehouse == row.warehouse).values(ended))
        taken.append(((row.sku, row.warehouse), pieces))
        wanted -= pieces
        if not wanted:
            break
    return taken


async def _lock(db: AsyncConnection, which: ColumnElement[bool]) -> dict[Place, int]:
    found = await db.execute(
        select(physical_stock.c.sku, physical_stock.c.warehouse, physical_stock.c.available)
        .where(which)
        .order_by(physical_stock.c.sku, physical_stock.c.warehouse)
        .with_for_update()
    )
    return {(row.sku, row.warehouse): row.available for row in found}


async def _move(
    db: AsyncConnection, sub_order_no: str, kind: str, pieces: Mapping[Place, int], ways: Mapping[str, int]
) -> None:
    """Move the counters and write the entries. Raises ValueError for a place without a row, which only a wrong plan
    can name."""
    for (sku, warehouse), count in pieces.items():
        changed = await db.execute(
            update(physical_stock)
            .where(physical_stock.c.sku == sku, physical_stock.c.warehouse == warehouse)
            .values({name: physical_stock.c[name] + way * count for name, way in ways.items()})
        )
        if not changed.rowcount:
            raise ValueError(f"sub-order {sub_order_no}: no {sku} was ever received at {warehouse}")
        entry = {
            "sku": sku,
            "warehouse": warehouse,
            "kind": kind,
            "available": ways.get("available", 0) * count,
            "reserved": ways.get("reserved", 0) * count,
            "gone": ways.get("shipped", 0) * count,
            "order_nos": [int(parse(sub_order_no).order_no)],
            "pieces": [count],
            "reason": f"sub-order {sub_order_no}",
        }
        await db.execute(insert(stock_entries).values(entry))


def _by_place(pieces: Iterable[tuple[str, str, int]]) -> dict[Place, int]:
    found: defaultdict[Place, int] = defaultdict(int)
    for sku, warehouse, count in pieces:
        found[sku, warehouse] += count
    return dict(sorted(found.items()))
