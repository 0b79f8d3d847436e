"""A database that is away is a 503 that says so, not a fault of ours."""

import asyncpg
import pytest
from httpx import ASGITransport, AsyncClient
from pydantic import SecretStr
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from acts.front import Front
from domain.order.ownership import Role
from gateway.app import create_app
from gateway.context import GatewaySettings
from providers.notifications import StandardWebhooks
from runtime.settings import DEVELOPMENT_JWT_KEY, DEVELOPMENT_WEBHOOK_SECRET
from store.orders.ownership import PostgresOwnership
from store.orders.views import PostgresViews
from tests.support.books import order_number
from tests.support.web import problem, token


class _Away(Exception):
    def __init__(self, sqlstate: str) -> None:
        super().__init__("away")
        self.sqlstate = sqlstate


class _Views(PostgresViews):
    """A view of a database that answers with this error."""

    def __init__(self, error: Exception) -> None:
        super().__init__(create_async_engine("postgresql+asyncpg://nobody@127.0.0.1:1/none"))
        self._error = error

    async def order(self, order_no: str) -> None:
        raise self._error


async def _asked(error: Exception) -> AsyncClient:
    views = _Views(error)
    front = Front(
        client=None,  # type: ignore[arg-type]  # nobody asks Temporal here
        checkout=None,  # type: ignore[arg-type]
        acts=None,  # type: ignore[arg-type]
        after_sales=None,  # type: ignore[arg-type]
        cases=None,  # type: ignore[arg-type]
        refunds=None,  # type: ignore[arg-type]
        views=views,
        inbox=None,  # type: ignore[arg-type]
        owners=PostgresOwnership(create_async_engine("postgresql+asyncpg://nobody@127.0.0.1:1/none")),
    )
    settings = GatewaySettings(jwt_key=SecretStr(DEVELOPMENT_JWT_KEY), requests_per_minute=1_000)
    headers = {"Authorization": f"Bearer {token(Role.OPERATOR, 'ann')}"}
    transport = ASGITransport(
        create_app(front, settings, StandardWebhooks(DEVELOPMENT_WEBHOOK_SECRET)), raise_app_exceptions=False
    )
    return AsyncClient(transport=transport, base_url="http://gateway", headers=headers)


def _of(sqlstate: str) -> DBAPIError:
    return DBAPIError("SELECT 1", None, _Away(sqlstate))


AWAY = [
    *(_of(sqlstate) for sqlstate in ("57P01", "57P02", "57P03", "53300", "08006")),
    asyncpg.CannotConnectNowError("starting up"),
    asyncpg.InterfaceError("connection is closed"),
    ConnectionRefusedError(),
]


@pytest.mark.parametrize("error", AWAY, ids=repr)
async def test_a_database_that_is_starting_stopping_full_or_gone_is_asked_again_later(error: Exception) -> None:
    async with await _asked(error) as http:
        answer = await http.get(f"/orders/{order_number()}")
    problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"]


@pytest.mark.parametrize("error", [_of("42703"), asyncpg.UndefinedColumnError("no such column")], ids=repr)
async def test_a_statement_that_is_wrong_is_a_fault_of_ours(error: Exception) -> None:
    async with await _asked(error) as http:
        problem(await http.get(f"/orders/{order_number()}"), 500, "fault")
