"""Checkout's keys: the order's number is minted here, once per caller's key, and kept for ever."""

from datetime import date
from itertools import count

from sqlalchemy import Text, cast, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.base import Message
from domain.order import Placement
from domain.order_number import candidate
from domain.status import Status
from store.tables import checkout_keys, orders, placements


class Minted(Message):
    """The number of a key's order. `new`: this call made it, so nobody can have started its run before."""

    order_no: str
    new: bool


class KeyReused(Exception):
    """The same key came with another body: which of the two the caller means can't be told."""


class PostgresCheckoutKeys:
    def __init__(self, engine: AsyncEngine, secret: bytes, channel: int) -> None:
        self._engine = engine
        self._secret = secret
        self._channel = channel

    async def mint(self, caller: str, key: str, body_sha256: str, buyer_id: int, today: date) -> Minted:
        """The order's number under this key: a new one, or the one it has. Raises KeyReused for another body."""
        async with self._engine.begin() as db:
            for attempt in count():
                number = candidate(self._secret, caller, key, buyer_id, today, self._channel, attempt)
                row = {
                    "caller": caller,
                    "idempotency_key": key,
                    "body_sha256": body_sha256,
                    "order_no": int(number),
                }
                made = await db.execute(
                    insert(checkout_keys).values(row).on_conflict_do_nothing().returning(checkout_keys.c.order_no)
                )
                if made.first() is not None:
                    return Minted(order_no=number, new=True)
                known = await self._known(db, caller, key, body_sha256)
                if known is not None:
                    return Minted(order_no=known, new=False)
                # Neither ours nor this key's: the number is another order's. The next attempt is another number.
        raise AssertionError("unreachable: candidates run out with an error")

    async def _known(self, db: AsyncConnection, caller: str, key: str, body_sha256: str) -> str | None:
        row = (
            await db.execute(
                select(checkout_keys.c.order_no, checkout_keys.c.body_sha256).where(
                    checkout_keys.c.caller == caller, checkout_keys.c.idempotency_key == key
                )
            )
        ).first()
        if row is None:
            return None
        if row.body_sha256 != body_sha256:
            raise KeyReused
        return str(row.order_no)

    async def answered(self, order_no: str) -> Placement | None:
        """The answer that the order's run has given, once it is whole; None while the run still works on it."""
        async with self._engine.connect() as db:
            row = (
                await db.execute(
                    select(cast(placements.c.outcome, Text).label("outcome"), orders.c.payment_link, orders.c.status)
                    .outerjoin(orders, orders.c.order_no == placements.c.order_no)
                    .where(placements.c.order_no == int(order_no))
                )
            ).first()
        if row is None:
            return None
        placement = Placement.model_validate_json(row.outcome)
        if row.payment_link is None and row.status == Status.PENDING_PAYMENT:
            return None  # the provider has not given its page yet
        return placement.model_copy(update={"payment_link": row.payment_link})
