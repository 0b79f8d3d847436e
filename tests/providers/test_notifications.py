"""What the payment provider promises about telling of captures: at least once, signed, with one id."""

import asyncio
import itertools
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx

from domain.order.payment import Capture, ProviderPayment
from providers.notifications import StandardWebhooks
from providers.payment import HttpPaymentProvider
from providers.sandbox.relay import Relay, enqueue
from providers.sandbox.state import State
from tests.support.parties import SECRET, Arrived, BadDay, Receiver, Sandbox, new_id, pay, payment_request


async def paid(http: httpx.AsyncClient, **act: object) -> str:
    """Money arrives for a payment; its id."""
    payment_id = new_id("told")
    await pay(http, payment_id, force=True, amount_fen=100, **act)
    return payment_id


async def test_each_capture_is_told_once_signed_and_with_its_own_id(
    http: httpx.AsyncClient, receiver: Receiver, provider: HttpPaymentProvider
) -> None:
    payment_id = await paid(http, times=2)
    told = [StandardWebhooks(SECRET).read(one.headers, one.raw_body) for one in await receiver.wait_for(payment_id, 2)]
    captures = (await provider.query(payment_id)).captures
    assert sorted(c.capture_id for _, c in told) == sorted(c.capture_id for c in captures)
    assert all(capture in captures for _, capture in told)
    assert len({notification_id for notification_id, _ in told}) == 2
    await asyncio.sleep(0.5)
    assert len(receiver.of(payment_id)) == 2, "an acknowledged notification is not sent again"


async def test_a_notification_is_repeated_until_it_is_acknowledged(http: httpx.AsyncClient, receiver: Receiver) -> None:
    """Same id, same body, ever longer pauses; a redirect and an error are no acknowledgement."""
    answers = iter([500, 302, 404, 204])

    async def answer(_: Arrived) -> int:
        return next(answers)

    receiver.answer = answer
    payment_id = await paid(http)
    repeats = await receiver.wait_for(payment_id, 4)
    assert len({(one.id, one.raw_body) for one in repeats}) == 1
    pauses = [after.at - before.at for before, after in itertools.pairwise(repeats)]
    assert pauses[0] >= 0.18 and pauses[1] >= 0.36 and pauses[2] >= 0.7
    for one in repeats:
        StandardWebhooks(SECRET).read(one.headers, one.raw_body)


def test_what_falls_due_while_the_sender_looks_is_not_overslept(tmp_path: Path) -> None:
    state = State(tmp_path / "state.sqlite3")
    relay = Relay(state, "http://nowhere", SECRET)
    at = time.time() - 1  # past by the time that the look is over
    capture = Capture(
        capture_id="c", payment_id="p", amount_fen=1, currency="CNY", captured_at=datetime.fromtimestamp(at, UTC)
    )
    with state.transaction() as db:
        enqueue(db, capture, due_at=at, copies=1)
    assert relay.look(at - 0.001) == ([], 0.0)
    assert len(relay.look(at)[0]) == 1
    state.close()


async def test_what_is_never_acknowledged_does_not_hold_up_others(http: httpx.AsyncClient, receiver: Receiver) -> None:
    stuck: set[str] = set()
    release = asyncio.Event()

    async def answer(one: Arrived) -> int:
        if one.data["payment_id"] in stuck:
            await release.wait()
        return 204

    receiver.answer = answer
    for _ in range(10):
        stuck.add(payment_id := new_id("stuck"))
        await pay(http, payment_id, force=True, amount_fen=1)
    await receiver.wait_for(payment_id, 1)
    await receiver.wait_for(await paid(http), 1, within_s=4)  # what is stuck is given up after 5
    release.set()


async def test_duplicates_delays_and_a_wrong_order_can_be_had(
    http: httpx.AsyncClient, receiver: Receiver, bad_day: BadDay
) -> None:
    await bad_day(notify_duplicates=2, notify_delay_s=0.3, notify_reversed=True)
    before = time.monotonic()
    payment_id = await paid(http, times=2)
    came = await receiver.wait_for(payment_id, 6)
    assert came[0].at - before >= 0.3
    first, second = [
        one["capture_id"]
        for one in (await http.get("/statement")).json()["captures"]
        if one["payment_id"] == payment_id
    ]
    assert [one.data["capture_id"] for one in came] == [second] * 3 + [first] * 3
    assert len({one.id for one in came}) == 2


async def test_a_payment_can_be_told_late(http: httpx.AsyncClient, receiver: Receiver) -> None:
    before = time.monotonic()
    [told] = await receiver.wait_for(await paid(http, delay_s=0.4), 1)
    assert told.at - before >= 0.4


async def test_killed_between_capture_and_acknowledgement_it_still_tells_and_forgets_nothing(
    own_sandbox: Sandbox, own_receiver: Receiver
) -> None:
    """kill -9 after the capture was answered and before the notification was acknowledged; then a restart."""
    request = payment_request()
    own_sandbox.start()
    async with httpx.AsyncClient(base_url=own_sandbox.url, trust_env=False) as http:
        async with HttpPaymentProvider(own_sandbox.url) as provider:
            await provider.create(request)
        await http.put("/bad-days", json={"close_hangs_s": 0.5})
        # Nobody listens at the receiver's port yet, so nothing can have been acknowledged.
        captures = await pay(http, request.payment_id)
    own_sandbox.kill()
    async with own_receiver.listening():
        own_sandbox.start()
        [told] = await own_receiver.wait_for(request.payment_id, 1)
        assert StandardWebhooks(SECRET).read(told.headers, told.raw_body)[1] == captures[0]
        async with httpx.AsyncClient(base_url=own_sandbox.url, trust_env=False) as http:
            assert (await http.get("/bad-days")).json()["close_hangs_s"] == 0.5
            known = await http.get(f"/payments/{request.payment_id}")
        assert ProviderPayment.model_validate_json(known.content).captures == captures


async def test_killed_while_the_receiver_thinks_the_repeat_has_the_same_id(
    own_sandbox: Sandbox, own_receiver: Receiver
) -> None:
    """The receiver has it, the sender never heard so: it comes again, as the same notification."""
    release = asyncio.Event()

    async def think(_: Arrived) -> int:
        await release.wait()
        return 204

    own_receiver.answer = think
    async with own_receiver.listening():
        own_sandbox.start()
        async with httpx.AsyncClient(base_url=own_sandbox.url, trust_env=False) as http:
            await pay(http, "p", force=True, amount_fen=1, times=3)
        before = {(one.id, one.raw_body) for one in await own_receiver.wait_for("p", 3)}
        own_sandbox.kill()
        release.set()
        own_receiver.arrived.clear()
        own_sandbox.start()
        again = await own_receiver.wait_for("p", 3)
        assert {(one.id, one.raw_body) for one in again} == before
