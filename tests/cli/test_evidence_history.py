"""The digests in a run's own history are found as long as the history is there."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

from cli.evidence_history import digests_in_history
from runtime.embedded import TemporalServer
from runtime.temporal import DATA_CONVERTER

with workflow.unsafe.imports_passed_through():
    from activities.catalog import PricingAnswer
    from domain.order.lines import OrderLine, PricedOrder, Refusal, RefusalCode

QUEUE = "evidence"


def line(line_no: int, digest: str) -> OrderLine:
    return OrderLine(
        line_no=line_no,
        sku="TEA",
        version=1,
        digest=digest,
        title="Tea",
        merchant="leaf",
        quantity=1,
        unit_price_fen=1,
        goods_fen=1,
        pay_fen=1,
    )


@activity.defn
async def look_up_order(order_no: str) -> bool:
    return False


@activity.defn
async def price_cart(order_no: str) -> PricingAnswer:
    if order_no == "refused":
        return PricingAnswer(refusal=Refusal(code=RefusalCode.UNKNOWN_SKU, detail="none"))
    return PricingAnswer(order=PricedOrder(lines=[line(1, "aa"), line(2, "bb")], goods_fen=2, amount_due_fen=2))


@workflow.defn
class Pricing:
    """As little of an order's run as has its markers."""

    @workflow.run
    async def run(self, order_no: str, prices: bool) -> None:
        patience = timedelta(seconds=10)
        await workflow.execute_local_activity(look_up_order, order_no, start_to_close_timeout=patience)
        if prices:
            await workflow.execute_local_activity(price_cart, order_no, start_to_close_timeout=patience)


@pytest.fixture
async def client(temporal: TemporalServer) -> AsyncIterator[Client]:
    client = await Client.connect(temporal.address, data_converter=DATA_CONVERTER)
    async with Worker(client, task_queue=QUEUE, workflows=[Pricing], activities=[look_up_order, price_cart]):
        yield client


async def test_what_the_run_was_priced_with(client: Client) -> None:
    for order_no, prices in (("1", True), ("2", False), ("refused", True)):
        await client.execute_workflow(Pricing.run, args=[order_no, prices], id=f"order/{order_no}", task_queue=QUEUE)
    assert await digests_in_history(client, "1") == {1: "aa", 2: "bb"}
    assert await digests_in_history(client, "2") == {}
    assert await digests_in_history(client, "refused") == {}
    assert await digests_in_history(client, "3") == {}
