"""What people look at: lists in tabs and pages, and an order in full."""

from datetime import timedelta

import pytest

from activities.attention import RecordAttention
from domain.order.status import Status
from domain.records.views import ListItem, Page, Tab
from store.orders.views import BadCursor
from tests.support.books import BUYER, NOW, Ledgers, line, order_number

STRANGER = BUYER + 1


async def tab(ledgers: Ledgers, which: Tab) -> list[str]:
    page = await ledgers.views.of_buyer(BUYER, which, 100)
    assert page.next is None
    return [name(item) for item in page.items]


def name(item: ListItem) -> str:
    return item.sub_order_no or item.order_no


async def test_each_order_is_in_the_tab_of_its_status(ledgers: Ledgers) -> None:
    """Unpaid orders whole, all others by their sub-orders, and nothing of other buyers."""
    unpaid = await ledgers.placed(line(1, "m1"), line(2, "m2"))
    _, (waiting, shipped) = await ledgers.split(line(1, "m1"), line(2, "m2"))
    order_no, (received, stuck, closed, reviewed) = await ledgers.split(*(line(n, f"m{n}") for n in range(1, 5)))
    await ledgers.split(buyer_id=STRANGER)
    for sub in (shipped, received, reviewed):
        await ledgers.ship(sub)
    for sub in (received, reviewed):
        await ledgers.receive(sub)
    await ledgers.sub_book.review(reviewed, 5, "good", NOW)
    await ledgers.attention.record_attention(
        RecordAttention(order_no=order_no, subject=stuck, topic="hand-over", text="no answer", at=NOW)
    )
    await ledgers.close(order_no, closed)
    assert await tab(ledgers, Tab.TO_PAY) == [unpaid]
    assert set(await tab(ledgers, Tab.TO_SHIP)) == {waiting, stuck}
    assert await tab(ledgers, Tab.TO_RECEIVE) == [shipped]
    assert await tab(ledgers, Tab.TO_REVIEW) == [received]
    assert await tab(ledgers, Tab.AFTER_SALE) == []
    everything = [unpaid, waiting, shipped, received, stuck, closed, reviewed]
    assert sorted(await tab(ledgers, Tab.ALL)) == sorted(everything)


async def test_an_after_sale_is_in_its_tab_whatever_the_status(ledgers: Ledgers) -> None:
    """It is a mark beside the status."""
    _, (sub, _) = await ledgers.split(line(1, "m1"), line(2, "m2"))
    await ledgers.ship(sub)
    await ledgers.sql("UPDATE sub_orders SET after_sale = 'OPEN' WHERE sub_order_no = :no", no=sub)
    assert await tab(ledgers, Tab.AFTER_SALE) == await tab(ledgers, Tab.TO_RECEIVE) == [sub]


async def test_a_paid_order_that_is_not_split_yet_shows_whole_and_once_split_by_its_parts(ledgers: Ledgers) -> None:
    """Never both."""
    paid = await ledgers.paid(line(1, "m1"), line(2, "m2"))
    assert await tab(ledgers, Tab.TO_SHIP) == [paid]
    _, subs = await ledgers.split(line(1, "m1"), line(2, "m2"))
    assert sorted(await tab(ledgers, Tab.ALL)) == sorted([paid, *subs])


async def test_a_sub_order_shows_what_was_paid_beside_the_list_price_and_its_parent(ledgers: Ledgers) -> None:
    """Edge case 24: its own share of the discount, not all of it."""
    order_no, (first, second) = await ledgers.split(line(1, "m1", quantity=3, off_fen=299), line(2, "m2", off_fen=1))
    items = {name(item): item for item in (await ledgers.views.of_buyer(BUYER, Tab.ALL, 10)).items}
    assert (items[first].goods_fen, items[first].pay_fen, items[first].order_no) == (3_000, 2_701, order_no)
    assert (items[second].goods_fen, items[second].pay_fen, items[second].order_no) == (1_000, 999, order_no)
    assert (items[first].merchants, items[first].titles) == (["m1"], ["Thing 1 of m1"])


async def test_a_whole_order_shows_all_that_is_in_it(ledgers: Ledgers) -> None:
    """Every merchant and title once."""
    await ledgers.placed(line(1, "m2"), line(2, "m1"))
    (item,) = (await ledgers.views.of_buyer(BUYER, Tab.TO_PAY, 10)).items
    assert (item.merchants, item.titles) == (["m1", "m2"], ["Thing 1 of m2", "Thing 2 of m1"])
    assert (item.sub_order_no, item.pay_fen) == (None, 2_000)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_pages_lose_and_double_nothing_while_new_orders_arrive(ledgers: Ledgers, size: int) -> None:
    """Some placed in one and the same second; the newcomers are on no later page."""
    seconds = (0, 1, 1, 2)
    there: list[str] = []
    for n in seconds:
        there.append(await ledgers.placed(at=NOW + timedelta(seconds=n)))
        there += (await ledgers.split(line(1, "m1"), line(2, "m2"), at=NOW + timedelta(seconds=n)))[1]
    seen: list[ListItem] = []
    page = Page(items=[], next=None)
    for n in range(100):
        page = await ledgers.views.of_buyer(BUYER, Tab.ALL, size, page.next)
        assert 0 < len(page.items) <= size
        seen += page.items
        await ledgers.placed(at=NOW + timedelta(minutes=1 + n))
        if page.next is None:
            break
    assert sorted(name(item) for item in seen) == sorted(there)
    assert [item.placed_at for item in seen] == sorted((item.placed_at for item in seen), reverse=True)


