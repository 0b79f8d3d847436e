"""More of what went wrong in other shops; the numbers are those of the list of edge cases."""

import hashlib
import uuid
from datetime import UTC, datetime

from domain.order.lines import Placement
from domain.order.order_number import parse
from domain.order.product import Product
from domain.order.reservation import ReserveStock, StockLine
from domain.order.status import CloseReason, Status
from domain.risk import Decision
from runtime.wiring import CHANNEL
from store.orders.checkout_keys import PostgresCheckoutKeys
from tests.support.endings import closed_and_given_back
from tests.support.shop import Person, Shop, until
from tests.support.stories import FAR, attribute, paid, suspicious
from workflows import run_names


async def test_changing_a_product_never_changes_an_order(shop: Shop) -> None:
    """Edge case 33."""
    sku = await shop.sku()
    order_no = await shop.place([sku], **FAR)
    before = (await shop.show(order_no)).lines
    await shop.catalog.put(Product(sku=sku, merchant="m9", title="another", price_fen=1))
    await shop.pay(order_no)
    (number,) = await shop.split(order_no)
    view = await shop.show(order_no)
    assert [line.title for line in view.lines] == [line.title for line in before]
    assert (view.sub_orders[0].merchant, view.sub_orders[0].pay_fen) == ("m1", 1000)
    await shop.ship(number)
    await shop.confirm(number)
    assert (await shop.ended(order_no)).status is Status.COMPLETED


async def test_the_order_row_and_the_run_agree_at_every_step(shop: Shop) -> None:
    """Edge case 34: the caller starts the run, and the run alone writes the row."""
    order_no = await shop.place([await shop.sku()], **FAR)

    async def agree(status: Status) -> None:
        assert (await shop.show(order_no)).status is status
        await until(shop.run(order_no).describe, lambda run: attribute(run, run_names.ORDER_STATUS) == status)

    await agree(Status.PENDING_PAYMENT)
    (number,) = await paid(shop, order_no)
    await agree(Status.AWAITING_SHIPMENT)
    await shop.ship(number)
    await agree(Status.SHIPPED)
    await shop.confirm(number)
    await agree(Status.COMPLETED)


async def test_an_order_in_review_can_be_cancelled(shop: Shop) -> None:
    """Edge case 32: stuck in review, and nobody could cancel it."""
    sku = await shop.sku()
    order_no = await shop.place([sku], await suspicious(shop), **FAR)
    await shop.when(order_no, lambda view: bool(view.attention))
    assert (await shop.cancel(order_no)).refused is None
    await closed_and_given_back(shop, order_no, CloseReason.CANCELLED_BY_BUYER, sku)


async def test_alarms_and_notices_reach_the_address_in_the_settings(shop: Shop) -> None:
    order_no = await shop.place([await shop.sku()], await suspicious(shop), **FAR)
    await until(lambda: shop.http.get("/hooks?topic=alarm"), lambda answer: order_no in answer.text)
    await shop.when(order_no, lambda view: bool(view.attention))
    decision = Decision(approved=False, author="ann", note="a reseller")
    assert (await shop.acts.decide_risk(parse(order_no), decision)).refused is None
    await until(lambda: shop.http.get("/hooks?topic=notice"), lambda answer: order_no in answer.text)
    await shop.ended(order_no)


async def test_a_refusal_gives_back_what_a_lost_try_of_the_task_had_taken(shop: Shop) -> None:
    """Seen under fire: a worker reserved and died; the next one found another price, and refused with nothing to undo.

    Edge case 30 is its sister: the coupon gone, and nobody gives the stock back."""
    sku, person, key = await shop.sku(pieces=5), Person(), uuid.uuid4().hex
    cart = shop.cart([sku], person, expected_fen=1)
    secret = shop.settings.order_number_key.get_secret_value().encode()
    body = hashlib.sha256(cart.model_dump_json().encode()).hexdigest()
    keys = PostgresCheckoutKeys(shop.engine, secret, CHANNEL)
    order_no = (await keys.mint("test", key, body, person.buyer_id, datetime.now(UTC).date())).order_no
    line = StockLine(line_no=1, sku=sku, quantity=1)
    await shop.stock.reserve(ReserveStock(order_no=order_no, buyer_id=person.buyer_id, lines=[line]))
    answer = await shop.checkout().place("test", key, cart)
    assert isinstance(answer, Placement)
    assert answer.refusal is not None
    assert answer.order_no == order_no
    assert await shop.level(sku) == {"sellable_total": 5, "available": 5, "reserved": 0, "deducted": 0}
