"""When a line takes its stock is the merchant's choice, and stays with the line."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from activities.stock import Deducted, Moved, ReleaseStock, Restock, StockOf
from domain.order.reservation import Reserved, ReserveStock, Shortage, StockLine
from domain.order.stock import StockPolicy
from store.stock.changes import history
from store.stock.ledger import PostgresStock
from tests.support.books import order_number
from tests.support.stock import level

ON_PAYMENT = StockPolicy.DEDUCT_ON_PAYMENT


def promised(line_no: int, sku: str, quantity: int) -> StockLine:
    return StockLine(line_no=line_no, sku=sku, quantity=quantity, policy=ON_PAYMENT)


def held(line_no: int, sku: str, quantity: int) -> StockLine:
    return StockLine(line_no=line_no, sku=sku, quantity=quantity)


async def place(stock: PostgresStock, *lines: StockLine) -> str:
    order_no = order_number()
    assert await stock.reserve(ReserveStock(order_no=order_no, lines=list(lines))) == Reserved(short=[])
    return order_no


async def test_a_promised_line_takes_nothing_until_it_is_paid(stock: PostgresStock) -> None:
    """Then it takes it from what is left."""
    await stock.receive("A", 5)
    order_no = await place(stock, promised(1, "A", 2))
    assert await level(stock) == (5, 0, 0)
    assert await stock.deduct(StockOf(order_no=order_no)) == Deducted(pieces=2)
    assert await level(stock) == (3, 0, 2)


async def test_what_was_promised_and_is_gone_is_named_and_the_rest_is_sold(stock: PostgresStock) -> None:
    """Line by line; the answer is kept, also when goods arrive later."""
    await stock.receive("A", 3)
    await stock.receive("B", 3)
    order_no = await place(stock, promised(1, "A", 2), promised(2, "A", 2), held(3, "B", 1), promised(4, "A", 1))
    answer = await stock.deduct(StockOf(order_no=order_no))
    lacking = Shortage(line_no=2, sku="A", wanted=2, available=1)
    assert answer == Deducted(pieces=4, short=[lacking])
    await stock.receive("A", 10)
    assert await stock.deduct(StockOf(order_no=order_no)) == answer
    assert (await level(stock, "A"), await level(stock, "B")) == ((10, 0, 3), (2, 0, 1))


async def test_the_last_promised_piece_is_sold_once_whoever_pays_first(stock: PostgresStock) -> None:
    """Thirty have paid for ten."""
    await stock.receive("A", 10)
    orders = [await place(stock, promised(1, "A", 1)) for _ in range(30)]
    answers = await asyncio.gather(*(stock.deduct(StockOf(order_no=order_no)) for order_no in orders))
    assert sum(answer.pieces for answer in answers) == 10
    assert sum(len(answer.short) for answer in answers) == 20
    assert await level(stock) == (0, 0, 10)


async def test_a_release_ends_promised_lines_and_moves_no_piece_for_them(stock: PostgresStock) -> None:
    """A deduction after it finds nothing to sell."""
    await stock.receive("A", 5)
    order_no = await place(stock, promised(1, "A", 2), held(2, "A", 1))
    assert await stock.release(ReleaseStock(order_no=order_no)) == Moved(pieces=1)
    late = await stock.deduct(StockOf(order_no=order_no))  # every line is lacking: nothing of it may ship
    assert (late.pieces, [short.line_no for short in late.short]) == (0, [1, 2])
    assert await level(stock) == (5, 0, 0)


async def test_edge_case_20_each_line_keeps_the_policy_it_was_placed_with(stock: PostgresStock) -> None:
    """Two orders across a merchant's switch: each is undone by its own policy, and nothing leaks (EasyAbp/EShop)."""
    await stock.receive("A", 10)
    before = await place(stock, held(1, "A", 3))
    after = await place(stock, promised(1, "A", 3))
    assert await level(stock) == (7, 3, 0)
    for order_no in (after, before):
        await stock.release(ReleaseStock(order_no=order_no))
    assert await level(stock) == (10, 0, 0)


async def test_edge_case_21_a_partial_refund_brings_back_only_the_pieces_it_names(stock: PostgresStock) -> None:
    """Never the whole line (yudao-cloud); and of a promised line as of another."""
    await stock.receive("A", 10)
    order_no = await place(stock, promised(1, "A", 4))
    await stock.deduct(StockOf(order_no=order_no))
    one = Restock(order_no=order_no, reason_key="refund/1", lines=[held(1, "A", 1)])
    assert [await stock.restock(one) for _ in range(2)] == [Moved(pieces=1)] * 2
    assert await level(stock) == (7, 0, 3)


async def test_edge_case_22_a_cancelled_order_holds_nothing_again_and_a_new_one_does(stock: PostgresStock) -> None:
    """There is no un-cancel that sells without reserving: the order's key is spent (paynl/magento2-plugin#220)."""
    await stock.receive("A", 1)
    order_no = await place(stock, held(1, "A", 1))
    await stock.release(ReleaseStock(order_no=order_no))
    await stock.reserve(ReserveStock(order_no=order_no, lines=[held(1, "A", 1)]))
    late = await stock.deduct(StockOf(order_no=order_no))
    assert (late.pieces, [short.line_no for short in late.short]) == (0, [1])
    assert await level(stock) == (1, 0, 0)
    await place(stock, held(1, "A", 1))
    assert await level(stock) == (0, 1, 0)


