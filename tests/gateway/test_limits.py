"""Limits on body and rate, and problems for whatever the gateway does not do."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, NoReturn

import pytest
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.order.ownership import Role
from gateway import limits
from gateway.problems import Problem
from store.database.engine import engine_for
from store.orders.ownership import PostgresOwnership
from store.orders.views import PostgresViews
from tests.support.shop import Person, Shop
from tests.support.web import Web, front_of, new_key, opened, problem


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 100):
        yield b" " * 100


async def test_a_body_over_the_limit_is_refused_by_its_announced_length(shop: Shop) -> None:
    async with opened(shop, body_bytes=1000) as web:
        large = await web.checkout.post("/orders", content=b" " * 1001, key=new_key())
        assert "1000" in problem(large, 413, "too-large")["detail"]


async def test_a_body_that_announces_no_length_is_refused_as_soon_as_it_is_too_large(shop: Shop) -> None:
    async with opened(shop, body_bytes=1000) as web:
        large = await web.checkout.post("/orders", content=chunks(5_000), key=new_key())
        assert "content-length" not in large.request.headers
        problem(large, 413, "too-large")


async def test_who_has_no_token_can_not_make_us_read_a_body(shop: Shop) -> None:
    async with opened(shop, body_bytes=1000) as web:
        answer = await web.stranger.post("/orders", content=b" " * 1001, key=new_key())
        problem(answer, 401, "unauthenticated")


async def test_one_request_too_many_is_429_and_says_when_to_come_back(shop: Shop) -> None:
    async with opened(shop, requests_per_minute=3) as web:
        buyer = web.buyer(Person())
        assert [(await buyer.get("/orders")).status_code for _ in range(3)] == [200, 200, 200]
        slowed = await buyer.get("/orders")
        problem(slowed, 429, "too-many-requests")
        assert 1 <= int(slowed.headers["retry-after"]) <= 60
        assert (await web.buyer(Person()).get("/orders")).status_code == 200, "each caller has a rate of its own"


def test_a_minute_is_any_minute_and_who_is_gone_for_one_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(limits, "monotonic", lambda: now)
    rate = limits.Rate(2)
    rate.count("a")
    now += 40
    rate.count("a")
    now += 19.5
    with pytest.raises(Problem, match="at most 2 requests in a minute; ask again in 1 s"):
        rate.count("a")
    rate.count("b")
    now += 0.5  # the first is a minute old; that one was refused counts for nothing
    rate.count("a")
    with pytest.raises(Problem, match="ask again in 40 s"):
        rate.count("a")
    assert list(rate._asked) == ["b", "a"]
    now += 59.5
    rate.count("c")
    assert list(rate._asked) == ["a", "c"]


async def test_equal_ids_of_two_roles_have_a_rate_each(shop: Shop) -> None:
    async with opened(shop, requests_per_minute=1) as web:
        for role, path in ((Role.BUYER, "/orders"), (Role.MERCHANT, "/sub-orders"), (Role.OPERATOR, "/orders")):
            assert (await web.party(role, "42").get(path)).status_code == 200


async def test_guessing_tokens_has_a_rate(shop: Shop) -> None:
    async with opened(shop, requests_per_minute=2) as web:
        for _ in range(2):
            problem(await web.stranger.get("/orders"), 401, "unauthenticated")
        problem(await web.stranger.get("/orders"), 429, "too-many-requests")
        assert (await web.operator.get("/orders")).status_code == 200
        assert (await web.http.get("/health")).status_code == 200


@pytest.mark.parametrize("path", ["/", "/nothing", "/orders/", "/orders/1/ship", "/redoc"])
async def test_an_unknown_address_is_a_problem(web: Web, path: str) -> None:
    problem(await web.operator.get(path), 404, "no-such-page")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("DELETE", "/orders", "GET, POST"), ("PUT", "/health", "GET"), ("GET", "/webhooks/payments", "POST")],
)
async def test_another_method_is_told_those_there_are(web: Web, method: str, path: str, allowed: str) -> None:
    answer = await web.http.request(method, path)
    problem(answer, 405, "no-such-method")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
async def test_a_body_must_be_json(web: Web, media_type: str) -> None:
    headers = {"content-type": media_type}
    problem(await web.checkout.post("/orders", content=b"{}", key=new_key(), headers=headers), 415, "not-json")


class Broken(PostgresViews):
    """A bug: any error that nobody expects."""

    error: Exception = ZeroDivisionError("secret: 7")

    async def of_buyer(self, *_: Any, **__: Any) -> NoReturn:
        raise self.error


@pytest.mark.parametrize("error", [ZeroDivisionError("secret: 7"), ProgrammingError("SELECT secret", {}, Exception())])
async def test_a_fault_of_ours_tells_nothing_of_what_is_inside(shop: Shop, error: Exception) -> None:
    broken = Broken(shop.engine)
    broken.error = error
    async with opened(shop, front=replace(front_of(shop), views=broken)) as web:
        answer = await web.buyer(Person()).get("/orders")
        problem(answer, 500, "fault")
        assert "secret" not in answer.text


@pytest.fixture
async def dead_engine() -> AsyncIterator[AsyncEngine]:
    engine = engine_for("postgresql+asyncpg://nobody@127.0.0.1:1/nothing")
    yield engine
    await engine.dispose()


async def test_without_the_database_it_is_503_and_asks_to_come_again(shop: Shop, dead_engine: AsyncEngine) -> None:
    front = replace(front_of(shop), views=PostgresViews(dead_engine), owners=PostgresOwnership(dead_engine))
    async with opened(shop, front=front) as web:
        for answer in await asyncio.gather(web.buyer(Person()).get("/orders"), web.http.get("/health")):
            problem(answer, 503, "unavailable")
            assert int(answer.headers["retry-after"]) > 0


async def test_health_needs_no_token(web: Web) -> None:
    answer = await web.http.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
