"""More of what went wrong in other shops; the numbers are those of the list of edge cases."""

from domain.order_number import parse
from domain.product import Product
from domain.risk import Decision
from domain.status import CloseReason, Status
from tests.shop import Shop, until
from tests.workflows.test_stories import FAR, attribute, closed_and_given_back, paid, suspicious
from workflows import search


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
        await until(shop.run(order_no).describe, lambda run: attribute(run, search.ORDER_STATUS) == status)

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