async def test_each_channel_sells_from_its_own_stock(stock: PostgresStock) -> None:
    """One's shortage is not the other's."""
    await stock.receive("A", 1)
    await stock.receive("A", 5, channel="live")
    wanted = ReserveStock(order_no=order_number(), lines=[held(1, "A", 3)], channel="live")
    assert await stock.reserve(wanted) == Reserved(short=[])
    assert (await stock.levels(["A"], "live"))["A"]["available"] == 2
    short = await stock.reserve(wanted.model_copy(update={"order_no": order_number(), "channel": "main"}))
    assert [shortage.available for shortage in short.short] == [1]
    await stock.release(ReleaseStock(order_no=wanted.order_no))
    assert (await stock.levels(["A"], "live"))["A"]["available"] == 5
    assert await level(stock) == (1, 0, 0)


async def test_a_promise_of_a_sku_that_nobody_has_received_is_refused(stock: PostgresStock) -> None:
    """Unknown is not the same as sold out."""
    wanted = ReserveStock(order_no=order_number(), lines=[promised(1, "NEVER SEEN", 1)])
    assert len((await stock.reserve(wanted)).short) == 1


async def test_the_entries_of_a_sku_add_up_to_its_counters_and_name_the_orders(
    stock: PostgresStock, engine: AsyncEngine
) -> None:
    """Twelve orders, through batches, to each of their ends."""
    await stock.receive("A", 50)
    orders = [order_number() for _ in range(12)]
    policies = [held(1, "A", 2), promised(1, "A", 3)]
    wanted = [ReserveStock(order_no=no, lines=[policies[n % 2]]) for n, no in enumerate(orders)]
    await asyncio.gather(*(stock.reserve(one) for one in wanted))
    await asyncio.gather(*(stock.release(ReleaseStock(order_no=no)) for no in orders[:4]))
    await asyncio.gather(*(stock.deduct(StockOf(order_no=no)) for no in orders[4:]))
    for no in orders[4:6]:
        await stock.restock(Restock(order_no=no, reason_key="r", lines=[held(1, "A", 1)]))
    entries = await history(engine, "A", 1_000)
    sums = tuple(sum(getattr(entry, name) for entry in entries) for name in ("available", "reserved", "gone"))
    assert sums == await level(stock) == (50 - 4 * 2 - 4 * 3 + 2, 0, 4 * 2 + 4 * 3 - 2)
    of_first = [(e.kind, e.available, e.reserved, e.gone) for e in entries if e.order_no == orders[0]]
    assert of_first == [("reserve", -2, 2, 0), ("release", 2, -2, 0)]
    of_fifth = [(e.kind, e.available, e.reserved, e.gone) for e in entries if e.order_no == orders[5]]
    assert of_fifth == [("deduct", -3, 0, 3), ("restock", 1, 0, -1)]


async def test_a_repeat_that_asks_for_other_lines_is_told_so_and_holds_what_it_got_first(stock: PostgresStock) -> None:
    """A retry of a placement whose price came out differently must not be sold more than it holds."""
    await stock.receive("A", 5)
    order_no = await place(stock, held(1, "A", 1))
    other = await stock.reserve(ReserveStock(order_no=order_no, lines=[held(1, "A", 4)]))
    assert other == Reserved(short=[], other_lines=True)
    assert await level(stock) == (4, 1, 0)
    again = await stock.reserve(ReserveStock(order_no=order_no, lines=[held(1, "A", 1)]))
    assert again == Reserved(short=[])


async def test_a_release_brings_back_what_was_sold_and_nothing_of_the_order_can_be_had_after_it(
    stock: PostgresStock, engine: AsyncEngine
) -> None:
    """The try of a story before this one, lost with its worker, had sold it."""
    await stock.receive("A", 5)
    order_no = await place(stock, held(1, "A", 2), promised(2, "A", 1))
    of_order = ReleaseStock(order_no=order_no)
    assert await stock.deduct(of_order) == Deducted(pieces=3)
    undo = ReleaseStock(order_no=order_no, sold=True)
    assert await stock.release(undo) == await stock.release(undo) == Moved(pieces=3)
    assert await level(stock) == (5, 0, 0)
    assert [short.line_no for short in (await stock.deduct(of_order)).short] == [1, 2]
    again = ReserveStock(order_no=order_no, lines=[held(1, "A", 2), promised(2, "A", 1)])
    assert await stock.reserve(again) == Reserved(short=[], released_before=True)
    late = Restock(order_no=order_no, reason_key="close-lines", lines=[held(1, "A", 2)])
    assert await stock.restock(late) == Moved(pieces=0)
    assert await level(stock) == (5, 0, 0)
    entries = [(entry.kind, entry.available, entry.gone) for entry in await history(engine, "A", 10)]
    assert sorted(entries[-2:]) == [("restock", 1, -1), ("restock", 2, -2)]  # one of each policy's


async def test_a_release_of_what_was_partly_brought_back_brings_back_the_rest(stock: PostgresStock) -> None:
    """And no piece twice."""
    await stock.receive("A", 5)
    order_no = await place(stock, held(1, "A", 3))
    await stock.deduct(StockOf(order_no=order_no))
    await stock.restock(Restock(order_no=order_no, reason_key="one", lines=[held(1, "A", 1)]))
    assert await stock.release(ReleaseStock(order_no=order_no, sold=True)) == Moved(pieces=2)
    assert await level(stock) == (5, 0, 0)
