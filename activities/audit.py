"""The audit, as its story sees it: what is held, whose runs are open, what does not add up."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from pydantic import Field
from temporalio import activity
from temporalio.common import RetryPolicy

from activities.stock_party import BooksCompared, StockHoldings
from domain.base import Message, Utc
from domain.order.cart import StartOrder
from domain.records.audit import RESTARTS, Finding, HeldOrder

# The audit has time: it waits for a database or a server that is away, however long, and shows as pending meanwhile.
# Only that its worker has died is noticed soon.
PATIENT: dict[str, Any] = {
    "start_to_close_timeout": timedelta(minutes=5),
    "heartbeat_timeout": timedelta(seconds=15),
    "retry_policy": RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1)),
}


_BEAT_S = 4.0


@asynccontextmanager
async def _beating() -> AsyncIterator[None]:
    """Says that the worker lives, while one long query is under way."""

    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(_BEAT_S)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()


class FindHeld(Message):
    """The next `most` orders after the number `after` that have been there since before `older_than`."""

    after: str
    older_than: Utc
    most: int


class HeldPage(Message):
    """A page of held orders. `after` is where the next page begins; None when this is the last."""

    orders: list[HeldOrder]
    after: str | None


class SeeRuns(Message):
    orders: list[str]
    sub_orders: list[str]


class RunsSeen(Message):
    """How the latest run ended, or NOT_FOUND, by the number of each order and sub-order that has no open run."""

    closed: dict[str, str] = Field(default_factory=dict)


class StartAgain(Message):
    """Idempotency key: the order. `why`: how its run ended."""

    order_no: str
    why: str
    at: Utc


class StartOutcome(StrEnum):
    STARTED = "STARTED"
    NOT_NEEDED = "NOT_NEEDED"  # it has an open run by now, or holds nothing any more, or was started often enough
    NO_INPUT = "NO_INPUT"  # neither its history nor the database knows what was asked for


class StartedAgain(Message):
    outcome: StartOutcome


class Nudge(Message):
    order_no: str


class CompareBooks(Message):
    most: int


class MarkFindings(Message):
    """What this audit found to need a person. If `healing`, earlier marks that are not found again are taken away."""

    found: list[Finding]
    healing: bool
    at: Utc


class FindingsMarked(Message):
    raised: int
    healed: int


class Mark(NamedTuple):
    """Something needs a person: `subject` is '' for the order, else the sub-order's number."""

    order_no: str
    subject: str
    topic: str


class AuditLedger(Protocol):
    """Our own books, as the audit reads them. Every call may be repeated."""

    async def find_held(self, request: FindHeld) -> HeldPage:
        """Ordered by number, the stock's holdings among them. What comes to be held meanwhile, or ends, may be missing
        or not."""
        ...

    async def held(self, order_no: str) -> HeldOrder | None:
        """What the order holds now; None when it has ended and holds nothing."""
        ...

    async def start_input(self, order_no: str) -> StartOrder | None:
        """What the order's run was started with, as far as a later run needs it; None when no order was recorded."""
        ...

    async def note_restart(self, order_no: str, why: str, at: datetime) -> None: ...

    async def mark_findings(self, request: MarkFindings) -> FindingsMarked:
        """Mark each finding, with one alarm for as long as it lasts. Idempotency key: the order, subject and topic."""
        ...

    async def marks_of_ended(self) -> list[Mark]:
        """What runs have marked on orders that have ended by now, and on their sub-orders."""
        ...

    async def heal(self, mark: Mark, at: datetime) -> bool:
        """Take a mark away; False when it is gone already."""
        ...


class OrderRuns(Protocol):
    """The runs of orders, asked for by number. A fault (Temporal does not answer) is an exception."""

    async def closed(self, orders: Collection[str], sub_orders: Collection[str]) -> dict[str, str]:
        """Those that have no open run, by number, with how the latest one ended: Temporal's word, or NOT_FOUND."""
        ...

    async def start_input(self, order_no: str) -> StartOrder | None:
        """The start input in the latest run's history; None when there is no such run any more."""
        ...

    async def start_again(self, start: StartOrder) -> bool:
        """Start the order's run; False when one is open already. Two can't be."""
        ...

    async def nudge(self, order_no: str) -> None:
        """Have the order's run look again at what it waits for. No open run is a success."""
        ...


class AuditActivities:
    def __init__(self, ledger: AuditLedger, stock: StockHoldings, runs: OrderRuns) -> None:
        self._ledger = ledger
        self._stock = stock
        self._runs = runs

    @activity.defn
    async def find_held(self, request: FindHeld) -> HeldPage:
        """Only reads, and needs no idempotency key."""
        async with _beating():
            return await self._ledger.find_held(request)

    @activity.defn
    async def see_runs(self, request: SeeRuns) -> RunsSeen:
        """Only reads, and needs no idempotency key."""
        async with _beating():
            return RunsSeen(closed=await self._runs.closed(request.orders, request.sub_orders))

    @activity.defn
    async def start_order_again(self, request: StartAgain) -> StartedAgain:
        """Idempotency key: the order: Temporal has one open run of it at most, and the run takes no step twice.

        The books are read after the run was seen closed: what it wrote at its end is seen."""
        held = await self._ledger.held(request.order_no)
        if held is None or held.restarts >= RESTARTS:
            return StartedAgain(outcome=StartOutcome.NOT_NEEDED)
        start = await self._runs.start_input(request.order_no) or await self._ledger.start_input(request.order_no)
        if start is None:
            return StartedAgain(outcome=StartOutcome.NO_INPUT)
        if not await self._runs.start_again(start):
            return StartedAgain(outcome=StartOutcome.NOT_NEEDED)
        await self._ledger.note_restart(request.order_no, request.why, request.at)
        return StartedAgain(outcome=StartOutcome.STARTED)

    @activity.defn
    async def nudge_order(self, request: Nudge) -> None:
        """Needs no idempotency key: a second signal changes nothing."""
        await self._runs.nudge(request.order_no)

    @activity.defn
    async def compare_books(self, request: CompareBooks) -> BooksCompared:
        """Only reads, and needs no idempotency key."""
        async with _beating():
            return await self._stock.compare(request.most)

    @activity.defn
    async def mark_findings(self, request: MarkFindings) -> FindingsMarked:
        """Idempotency key: the order, subject and topic, for as long as it lasts.

        A mark on an ended order whose run has ended too is taken away: a lost try has left it, and nobody else knows of
        it."""
        async with _beating():
            marked = await self._ledger.mark_findings(request)
            marks = await self._ledger.marks_of_ended()
            subjects = {mark.subject for mark in marks if mark.subject}
            closed = await self._runs.closed({mark.order_no for mark in marks}, subjects)
            left = [mark for mark in marks if mark.order_no in closed and (not mark.subject or mark.subject in closed)]
            healed = [await self._ledger.heal(mark, request.at) for mark in left]
            return marked.model_copy(update={"healed": marked.healed + sum(healed)})
