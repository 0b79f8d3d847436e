"""The physical ledger: what lies in each warehouse, and for which sub-order."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.stock import Allocation, GoodsOf, GoodsTaken, Moved, StockOf, TakeGoods
from domain.base import Message
from domain.order.order_number import sub_order_no
from domain.splitting.model import Warehouse
from store.stock.changes import Change, Physical, change_stock, history, view
from store.stock.physical import PostgresPhysical
from tests.support.books import lines, order_number


class Plan(Message):
    """What a split would keep: here, the stock that it saw."""

    saw: dict[str, dict[str, int]]


@pytest.fixture
def physical(engine: AsyncEngine) -> PostgresPhysical:
    return PostgresPhysical(engine)


async def lay(engine: AsyncEngine, *there: tuple[str, str, int], merchant: str = "m1") -> None:
    await change_stock(
        engine,
        [
            Change(sku=sku, pieces=pieces, kind="receive", warehouse=warehouse, merchant=merchant)
            for sku, warehouse, pieces in there
        ],
    )


async def counts(engine: AsyncEngine, sku: str = "A") -> dict[str, tuple[int, int, int]]:
    """Available, reserved and shipped, by warehouse; and they add up."""
    (found,) = await view(engine, [sku])
    assert all(at.total == at.available + at.reserved + at.shipped for at in found.physical)
    return {at.warehouse: _parts(at) for at in found.physical}


def _parts(at: Physical) -> tuple[int, int, int]:
    return at.available, at.reserved, at.shipped


async def allocate(
    physical: PostgresPhysical, order_no: str, *wanted: tuple[int, str, str, int], skus: Sequence[str] = "A"
) -> Plan:
    """Sub-order, SKU, warehouse, pieces: as far as they lie there; the rest would be a back-order."""

    def plan(warehouses: list[Warehouse]) -> tuple[Plan, list[Allocation]]:
        saw = {one.warehouse: dict(one.stock) for one in warehouses}
        left = {name: dict(stock) for name, stock in saw.items()}
        given = []
        for line_no, (index, sku, warehouse, quantity) in enumerate(wanted, start=1):
            if left[warehouse].get(sku, 0) >= quantity:
                left[warehouse][sku] -= quantity
                sub = sub_order_no(order_no, index)
                given.append(Allocation(sub_key=sub, sku=sku, warehouse=warehouse, quantity=quantity, line_no=line_no))
        return Plan(saw=saw), given

    return await physical.allocate(order_no, dict.fromkeys(skus, "m1"), plan, Plan)


async def test_a_split_sees_its_merchants_warehouses_and_reserves_what_it_plans(
    physical: PostgresPhysical, engine: AsyncEngine
) -> None:
    """Another merchant's warehouse is not shown, even where it has the same SKU's name."""
    await lay(engine, ("A", "w1", 3), ("A", "w2", 5), ("B", "w2", 1))
    await lay(engine, ("A", "w9", 7), merchant="m2")
    order_no = order_number()
    plan = await allocate(physical, order_no, (1, "A", "w1", 2), (2, "A", "w2", 1), skus="AB")
    assert plan.saw == {"w1": {"A": 3}, "w2": {"A": 5, "B": 1}}
    assert await counts(engine) == {"w1": (1, 2, 0), "w2": (4, 1, 0), "w9": (7, 0, 0)}


async def test_a_merchant_without_warehouses_has_none(physical: PostgresPhysical) -> None:
    """And needs none: nothing is allocated."""
    assert await allocate(physical, order_number()) == Plan(saw={})


async def test_a_repeated_split_gets_the_first_plan_and_reserves_nothing_more(
    physical: PostgresPhysical, engine: AsyncEngine
) -> None:
    """Also when other goods lie there by then."""
    await lay(engine, ("A", "w1", 3))
    order_no = order_number()
    first = await allocate(physical, order_no, (1, "A", "w1", 2))
    await lay(engine, ("A", "w1", 5))
    answers = await asyncio.gather(*(allocate(physical, order_no, (1, "A", "w1", 5)) for _ in range(10)))
    assert answers == [first] * 10
    assert await counts(engine) == {"w1": (6, 2, 0)}


async def test_two_orders_for_the_last_piece_and_one_of_them_is_a_back_order(
    physical: PostgresPhysical, engine: AsyncEngine
) -> None:
    """Twenty pairs: what a plan sees is locked until it has taken it."""
    for n in range(20):
        sku = f"LAST{n}"
        await lay(engine, (sku, "w1", 1))
        pair = [order_number(), order_number()]
        saw = await asyncio.gather(*(allocate(physical, no, (1, sku, "w1", 1), skus=[sku]) for no in pair))
        assert sorted(plan.saw["w1"][sku] for plan in saw) == [0, 1]
        assert await counts(engine, sku) == {"w1": (0, 1, 0)}


async def test_splits_that_want_the_same_goods_in_opposite_orders_never_deadlock(
    physical: PostgresPhysical, engine: AsyncEngine
) -> None:
    """Each locks by SKU and warehouse."""
    places = [(sku, warehouse) for sku in "ABC" for warehouse in ("w1", "w2", "w3")]
    await lay(engine, *((sku, warehouse, 100) for sku, warehouse in places))

    async def live(n: int) -> None:
        order_no = order_number()
        wanted = [(1, sku, warehouse, 1) for sku, warehouse in places[:: (-1) ** n]]
        await allocate(physical, order_no, *wanted, skus="ABC"[:: (-1) ** n])
        end = physical.ship_goods if n % 3 else physical.reshelve
        assert await end(GoodsOf(sub_order_no=sub_order_no(order_no, 1))) == Moved(pieces=9)

    await asyncio.gather(*(live(n) for n in range(30)))
    assert await counts(engine) == dict.fromkeys(("w1", "w2", "w3"), (80, 0, 20))


async def test_what_a_plan_gives_away_and_does_not_lie_there_is_refused_whole(
    physical: PostgresPhysical, engine: AsyncEngine
) -> None:
    """A bug of a plan: the CHECK and the missing row speak, and nothing is reserved."""
    await lay(engine, ("A", "w1", 2))
    for warehouse, fault in (("w1", IntegrityError), ("w7", ValueError)):
        order_no = order_number()
        given = [
            Allocation(sub_key=sub_order_no(order_no, n), sku="A", warehouse=where, quantity=2, line_no=n)
            for n, where in ((1, "w1"), (2, warehouse))
        ]
        with pytest.raises(fault):
            await physical.allocate(order_no, {"A": "m1"}, lambda _, given=given: (Plan(saw={}), given), Plan)  # type: ignore[misc]
    assert await counts(engine) == {"w1": (2, 0, 0)}


async def test_each_sub_order_ends_by_itself_and_once(physical: PostgresPhysical, engine: AsyncEngine) -> None:
    """Shipped or put back, however often and in whatever order they are asked."""
    await lay(engine, ("A", "w1", 10))
    order_no = order_number()
    await allocate(physical, order_no, (1, "A", "w1", 2), (2, "A", "w1", 3))
    one, two = (GoodsOf(sub_order_no=sub_order_no(order_no, n)) for n in (1, 2))
    assert await asyncio.gather(*(physical.ship_goods(one) for _ in range(5))) == [Moved(pieces=2)] * 5
    assert await physical.reshelve(one) == Moved(pieces=0), "shipped is shipped"
    assert await asyncio.gather(*(physical.reshelve(two) for _ in range(5))) == [Moved(pieces=3)] * 5
    assert await physical.ship_goods(two) == Moved(pieces=0)
    assert await counts(engine) == {"w1": (8, 0, 2)}
    kinds = [(e.kind, e.available, e.reserved, e.gone) for e in await history(engine, "A", 9)]
    assert kinds == [
        ("receive", 10, 0, 0),
        *[("reserve", -2, 2, 0), ("reserve", -3, 3, 0), ("ship", 0, -2, 2), ("release", 3, -3, 0)],
    ]


async def test_a_sub_order_that_is_closed_before_its_split_gets_nothing(
    physical: PostgresPhysical, engine: AsyncEngine
) -> None:
    """A tombstone, for the split and for a back-order; its siblings get theirs."""
    await lay(engine, ("A", "w1", 10))
    order_no = order_number()
    closed = sub_order_no(order_no, 1)
    assert await physical.reshelve(GoodsOf(sub_order_no=closed)) == Moved(pieces=0)
    await allocate(physical, order_no, (1, "A", "w1", 2), (2, "A", "w1", 3))
    assert await counts(engine) == {"w1": (7, 3, 0)}
    late = TakeGoods(sub_order_no=closed, warehouse="w1", lines=lines(("A", 1)))
    assert await physical.take_goods(late) == GoodsTaken(taken=False)
    assert await counts(engine) == {"w1": (7, 3, 0)}


async def test_a_back_order_takes_all_its_pieces_when_they_have_come(
    physical: PostgresPhysical, engine: AsyncEngine
) -> None:
    """It may ask until then; once taken they are its own, however often it asks."""
    wanted = TakeGoods(
        sub_order_no=sub_order_no(order_number(), 1), warehouse="w1", lines=lines(("A", 2), ("B", 1), ("A", 1))
    )
    assert await physical.take_goods(wanted) == GoodsTaken(taken=False)
    await lay(engine, ("A", "w1", 3), ("A", "w2", 9))
    assert await physical.take_goods(wanted) == GoodsTaken(taken=False)
    await lay(engine, ("B", "w1", 1))
    answers = await asyncio.gather(*(physical.take_goods(wanted) for _ in range(5)))
    assert answers == [GoodsTaken(taken=True)] * 5
    assert await counts(engine) == {"w1": (0, 3, 0), "w2": (9, 0, 0)}
    assert await physical.ship_goods(GoodsOf(sub_order_no=wanted.sub_order_no)) == Moved(pieces=4)


async def test_two_back_orders_for_what_suffices_for_one(physical: PostgresPhysical, engine: AsyncEngine) -> None:
    """Twenty pairs."""
    for n in range(20):
        sku = f"B{n}"
        await lay(engine, (sku, "w1", 3))
        pair = [
            TakeGoods(sub_order_no=sub_order_no(order_number(), 1), warehouse="w1", lines=lines((sku, 2)))
            for _ in range(2)
        ]
        answers = await asyncio.gather(*map(physical.take_goods, pair))
        assert sorted(answer.taken for answer in answers) == [False, True]


async def test_a_split_and_a_closing_at_one_instant_leave_nothing_reserved(
    physical: PostgresPhysical, engine: AsyncEngine
) -> None:
    """Whichever comes first."""
    await lay(engine, ("A", "w1", 100))
    for _ in range(30):
        order_no = order_number()
        of_sub = GoodsOf(sub_order_no=sub_order_no(order_no, 1))
        await asyncio.gather(allocate(physical, order_no, (1, "A", "w1", 1)), physical.reshelve(of_sub))
    assert await counts(engine) == {"w1": (100, 0, 0)}


async def test_a_split_and_the_closing_of_its_order_at_one_instant_leave_nothing_reserved(
    physical: PostgresPhysical, engine: AsyncEngine
) -> None:
    """Whichever comes first, over two warehouses, and with others about."""
    await lay(engine, ("A", "w1", 100), ("A", "w2", 100), ("B", "w1", 100))

    async def one(n: int) -> Moved:
        order_no = order_number()
        wanted = [(1, "A", "w1", 1), (2, "A", "w2", 2), (1, "B", "w1", 1)][:: (-1) ** n]
        _, moved = await asyncio.gather(
            allocate(physical, order_no, *wanted, skus="AB"), physical.release(StockOf(order_no=order_no))
        )
        await allocate(physical, order_no, *wanted, skus="AB")
        return moved

    released = await asyncio.gather(*map(one, range(30)))
    assert {moved.pieces for moved in released} <= {0, 4}
    assert await counts(engine) == {"w1": (100, 0, 0), "w2": (100, 0, 0)}
    assert await counts(engine, "B") == {"w1": (100, 0, 0)}


async def test_the_release_of_a_closed_order_moves_what_it_held_once_and_nothing_after_it(
    physical: PostgresPhysical, engine: AsyncEngine
) -> None:
    await lay(engine, ("A", "w1", 10), ("A", "w2", 10))
    order_no, late = order_number(), order_number()
    await allocate(physical, order_no, (1, "A", "w1", 2), (2, "A", "w2", 3))
    of_order = StockOf(order_no=order_no)
    assert await asyncio.gather(*(physical.release(of_order) for _ in range(5))) == [Moved(pieces=5)] * 5
    assert await physical.release(StockOf(order_no=late)) == Moved(pieces=0)
    await allocate(physical, late, (1, "A", "w1", 2))
    assert await counts(engine) == {"w1": (10, 0, 0), "w2": (10, 0, 0)}
