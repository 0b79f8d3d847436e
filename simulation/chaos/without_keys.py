"""The control: workers whose operation keys are switched off. An auditor that does not report that is worth nothing.

Only the simulation's own workers do this; nothing in the product can.
"""

import sys
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from sqlalchemy import Table, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity

from activities.stock import Restock
from domain.order.payment import RefundAnswer, RefundOrder
from providers.payment import HttpPaymentProvider
from store.database import keys
from store.stock import endings


async def _every_time(
    db: AsyncConnection,
    operations: Table,
    key: str,
    answer: type[Any],
    effect: Callable[[], Awaitable[Any]],
    keep: Callable[[Any], bool] = lambda _: True,
) -> Any:
    """`store.database.keys.once` without its key: the effect happens again, and the last answer is kept."""
    given = await effect()
    if keep(given):
        row = {"key": key, "result": given.model_dump(mode="json"), "at": func.now()}
        written = insert(operations).values(row)
        await db.execute(written.on_conflict_do_update(index_elements=["key"], set_={"result": row["result"]}))
    return given


def switch_off_the_keys() -> None:
    """Have repeats done again: in the ledgers, and at the payment provider, where a repeated refund gets another
    number."""
    with_its_key = keys.once
    for name, module in list(sys.modules.items()):
        if name.startswith("store.") and getattr(module, "once", None) is with_its_key:
            module.once = _every_time  # type: ignore[attr-defined]
    claim, refund = endings._claim_restocks, HttpPaymentProvider.refund

    async def claim_again(db: Any, asked: Mapping[tuple[int, str], Restock], unsold: Collection[int]) -> list[Restock]:
        await claim(db, asked, unsold)
        return list(asked.values())

    async def refund_again(self: HttpPaymentProvider, order: RefundOrder) -> RefundAnswer:
        first = activity.info().attempt == 1
        number = order.refund_no if first else f"{order.refund_no}-{uuid.uuid4().hex[:6]}"
        answer = await refund(self, order.model_copy(update={"refund_no": number}))
        return answer.model_copy(update={"refund_no": order.refund_no})

    async def never_heard_of_it(self: HttpPaymentProvider, refund_no: str) -> None:
        return None

    endings._claim_restocks = claim_again
    HttpPaymentProvider.refund = refund_again  # type: ignore[method-assign]
    HttpPaymentProvider.query_refund = never_heard_of_it  # type: ignore[method-assign]
