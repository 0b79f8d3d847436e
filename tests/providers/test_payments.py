"""What the payment provider promises about opening, closing and paying."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from activities.payment import PaymentProvider
from domain.order.payment import ProviderPayment, ProviderState
from providers.calls import PartyFault
from providers.payment import HttpPaymentProvider
from tests.support.parties import BadDay, Sandbox, new_id, pay, payment_request


def test_the_client_is_a_payment_provider() -> None:
    checked_by_mypy: type[PaymentProvider] = HttpPaymentProvider
    assert checked_by_mypy is HttpPaymentProvider


async def test_a_payment_is_open_until_paid(provider: HttpPaymentProvider, http: httpx.AsyncClient) -> None:
    request = payment_request()
    assert (await provider.query(request.payment_id)).state is ProviderState.UNKNOWN
    await provider.create(request)
    assert (await provider.query(request.payment_id)).state is ProviderState.OPEN
    [capture] = await pay(http, request.payment_id)
    assert (capture.amount_fen, capture.currency) == (request.amount_fen, request.currency)
    expected = ProviderPayment(payment_id=request.payment_id, state=ProviderState.PAID, captures=(capture,))
    assert await provider.query(request.payment_id) == expected


async def test_creating_again_returns_the_first_answer(provider: HttpPaymentProvider) -> None:
    request = payment_request()
    answers = await asyncio.gather(*(provider.create(request) for _ in range(20)))
    assert answers == [answers[0]] * 20


async def test_the_same_payment_id_with_another_body_is_refused(provider: HttpPaymentProvider) -> None:
    request = payment_request()
    await provider.create(request)
    with pytest.raises(PartyFault, match="answered 409"):
        await provider.create(request.model_copy(update={"amount_fen": 1}))


async def test_a_closed_payment_takes_no_money(provider: HttpPaymentProvider, http: httpx.AsyncClient) -> None:
    request = payment_request()
    await provider.create(request)
    assert (await provider.close(request.payment_id)).state is ProviderState.CLOSED
    assert (await provider.close(request.payment_id)).state is ProviderState.CLOSED
    refused = await http.post(f"/cashier/{request.payment_id}/pay")
    assert (refused.status_code, refused.json()["type"]) == (409, "payment-closed")
    assert (await provider.query(request.payment_id)).captures == ()


async def test_a_late_create_cannot_open_what_was_closed(
    provider: HttpPaymentProvider, http: httpx.AsyncClient
) -> None:
    """Closing an unknown payment leaves a tombstone; create still answers."""
    request = payment_request()
    assert (await provider.close(request.payment_id)).state is ProviderState.CLOSED
    assert (await provider.create(request)).payment_id == request.payment_id
    assert (await provider.query(request.payment_id)).state is ProviderState.CLOSED
    assert (await http.post(f"/cashier/{request.payment_id}/pay")).status_code == 409


async def test_closing_a_paid_payment_says_paid(provider: HttpPaymentProvider, http: httpx.AsyncClient) -> None:
    request = payment_request()
    await provider.create(request)
    captures = await pay(http, request.payment_id)
    closed = await provider.close(request.payment_id)
    assert (closed.state, closed.captures) == (ProviderState.PAID, captures)


async def test_paid_or_closed_but_never_both(provider: HttpPaymentProvider, http: httpx.AsyncClient) -> None:
    """The buyer pays at the instant of the close: one of them wins, and both hear the same."""
    for _ in range(20):
        request = payment_request()
        await provider.create(request)
        paid, closed = await asyncio.gather(
            http.post(f"/cashier/{request.payment_id}/pay"), provider.close(request.payment_id)
        )
        winner = ProviderState.PAID if paid.status_code == 200 else ProviderState.CLOSED
        assert closed.state is winner
        assert (await provider.query(request.payment_id)).state is winner


async def test_a_payment_is_paid_once(provider: HttpPaymentProvider, http: httpx.AsyncClient) -> None:
    request = payment_request()
    await provider.create(request)
    url = f"/cashier/{request.payment_id}/pay"
    answers = await asyncio.gather(*(http.post(url) for _ in range(10)))
    assert sorted(one.status_code for one in answers) == [200] + [409] * 9
    assert len((await provider.query(request.payment_id)).captures) == 1


async def test_an_expired_payment_takes_no_money(provider: HttpPaymentProvider, http: httpx.AsyncClient) -> None:
    request = payment_request(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    await provider.create(request)
    refused = await http.post(f"/cashier/{request.payment_id}/pay")
    assert (refused.status_code, refused.json()["type"]) == (409, "payment-expired")


async def test_a_slow_bank_captures_although_closed(provider: HttpPaymentProvider, http: httpx.AsyncClient) -> None:
    request = payment_request()
    await provider.create(request)
    await provider.close(request.payment_id)
    captures = await pay(http, request.payment_id, force=True)
    assert (await provider.close(request.payment_id)).captures == captures


async def test_a_buyer_can_pay_twice_and_wrongly(provider: HttpPaymentProvider, http: httpx.AsyncClient) -> None:
    """Two captures with ids of their own, of another amount in another currency."""
    request = payment_request()
    await provider.create(request)
    first, second = await pay(http, request.payment_id, amount_fen=7, currency="USD", times=2)
    assert first.capture_id != second.capture_id
    assert {(one.amount_fen, one.currency) for one in (first, second)} == {(7, "USD")}


async def test_money_can_come_for_a_payment_nobody_created(
    provider: HttpPaymentProvider, http: httpx.AsyncClient
) -> None:
    nobody = new_id("nobody")
    assert (await http.post(f"/cashier/{nobody}/pay")).status_code == 404
    assert (await http.post(f"/cashier/{nobody}/pay", json={"force": True})).status_code == 422
    [capture] = await pay(http, nobody, force=True, amount_fen=5)
    assert (await provider.query(nobody)).captures == (capture,)


@pytest.mark.parametrize("act", [{"amount_fen": 0}, {"amount_fen": True}, {"times": 0}, {"tip": 1}, []])
async def test_a_malformed_pay_act_is_422(http: httpx.AsyncClient, act: object) -> None:
    assert (await http.post("/cashier/any/pay", json=act)).status_code == 422


async def test_a_failing_create_or_close_does_nothing(provider: HttpPaymentProvider, bad_day: BadDay) -> None:
    request = payment_request()
    await bad_day(create_fails=True, close_fails=True)
    with pytest.raises(PartyFault, match="POST /payments: answered 503"):
        await provider.create(request)
    with pytest.raises(PartyFault, match="close: answered 503"):
        await provider.close(request.payment_id)
    assert (await provider.query(request.payment_id)).state is ProviderState.UNKNOWN


async def test_a_hanging_close_is_a_fault_and_has_closed(sandbox: Sandbox, bad_day: BadDay) -> None:
    request = payment_request()
    async with HttpPaymentProvider(sandbox.url, timeout_s=0.3) as impatient:
        await impatient.create(request)
        await bad_day(close_hangs_s=2)
        with pytest.raises(PartyFault, match="no answer"):
            await impatient.close(request.payment_id)
        assert (await impatient.query(request.payment_id)).state is ProviderState.CLOSED


async def test_a_fault_tells_what_was_called_and_no_secret() -> None:
    async with HttpPaymentProvider("http://user:hunter2@127.0.0.1:1") as nobody_there:
        with pytest.raises(PartyFault) as caught:
            await nobody_there.query("order 1")
    assert str(caught.value) == "payment provider: GET /payments/order%201: no answer (ConnectError)"
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payment_id=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=20))
@example(".")
@example("..")
@example("a/../b")
async def test_any_id_stays_one_id_on_its_way(provider: HttpPaymentProvider, payment_id: str) -> None:
    """Slashes, question marks, dots: nothing printable in an id makes it another path."""
    assert (await provider.query(payment_id)).payment_id == payment_id


@pytest.mark.parametrize("payment_id", ["1\n", "\n1"])
async def test_an_id_with_a_line_break_is_a_fault_not_another_payment(
    provider: HttpPaymentProvider, payment_id: str
) -> None:
    """A server may cut it off: an answer about another id than the one asked for is never taken."""
    with pytest.raises(PartyFault, match="answered"):
        await provider.query(payment_id)
