"""Whose an order is, in PostgreSQL: what `domain.order.ownership` decides from."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.order.order_number import OrderNo
from domain.order.ownership import Owners
from store.tables import checkout_keys, order_lines, orders, sub_orders


class PostgresOwnership:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def of(self, number: OrderNo) -> Owners | None:
        """Whose an order or sub-order is; None when there is none under this number."""
        order_no = int(number.order_no)
        async with self._engine.connect() as db:
            if number.sub is not None:
                row = (
                    await db.execute(
                        select(sub_orders.c.buyer_id, sub_orders.c.merchant, sub_orders.c.carrier).where(
                            sub_orders.c.order_no == order_no, sub_orders.c.idx == number.sub
                        )
                    )
                ).first()
                return Owners(buyer_id=row.buyer_id, merchants=[row.merchant], carrier=row.carrier) if row else None
            buyer_id = await db.scalar(select(orders.c.buyer_id).where(orders.c.order_no == order_no))
            if buyer_id is None:
                return None
            merchants = await db.scalars(
                select(order_lines.c.merchant).where(order_lines.c.order_no == order_no).distinct()
            )
            return Owners(buyer_id=buyer_id, merchants=sorted(merchants))

    async def placed_by(self, number: OrderNo) -> str | None:
        """The caller of the checkout that the number was minted for; known before there is an order."""
        minted = select(checkout_keys.c.caller).where(checkout_keys.c.order_no == int(number.order_no))
        async with self._engine.connect() as db:
            caller: str | None = await db.scalar(minted)
            return caller

    async def ping(self) -> None:
        """Ask the database for nothing; raises when it does not answer."""
        async with self._engine.connect() as db:
            await db.scalar(select(1))
