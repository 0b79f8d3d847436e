"""Goods that wait, and goods that no carrier carries: presale, back-order, virtual."""

from datetime import UTC, date, datetime, timedelta

from temporalio.client import WorkflowHandle
from temporalio.service import RPCError

from domain.order.acts import Reschedule
from domain.order.order_number import parse
from domain.order.product import DeliveryMode
from domain.order.status import Actor, CloseReason, Status
from tests.support.endings import books_balance
from tests.support.shop import Person, Shop, until
from tests.support.trade import buy, cart, merchant, shelf, shelve


def today() -> date:
    return datetime.now(UTC).date()


async def handed(shop: Shop, owner: str) -> list[str]:
    parcels = (await shop.http.get(f"/merchants/{owner}/hand-overs")).json()
    return [parcel["sub_order_no"] for parcel in parcels]


async def test_a_presale_is_handed_over_on_its_date_and_not_before(virtual: Shop) -> None:
    """Days pass on the time-skipping server. What is in stock goes out at once, as a sub-order of its own."""
    assert virtual.environment is not None
    owner = merchant()
    with virtual.environment.with_time_skipping_disabled():
        later = await virtual.sku(merchant=owner, ships_from=today() + timedelta(days=3))
        now = await virtual.sku(merchant=owner)
        order_no = await buy(virtual, cart(virtual, Person(), 2_000, (later, 1), (now, 1)))
        subs = (await virtual.show(order_no)).sub_orders
        presale = next(sub.sub_order_no for sub in subs if sub.ships_from)
        ordinary = next(sub.sub_order_no for sub in subs if not sub.ships_from)
        await until(lambda: handed(virtual, owner), lambda numbers: numbers == [ordinary])
        early = await virtual.ship(presale)
        assert early.refused is not None and "presale" in early.refused.reason
        await virtual.environment.fast_forward(virtual.sub_run(presale), timedelta(days=3))
        await until(lambda: handed(virtual, owner), lambda numbers: presale in numbers)


async def test_a_presale_that_waits_can_be_cancelled_and_is_never_handed_over(shop: Shop) -> None:
    owner = merchant()
    sku = await shop.sku(merchant=owner, ships_from=today() + timedelta(days=30))
    order_no = await buy(shop, cart(shop, Person(), 1_000, (sku, 1)))
    assert (await shop.cancel(order_no)).refused is None
    assert (await shop.ended(order_no)).close_reason is CloseReason.CANCELLED_BY_BUYER
    assert await handed(shop, owner) == []
    await books_balance(shop, order_no)


async def test_a_presales_date_can_be_moved_until_it_has_left(shop: Shop) -> None:
    """Later, then to a day that has come: it leaves at once, and can't be moved any more."""
    owner = merchant()
    sku = await shop.sku(merchant=owner, ships_from=today() + timedelta(days=3))
    order_no = await buy(shop, cart(shop, Person(), 1_000, (sku, 1)))
    (number,) = await shop.split(order_no)

    async def move(day: date) -> str:
        moved = await shop.acts.reschedule(parse(number), Reschedule(actor=Actor.MERCHANT, ships_from=day))
        return moved.refused.reason if moved.refused else ""

    assert await move(today() + timedelta(days=9)) == ""
    assert (await shop.show(order_no)).sub_orders[0].ships_from == today() + timedelta(days=9)
    assert await move(today()) == ""
    await until(lambda: handed(shop, owner), lambda numbers: numbers == [number])
    await shop.when(order_no, lambda view: view.sub_orders[0].handed_over_at is not None)
    assert "has it already" in await move(today() + timedelta(days=1))
    await shop.ship(number)
    await shop.confirm(number)
    assert (await shop.ended(order_no)).status is Status.COMPLETED


async def test_virtual_goods_are_granted_to_their_buyer_and_no_code_is_in_any_history(shop: Shop) -> None:
    owner = merchant()
    sku = await shop.sku(merchant=owner, delivery_mode=DeliveryMode.VIRTUAL)
    order_no = await buy(shop, cart(shop, Person(), 2_000, (sku, 2)))
    view = await shop.when(order_no, lambda view: view.sub_orders[0].granted is not None)
    (part,) = view.sub_orders
    assert (part.status, part.warehouse, part.carrier) == (Status.SHIPPED, None, None)
    assert part.granted is not None and len(set(part.granted)) == 2
    await shop.confirm(part.sub_order_no)
    assert (await shop.ended(order_no)).status is Status.COMPLETED
    for run in (shop.run(order_no), shop.sub_run(part.sub_order_no)):
        assert not [code for code in part.granted if code in await history(run)]


