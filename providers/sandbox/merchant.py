"""The merchants: their warehouses take each parcel once, and their shops grant virtual goods once."""

import asyncio
import secrets
from typing import Annotated

from fastapi import APIRouter, Depends

from activities.merchant import Granted, GrantGoods, HandOver
from activities.sub_orders import LineCodes
from providers.sandbox.problems import SandboxProblem, body, fail_if
from providers.sandbox.state import TheState

router = APIRouter(prefix="/merchants/{merchant:path}")


@router.post("/hand-overs", status_code=201)
async def take(state: TheState, merchant: str, parcel: Annotated[HandOver, Depends(body(HandOver))]) -> dict[str, str]:
    """Take a parcel. Idempotency key: `sub_order_no` with `revision`; the highest revision is in force."""
    bad_days = state.bad_days
    fail_if(merchant in bad_days.hand_over_fails_for)
    if parcel.merchant != merchant:
        raise SandboxProblem(422, "invalid-body", "merchant: the parcel is for another one")
    with state.transaction() as db:
        row = db.execute("SELECT parcel FROM hand_overs WHERE sub_order_no = ?", (parcel.sub_order_no,)).fetchone()
        before = HandOver.model_validate_json(row["parcel"]) if row is not None else None
        if before is not None and before.revision == parcel.revision and before != parcel:
            raise SandboxProblem(409, "hand-over-differs", "this sub_order_no was handed over with another body")
        if before is None:
            db.execute(
                "INSERT INTO hand_overs (sub_order_no, merchant, parcel) VALUES (?, ?, ?)",
                (parcel.sub_order_no, merchant, parcel.model_dump_json()),
            )
        elif before.revision < parcel.revision:
            changed = (parcel.model_dump_json(), parcel.sub_order_no)
            db.execute("UPDATE hand_overs SET parcel = ? WHERE sub_order_no = ?", changed)
    await asyncio.sleep(bad_days.hand_over_hangs_s)
    return {"sub_order_no": parcel.sub_order_no}


@router.get("/hand-overs")
async def taken(state: TheState, merchant: str) -> list[HandOver]:
    """The parcels that this merchant has taken, in the order in which they came."""
    rows = state.db.execute("SELECT parcel FROM hand_overs WHERE merchant = ? ORDER BY seq", (merchant,))
    return [HandOver.model_validate_json(row["parcel"]) for row in rows]


@router.post("/grants", status_code=201)
async def grant(state: TheState, merchant: str, goods: Annotated[GrantGoods, Depends(body(GrantGoods))]) -> Granted:
    """Grant a code for each piece. Idempotency key: `sub_order_no`; a repeat gets the same codes."""
    fail_if(merchant in state.bad_days.hand_over_fails_for)
    lines = [LineCodes(line_no=line.line_no, codes=_codes(line.quantity)) for line in goods.lines]
    fresh = Granted(lines=lines).model_dump_json()
    with state.transaction() as db:
        db.execute("INSERT OR IGNORE INTO grants VALUES (?, ?, ?)", (goods.sub_order_no, merchant, fresh))
        row = db.execute("SELECT granted FROM grants WHERE sub_order_no = ?", (goods.sub_order_no,)).fetchone()
    await asyncio.sleep(state.bad_days.hand_over_hangs_s)
    return Granted.model_validate_json(row["granted"])


@router.get("/grants")
async def granted(state: TheState, merchant: str) -> dict[str, Granted]:
    """What this merchant has granted, by the sub-order's number."""
    rows = state.db.execute("SELECT sub_order_no, granted FROM grants WHERE merchant = ?", (merchant,))
    return {row["sub_order_no"]: Granted.model_validate_json(row["granted"]) for row in rows}


def _codes(pieces: int) -> list[str]:
    return [secrets.token_hex(8).upper() for _ in range(pieces)]
