"""The sandbox's worse days: what goes wrong at the provider's side, and not in the buyer's or the shop's hands."""

import asyncio

import httpx
import pytest

from domain.order.payment import ProviderState
from providers.calls import PartyFault
from providers.payment import HttpPaymentProvider
from tests.support.parties import BadDay, Receiver, Sandbox, pay, payment_request, refund_of


async def test_a_close_may_find_that_the_buyer_has_just_paid(
    provider: HttpPaymentProvider, bad_day: BadDay, receiver: Receiver
) -> None:
    """ORDERPAID: the answer to the close names the capture, and its notification comes as well."""
    request = payment_request()
    await provider.create(request)
    await bad_day(close_finds_paid=True)
    closed = await provider.close(request.payment_id)
    assert closed.state is ProviderState.PAID
    assert [capture.amount_fen for capture in closed.captures] == [request.amount_fen]
    assert await provider.close(request.payment_id) == closed
    [told] = await receiver.wait_for(request.payment_id, 1)
    assert told.data["capture_id"] == closed.captures[0].capture_id


async def test_nobody_pays_what_was_closed_or_never_created(provider: HttpPaymentProvider, bad_day: BadDay) -> None:
    request = payment_request()
    await provider.create(request)
    await provider.close(request.payment_id)
    await bad_day(close_finds_paid=True)
    assert (await provider.close(request.payment_id)).state is ProviderState.CLOSED
    assert (await provider.close(payment_request().payment_id)).state is ProviderState.CLOSED


@pytest.mark.parametrize(("off_fen", "taken_fen"), [(-1, 12_344), (5, 12_350), (-99_999, 1)])
async def test_the_bank_may_take_another_amount(
    provider: HttpPaymentProvider, http: httpx.AsyncClient, bad_day: BadDay, off_fen: int, taken_fen: int
) -> None:
    request = payment_request()
    await provider.create(request)
    await bad_day(capture_off_fen=off_fen)
    [capture] = await pay(http, request.payment_id)
    assert capture.amount_fen == taken_fen


async def test_the_bank_may_take_another_currency(
    provider: HttpPaymentProvider, http: httpx.AsyncClient, bad_day: BadDay
) -> None:
    request = payment_request()
    await provider.create(request)
    await bad_day(capture_currency="EUR")
    [capture] = await pay(http, request.payment_id)
    assert (capture.amount_fen, capture.currency) == (request.amount_fen, "EUR")


async def test_a_create_may_be_done_and_its_answer_hang(
    provider: HttpPaymentProvider, sandbox: Sandbox, bad_day: BadDay
) -> None:
    request = payment_request()
    await bad_day(create_hangs_s=1)
    async with HttpPaymentProvider(sandbox.url, timeout_s=0.2) as hurried:
        with pytest.raises(PartyFault, match="no answer"):
            await hurried.create(request)
    assert (await provider.query(request.payment_id)).state is ProviderState.OPEN


async def test_a_query_may_fail_while_all_else_works(
    provider: HttpPaymentProvider, http: httpx.AsyncClient, bad_day: BadDay
) -> None:
    request = payment_request()
    await bad_day(query_fails=True)
    await provider.create(request)
    [capture] = await pay(http, request.payment_id)
    order = refund_of(capture)
    done = await provider.refund(order)
    for asking in (provider.query(request.payment_id), provider.query_refund(order.refund_no)):
        with pytest.raises(PartyFault, match="answered 503"):
            await asking
    await bad_day()
    assert await provider.query_refund(order.refund_no) == done


async def test_a_refund_may_be_done_and_its_answer_be_late(
    provider: HttpPaymentProvider, http: httpx.AsyncClient, sandbox: Sandbox, bad_day: BadDay
) -> None:
    request = payment_request()
    await provider.create(request)
    [capture] = await pay(http, request.payment_id)
    order = refund_of(capture)
    await bad_day(refund_times_out=True)
    async with HttpPaymentProvider(sandbox.url, timeout_s=0.2) as hurried:
        answers = await asyncio.gather(*(hurried.refund(order) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(answer, PartyFault) for answer in answers)
    await bad_day()
    assert (await provider.refund(order)).refund_no == order.refund_no
    moved = [refund for refund in (await http.get("/statement")).json()["refunds"] if refund["moved_fen"]]
    assert [refund["refund_no"] for refund in moved if refund["capture_id"] == capture.capture_id] == [order.refund_no]
