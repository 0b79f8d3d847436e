"""Promotions in PostgreSQL: documents that never change, and which of them a buyer may be given."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import (
    ARRAY,
    BindParameter,
    CursorResult,
    DateTime,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.base import Message, Utc
from domain.order.snapshot import canonical, digest
from domain.pricing.market import Offers
from domain.pricing.promotion import COUPON_LEVELS, Promotion
from store.accounts.coupons import coupon_of
from store.database.engine import looking
from store.tables import coupons, members, promotions

_document: TypeAdapter[Promotion] = TypeAdapter(Promotion)


class LoadedBefore(ValueError):
    """Raised for promotions that were loaded before with other content, by which an order may have been priced. None
    is loaded, and the command line names each."""

    def __init__(self, promotion_ids: Sequence[str]) -> None:
        named = ", ".join(promotion_ids)
        super().__init__(f"{named}: loaded before with other content; issue it under a new id")
        self.promotion_ids = promotion_ids


class KnownPromotion(Message):
    """A promotion as it was loaded. If it was stopped, `stopped_at` is since when no order gets it."""

    promotion: Promotion
    digest: str
    loaded_at: Utc
    stopped_at: Utc | None = None
    stopped_by: str | None = None


class PostgresPromotions:
    """Implements `activities.catalog.Promotions`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._looking = looking(engine)

    async def offers(self, buyer_id: int, merchants: Collection[str], coupons: Collection[str], at: datetime) -> Offers:
        """What a buyer may be given at `at`. A promotion that is not on then is left out, and so is one of a coupon
        level unless the buyer has and names a coupon of it."""
        async with self._looking.connect() as db:
            whose = {"buyer": buyer_id, "named": list(coupons)}
            given = (await db.execute(_ON, {**whose, "merchants": list(merchants), "at": at})).scalars().all()
            held = (await db.execute(_IN_HAND, whose)).all()
        return Offers(
            promotions=[_document.validate_json(text) for text in given],
            coupons=[coupon_of(row) for row in held if row.coupon_id is not None],
            tier=held[0].tier,
        )

    async def load(self, given: Collection[Promotion]) -> list[str]:
        """Add promotions, all or none; returns the ids that were new. One that was loaded before with the same content
        changes nothing, so that loading may be repeated. Raises LoadedBefore for one with other content."""
        if not given:
            return []
        async with self._engine.begin() as db:
            # Rows are added in the order of their ids, so that two loads that overlap don't deadlock.
            rows = [_row(promotion) for promotion in sorted(given, key=lambda p: p.promotion_id)]
            statement = insert(promotions).on_conflict_do_nothing().returning(promotions.c.promotion_id)
            added = set((await db.execute(statement, rows)).scalars())
            there = await _known(db, {p.promotion_id for p in given} - added)
            # Documents are compared as they are read now, so that a key which a later version adds with a default does
            # not make the content another.
            other = [p.promotion_id for p in given if p.promotion_id in there and there[p.promotion_id].promotion != p]
            if other:
                raise LoadedBefore(other)
        return sorted(added)

    async def stop(self, promotion_id: str, at: datetime, author: str) -> KnownPromotion | None:
        """Stop a promotion: no order placed from `at` on gets it, and orders that have it keep it. Stopping it again
        changes nothing. Returns None when it is unknown."""
        async with self._engine.begin() as db:
            await db.execute(
                update(promotions)
                .where(promotions.c.promotion_id == promotion_id, promotions.c.stopped_at.is_(None))
                .values(stopped_at=at, stopped_by=author)
            )
            return (await _known(db, [promotion_id])).get(promotion_id)

    async def promotion(self, promotion_id: str) -> KnownPromotion | None:
        async with self._looking.connect() as db:
            return (await _known(db, [promotion_id])).get(promotion_id)

    async def promotions(self, at: datetime | None = None) -> list[KnownPromotion]:
        """The promotions that are on at `at` or still to come, or all of them without `at`; those that end first come
        first."""
        wanted = select(promotions).order_by(promotions.c.ends_at.nulls_last(), promotions.c.promotion_id)
        if at is not None:
            wanted = wanted.where(_not_over(at))
        async with self._looking.connect() as db:
            return [_read(row) for row in await db.execute(wanted)]


def _not_over(at: datetime | BindParameter[datetime]) -> Any:
    ends, stopped = promotions.c.ends_at, promotions.c.stopped_at
    return and_(or_(ends.is_(None), ends > at), or_(stopped.is_(None), stopped > at))


def _on() -> Select[Any]:
    table, at = promotions.c, bindparam("at", type_=DateTime(timezone=True))
    of_coupons = select(coupons.c.promotion_id).where(
        coupons.c.buyer_id == bindparam("buyer"), coupons.c.coupon_id == any_(_NAMED)
    )
    return (
        select(table.document)
        .where(
            _not_over(at),
            or_(table.starts_at.is_(None), table.starts_at <= at),
            or_(table.merchant.is_(None), table.merchant == any_(bindparam("merchants", type_=ARRAY(Text)))),
            or_(table.level.not_in(COUPON_LEVELS), table.promotion_id.in_(of_coupons)),
        )
        .order_by(table.promotion_id)
    )


def _in_hand() -> Select[Any]:
    """The buyer's tier beside each of the named coupons. There is at least one row, so that the tier comes even without
    a coupon."""
    one = select(true().label("one")).subquery()
    buyer = one.outerjoin(members, members.c.buyer_id == bindparam("buyer"))
    return (
        select(members.c.tier, coupons)
        .select_from(buyer.outerjoin(coupons, coupons.c.coupon_id == any_(_NAMED)))
        .order_by(coupons.c.coupon_id)
    )


_NAMED: BindParameter[Any] = bindparam("named", type_=ARRAY(Text))
_ON, _IN_HAND = _on(), _in_hand()


def _row(promotion: Promotion) -> dict[str, Any]:
    return {
        "promotion_id": promotion.promotion_id,
        "level": promotion.level,
        "merchant": promotion.merchant,
        "starts_at": promotion.starts_at,
        "ends_at": promotion.ends_at,
        "document": canonical(promotion),
        "digest": digest(promotion),
    }


async def _known(db: AsyncConnection, promotion_ids: Collection[str]) -> dict[str, KnownPromotion]:
    found: CursorResult[Any] = await db.execute(select(promotions).where(promotions.c.promotion_id.in_(promotion_ids)))
    return {row.promotion_id: _read(row) for row in found}


def _read(row: Any) -> KnownPromotion:
    return KnownPromotion(
        promotion=_document.validate_json(row.document),
        digest=row.digest,
        loaded_at=row.loaded_at,
        stopped_at=row.stopped_at,
        stopped_by=row.stopped_by,
    )
