"""Orders, praise and rushes as the risk desk finds them in the database."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import to_jsonable_python
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.order.cart import Address, Cart, CartLine
from store.tables import (
    metadata,
    order_lines,
    orders,
    reviews,
    sub_orders,
)

NOW = datetime(2026, 11, 11, 12, 30, tzinfo=UTC)


HOUR = timedelta(hours=1)


HOME = Address(recipient="Li Lei", phone="13800138000", region="浙江省杭州市", street="文三路1号2-301")


def cart(**said: Any) -> Cart:
    own: dict[str, Any] = {
        "buyer_id": 7,
        "lines": [CartLine(line_no=1, sku="TEA", quantity=1)],
        "expected_amount_fen": 3_000,
        "address": HOME,
        "device_id": "device-of-7",
        "ip": "203.0.113.9",
    }
    return Cart(**(own | said))


async def insert_order(engine: AsyncEngine, number: int, *, ago: timedelta = timedelta(), **said: Any) -> str:
    """An order of one line. Everything about it is its own, unless it is said."""
    line = {"sku": "TEA", "merchant": "leaf", "quantity": 1, "goods_fen": 3_000, "pay_fen": 3_000}
    line |= {name: said.pop(name) for name in list(said) if name in line}
    row: dict[str, Any] = {
        "order_no": number,
        "buyer_id": 1_000 + number,
        "caller": "web",
        "device_id": f"device-{number}",
        "ip": "",
        "address": to_jsonable_python(HOME),
        "address_key": f"address-{number}",
        "phone_key": f"86138{number:08d}"[:13],
        "goods_fen": line["goods_fen"],
        "shipping_fen": 0,
        "amount_due_fen": line["pay_fen"],
        "coupons": [],
        "rules": {},
        "terms": {},
        "currency": "CNY",
        "payment": "UNPAID",
        "status": "PENDING_PAYMENT",
        "placed_at": NOW - ago,
    }
    shown = {"line_no": 1, "title": "Tea", "version": 1, "digest": "", "unit_price_fen": line["goods_fen"]}
    shown |= {"delivery_mode": "PHYSICAL", "handling": "ORDINARY", "weight_g": 0, "volume_cm3": 0, "policy": "-"}
    async with engine.begin() as db:
        await db.execute(insert(orders).values(row | said))
        await db.execute(insert(order_lines).values({"order_no": number} | shown | line))
    return str(number)


async def insert_praise(engine: AsyncEngine, order_no: str, at: datetime) -> None:
    """The order's one sub-order was received and reviewed at that time."""
    part = {"order_no": int(order_no), "idx": 1}
    shown = {"buyer_id": 7, "sub_order_no": f"{order_no}01", "merchant": "leaf", "shipping_fen": 0}
    shown |= {"delivery_mode": "PHYSICAL", "handling": "ORDINARY", "flags": []}
    async with engine.begin() as db:
        await db.execute(
            insert(sub_orders).values(
                part | shown | {"status": "REVIEWED", "goods_fen": 3_000, "pay_fen": 3_000, "received_at": at}
            )
        )
        await db.execute(insert(reviews).values(part | {"rating": 5, "text": "good", "at": at}))


async def rows(engine: AsyncEngine) -> dict[str, int]:
    async with engine.connect() as db:
        return {t.name: await db.scalar(select(func.count()).select_from(t)) or 0 for t in metadata.sorted_tables}


async def insert_rush(engine: AsyncEngine, numbers: Iterable[int]) -> str:
    """Orders of buyer 7, a minute apart, the last one now."""
    every = list(numbers)
    for minutes, number in enumerate(reversed(every)):
        await insert_order(engine, number, buyer_id=7, ago=timedelta(minutes=minutes), merchant=f"m{number}")
    return str(every[-1])
