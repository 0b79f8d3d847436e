"""A database that is away is a 503 that says so, not a fault of ours."""

import pytest
from httpx import ASGITransport, AsyncClient
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from gateway.app import create_app
from gateway.auth import Role
from gateway.context import GatewaySettings
from gateway.front import Front
from runtime.settings import DEVELOPMENT_JWT_KEY, DEVELOPMENT_WEBHOOK_SECRET
from store.ownership import PostgresOwnership
from store.views import PostgresViews
from tests.gateway.web import problem, token
from tests.store.books import order_number


class _Away(Exception):
    def __init__(self, sqlstate: str) -> None:
        super().__init__("away")
        self.sqlstate = sqlstate


class _Views(PostgresViews):
    """A view of a database that answers with this SQLSTATE."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(create_async_engine("postgresql+asyncpg://nobody@127.0.0.1:1/none"))
        self._sqlstate = sqlstate

    async def order(self, order_no: str) -> None:
        raise DBAPIError("SELECT 1", None, _Away(self._sqlstate))


async def _asked(sqlstate: str) -> AsyncClient:
    views = _Views(sqlstate)
    front = Front(
        client=None,  # type: ignore[arg-type]  # nobody asks Temporal here
        checkout=None,  # type: ignore[arg-type]
        acts=None,  # type: ignore[arg-type]
        views=views,
        inbox=None,  # type: ignore[arg-type]
        book=None,  # type: ignore[arg-type]
        owners=PostgresOwnership(create_async_engine("postgresql+asyncpg://nobody@127.0.0.1:1/none")),
    )
    keys = {"jwt_key": DEVELOPMENT_JWT_KEY, "webhook_secret": DEVELOPMENT_WEBHOOK_SECRET}
    settings = GatewaySettings.model_validate({**keys, "requests_per_minute": 1_000}, strict=False)
    headers = {"Authorization": f"Bearer {token(Role.OPERATOR, 'ann')}"}
    transport = ASGITransport(create_app(front, settings), raise_app_exceptions=False)
    return AsyncClient(transport=transport, base_url="http://gateway", headers=headers)


@pytest.mark.parametrize("sqlstate", ["57P01", "57P02", "57P03", "53300", "08006"])
async def test_a_database_that_is_starting_stopping_or_full_is_asked_again_later(sqlstate: str) -> None:
    async with await _asked(sqlstate) as http:
        answer = await http.get(f"/orders/{order_number()}")
    problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"]


async def test_a_statement_that_is_wrong_is_a_fault_of_ours() -> None:
    async with await _asked("42703") as http:
        problem(await http.get(f"/orders/{order_number()}"), 500, "fault")
