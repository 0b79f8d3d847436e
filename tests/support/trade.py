"""What orders are traded with, as short as tests want it: carts, shelves, promotions, coupons."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from domain.order.cart import Cart, CartLine
from domain.order.lines import Placement
from domain.order.status import Status
from domain.order.stock import StockPolicy
from domain.pricing.promotion import Promotion
from store.accounts.coupons import PostgresCoupons
from store.catalog.promotions import PostgresPromotions
from store.stock.changes import Change, change_stock, has_warehouse
from tests.support.shop import Person, Shop

_promotion: TypeAdapter[Promotion] = TypeAdapter(Promotion)


def merchant(name: str = "m") -> str:
    """One that no other test knows."""
    return f"{name}-{uuid.uuid4().hex[:8]}"


async def shelve(shop: Shop, owner: str, warehouse: str, **pieces: int) -> None:
    """So many pieces more of each SKU in a merchant's warehouse."""
    await has_warehouse(shop.engine, owner, warehouse)
    changes = [Change(sku=s, pieces=n, kind="receive", warehouse=warehouse) for s, n in pieces.items() if n]
    await change_stock(shop.engine, changes)


async def shelf(shop: Shop, sku: str) -> dict[str, tuple[int, int, int]]:
    """By warehouse: available, reserved, shipped."""
    rows = await shop.sql(
        "SELECT warehouse, available, reserved, shipped FROM physical_stock WHERE sku = :sku ORDER BY warehouse",
        sku=sku,
    )
    return {row.warehouse: (row.available, row.reserved, row.shipped) for row in rows}


async def promote(shop: Shop, **keys: Any) -> str:
    """A promotion for one merchant, or for the SKUs it names."""
    promotion_id = f"p-{uuid.uuid4().hex[:8]}"
    document = {"promotion_id": promotion_id, "level": "SHOP", "kind": "AMOUNT_OFF", **keys}
    await PostgresPromotions(shop.engine).load([_promotion.validate_json(json.dumps(document))])
    return promotion_id


async def coupon(shop: Shop, promotion_id: str, buyer_id: int) -> str:
    (issued,) = await PostgresCoupons(shop.engine).issue(promotion_id, buyer_id, datetime.now(UTC))
    return issued.coupon_id


async def coupon_state(shop: Shop, coupon_id: str) -> str:
    ((state,),) = await shop.sql("SELECT state FROM coupons WHERE coupon_id = :id", id=coupon_id)
    return str(state)


async def policy(shop: Shop, owner: str, chosen: StockPolicy) -> None:
    await shop.catalog.set_policy(owner, chosen)


def cart(shop: Shop, person: Person, fen: int, *lines: tuple[str, int], coupons: tuple[str, ...] = ()) -> Cart:
    asked = shop.cart([sku for sku, _ in lines], person, expected_fen=fen)
    numbered = [CartLine(line_no=n, sku=sku, quantity=pieces) for n, (sku, pieces) in enumerate(lines, start=1)]
    return asked.model_copy(update={"lines": numbered, "coupons": list(coupons)})


async def ordered(shop: Shop, asked: Cart, **terms: Any) -> Placement:
    placement = await shop.ask(asked, **terms)
    assert placement.refusal is None, placement.refusal
    return placement


async def buy(shop: Shop, asked: Cart, **terms: Any) -> str:
    """The number of an order that is placed, paid, and split or closed."""
    order_no = (await ordered(shop, asked, **terms)).order_no
    await shop.pay(order_no)
    await shop.when(order_no, lambda view: bool(view.sub_orders) or view.status is Status.CLOSED)
    return order_no
