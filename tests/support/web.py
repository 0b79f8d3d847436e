"""Parties that call the gateway, as short as tests want them."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from acts.acts import Acts
from acts.after_sales import AfterSales
from acts.front import Front
from domain.order.ownership import Role
from gateway.app import create_app
from gateway.auth import mint
from gateway.context import GatewaySettings
from providers.calls import LIMITS
from providers.notifications import StandardWebhooks
from runtime.settings import DEVELOPMENT_JWT_KEY, DEVELOPMENT_WEBHOOK_SECRET
from store.after_sale.cases import PostgresAfterSales
from store.after_sale.refunds import PostgresRefunds
from store.after_sale.views import PostgresCaseViews
from store.money.inbox import PostgresInbox
from store.orders.ownership import PostgresOwnership
from tests.support.serving import serving
from tests.support.shop import Person, Shop

PROBLEM = "application/problem+json"


def token(role: Role, sub: str, *, key: str = DEVELOPMENT_JWT_KEY, lifetime: timedelta = timedelta(hours=1)) -> str:
    return mint(key, role, sub, lifetime)


@dataclass
class Party:
    """One caller. Each call answers with the plain response."""

    http: httpx.AsyncClient
    headers: dict[str, str]

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.http.get(path, params=params, headers=self.headers)

    async def post(self, path: str, body: Any = None, *, key: str | None = None, **more: Any) -> httpx.Response:
        headers = self.headers | ({"Idempotency-Key": key} if key is not None else {}) | more.pop("headers", {})
        if body is not None:
            more["json"] = body
        return await self.http.post(path, headers=headers, **more)


@dataclass
class Web:
    """A gateway and who calls it."""

    shop: Shop
    http: httpx.AsyncClient

    def party(self, role: Role, sub: str) -> Party:
        return Party(self.http, {"Authorization": f"Bearer {token(role, sub)}"})

    @property
    def stranger(self) -> Party:
        return Party(self.http, {})

    @property
    def checkout(self) -> Party:
        return self.party(Role.CHECKOUT, "web")

    @property
    def operator(self) -> Party:
        return self.party(Role.OPERATOR, "ann")

    def buyer(self, person: Person) -> Party:
        return self.party(Role.BUYER, str(person.buyer_id))

    def cart(self, skus: list[str], person: Person, **changed: Any) -> dict[str, Any]:
        cart = self.shop.cart(skus, person, expected_fen=1000 * len(skus)).model_dump(mode="json")
        return {**cart, **changed}

    async def place(self, skus: list[str], person: Person) -> str:
        placed = await self.checkout.post("/orders", self.cart(skus, person), key=new_key())
        assert placed.status_code == 201, placed.text
        return str(placed.json()["order_no"])

    async def paid(self, merchants: list[str], person: Person) -> tuple[str, list[str]]:
        """An order of one piece from each merchant, paid and split: its number, and its sub-orders'."""
        order_no = await self.place([await self.shop.sku(merchant=merchant) for merchant in merchants], person)
        await self.shop.pay(order_no)
        return order_no, await self.shop.split(order_no)


def new_key() -> str:
    return uuid.uuid4().hex


def new_name(kind: str) -> str:
    """Of a merchant or carrier that no other test knows."""
    return f"{kind}-{uuid.uuid4().hex[:8]}"


def problem(response: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    """The body, once it is seen to be this problem."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM
    body: dict[str, Any] = response.json()
    assert (body["status"], body["type"]) == (status, kind), body
    assert body["title"]
    assert body["detail"]
    return body


def front_of(shop: Shop, *, wait_s: float = 8.0) -> Front:
    return Front(
        client=shop.client,
        checkout=shop.checkout(wait_s=wait_s, gated=True),
        acts=Acts(shop.client, shop.sub_book),
        after_sales=AfterSales(shop.client, PostgresAfterSales(shop.engine), shop.settings.task_queue),
        cases=PostgresCaseViews(shop.engine),
        views=shop.views,
        inbox=PostgresInbox(shop.engine),
        owners=PostgresOwnership(shop.engine),
        refunds=PostgresRefunds(shop.engine),
    )


@asynccontextmanager
async def opened(shop: Shop, *, front: Front | None = None, **settings: Any) -> AsyncIterator[Web]:
    """A gateway on a port of its own, in this process."""
    known = {"jwt_key": DEVELOPMENT_JWT_KEY, "requests_per_minute": 100_000}
    wanted = GatewaySettings.model_validate({**known, **settings}, strict=False)
    app = create_app(front or front_of(shop), wanted, StandardWebhooks(DEVELOPMENT_WEBHOOK_SECRET))
    async with serving(app) as url, httpx.AsyncClient(base_url=url, trust_env=False, timeout=15, limits=LIMITS) as http:
        yield Web(shop, http)
