"""The endings of orders, on the real dev server with every ledger in memory."""

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from domain.order.lines import RefusalCode
from domain.order.status import Action, CloseReason, Status
from domain.risk import Block, BlockKind, Decision, RiskVerdict, block_value
from tests.support.memory.money import NoMoneyTaken
from tests.support.quick_shop import QuickShop, a_quick_shop
from tests.support.shop import Person
from tests.support.stories import FAR


@pytest.fixture(scope="module")
async def quick(client: Client) -> AsyncIterator[QuickShop]:
    async with a_quick_shop(client) as shop:
        yield shop


async def closed_and_given_back(shop: QuickShop, order_no: str, reason: CloseReason, *skus: str) -> None:
    """What every closed order must leave behind: nothing held, nothing kept."""
    ended = await shop.ended(order_no)
    assert (ended.status, ended.close_reason) == (Status.CLOSED, reason)
    order = shop.order(order_no)
    assert (order.status, order.close_reason, shop.attention.of(order_no)) == (Status.CLOSED, reason, [])
    for sku in skus:
        level = shop.stock.level(sku)
        assert level["available"] == level["sellable_total"], level
    assert shop.provider.kept_fen(order_no) == 0


async def test_an_order_is_paid_shipped_delivered_and_received_by_the_buyer_and_by_the_clock(quick: QuickShop) -> None:
    """Story 1."""
    skus = [await quick.sku(merchant="m1"), await quick.sku(merchant="m1"), await quick.sku(merchant="m2")]
    order_no = await quick.place(skus, receipt_window_s=1)
    first, second = await quick.paid(order_no)
    for number in (first, second):
        assert (await quick.ship(number)).refused is None
    assert (await quick.confirm(first)).status is Status.COMPLETED
    assert (await quick.deliver(second)).refused is None
    assert (await quick.ended(order_no)).status is Status.COMPLETED
    assert sum(sub.plan.pay_fen for sub in quick.order(order_no).subs) == 3000
    assert quick.provider.kept_fen(order_no) == 3000
    assert [quick.stock.level(sku)["deducted"] for sku in skus] == [1, 1, 1]


async def test_a_buyer_who_cancels_after_paying_is_refunded(quick: QuickShop) -> None:
    """Story 3, between payment and shipping."""
    skus = [await quick.sku(merchant="m1"), await quick.sku(merchant="m2")]
    order_no = await quick.place(skus)
    await quick.paid(order_no)
    assert (await quick.cancel(order_no)).refused is None
    await closed_and_given_back(quick, order_no, CloseReason.CANCELLED_BY_BUYER, *skus)
    assert [refund.amount_fen for refund in quick.order(order_no).refunds] == [2000]


async def test_an_order_that_nobody_pays_closes_at_its_deadline_and_gives_the_stock_back(quick: QuickShop) -> None:
    """Story 2."""
    sku = await quick.sku()
    order_no = await quick.place([sku], payment_window_s=1)
    assert quick.stock.level(sku)["reserved"] == 1
    await closed_and_given_back(quick, order_no, CloseReason.UNPAID, sku)
    with pytest.raises(NoMoneyTaken):
        quick.provider.pay(order_no)


async def test_a_buyer_who_cancels_before_paying_holds_nothing(quick: QuickShop) -> None:
    """Story 3, before the payment."""
    sku = await quick.sku()
    order_no = await quick.place([sku], **FAR)
    assert (await quick.cancel(order_no)).refused is None
    await closed_and_given_back(quick, order_no, CloseReason.CANCELLED_BY_BUYER, sku)


async def test_an_order_that_has_shipped_is_not_cancelled_and_the_buyer_is_told_what_is_possible(
    quick: QuickShop,
) -> None:
    """Story 3, after shipping."""
    order_no = await quick.place([await quick.sku()])
    (number,) = await quick.paid(order_no)
    await quick.ship(number)
    answer = await quick.cancel(order_no)
    assert answer.refused is not None
    assert (answer.refused.status, answer.refused.allowed) == (Status.SHIPPED, (Action.CONFIRM_RECEIPT,))
    assert quick.order(order_no).refunds == []
    await quick.confirm(number)
    assert (await quick.ended(order_no)).status is Status.COMPLETED


