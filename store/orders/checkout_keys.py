"""Checkout's keys: the order's number is minted here, once per caller's key, and kept for ever."""

from collections.abc import Sequence
from datetime import date
from itertools import count

from sqlalchemy import Text, bindparam, cast, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.base import Message
from domain.order.lines import Placement
from domain.order.order_number import candidate
from domain.order.status import Status
from store.database.asyncpg_direct import autocommit
from store.database.batcher import Batcher
from store.database.engine import single
from store.database.keys import KeyReused
from store.tables import checkout_keys, orders, placements

Key = tuple[str, str]

_CLAIM = insert(checkout_keys).on_conflict_do_nothing().returning(checkout_keys.c.order_no)
_OF_KEY = select(checkout_keys.c.order_no, checkout_keys.c.body_sha256).where(
    checkout_keys.c.caller == bindparam("of_caller"), checkout_keys.c.idempotency_key == bindparam("of_key")
)
_BODIES = """
SELECT caller, idempotency_key, body_sha256
FROM unnest($1::text[], $2::text[]) AS asked(caller, idempotency_key)
JOIN checkout_keys USING (caller, idempotency_key)
"""
_ANSWER = (
    select(cast(placements.c.outcome, Text).label("outcome"), orders.c.payment_link, orders.c.status)
    .outerjoin(orders, orders.c.order_no == placements.c.order_no)
    .where(placements.c.order_no == bindparam("of_order"))
)


class Minted(Message):
    """The number of a key's order. `new`: this call made it, so nobody can have started its run before."""

    order_no: str
    new: bool


class PostgresCheckoutKeys:
    def __init__(self, engine: AsyncEngine, secret: bytes, channel: int) -> None:
        self._engine = engine
        self._single = single(engine)
        self._secret = secret
        self._channel = channel
        self._bodies = Batcher[Key, str | None]("look up a checkout's key", self._bodies_of)

    async def is_known(self, caller: str, key: str, body_sha256: str) -> bool:
        """Whether the key has a number. Raises KeyReused for another body. Calls that come together share a read."""
        known = await self._bodies((caller, key))
        return known is not None and _same(known, body_sha256)

    async def mint(self, caller: str, key: str, body_sha256: str, buyer_id: int, today: date) -> Minted:
        """The order's number under this key: a new one, or the one it has. Raises KeyReused for another body."""
        async with self._single.connect() as db:
            for attempt in count():
                number = candidate(self._secret, caller, key, buyer_id, today, self._channel, attempt)
                row = {
                    "caller": caller,
                    "idempotency_key": key,
                    "body_sha256": body_sha256,
                    "order_no": int(number),
                }
                if (await db.execute(_CLAIM, row)).first() is not None:
                    return Minted(order_no=number, new=True)
                known = await self._known(db, caller, key, body_sha256)
                if known is not None:
                    return Minted(order_no=known, new=False)
                # Neither ours nor this key's: the number is another order's. The next attempt is another number.
        raise AssertionError("unreachable: candidates run out with an error")

    async def _known(self, db: AsyncConnection, caller: str, key: str, body_sha256: str) -> str | None:
        row = (await db.execute(_OF_KEY, {"of_caller": caller, "of_key": key})).first()
        return str(row.order_no) if row is not None and _same(row.body_sha256, body_sha256) else None

    async def _bodies_of(self, asked: Sequence[Key]) -> list[str | None]:
        async with autocommit(self._engine) as db:
            rows = await db.fetch(_BODIES, [caller for caller, _ in asked], [key for _, key in asked])
        bodies: dict[Key, str] = {(row["caller"], row["idempotency_key"]): row["body_sha256"] for row in rows}
        return [bodies.get(each) for each in asked]

    async def answered(self, order_no: str) -> Placement | None:
        """The answer that the order's run has given, once it is whole; None while the run still works on it."""
        async with self._single.connect() as db:
            row = (await db.execute(_ANSWER, {"of_order": int(order_no)})).first()
        if row is None:
            return None
        placement = Placement.model_validate_json(row.outcome)
        if row.payment_link is None and row.status == Status.PENDING_PAYMENT:
            return None  # the provider has not given its page yet
        return placement.model_copy(update={"payment_link": row.payment_link})


def _same(known: str, body_sha256: str) -> bool:
    if known != body_sha256:
        raise KeyReused
    return True
