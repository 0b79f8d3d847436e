"""The coupon ledger in PostgreSQL: a coupon is taken by at most one order at a time, and its history only grows."""

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.coupons import CouponsGivenBack, CouponsOf, CouponsRedeemed, TakeCoupons
from domain.base import Message, Utc
from domain.order.reservation import CouponsTaken, GoneCoupon
from domain.pricing.market import Coupon, unusable
from domain.pricing.promotion import COUPON_LEVELS
from store.database.keys import kept, once
from store.tables import coupon_entries, coupon_operations, coupons, promotions

# Twenty of these are about 100 bits, which nobody guesses. I, O, 0 and 1 are left out: people mistake them for others.
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_CODE_LENGTH = 20
_MOST_AT_ONCE = 10_000


class CouponState(StrEnum):
    AVAILABLE = "AVAILABLE"
    TAKEN = "TAKEN"  # by an order that is not paid yet
    REDEEMED = "REDEEMED"
    EXPIRED = "EXPIRED"


class HeldCoupon(Coupon):
    """A coupon as its owner sees it."""

    state: CouponState


class CouponEntry(Message):
    """One line of a coupon's history: ISSUED, TAKEN, REDEEMED, GIVEN_BACK or EXPIRED."""

    entry: str
    order_no: str | None
    at: Utc


class NotIssued(ValueError):
    """Raised when a coupon can't be issued; the message says why, and what to do, and the command line tells it."""


class PostgresCoupons:
    """Implements `activities.coupons.CouponLedger`. Coupons are locked in the order of their ids, so that no two orders
    deadlock."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def take(self, request: TakeCoupons) -> CouponsTaken:
        async with self._engine.begin() as db:
            await _lock_order(db, request.order_no)
            if await kept(db, coupon_operations, _key(request.order_no, "give_back"), CouponsGivenBack) is not None:
                return CouponsTaken(gone=[], released_before=True)
            key = _key(request.order_no, "take")
            return await once(db, coupon_operations, key, CouponsTaken, lambda: _take(db, request))

    async def redeem(self, request: CouponsOf) -> CouponsRedeemed:
        async with self._engine.begin() as db:
            await _lock_order(db, request.order_no)
            key = _key(request.order_no, "redeem")
            return await once(db, coupon_operations, key, CouponsRedeemed, lambda: _redeem(db, request))

    async def give_back(self, request: CouponsOf) -> CouponsGivenBack:
        async with self._engine.begin() as db:
            await _lock_order(db, request.order_no)
            key = _key(request.order_no, "give_back")
            return await once(db, coupon_operations, key, CouponsGivenBack, lambda: _give_back(db, request))

    async def issue(
        self,
        promotion_id: str,
        buyer_id: int,
        at: datetime,
        expires_at: datetime | None = None,
        coupon_id: str | None = None,
        count: int = 1,
    ) -> list[Coupon]:
        """Issue `count` coupons of a promotion of a coupon level to one buyer. Raises NotIssued.

        Without `expires_at` they are valid as long as the promotion. Without `coupon_id` each gets a code that nobody
        can guess, and asking again issues others. With one (for coupons that come from elsewhere) it is the
        idempotency key: asking again returns the same coupon."""
        if coupon_id is not None and count != 1:
            raise NotIssued("one id is for one coupon: issue one, or leave the id out")
        return await self.issue_to_all(promotion_id, [buyer_id] * count, at, expires_at, coupon_id)

    async def issue_to_all(
        self,
        promotion_id: str,
        buyers: Sequence[int],
        at: datetime,
        expires_at: datetime | None = None,
        coupon_id: str | None = None,
    ) -> list[Coupon]:
        """Issue one coupon for each entry of `buyers`, all or none. Raises NotIssued."""
        if len(buyers) > _MOST_AT_ONCE:
            raise NotIssued(f"{len(buyers)} coupons are too many at once: issue at most {_MOST_AT_ONCE}")
        async with self._engine.begin() as db:
            ends_at = await _can_be_issued(db, promotion_id, at)
            given = [
                Coupon(
                    coupon_id=coupon_id or _new_code(),
                    promotion_id=promotion_id,
                    buyer_id=buyer_id,
                    expires_at=expires_at or ends_at,
                )
                for buyer_id in buyers
            ]
            await _add(db, given, at)
            return given

    async def of_buyer(self, buyer_id: int, at: datetime) -> list[HeldCoupon]:
        """A buyer's coupons as they are at `at`; those that expire first come first."""
        of_buyer = select(coupons).where(coupons.c.buyer_id == buyer_id)
        async with self._engine.connect() as db:
            rows = await db.execute(of_buyer.order_by(coupons.c.expires_at.nulls_last(), coupons.c.coupon_id))
            return [_held(row, at) for row in rows]

    async def history(self, coupon_id: str) -> list[CouponEntry]:
        """A coupon's history from its issue on; empty for an unknown coupon."""
        entries = select(coupon_entries).where(coupon_entries.c.coupon_id == coupon_id).order_by(coupon_entries.c.id)
        async with self._engine.connect() as db:
            return [
                CouponEntry(entry=row.entry, order_no=_text(row.order_no), at=row.at)
                for row in await db.execute(entries)
            ]


# --- within a transaction


async def _lock_order(db: AsyncConnection, order_no: str) -> None:
    # All of an order's steps take this lock, so that a `give_back` and a late `take` can't pass each other.
    await db.execute(select(func.pg_advisory_xact_lock(int(order_no))))