async def test_one_sub_order_cancels_by_itself_and_the_other_goes_on(quick: QuickShop) -> None:
    """A partial refund never blocks the rest."""
    skus = [await quick.sku(merchant="m1"), await quick.sku(merchant="m2")]
    order_no = await quick.place(skus)
    first, second = await quick.paid(order_no)
    assert (await quick.cancel_sub_order(first)).refused is None
    await quick.ship(second)
    assert (await quick.cancel(order_no)).refused is not None
    await quick.confirm(second)
    assert (await quick.ended(order_no)).status is Status.COMPLETED
    assert quick.provider.kept_fen(order_no) == 1000
    assert quick.stock.level(skus[0])["available"] == 10


@pytest.mark.parametrize("kind", [BlockKind.BUYER, BlockKind.DEVICE, BlockKind.ADDRESS])
async def test_a_blocked_party_is_refused_and_learns_nothing_but_operators_do(
    quick: QuickShop, kind: BlockKind
) -> None:
    """Story 4."""
    person, sku = Person(), await quick.sku()
    marks = {
        BlockKind.BUYER: str(person.buyer_id),
        BlockKind.DEVICE: person.device_id,
        BlockKind.ADDRESS: person.address.region + person.address.street,
    }
    block = Block(kind=kind, value=block_value(kind, marks[kind]), reason="test", author="tester")
    quick.risk.blocks.append(block)
    placement = await quick.ask([sku], person)
    assert placement.refusal is not None
    assert placement.refusal.code is RefusalCode.NOT_ACCEPTED
    assert "block" not in placement.refusal.model_dump_json()
    ended = await quick.ended(placement.order_no)
    assert ended.close_reason is CloseReason.REFUSED
    assert kind.value in ended.detail
    assert quick.stock.available(sku) == 10


async def test_out_of_stock_is_refused_and_holds_none_of_the_lines(quick: QuickShop) -> None:
    """Story 4."""
    there, gone = await quick.sku(), await quick.sku(pieces=0)
    placement = await quick.ask([there, gone])
    assert placement.refusal is not None
    assert placement.refusal.code is RefusalCode.OUT_OF_STOCK
    await quick.ended(placement.order_no)
    assert quick.stock.available(there) == 10


async def test_a_price_that_is_not_the_one_shown_is_refused(quick: QuickShop) -> None:
    """Story 4."""
    sku = await quick.sku()
    placement = await quick.ask([sku], expected_fen=999)
    assert placement.refusal is not None
    assert (placement.refusal.code, placement.refusal.place) == (RefusalCode.PRICE_CHANGED, "expected_amount_fen")
    await quick.ended(placement.order_no)
    assert quick.stock.available(sku) == 10


async def test_risk_rejects_after_the_payment_and_the_money_goes_back(quick: QuickShop) -> None:
    """Story 5: the person rejects what was paid meanwhile."""
    person, sku = Person(), await quick.sku()
    quick.risk.verdicts[person.buyer_id] = RiskVerdict.REVIEW
    order_no = await quick.place([sku], person, **FAR)
    await quick.pay(order_no)
    decision = Decision(approved=False, author="ann", note="a reseller")
    assert (await quick.decide_risk(order_no, decision)).refused is None
    await closed_and_given_back(quick, order_no, CloseReason.RISK_REJECTED, sku)


async def test_the_cancel_button_of_the_ui_closes_an_unpaid_order_in_good_order(quick: QuickShop) -> None:
    """An operator's native cancel is weighed like any other message, and is not torn apart by a second one."""
    sku = await quick.sku()
    order_no = await quick.place([sku], **FAR)
    await quick.run(order_no).cancel()
    await quick.run(order_no).cancel()
    await closed_and_given_back(quick, order_no, CloseReason.CANCELLED_BY_PLATFORM, sku)
    described = await quick.run(order_no).describe()
    assert described.status is WorkflowExecutionStatus.COMPLETED


async def test_the_cancel_button_refunds_what_is_paid_and_is_refused_what_has_shipped(quick: QuickShop) -> None:
    skus = [await quick.sku(), await quick.sku()]
    refunded, shipped = await quick.place(skus[:1]), await quick.place(skus[1:])
    await quick.paid(refunded)
    (number,) = await quick.paid(shipped)
    await quick.ship(number)
    for order_no in (refunded, shipped):
        await quick.run(order_no).cancel()
    await closed_and_given_back(quick, refunded, CloseReason.CANCELLED_BY_PLATFORM, skus[0])
    await quick.confirm(number)
    assert (await quick.ended(shipped)).status is Status.COMPLETED