async def test_a_page_that_is_exactly_full_is_the_last(ledgers: Ledgers) -> None:
    """No empty page after it."""
    await ledgers.placed()
    await ledgers.placed()
    assert (await ledgers.views.of_buyer(BUYER, Tab.ALL, 2)).next is None


@pytest.mark.parametrize(
    "cursor",
    [
        *("", "x", "1_2_3", "2026-11-11T12:30:00_1_0", "2026-11-11T12:30:00+00:00_x_0", "2026-11-11T12:30:00+00:00_1"),
        *("2026-11-11T12:30:00+00:00_-1_0", f"2026-11-11T12:30:00+00:00_{2**63}_0", "2026-11-11T12:30:00+00:00_1_100"),
        *("' OR 1=1 --", "2026-11-11T12:30:00+00:00_1_0_0", "9" * 10_000),
    ],
)
async def test_a_cursor_that_no_page_gave_is_refused(ledgers: Ledgers, cursor: str) -> None:
    """With a way out, and never by the database."""
    with pytest.raises(BadCursor, match="leave it out"):
        await ledgers.views.of_buyer(BUYER, Tab.ALL, 10, cursor)


async def test_a_merchant_sees_its_own_sub_orders_and_no_unpaid_order(ledgers: Ledgers) -> None:
    """By status too."""
    await ledgers.placed(line(1, "m1"))
    _, (mine, other) = await ledgers.split(line(1, "m1"), line(2, "m2"))
    page = await ledgers.views.of_merchant("m1", None, 10)
    assert [name(item) for item in page.items] == [mine]
    await ledgers.ship(other)
    assert (await ledgers.views.of_merchant("m1", Status.SHIPPED, 10)).items == []
    assert [name(item) for item in (await ledgers.views.of_merchant("m2", Status.SHIPPED, 10)).items] == [other]


async def test_operators_see_orders_whole_and_find_those_that_need_a_person(ledgers: Ledgers) -> None:
    """The trouble may be the order's or a sub-order's."""
    unpaid = await ledgers.placed()
    order_no, (sub,) = await ledgers.split()
    fine, _ = await ledgers.split()
    for number, subject in ((unpaid, ""), (order_no, sub)):
        trouble = RecordAttention(order_no=number, subject=subject, topic="t", text="no answer", at=NOW)
        await ledgers.attention.record_attention(trouble)
    every = await ledgers.views.for_operators(None, False, 10)
    assert {name(item): item.needs_attention for item in every.items} == {unpaid: True, order_no: True, fine: False}
    needing = await ledgers.views.for_operators(None, True, 10)
    assert {name(item) for item in needing.items} == {unpaid, order_no}
    waiting = await ledgers.views.for_operators(Status.PENDING_PAYMENT, True, 10)
    assert [name(item) for item in waiting.items] == [unpaid]


async def test_an_order_shows_what_of_it_was_shipped_and_what_was_closed(ledgers: Ledgers) -> None:
    """Piece by piece, on its lines and on its sub-orders'."""
    goods = (line(1, "m1", quantity=2), line(2, "m2", quantity=3), line(3, "m3"))
    order_no, (first, second, _) = await ledgers.split(*goods)
    await ledgers.ship(first)
    await ledgers.close(order_no, second)
    view = await ledgers.views.order(order_no)
    assert view is not None
    assert view.status is Status.PARTIALLY_SHIPPED
    assert [(one.quantity, one.shipped, one.closed) for one in view.lines] == [(2, 2, 0), (3, 0, 3), (1, 0, 0)]
    assert [[(one.shipped, one.closed) for one in sub.lines] for sub in view.sub_orders] == [
        [(2, 0)],
        [(0, 3)],
        [(0, 0)],
    ]
    assert [(refund.amount_fen, refund.state) for refund in view.refunds] == [(3_000, "REQUESTED")]


async def test_an_order_that_does_not_exist_shows_nothing(ledgers: Ledgers) -> None:
    """And neither an empty list nor an error."""
    assert await ledgers.views.order(order_number()) is None
    assert (await ledgers.views.of_buyer(STRANGER, Tab.ALL, 10)) == Page(items=[], next=None)