async def _take(db: AsyncConnection, request: TakeCoupons) -> CouponsTaken:
    found = {row.coupon_id: row for row in await _locked(db, coupons.c.coupon_id.in_(request.coupons))}
    gone = [
        GoneCoupon(coupon_id=coupon_id, why=why)
        for coupon_id in request.coupons
        if (why := _why_gone(found.get(coupon_id), request))
    ]
    if not gone:
        await _move(db, list(found), CouponState.TAKEN, "TAKEN", request.order_no, request.at)
    return CouponsTaken(gone=gone)


def _why_gone(row: Any, request: TakeCoupons) -> str:
    if row is None:
        return unusable(None, request.buyer_id, request.order_no, request.at)
    # A coupon that was found expired when it was given back stays so, even for an order with an earlier time.
    at = max(request.at, row.expires_at) if row.state == CouponState.EXPIRED else request.at
    return unusable(coupon_of(row), request.buyer_id, request.order_no, at)


async def _redeem(db: AsyncConnection, request: CouponsOf) -> CouponsRedeemed:
    held = await _locked(db, _of_order(request.order_no))
    named = [row.coupon_id for row in held]
    await _move(db, named, CouponState.REDEEMED, "REDEEMED", request.order_no, request.at)
    return CouponsRedeemed(coupons=len(named))


async def _give_back(db: AsyncConnection, request: CouponsOf) -> CouponsGivenBack:
    held = await _locked(db, _of_order(request.order_no))
    expired = [row.coupon_id for row in held if row.expires_at is not None and request.at >= row.expires_at]
    usable = [row.coupon_id for row in held if row.coupon_id not in expired]
    await _move(db, usable, CouponState.AVAILABLE, "GIVEN_BACK", request.order_no, request.at)
    await _move(db, expired, CouponState.EXPIRED, "EXPIRED", request.order_no, request.at)
    return CouponsGivenBack(usable=len(usable), expired=len(expired))


async def _locked(db: AsyncConnection, *which: Any) -> Sequence[Any]:
    return (await db.execute(select(coupons).where(*which).order_by(coupons.c.coupon_id).with_for_update())).all()


async def _move(
    db: AsyncConnection, named: Collection[str], state: CouponState, entry: str, order_no: str, at: datetime
) -> None:
    """Move an order's coupons to a state, with an entry in the history of each."""
    if not named:
        return
    of_an_order = state in (CouponState.TAKEN, CouponState.REDEEMED)
    await db.execute(
        update(coupons)
        .where(coupons.c.coupon_id.in_(named))
        .values(state=state, order_no=int(order_no) if of_an_order else None)
    )
    await _write(db, named, entry, at, order_no)


async def _write(
    db: AsyncConnection, named: Collection[str], entry: str, at: datetime, order_no: str | None = None
) -> None:
    number = None if order_no is None else int(order_no)
    rows = [{"coupon_id": each, "entry": entry, "order_no": number, "at": at} for each in named]
    await db.execute(insert(coupon_entries), rows)


async def _can_be_issued(db: AsyncConnection, promotion_id: str, at: datetime) -> datetime | None:
    """When the promotion ends (None: never). Raises NotIssued if coupons of it can't be issued."""
    wanted = select(promotions).where(promotions.c.promotion_id == promotion_id)
    row = (await db.execute(wanted)).one_or_none()
    if row is None:
        raise NotIssued(f"there is no promotion {promotion_id}: load it first")
    if row.level not in COUPON_LEVELS:
        raise NotIssued(f"{promotion_id} is of level {row.level} and needs no coupon: it applies by itself")
    if row.stopped_at is not None or (row.ends_at is not None and at >= row.ends_at):
        raise NotIssued(f"{promotion_id} is over: issue coupons of another promotion")
    ends_at: datetime | None = row.ends_at
    return ends_at


async def _add(db: AsyncConnection, given: Sequence[Coupon], at: datetime) -> None:
    rows = [{**coupon.model_dump(exclude={"order_no"}), "state": CouponState.AVAILABLE} for coupon in given]
    added = await db.execute(insert(coupons).on_conflict_do_nothing().returning(coupons.c.coupon_id), rows)
    new = set(added.scalars())
    there = await db.execute(select(coupons).where(coupons.c.coupon_id.in_([c.coupon_id for c in given])))
    issued = {row.coupon_id: coupon_of(row).model_copy(update={"order_no": None}) for row in there}
    for coupon in given:
        if issued[coupon.coupon_id] != coupon:
            raise NotIssued(f"there is another coupon {coupon.coupon_id}: issue it under a new id")
    if new:
        await _write(db, [c.coupon_id for c in given if c.coupon_id in new], "ISSUED", at)


def _new_code() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH))


def _of_order(order_no: str) -> Any:
    return coupons.c.order_no == int(order_no)


def coupon_of(row: Any) -> Coupon:
    """The coupon in a row of `coupons`."""
    return Coupon(
        coupon_id=row.coupon_id,
        promotion_id=row.promotion_id,
        buyer_id=row.buyer_id,
        expires_at=row.expires_at,
        order_no=_text(row.order_no),
    )


def _held(row: Any, at: datetime) -> HeldCoupon:
    over = row.state == CouponState.AVAILABLE and row.expires_at is not None and at >= row.expires_at
    state = CouponState.EXPIRED if over else CouponState(row.state)
    return HeldCoupon(**coupon_of(row).model_dump(), state=state)


def _text(order_no: int | None) -> str | None:
    return None if order_no is None else str(order_no)


def _key(order_no: str, step: str) -> str:
    return f"{order_no}/{step}"
