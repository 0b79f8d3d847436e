"""What the payment provider promises about money that goes back."""

import asyncio

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.order.payment import Capture, RefundAnswer, RefundState
from providers.calls import PartyFault
from providers.payment import HttpPaymentProvider
from tests.support.parties import BadDay, Sandbox, new_id, pay, payment_request, refund_of


async def captured(provider: HttpPaymentProvider, http: httpx.AsyncClient, amount_fen: int = 100) -> Capture:
    request = payment_request(amount_fen=amount_fen)
    await provider.create(request)
    [capture] = await pay(http, request.payment_id)
    return capture


async def moved_fen(http: httpx.AsyncClient, capture: Capture) -> list[int]:
    """The refunds of a capture that moved money, by the provider's own books."""
    refunds = (await http.get("/statement")).json()["refunds"]
    of_it = [one["moved_fen"] for one in refunds if one["capture_id"] == capture.capture_id]
    return [fen for fen in of_it if fen > 0]


async def test_twenty_concurrent_refunds_with_one_number_move_money_once(
    provider: HttpPaymentProvider, http: httpx.AsyncClient
) -> None:
    capture = await captured(provider, http)
    order = refund_of(capture, amount_fen=30)
    answers = await asyncio.gather(*(provider.refund(order) for _ in range(20)))
    assert answers == [RefundAnswer(refund_no=order.refund_no, state=RefundState.DONE)] * 20
    assert await moved_fen(http, capture) == [30]


async def test_concurrent_refunds_never_exceed_the_capture(
    provider: HttpPaymentProvider, http: httpx.AsyncClient
) -> None:
    capture = await captured(provider, http)
    orders = [refund_of(capture, amount_fen=30) for _ in range(10)]
    answers = await asyncio.gather(*(provider.refund(order) for order in orders))
    assert [one.state for one in answers].count(RefundState.DONE) == 3
    assert await moved_fen(http, capture) == [30, 30, 30]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amounts=st.lists(st.integers(-5, 60), max_size=8))
async def test_a_refund_is_done_exactly_when_the_capture_still_holds_it(
    provider: HttpPaymentProvider, http: httpx.AsyncClient, amounts: list[int]
) -> None:
    capture, left_fen = await captured(provider, http), 100
    for amount_fen in amounts:
        answer = await provider.refund(refund_of(capture, amount_fen=amount_fen))
        fits = 1 <= amount_fen <= left_fen
        assert answer.state is (RefundState.DONE if fits else RefundState.REFUSED)
        left_fen -= amount_fen if fits else 0
    assert sum(await moved_fen(http, capture)) == 100 - left_fen


async def test_the_same_refund_no_with_another_body_is_refused(
    provider: HttpPaymentProvider, http: httpx.AsyncClient
) -> None:
    capture = await captured(provider, http)
    order = refund_of(capture, amount_fen=30)
    await provider.refund(order)
    with pytest.raises(PartyFault, match="POST /refunds: answered 409"):
        await provider.refund(order.model_copy(update={"amount_fen": 31}))
    assert await moved_fen(http, capture) == [30]


@pytest.mark.parametrize("wrong", [{"capture_id": "cap_none"}, {"payment_id": "another"}, {"currency": "USD"}], ids=str)
async def test_money_goes_back_only_to_where_it_came_from(
    provider: HttpPaymentProvider, http: httpx.AsyncClient, wrong: dict[str, str]
) -> None:
    capture = await captured(provider, http)
    assert (await provider.refund(refund_of(capture, **wrong))).state is RefundState.REFUSED
    assert await moved_fen(http, capture) == []


async def test_a_refund_can_be_asked_for_again(provider: HttpPaymentProvider, http: httpx.AsyncClient) -> None:
    order = refund_of(await captured(provider, http))
    assert await provider.query_refund(order.refund_no) is None
    answer = await provider.refund(order)
    assert await provider.query_refund(order.refund_no) == answer


async def test_a_404_from_a_wrong_address_is_not_taken_for_an_unknown_refund(sandbox: Sandbox) -> None:
    async with HttpPaymentProvider(f"{sandbox.url}/not-here") as lost:
        with pytest.raises(PartyFault, match="answered 404"):
            await lost.query_refund(new_id("refund"))


async def test_a_refund_that_times_out_has_moved_the_money_once(
    sandbox: Sandbox, provider: HttpPaymentProvider, http: httpx.AsyncClient, bad_day: BadDay
) -> None:
    capture = await captured(provider, http)
    order = refund_of(capture)
    await bad_day(refund_times_out=True)
    async with HttpPaymentProvider(sandbox.url, timeout_s=0.3) as impatient:
        for _ in range(2):
            with pytest.raises(PartyFault, match="no answer"):
                await impatient.refund(order)
    await bad_day()
    assert (await provider.refund(order)).state is RefundState.DONE
    assert await moved_fen(http, capture) == [capture.amount_fen]


async def test_a_failing_refund_moves_nothing_and_works_later(
    provider: HttpPaymentProvider, http: httpx.AsyncClient, bad_day: BadDay
) -> None:
    order = refund_of(await captured(provider, http))
    await bad_day(refund_fails=True)
    with pytest.raises(PartyFault, match="answered 503"):
        await provider.refund(order)
    assert await provider.query_refund(order.refund_no) is None
    await bad_day()
    assert (await provider.refund(order)).state is RefundState.DONE


async def test_a_refused_refund_may_be_tried_again_under_its_number_and_moves_once(
    provider: HttpPaymentProvider, http: httpx.AsyncClient, bad_day: BadDay
) -> None:
    capture = await captured(provider, http)
    order = refund_of(capture)
    await bad_day(refund_refuses=True)
    refused = await provider.refund(order)
    await bad_day()
    assert refused.state is RefundState.REFUSED
    assert (await provider.refund(order)).state is RefundState.DONE
    assert (await provider.refund(order)).state is RefundState.DONE
    assert (await provider.refund(refund_of(capture))).state is RefundState.REFUSED
