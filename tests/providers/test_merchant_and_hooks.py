"""What the warehouses and the address for alarms promise, and the service as a whole."""

import asyncio
from pathlib import Path

import httpx
import pytest

from activities.merchant import HandOver, HandOverLine, MerchantSystem
from domain.order.cart import Address
from providers.calls import PartyFault
from providers.merchant import HttpMerchantSystem
from providers.notifier import HttpNotifier
from tests.support.parties import BadDay, Receiver, Sandbox, new_id

ADDRESS = Address(recipient="Li Lei", phone="13800000000", region="Zhejiang/Hangzhou", street="1 Lake Road")


def parcel(merchant: str, quantity: int = 2) -> HandOver:
    line = HandOverLine(sku="pear", title="A pear", quantity=quantity)
    sub_order_no = new_id("sub")
    return HandOver(
        sub_order_no=sub_order_no,
        order_no="1001",
        merchant=merchant,
        warehouse="hz-1",
        address=ADDRESS,
        lines=[line],
    )


async def taken(http: httpx.AsyncClient, merchant: str) -> list[str]:
    found = (await http.get(f"/merchants/{merchant}/hand-overs")).json()
    return [one["sub_order_no"] for one in found]


async def test_a_parcel_is_taken_once_however_often_it_is_handed_over(
    sandbox: Sandbox, http: httpx.AsyncClient
) -> None:
    one = parcel(merchant := new_id("m"))
    async with HttpMerchantSystem(sandbox.url) as system:
        is_one: MerchantSystem = system
        await asyncio.gather(*(is_one.hand_over(one) for _ in range(20)))
        assert await taken(http, merchant) == [one.sub_order_no]
        with pytest.raises(PartyFault, match="answered 409"):
            await system.hand_over(one.model_copy(update={"lines": []}))


async def test_the_highest_revision_of_a_parcel_holds_in_whatever_order_they_come(
    sandbox: Sandbox, http: httpx.AsyncClient
) -> None:
    one = parcel(merchant := new_id("m"))
    fewer = one.model_copy(update={"lines": parcel(merchant, 1).lines, "revision": 1})
    async with HttpMerchantSystem(sandbox.url) as system:
        for each in (one, fewer, one):
            await system.hand_over(each)
    (kept,) = (await http.get(f"/merchants/{merchant}/hand-overs")).json()
    assert (kept["revision"], kept["lines"][0]["quantity"]) == (1, 1)


async def test_one_merchant_fails_while_another_takes_and_heals_by_itself(
    sandbox: Sandbox, http: httpx.AsyncClient, bad_day: BadDay
) -> None:
    ill, well = parcel(new_id("ill")), parcel(new_id("well"))
    await bad_day(hand_over_fails_for=[ill.merchant])
    async with HttpMerchantSystem(sandbox.url) as system:
        await system.hand_over(well)
        with pytest.raises(PartyFault, match=f"POST /merchants/{ill.merchant}/hand-overs: answered 503"):
            await system.hand_over(ill)
        assert await taken(http, ill.merchant) == []
        await bad_day()
        await system.hand_over(ill)
    assert await taken(http, ill.merchant) == [ill.sub_order_no]


async def test_a_hanging_intake_is_a_fault_and_tells_no_address(sandbox: Sandbox, bad_day: BadDay) -> None:
    await bad_day(hand_over_hangs_s=2)
    async with HttpMerchantSystem(sandbox.url, timeout_s=0.3) as system:
        with pytest.raises(PartyFault, match="no answer") as caught:
            await system.hand_over(parcel(new_id("slow")))
    assert ADDRESS.phone not in str(caught.value)


async def test_a_message_that_is_posted_again_is_kept_once(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    topic = new_id("alarms")
    async with HttpNotifier(f"{sandbox.url}/hooks") as notifier:
        await asyncio.gather(*(notifier.post(topic, "m1", {"order_no": "1"}) for _ in range(10)))
        await notifier.post(topic, "m2", {"order_no": "2"})
    kept = (await http.get("/hooks", params={"topic": topic})).json()
    assert kept == [
        {"topic": topic, "message_id": "m1", "body": {"order_no": "1"}, "deliveries": 10},
        {"topic": topic, "message_id": "m2", "body": {"order_no": "2"}, "deliveries": 1},
    ]
    assert kept[0] in (await http.get("/hooks")).json()


async def test_a_message_without_an_id_or_a_body_is_422(http: httpx.AsyncClient) -> None:
    assert (await http.post("/hooks/alarms", json={})).status_code == 422
    assert (await http.post("/hooks/alarms", content=b"[]", headers={"webhook-id": "m"})).status_code == 422


async def test_a_notifier_with_nobody_there_says_so() -> None:
    async with HttpNotifier("http://127.0.0.1:1/hooks") as notifier:
        with pytest.raises(PartyFault, match=r"notifier: POST /alarms: no answer \(ConnectError\)"):
            await notifier.post("alarms", "m1", {})


@pytest.mark.parametrize(
    "switches",
    ['{"creat_fails": true}', '{"create_fails": 1}', '{"close_hangs_s": NaN}', '{"notify_duplicates": -1}', ""],
)
async def test_a_bad_day_that_does_not_exist_is_422(http: httpx.AsyncClient, switches: str) -> None:
    assert (await http.put("/bad-days", content=switches)).status_code == 422


async def test_all_bad_days_are_off_unless_named(http: httpx.AsyncClient, bad_day: BadDay) -> None:
    await bad_day(close_hangs_s=1)
    await bad_day(create_fails=True)
    switches = (await http.get("/bad-days")).json()
    assert [name for name, value in switches.items() if value] == ["create_fails"]


async def test_a_second_sandbox_on_the_same_file_ends_with_a_clear_message(
    sandbox: Sandbox, receiver: Receiver
) -> None:
    """Two would both send the notifications."""
    second = Sandbox(sandbox.state, receiver.url)
    assert await asyncio.to_thread(second.spawn().wait, 10) == 1
    said = second.log.read_text()
    assert "is another sandbox running on it?" in said and "Traceback" not in said


async def test_a_sandbox_without_a_usable_secret_ends_with_a_clear_message(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "state.db", "http://127.0.0.1:1", secret="whsec_")
    assert await asyncio.to_thread(sandbox.spawn().wait, 10) == 1
    assert sandbox.log.read_text().startswith("the sandbox can't start: the webhook secret")
