"""An auditor that can't fail is worth nothing: each check reports the bad state that it is there for."""

import copy
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from temporalio.client import WorkflowFailureError

from simulation.chaos.auditor.seen import PLACED, REFUSED, Acknowledged, Seen
from tests.support.corruptions import CORRUPTIONS
from tests.support.ruins import Ruins


@pytest.mark.parametrize(("what", "statements"), CORRUPTIONS, ids=lambda value: value if isinstance(value, str) else "")
async def test_a_corrupted_database_is_reported(ruins: Ruins, what: str, statements: tuple[str, ...]) -> None:
    there = await ruins.copy()
    await there.corrupt(*statements)
    assert what in {violation.what for violation in await there.violations()}


async def test_a_shop_in_good_order_is_not_reported(ruins: Ruins) -> None:
    there = await ruins.copy()
    assert await there.violations() == []


# --- what the parties saw


async def _told(ruins: Ruins, change: Callable[[Seen], object]) -> set[str]:
    seen = copy.deepcopy(ruins.seen)
    change(seen)
    there = await ruins.copy()
    return {violation.what for violation in await there.violations(seen=seen)}


def _replace(seen: Seen, acts: list[Acknowledged]) -> None:
    seen.acts = acts


def _number_of(seen: Seen, act: str) -> str:
    return next(one.number for one in seen.acts if one.act == act)


async def test_an_act_that_was_acknowledged_and_did_not_stand_is_reported(ruins: Ruins) -> None:
    wrong = {
        "cancel": "ship",  # what was acknowledged, of what was in fact done
        "reject": "ship",
        "ship": "cancel",
        "deliver": "cancel",
        "confirm": "cancel",
        "review": "cancel",
    }
    for act, done in wrong.items():
        forged = Acknowledged(act, _number_of(ruins.seen, done), "BUYER", {"carrier": "SF", "tracking_no": "1"})
        acts = [*ruins.seen.acts, forged]
        found = await _told(ruins, partial(_replace, acts=acts))
        assert f"an acknowledged act was lost: {act}" in found


async def test_two_shipments_of_one_parcel_and_a_false_number_are_reported(ruins: Ruins) -> None:
    number = _number_of(ruins.seen, "ship")
    forged = Acknowledged("ship", number, "MERCHANT", {"carrier": "SF", "tracking_no": "another"})
    found = await _told(ruins, lambda seen: seen.acts.append(forged))
    assert "one parcel was shipped twice, and both were acknowledged" in found
    only = [one for one in ruins.seen.acts if (one.act, one.number) != ("ship", number)]
    found = await _told(ruins, partial(_replace, acts=[*only, forged]))
    assert "a parcel has another tracking number than was told" in found


async def test_a_key_that_was_told_two_orders_is_reported(ruins: Ruins) -> None:
    def two(seen: Seen) -> None:
        next(one for one in seen.checkouts if one.outcome == PLACED).order_nos.add("42")

    assert "one key was told two orders" in await _told(ruins, two)


async def test_an_order_that_was_refused_and_is_there_is_reported(ruins: Ruins) -> None:
    def refused(seen: Seen) -> None:
        next(one for one in seen.checkouts if one.outcome == PLACED).outcome = REFUSED

    assert "an order that was refused is there" in await _told(ruins, refused)


async def test_a_payment_that_the_buyer_saw_and_nobody_has_is_reported(ruins: Ruins) -> None:
    found = await _told(ruins, lambda seen: seen.captures.update(cap_lost=("1", 1, "CNY")))
    assert "a payment that the buyer saw is not there" in found


async def test_more_sold_than_there_was_is_reported(ruins: Ruins) -> None:
    found = await _told(ruins, lambda seen: seen.sellable.update(dict.fromkeys(seen.sellable, 0)))
    assert "more was sold than there was" in found


# --- the parties outside the house


def _forging(ruins: Ruins, forge: Callable[[str, Any], Any]) -> httpx.AsyncClient:
    """The parties' true answers, changed on the way."""

    async def answer(request: httpx.Request) -> httpx.Response:
        true = await ruins.http.get(str(request.url.raw_path, "ascii"))
        return httpx.Response(200, json=forge(request.url.path, true.json()))

    return httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://parties")


async def _seen_outside(ruins: Ruins, forge: Callable[[str, Any], Any]) -> set[str]:
    there = await ruins.copy()
    async with _forging(ruins, forge) as http:
        return {violation.what for violation in await there.violations(http=http)}


async def test_a_refund_that_the_provider_made_twice_is_reported(ruins: Ruins) -> None:
    def twice(path: str, told: Any) -> Any:
        if path == "/statement":
            done = next(one for one in told["refunds"] if one["moved_fen"])
            told["refunds"].append({**done, "refund_no": "again"})
        return told

    found = await _seen_outside(ruins, twice)
    assert {"more went back than came in", "the provider sent money back that nobody asked for"} <= found


async def test_a_parcel_that_was_handed_over_twice_is_reported(ruins: Ruins) -> None:
    found = await _seen_outside(ruins, lambda path, told: told * 2 if path.endswith("/hand-overs") else told)
    assert "a parcel was handed over twice, or to a wrong merchant, or is of no sub-order" in found


# --- runs


async def test_a_run_that_has_not_ended_and_one_that_failed_are_reported(ruins: Ruins) -> None:
    there = await ruins.copy()
    waiting = await ruins.client.start_workflow("Order", id="order/for-ever", task_queue="nobody")
    try:
        assert "a run has not ended" in {violation.what for violation in await there.violations()}
    finally:
        await waiting.terminate()
    short = timedelta(seconds=1)
    failing = await ruins.client.start_workflow("Order", id="order/failed", task_queue="nobody", run_timeout=short)
    with pytest.raises(WorkflowFailureError):
        await failing.result()
    assert "a run has failed, which none ever should" in {violation.what for violation in await there.violations()}
