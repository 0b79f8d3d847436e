"""What the buyer sees at the cashier."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from providers.payment import HttpPaymentProvider
from tests.support.parties import pay, payment_request


async def test_the_link_opens_a_page_with_the_amount_in_yuan_and_a_button(
    provider: HttpPaymentProvider, http: httpx.AsyncClient
) -> None:
    link = (await provider.create(payment_request(amount_fen=123_405))).cashier_url
    page = await http.get(link)
    assert page.status_code == 200
    assert "¥1,234.05" in page.text
    assert "<button>Pay</button>" in page.text


async def test_the_button_pays_and_comes_back_to_a_page_that_says_so(
    provider: HttpPaymentProvider, http: httpx.AsyncClient
) -> None:
    link = (await provider.create(payment_request())).cashier_url
    form = {"content-type": "application/x-www-form-urlencoded"}
    page = await http.post(f"{link}/pay", headers=form, follow_redirects=True)
    assert (page.status_code, "Paid." in page.text, "<button>" in page.text) == (200, True, False)
    again = await http.post(f"{link}/pay", headers=form)
    assert (again.status_code, "Paid." in again.text) == (409, True)


async def test_a_form_can_say_how_it_pays(provider: HttpPaymentProvider, http: httpx.AsyncClient) -> None:
    request = payment_request()
    link = (await provider.create(request)).cashier_url
    form = {"amount_fen": "7", "times": "2", "force": "true"}
    assert (await http.post(f"{link}/pay", data=form)).status_code == 303
    assert [c.amount_fen for c in (await provider.query(request.payment_id)).captures] == [7, 7]


async def test_the_page_says_closed_and_expired(provider: HttpPaymentProvider, http: httpx.AsyncClient) -> None:
    closed = payment_request()
    await provider.create(closed)
    await provider.close(closed.payment_id)
    expired = payment_request(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    await provider.create(expired)
    for request, word in ((closed, "Closed."), (expired, "Expired.")):
        page = (await http.get(f"/cashier/{request.payment_id}")).text
        assert word in page and "<button>" not in page
    assert (await http.get("/cashier/never-heard-of")).status_code == 404


@pytest.mark.parametrize("field", ["payment_id", "subject", "currency"])
async def test_nothing_of_an_order_becomes_html(
    provider: HttpPaymentProvider, http: httpx.AsyncClient, field: str
) -> None:
    nasty = f'"><script>alert("{field}")</script>'
    link = (await provider.create(payment_request(**{field: nasty}))).cashier_url
    page = await http.get(link)
    assert page.status_code == 200
    assert "<script" not in page.text and "&lt;script&gt;" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_an_amount_in_another_currency_is_named(provider: HttpPaymentProvider, http: httpx.AsyncClient) -> None:
    request = payment_request(currency="USD", amount_fen=5)
    await provider.create(request)
    assert "0.05 USD" in (await http.get(f"/cashier/{request.payment_id}")).text
    await pay(http, request.payment_id)
