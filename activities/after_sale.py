"""After-sale, as a case's story sees it: the case's own record. `activities.refunds` decides what is given back."""

from typing import Protocol

from temporalio import activity

from activities.refunds import RefundQuote
from domain.after_sale.case import AskAfterSale, CaseAct, CaseAnswer
from domain.base import Message, Utc


class CaseOf(Message):
    case_no: str


class OpenCase(Message):
    """Idempotency key: the case. The pieces are the case's from now on, and nobody else's, until it ends or they are
    refunded."""

    case_no: str
    sub_order_no: str
    ask: AskAfterSale
    quote: RefundQuote
    at: Utc


class RecordCaseAct(Message):
    """Idempotency key: the case and `key`, which is the update's id, or the clock's state. A refusal is not kept under
    it."""

    case_no: str
    key: str
    act: CaseAct
    at: Utc


class EndRefund(Message):
    """Idempotency key: the case, step `refunded`. All that was owed has been given back; `failed` says why nothing
    could be."""

    case_no: str
    amount_fen: int
    failed: str = ""
    at: Utc


class CaseBook(Protocol):
    """The record of cases. Every call may be repeated and counts once under its key."""

    async def look_up_case(self, request: CaseOf) -> CaseAnswer:
        """How far a case has come; neither facts nor refusal for a new one. Reads only."""
        ...

    async def open_case(self, request: OpenCase) -> CaseAnswer: ...
    async def record_case_act(self, request: RecordCaseAct) -> CaseAnswer: ...
    async def end_refund(self, request: EndRefund) -> CaseAnswer: ...


class AfterSaleActivities:
    def __init__(self, book: CaseBook) -> None:
        self._book = book

    @activity.defn
    async def look_up_case(self, request: CaseOf) -> CaseAnswer:
        return await self._book.look_up_case(request)

    @activity.defn
    async def open_case(self, request: OpenCase) -> CaseAnswer:
        return await self._book.open_case(request)

    @activity.defn
    async def record_case_act(self, request: RecordCaseAct) -> CaseAnswer:
        return await self._book.record_case_act(request)

    @activity.defn
    async def end_refund(self, request: EndRefund) -> CaseAnswer:
        return await self._book.end_refund(request)
