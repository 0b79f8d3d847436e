"""What the audit leaves alone, and what it finds and leaves to a person."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from activities.attention import RecordAttention
from domain.order.status import CloseReason, Status
from tests.support.audits import audit, done_about, found_about, received, runs_of, terminate
from tests.support.books import NOW
from tests.support.endings import closed_and_given_back
from tests.support.shop import Person, Shop, until
from tests.support.stories import FAR, paid
from tests.support.trade import cart, coupon, merchant, promote, shelf, shelve


async def alarms(shop: Shop, order_no: str, subject: str = "") -> int:
    rows = await shop.sql(
        "SELECT 1 FROM outbox WHERE topic = 'alarm' AND body->>'topic' = 'audit'"
        " AND body->>'order_no' = :no AND body->>'subject' = :subject",
        no=order_no,
        subject=subject or order_no,
    )
    return len(rows)


@asynccontextmanager
async def unguarded(shop: Shop, table: str) -> AsyncIterator[None]:
    """A table whose CHECK does not hold what a person, or a bug, does to it."""
    await shop.sql(f"ALTER TABLE {table} DROP CONSTRAINT {table}_adds_up_check")
    try:
        yield
    finally:
        total, gone = ("sellable_total", "deducted") if table == "stock" else ("total", "shipped")
        check = f"CHECK ({total} = available + reserved + {gone})"
        await shop.sql(f"ALTER TABLE {table} ADD CONSTRAINT {table}_adds_up_check {check}")


async def test_an_order_with_a_run_is_never_touched(shop: Shop) -> None:
    waiting = await shop.place([await shop.sku()], **FAR)
    on_its_way = await shop.place([await shop.sku()])
    await paid(shop, on_its_way)
    await shop.when(on_its_way, lambda view: view.sub_orders[0].handed_over_at is not None)
    before = [(await shop.run(order_no).describe()).run_id for order_no in (waiting, on_its_way)]
    report = await audit(shop)
    assert [(await shop.run(order_no).describe()).run_id for order_no in (waiting, on_its_way)] == before
    assert done_about(report, waiting) == done_about(report, on_its_way) == []
    assert found_about(report, waiting) == found_about(report, on_its_way) == []
    await shop.cancel(waiting)
    await received(shop, on_its_way)


async def test_a_mark_that_a_lost_try_has_left_on_an_ended_order_is_taken_away(shop: Shop) -> None:
    """The run has ended and knows nothing of it; so nobody else would ever heal it."""
    order_no = await shop.place([await shop.sku()])
    await paid(shop, order_no)
    (number,) = await shop.split(order_no)
    await received(shop, order_no)
    await shop.ended(order_no)
    for subject, topic in (("", "stock"), (number, "transit")):
        lost = RecordAttention(order_no=order_no, subject=subject, topic=topic, text="lost", at=NOW)
        assert (await shop.attention.record_attention(lost)).changed
    await audit(shop)
    assert (await shop.show(order_no)).attention == []


async def test_a_refund_that_is_stuck_is_listed_until_it_is_paid_though_its_order_has_ended(shop: Shop) -> None:
    """One sub-order is cancelled, the other received: the mark outlives the order, and the audit leaves it."""
    skus = [await shop.sku(merchant="m1"), await shop.sku(merchant="m2")]
    order_no = await shop.place(skus)
    await paid(shop, order_no)
    first, second = await shop.split(order_no)
    await shop.bad_days(refund_refuses=True)
    await shop.cancel(first)
    await shop.when(order_no, lambda view: "refund" in {one.topic for one in view.attention}, 60)
    assert (await shop.ship(second)).refused is None
    await shop.confirm(second)
    await shop.when_status(order_no, Status.COMPLETED)
    await audit(shop)
    assert [(one.subject, one.topic) for one in (await shop.show(order_no)).attention] == [(first, "refund")]
    await shop.bad_days()
    await shop.sub_run(first).signal("try_again")
    await shop.ended(order_no)
    assert (await shop.show(order_no)).attention == []


async def test_an_order_younger_than_the_grace_is_left_alone(shop: Shop) -> None:
    sku = await shop.sku()
    order_no = await shop.place([sku], payment_window_s=1)
    await terminate(shop, order_no)
    assert done_about(await audit(shop, grace_s=300), order_no) == []
    await audit(shop)
    await closed_and_given_back(shop, order_no, CloseReason.UNPAID, sku)


async def test_two_audits_at_once_do_nothing_twice(shop: Shop) -> None:
    order_nos = [await shop.place([await shop.sku()], **FAR) for _ in range(5)]
    await terminate(shop, *order_nos)
    reports = await asyncio.gather(audit(shop), audit(shop))
    for order_no in order_nos:
        assert sum(len(done_about(report, order_no)) for report in reports) == 1
        assert await until(lambda no=order_no: runs_of(shop, no), lambda runs: runs >= 2) == 2  # type: ignore[misc]
        await shop.cancel(order_no)


async def test_an_open_run_long_past_its_deadline_needs_a_person_and_is_left_alone(shop: Shop) -> None:
    order_no = await shop.place([await shop.sku()], **FAR)
    run = await shop.run(order_no).describe()
    late = "UPDATE orders SET pay_by = now() + :by * interval '1 second' WHERE order_no = :no"
    await shop.sql(late, no=int(order_no), by=-7_200)
    (text,) = found_about(await audit(shop), order_no)
    assert text.startswith("its run is open, and should have gone on by ")
    assert (await shop.run(order_no).describe()).run_id == run.run_id
    await shop.sql(late, no=int(order_no), by=600)
    assert found_about(await audit(shop), order_no) == []
    await shop.cancel(order_no)


async def test_a_counter_that_was_corrupted_raises_one_alarm_and_heals_when_it_is_mended(shop: Shop) -> None:
    sku = await shop.sku()
    subject = f"stock/sellable/{sku}/main"
    async with unguarded(shop, "stock"):
        await shop.sql("UPDATE stock SET available = available - 1 WHERE sku = :sku", sku=sku)
        (text,) = found_about(await audit(shop), subject)
        assert "counters: 9 available" in text
        assert "entries: 10 available" in text
        assert len(found_about(await audit(shop), subject)) == 1
        assert await alarms(shop, "0", subject) == 1
        await shop.sql("UPDATE stock SET available = available + 1 WHERE sku = :sku", sku=sku)
    assert found_about(await audit(shop), subject) == []
    assert await shop.sql("SELECT 1 FROM attentions WHERE subject = :subject", subject=subject) == []


async def test_a_counter_that_does_not_go_with_its_reservations_is_found(shop: Shop) -> None:
    sku = await shop.sku()
    order_no = await shop.place([sku], **FAR)
    await shop.sql("UPDATE stock_reservations SET quantity = 2 WHERE order_no = :no", no=int(order_no))
    (text,) = found_about(await audit(shop), f"stock/sellable/{sku}/main")
    assert "counters: 9 available, 1 reserved" in text
    assert "reservations: 2 reserved" in text
    await shop.sql("UPDATE stock_reservations SET quantity = 1 WHERE order_no = :no", no=int(order_no))
    await shop.cancel(order_no)


async def test_goods_set_aside_for_a_closed_order_and_its_coupon_are_found_and_heal(shop: Shop) -> None:
    person, owner = Person(), merchant()
    sku = await shop.sku(merchant=owner)
    await shelve(shop, owner, "w1", **{sku: 5})
    off = await promote(shop, level="SHOP_COUPON", merchant=owner, threshold_fen=1_000, off_fen=200)
    code = await coupon(shop, off, person.buyer_id)
    placement = await shop.ask(cart(shop, person, 800, (sku, 1), coupons=(code,)))
    order_no = placement.order_no
    await paid(shop, order_no)
    assert (await shop.cancel(order_no)).refused is None
    assert (await shop.ended(order_no)).status is Status.CLOSED
    assert await shelf(shop, sku) == {"w1": (5, 0, 0)}
    held = "UPDATE physical_reservations SET state = :state WHERE order_no = :no"
    await shop.sql(held, state="RESERVED", no=int(order_no))
    taken = "UPDATE coupons SET state = :state, order_no = :no WHERE coupon_id = :id"
    await shop.sql(taken, state="TAKEN", no=int(order_no), id=code)
    for _ in range(2):
        report = await audit(shop)
        (text,) = found_about(report, order_no)
        assert text.startswith("it has ended (CLOSED), and still holds 1 coupons, goods in a warehouse for ")
        assert found_about(report, f"stock/physical/{sku}/w1")
    assert await alarms(shop, order_no) == 1
    assert [mark.topic for mark in (await shop.show(order_no)).attention] == ["audit"]
    await shop.sql(held, state="RESHELVED", no=int(order_no))
    await shop.sql(taken, state="AVAILABLE", no=None, id=code)
    assert found_about(await audit(shop), order_no) == []
    assert (await shop.show(order_no)).attention == []