async def being_granted(shop: Shop, pieces: int) -> tuple[str, str, list[str]]:
    """An order whose merchant has given the codes, and takes its time to say so: its number, the sub-order's, and the
    codes."""
    owner = merchant()
    sku = await shop.sku(merchant=owner, delivery_mode=DeliveryMode.VIRTUAL)
    await shop.bad_days(hand_over_hangs_s=2)
    order_no = await buy(shop, cart(shop, Person(), 1_000 * pieces, (sku, pieces)))
    (number,) = await shop.split(order_no)

    async def grants() -> dict[str, dict[str, list[dict[str, list[str]]]]]:
        given: dict[str, dict[str, list[dict[str, list[str]]]]]
        given = (await shop.http.get(f"/merchants/{owner}/grants")).json()
        return given

    (line,) = (await until(grants, bool))[number]["lines"]
    return order_no, number, line["codes"]


async def test_a_piece_that_is_cancelled_while_its_code_is_granted_is_money_or_a_code_and_not_both(shop: Shop) -> None:
    order_no, number, codes = await being_granted(shop, 2)
    try:
        assert (await shop.cancel_pieces(number, {1: 1})).refused is None
        view = await shop.when(order_no, lambda view: view.sub_orders[0].granted is not None)
    finally:
        await shop.bad_days()
    assert view.sub_orders[0].granted == codes[:1]
    assert [refund.amount_fen for refund in view.refunds] == [1_000]
    assert await unused(shop, number) == {"1": 1}, "the merchant may give it to somebody else"
    await shop.confirm(number)
    assert (await shop.ended(order_no)).status is Status.COMPLETED
    await books_balance(shop, order_no)


async def test_codes_that_come_after_a_cancel_are_not_the_buyers(shop: Shop) -> None:
    order_no, number, _ = await being_granted(shop, 2)
    try:
        assert (await shop.cancel(order_no)).refused is None
        assert (await shop.ended(order_no)).close_reason is CloseReason.CANCELLED_BY_BUYER
        view = await shop.when(order_no, lambda view: view.sub_orders[0].granted is not None)
    finally:
        await shop.bad_days()
    assert view.sub_orders[0].granted == []
    assert [refund.amount_fen for refund in view.refunds] == [2_000]
    assert await unused(shop, number) == {"1": 2}
    await books_balance(shop, order_no)


async def unused(shop: Shop, number: str) -> dict[str, int]:
    """How many of the last codes of each line the merchant was told are free."""
    (row,) = await shop.sql("SELECT body FROM outbox WHERE message_id = :id", id=f"codes-unused/{number}")
    last: dict[str, int] = row.body["last_of_line"]
    return last


async def history(run: WorkflowHandle[object, object]) -> str:
    return (await run.fetch_history()).to_json()


async def waits(shop: Shop, number: str) -> bool:
    """Whether its run has looked once, and waits until it looks again."""
    try:
        return "EVENT_TYPE_TIMER_STARTED" in await history(shop.sub_run(number))
    except RPCError:
        return False


async def test_a_back_order_waits_for_its_goods_and_then_goes_out(shop: Shop) -> None:
    """Sold beyond the shelf: what there is goes out, the rest follows when it has come."""
    owner = merchant()
    sku = await shop.sku(merchant=owner)
    await shelve(shop, owner, "w1", **{sku: 1})
    order_no = await buy(shop, cart(shop, Person(), 3_000, (sku, 3)))
    parts = (await shop.show(order_no)).sub_orders
    late = next(part for part in parts if "BACKORDER" in part.flags)
    there = next(part for part in parts if "BACKORDER" not in part.flags)
    await until(lambda: handed(shop, owner), lambda numbers: numbers == [there.sub_order_no])
    await shelve(shop, owner, "w1", **{sku: 2})
    await until(lambda: waits(shop, late.sub_order_no), bool)
    await shop.sub_run(late.sub_order_no).signal("try_again")
    await until(lambda: handed(shop, owner), lambda numbers: len(numbers) == 2)
    assert await shelf(shop, sku) == {"w1": (0, 3, 0)}
    for part in parts:
        await shop.ship(part.sub_order_no)
        await shop.confirm(part.sub_order_no)
    assert (await shop.ended(order_no)).status is Status.COMPLETED
    assert await shelf(shop, sku) == {"w1": (0, 0, 3)}


async def test_a_back_order_whose_goods_do_not_come_by_the_promised_date_is_paid_back(shop: Shop) -> None:
    owner = merchant()
    sku = await shop.sku(merchant=owner)
    await shelve(shop, owner, "w1")
    order_no = await buy(shop, cart(shop, Person(), 1_000, (sku, 1)), backorder_window_s=1)
    assert (await shop.ended(order_no)).close_reason is CloseReason.OUT_OF_STOCK
    assert [refund.amount_fen for refund in (await shop.show(order_no)).refunds] == [1_000]
    assert (await shop.level(sku))["available"] == 10
    await books_balance(shop, order_no)
