"""The merchants' warehouses: they take parcels to pack, each once."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends

from activities.merchant import HandOver
from providers.sandbox.problems import Problem, body, fail_if
from providers.sandbox.state import TheState

router = APIRouter(prefix="/merchants/{merchant:path}/hand-overs")


@router.post("", status_code=201)
async def take(state: TheState, merchant: str, parcel: Annotated[HandOver, Depends(body(HandOver))]) -> dict[str, str]:
    """Take a parcel. Key: `sub_order_no`."""
    bad_days = state.bad_days
    fail_if(merchant in bad_days.hand_over_fails_for)
    if parcel.merchant != merchant:
        raise Problem(422, "invalid-body", "merchant: the parcel is for another one")
    with state.transaction() as db:
        row = db.execute("SELECT parcel FROM hand_overs WHERE sub_order_no = ?", (parcel.sub_order_no,)).fetchone()
        if row is not None and HandOver.model_validate_json(row["parcel"]) != parcel:
            raise Problem(409, "hand-over-differs", "this sub_order_no was handed over with another body")
        if row is None:
            db.execute(
                "INSERT INTO hand_overs (sub_order_no, merchant, parcel) VALUES (?, ?, ?)",
                (parcel.sub_order_no, merchant, parcel.model_dump_json()),
            )
    await asyncio.sleep(bad_days.hand_over_hangs_s)
    return {"sub_order_no": parcel.sub_order_no}


@router.get("")
async def taken(state: TheState, merchant: str) -> list[HandOver]:
    """The parcels this merchant has, in the order they came."""
    rows = state.db.execute("SELECT parcel FROM hand_overs WHERE merchant = ? ORDER BY seq", (merchant,))
    return [HandOver.model_validate_json(row["parcel"]) for row in rows]
