"""Every run that was ever recorded still replays: a change that would break orders in flight is found here."""

import re
import socket

import pytest
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from domain.after_sale.case import ENDINGS, CaseAction
from domain.order.acts import cancel_reason
from domain.order.lines import RefusalCode
from domain.order.precedence import WANTED, CaptureOutcome
from domain.order.status import Actor, CloseReason, Status
from runtime.temporal import DATA_CONVERTER
from runtime.worker import WORKFLOWS
from tests.replay import after_sale_stories, audit_stories, bad_days, more_stories, stories, trade_stories
from tests.replay.files import HERE, Recorded, recorded
from tests.replay.mutants import AnAddedSleep, AnotherStep, AStepLeftOut, TwoStepsSwapped
from tests.replay.stage import STORIES
from tests.support.activity_names import activity_names
from tests.support.sandbox import sandbox

ALL = recorded()
ORDERS = [one for one in ALL if one.workflow == "Order"]
SUB_ORDERS = [one for one in ALL if one.workflow == "SubOrder"]
CASES = [one for one in ALL if one.workflow == "AfterSale"]
STRAYS = [one for one in ALL if one.workflow == "StrayPayment"]
AUDITS = [one for one in ALL if one.workflow == "StockAudit"]
assert (
    after_sale_stories and audit_stories and bad_days and more_stories and stories and trade_stories
)  # importing them registers their stories


def replayer(*workflows: type) -> Replayer:
    return Replayer(workflows=workflows, data_converter=DATA_CONVERTER, workflow_runner=sandbox())


def test_there_are_histories() -> None:
    assert len(ALL) > 50


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
async def test_a_recorded_run_replays(one: Recorded) -> None:
    await replayer(*WORKFLOWS).replay_workflow(one.history)


# --- nothing is left out


def endings(of: list[Recorded]) -> set[tuple[str, str | None]]:
    return {(one.result["status"], one.result["close_reason"]) for one in of if one.result is not None}


def said(of: list[Recorded], key: str) -> set[str]:
    return set().union(*(one.said(key) for one in of))


def test_every_ending_of_an_order_has_a_history() -> None:
    wanted = {(Status.COMPLETED.value, None), *((Status.CLOSED.value, reason.value) for reason in CloseReason)}
    assert wanted - endings(ORDERS) == set()


def test_every_ending_of_a_sub_order_has_a_history() -> None:
    cancels = {cancel_reason(actor).value for actor in Actor}
    wanted = {(Status.COMPLETED.value, None), *((Status.CLOSED.value, reason) for reason in cancels)}
    assert wanted - endings(SUB_ORDERS) == set()


def test_every_ending_of_a_case_has_a_history() -> None:
    ended = {one.result["status"] for one in CASES if one.result is not None}
    assert ended == {None, *(ending.value for ending in ENDINGS)}, "None: it was never opened"


def test_every_act_on_a_case_has_a_history() -> None:
    decided = {CaseAction.PAY_BACK.value, CaseAction.FAIL.value}  # the run's own, in another activity
    assert {action.value for action in CaseAction} - decided - said(CASES, "action") == set()


def test_every_refusal_at_placement_has_a_history() -> None:
    assert {code.value for code in RefusalCode} - said(ORDERS + AUDITS, "code") == set()


def test_every_reason_to_send_money_back_has_a_history() -> None:
    # What is on its way back already has its run, under the same id: no other is started for it.
    wanted = set(CaptureOutcome) - WANTED - {CaptureOutcome.ALREADY_STRAY}
    assert {outcome.value for outcome in wanted} - said(STRAYS, "why") == set()


def test_every_status_of_an_open_run_has_a_history() -> None:
    open_ones = {status.value for status in Status} - {"COMPLETED", "REVIEWED", "CLOSED"}
    assert open_ones - {one.status for one in ORDERS + SUB_ORDERS if one.open} == set()


@pytest.mark.parametrize("of", [ORDERS, SUB_ORDERS], ids=["order", "sub-order"])
def test_a_refused_cancel_has_a_history(of: list[Recorded]) -> None:
    answers = [
        payload["refused"]
        for one in of
        for payload in one.payloads
        if isinstance(payload, dict) and payload.get("refused")
    ]
    assert ("SHIPPED", "CANCEL") in {(answer["status"], answer["action"]) for answer in answers}


def test_every_activity_is_in_a_history() -> None:
    assert set(activity_names()) - set().union(*(one.activities for one in ALL)) == set()


def test_every_story_has_its_history() -> None:
    kept = {one.path.stem for one in ALL}
    assert [story.name for story in STORIES if story.name not in kept] == []
    assert {one.path.stem for one in ORDERS if one.open} == {story.name for story in STORIES if story.open}


# --- nothing is let in


@pytest.mark.parametrize("one", [*ALL, *recorded(HERE / "patching")], ids=lambda one: one.name)
def test_a_history_tells_nothing_of_the_machine_it_was_recorded_on(one: Recorded) -> None:
    patterns = {
        "an address": r"\b(?:localhost|\d{1,3}(?:\.\d{1,3}){3})\b",
        "a folder": r"(?<![\w.:/])/(?:home|root|tmp|usr|var|opt|work|srv|private|Users)/",
        "a file of Python": r'\.py"|site-packages|Traceback',
        "a process": r"\b\d+@\w",
        "this host": rf"\b{re.escape(socket.gethostname())}\b",
    }
    found = {what: re.findall(pattern, one.plain)[:3] for what, pattern in patterns.items()}
    assert {what: told for what, told in found.items() if told} == {}
    assert set(re.findall(r'"identity": "([^"]*)"', one.text)) <= {"recorder", "history-service", ""}


# --- the gate can fail


@pytest.mark.parametrize(
    ("mutant", "name"),
    [
        (AnAddedSleep, "order/completed-by-buyer"),
        (AnAddedSleep, "order/open-awaiting-payment"),
        (AnotherStep, "order/completed-by-buyer"),
        (AStepLeftOut, "sub_order/completed-by-buyer"),
    ],
)
async def test_a_change_that_breaks_orders_in_flight_is_found(mutant: type, name: str) -> None:
    (one,) = [one for one in ALL if one.name == name]
    with pytest.raises(NondeterminismError, match="TMPRL1100"):
        await replayer(mutant).replay_workflow(one.history)


async def test_two_steps_in_another_order_are_found() -> None:
    """Each gets the other's answer before their names are compared, so it may show as an answer that can't be read."""
    (one,) = [one for one in ALL if one.name == "order/completed-by-buyer"]
    with pytest.raises((NondeterminismError, RuntimeError), match=r"TMPRL1100|Failed decoding"):
        await replayer(TwoStepsSwapped).replay_workflow(one.history)
