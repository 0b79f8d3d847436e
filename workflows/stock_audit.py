"""The audit: what is held, though no run cares for it, gets its run back; what does not add up is for a person.

page by page: what has not ended or holds something → which of it has an open run
  an order without one      its run starts again, looks itself up and goes on: pays, ships, or closes in good order
  no order under the number what it took goes back under its own keys, and checkout's caller is told
then: counters against entries and reservations → marks for what needs a person, healed when it is well again

An order whose run is open is never touched. Everything here may be done twice: each step has its own permanent key.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.audit import (
        PATIENT,
        AuditActivities,
        CompareBooks,
        FindHeld,
        HeldPage,
        MarkFindings,
        Nudge,
        RunsSeen,
        SeeRuns,
        StartAgain,
        StartedAgain,
        StartOutcome,
    )
    from activities.coupons import CouponActivities, CouponsOf
    from activities.options import REGULAR
    from activities.orders import FileCaptures, OrderActivities, RecordRefusal
    from activities.payment import PaymentActivities, PaymentOf
    from activities.stock import ReleaseStock, StockActivities
    from activities.stock_party import BooksCompared
    from domain.base import Message
    from domain.order.lines import Placement, Refusal, RefusalCode
    from domain.order.payment import ProviderPayment
    from domain.records.audit import AuditReport, Finding, HeldOrder, HeldVerdict, Remedy, weigh_held

AT_ONCE = 10
NAMED_AT_MOST = 50  # in the report
FOUND_AT_MOST = 200


class StartAudit(Message):
    """`grace_s`: what is younger is left to its own run, which is just starting. `overdue_s`: how long past its
    deadline an open run needs a person. The rest is for the audit itself, which goes on as a new run."""

    grace_s: int = 300
    overdue_s: int = 3_600
    page: int = 100
    after: str = "0"
    report: AuditReport = AuditReport()


@workflow.defn(name="StockAudit")
class StockAudit:
    """Any number may run at once, and together they do what one does."""

    @workflow.init
    def __init__(self, start: StartAudit) -> None:
        self._start = start
        self._report = start.report
        self._after: str | None = start.after
        self._now = workflow.now()

    @workflow.run
    async def run(self, start: StartAudit) -> AuditReport:
        while self._after is not None:
            await self._look_at_a_page(self._after)
            self._show()
            if self._after is not None and workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(start.model_copy(update={"after": self._after, "report": self._report}))
        await self._compare_books()
        await self._mark()
        self._show()
        return self._report

    # --- what is held

    async def _look_at_a_page(self, after: str) -> None:
        self._now = workflow.now()
        page: HeldPage = await workflow.execute_activity_method(
            AuditActivities.find_held,
            FindHeld(after=after, older_than=self._now - timedelta(seconds=self._start.grace_s), most=self._start.page),
            summary=f"what is held, after {after}" if after != "0" else "what is held",
            **PATIENT,
        )
        self._after = page.after
        self._say(looked_at=self._report.looked_at + len(page.orders))
        if not page.orders:
            return
        seen: RunsSeen = await workflow.execute_activity_method(
            AuditActivities.see_runs,
            SeeRuns(
                orders=[held.order_no for held in page.orders],
                sub_orders=[number for held in page.orders for number in (*held.parts, *held.goods)],
            ),
            summary=f"which of {len(page.orders)} orders have an open run",
            **PATIENT,
        )
        far = timedelta(seconds=self._start.overdue_s)
        verdicts = [(held, weigh_held(held, seen.closed, self._now, far)) for held in page.orders]
        await _some_at_once(self._put_right(held, verdict) for held, verdict in verdicts)

    async def _put_right(self, held: HeldOrder, verdict: HeldVerdict) -> None:
        try:
            match verdict.remedy:
                case Remedy.START_AGAIN:
                    await self._start_again(held, verdict.why)
                case Remedy.GIVE_BACK:
                    await self._give_back(held, verdict.why)
                case Remedy.NUDGE:
                    await self._nudge(held, verdict.why)
                case Remedy.PERSON:
                    self._find(Finding(order_no=held.order_no, text=verdict.why))
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            # The next audit tries again, and this mark heals when it gets through.
            self._find(Finding(order_no=held.order_no, text=f"not put right yet: {error.cause or error}"))

    async def _start_again(self, held: HeldOrder, why: str) -> None:
        started: StartedAgain = await workflow.execute_activity_method(
            AuditActivities.start_order_again,
            StartAgain(order_no=held.order_no, why=why, at=self._now),
            summary=f"start order {held.order_no} again: {why}",
            **REGULAR,
        )
        if started.outcome is StartOutcome.STARTED:
            self._say(started_again=self._report.started_again + 1)
            self._name(f"{held.order_no}: started again, its run had ended: {why}")
        elif started.outcome is StartOutcome.NO_INPUT:
            await self._give_back(held, why)

    async def _give_back(self, held: HeldOrder, why: str) -> None:
        """Give back what was taken for an order that does not exist; first of all, see to it that no money may come for
        it and that it can't be recorded any more."""
        answer = await self._refuse_for_good(held.order_no)
        if answer.refusal is None:
            return  # it was recorded in this very moment: the next audit finds an order
        await workflow.execute_activity_method(
            StockActivities.release_stock,
            ReleaseStock(order_no=held.order_no),
            summary=f"release the stock of {held.order_no}",
            **REGULAR,
        )
        await workflow.execute_activity_method(
            CouponActivities.give_back_coupons,
            CouponsOf(order_no=held.order_no, at=self._now),
            summary=f"give back the coupons of {held.order_no}",
            **REGULAR,
        )
        self._say(given_back=self._report.given_back + 1)
        self._name(f"{held.order_no}: given back, there is no such order and no run of it: {why}")

    async def _refuse_for_good(self, order_no: str) -> Placement:
        """The placement's answer, which is an order if one was recorded after all."""
        closed: ProviderPayment = await workflow.execute_activity_method(
            PaymentActivities.close_payment,
            PaymentOf(payment_id=order_no),
            summary=f"close the payment of {order_no} at the provider",
            **REGULAR,
        )
        if closed.captures:
            await workflow.execute_activity_method(
                OrderActivities.file_captures,
                FileCaptures(captures=list(closed.captures)),
                summary=f"{len(closed.captures)} captures for {order_no} go to the inbox",
                **REGULAR,
            )
        refused = Refusal(
            code=RefusalCode.NOT_PLACED,
            detail="this order was not placed; what was taken for it has gone back",
            remedy="place it again, under a new key",
        )
        record = RecordRefusal(
            placement=Placement(order_no=order_no, refusal=refused), to_operators="by the audit", at=self._now
        )
        answer: Placement = await workflow.execute_activity_method(
            OrderActivities.record_refusal, record, summary=f"tell the caller of {order_no}", **REGULAR
        )
        return answer

    async def _nudge(self, held: HeldOrder, why: str) -> None:
        await workflow.execute_activity_method(
            AuditActivities.nudge_order,
            Nudge(order_no=held.order_no),
            summary=f"have order {held.order_no} look again: {why}",
            **REGULAR,
        )
        self._say(nudged=self._report.nudged + 1)
        self._name(f"{held.order_no}: told to look again, {why}")

    # --- what does not add up, and what needs a person

    async def _compare_books(self) -> None:
        compared: BooksCompared = await workflow.execute_activity_method(
            AuditActivities.compare_books,
            CompareBooks(most=FOUND_AT_MOST),
            summary="counters against entries and reservations",
            **PATIENT,
        )
        for finding in compared.found:
            self._find(finding)
        self._say(more=self._report.more + compared.more)

    async def _mark(self) -> None:
        found = self._report.found
        await workflow.execute_activity_method(
            AuditActivities.mark_findings,
            # A list that is cut short does not tell what is well.
            MarkFindings(found=found, healing=not self._report.more, at=workflow.now()),
            summary=f"mark {len(found)} findings" if found else "mark that nothing needs a person",
            **PATIENT,
        )

    def _find(self, finding: Finding) -> None:
        found = self._report.found
        if len(found) < FOUND_AT_MOST:
            self._say(found=[*found, finding])
        else:
            self._say(more=self._report.more + 1)

    # --- what operators see

    def _name(self, done: str) -> None:
        self._say(done=[*self._report.done, done][:NAMED_AT_MOST])

    def _say(self, **changed: object) -> None:
        self._report = self._report.model_copy(update=changed)

    def _show(self) -> None:
        report = self._report
        workflow.set_current_details("\n".join(_described(report, self._now, going_on=self._after is not None)))


async def _some_at_once(work: Iterable[Coroutine[object, object, None]]) -> None:
    left = iter(work)
    while some := list(islice(left, AT_ONCE)):
        await asyncio.gather(*some)


def _described(report: AuditReport, now: datetime, *, going_on: bool) -> Sequence[str]:
    counts = [
        f"- {report.looked_at} orders looked at",
        f"- {report.started_again} started again",
        f"- {report.given_back} given back",
        f"- {report.nudged} told to look again",
    ]
    done = ["", "### Done", "", *(f"- {one}" for one in report.done)] if report.done else []
    found = [f"- {_where(one)}{one.text}" for one in report.found]
    more = [f"- and {report.more} more"] if report.more else []
    needed = ["", "### Needs a person", "", *found, *more] if not report.well else []
    state = "under way" if going_on else "done"
    return [f"## Stock audit of {now:%Y-%m-%d %H:%M} UTC: {state}", *counts, *done, *needed]


def _where(finding: Finding) -> str:
    return "" if finding.order_no == "0" else f"order {finding.order_no}: "
