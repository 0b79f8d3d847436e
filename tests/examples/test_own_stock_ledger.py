"""The example of a stock of one's own: orders go through it, and the gate, the price and the audit ask nobody else."""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from domain.order.reservation import ReserveStock, StockLine
from domain.order.status import Status
from examples.own_stock_ledger.ledger import SqliteStock
from examples.own_stock_ledger.stock_file import StockFile
from runtime.embedded import free_port
from tests.examples.house import House, Servers, open_house
from tests.support.audits import audit, done_about, found_about
from tests.support.books import order_number
from tests.support.shop import Person
from tests.support.trade import promote
from tests.support.web import problem

PARTIES = "examples.own_stock_ledger.parties:PARTIES"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stock") / "stock.db"


@pytest.fixture(scope="module")
async def house(servers: Servers, path: Path) -> AsyncIterator[House]:
    async with open_house(servers, "own_stock", free_port(), {"STOCK_FILE": str(path)}, parties=PARTIES) as opened:
        yield opened


@pytest.fixture
def file(path: Path) -> Iterator[StockFile]:
    with closing(StockFile(path)) as opened:
        yield opened


def counters(file: StockFile, sku: str) -> tuple[int, int, int]:
    """Available, reserved and sold."""
    with file.reading() as db:
        row = db.execute("SELECT available, reserved, sold FROM counters WHERE sku = ?", (sku,)).fetchone()
        return row["available"], row["reserved"], row["sold"]


async def goods(house: House, file: StockFile, pieces: int) -> str:
    """On sale in the catalog, and received nowhere but here."""
    sku = await house.shop.sku(pieces=0)
    file.receive(sku, pieces)
    return sku


async def test_an_order_holds_sells_and_brings_back_its_pieces_there(house: House, file: StockFile) -> None:
    shop, person, sku = house.shop, Person(), await goods(house, file, 3)
    order_no = (await house.place([sku], person))["order_no"]
    assert counters(file, sku) == (2, 1, 0)
    await shop.pay(order_no)
    await shop.split(order_no)
    assert counters(file, sku) == (2, 0, 1)
    cancelled = await house.web.buyer(person).post(f"/orders/{order_no}/cancel", {"note": "too slow"})
    assert cancelled.status_code == 200, cancelled.text
    assert (await shop.ended(order_no)).status is Status.CLOSED
    assert counters(file, sku) == (3, 0, 0)
    assert await shop.sql("SELECT 1 FROM stock_operations") == []


async def test_an_order_is_shipped_and_received_without_a_warehouse_of_ours(house: House, file: StockFile) -> None:
    shop, sku = house.shop, await goods(house, file, 3)
    order_no = (await house.place([sku], Person()))["order_no"]
    await shop.pay(order_no)
    (sub,) = await shop.split(order_no)
    assert (await shop.ship(sub)).refused is None
    assert (await shop.confirm(sub)).refused is None
    assert (await shop.ended(order_no)).status is Status.COMPLETED
    assert counters(file, sku) == (2, 0, 1)


async def test_what_is_sold_out_there_is_refused_by_the_gate_without_a_number(house: House, file: StockFile) -> None:
    sku = await goods(house, file, 1)
    await house.place([sku], Person())
    refused = problem(await house.ask_for([sku], Person()), 409, "order-refused")
    assert refused["code"] == "OUT_OF_STOCK"
    assert "order_no" not in refused


async def test_a_gift_that_is_there_and_nowhere_else_is_promised_and_held(house: House, file: StockFile) -> None:
    sku, present, none_left = [await goods(house, file, pieces) for pieces in (3, 1, 0)]
    for gift in (present, none_left):
        await promote(house.shop, kind="GIFT", skus=[sku], threshold_pieces=1, gift_sku=gift)
    await house.place([sku], Person())
    assert counters(file, present) == (0, 1, 0)


async def test_the_audit_gives_back_what_is_held_there_for_no_order(house: House, file: StockFile) -> None:
    sku, nobodys = await goods(house, file, 2), order_number()
    lines = [StockLine(line_no=1, sku=sku, quantity=2)]
    await SqliteStock(file).reserve(ReserveStock(order_no=nobodys, lines=lines))
    assert counters(file, sku) == (0, 2, 0)
    (done,) = done_about(await audit(house.shop), nobodys)
    assert done.startswith("given back")
    assert counters(file, sku) == (2, 0, 0)


async def test_the_audit_finds_a_counter_there_that_was_corrupted(house: House, file: StockFile) -> None:
    sku = await goods(house, file, 2)
    with file.writing() as db:
        db.execute("UPDATE counters SET available = 1, sold = 1 WHERE sku = ?", (sku,))
    (text,) = found_about(await audit(house.shop), f"stock/own/{sku}")
    assert "0 reserved and 1 sold by the counter, 0 and 0 by the orders' lines" in text
