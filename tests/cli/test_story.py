"""The story on the command line: every step a process of its own, on a real stack."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from domain.order.order_number import sub_order_no
from tests.support.stacks import a_stack

ROOT = Path(__file__).parent.parent.parent
PATIENCE_S = 20.0


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        found: dict[str, Any] = json.loads(self.out)
        return found


class Starter:
    """`python starter.py`, as somebody types it in the project's folder."""

    def __init__(self, data_dir: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")}
        self._env = {**kept, "ORDERS_DATA_DIR": str(data_dir), "COLUMNS": "100"}

    async def __call__(self, *words: str, **settings: str) -> Ran:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "starter.py",
            *words,
            cwd=ROOT,
            env=self._env | settings,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert "Traceback" not in err.decode(), err.decode()
        return Ran(process.returncode or 0, out.decode(), err.decode())

    async def done(self, *words: str) -> dict[str, Any]:
        """The answer of a command that must succeed, and says nothing but JSON."""
        ran = await self(*words, "--json")
        assert (ran.code, ran.err) == (0, ""), (words, ran)
        return ran.answer

    async def refused(self, *words: str) -> Ran:
        ran = await self(*words, "--json")
        assert ran.code == 1 and ran.err.startswith("error: ") and ran.err.count("\n") == 1, (words, ran)
        return ran

    async def until(self, good: Callable[[dict[str, Any]], bool], *words: str) -> dict[str, Any]:
        """The answer, once it is good. Each look is a process, so it needs no pause."""
        until = time.monotonic() + PATIENCE_S
        while not good(seen := await self.done(*words)):
            assert time.monotonic() < until, seen
        return seen


@pytest.fixture(scope="module")
async def starter() -> AsyncIterator[Starter]:
    async with a_stack() as settings:
        typed = Starter(settings.data_dir)
        await typed.done("load-catalog", "examples/catalog.json")
        yield typed


@dataclass(frozen=True)
class Unanswered:
    placed: Ran
    shown: Ran
    cancelled: Ran


@pytest.fixture(scope="module", autouse=True)
async def unanswered(starter: Starter) -> AsyncIterator[asyncio.Task[Unanswered]]:
    """A task queue that nobody works on plays a worker that is down.

    Begun before the first test and looked at by the last: it is patient twice, for 8 s each."""

    async def ask() -> Unanswered:
        placed = await starter("place", "examples/one-line.json", "--json", ORDERS_TASK_QUEUE="nobody")
        no = placed.answer["order_no"]
        shown, cancelled = await both(starter("show", no, "--json"), starter("cancel", no))
        return Unanswered(placed, shown, cancelled)

    task = asyncio.create_task(ask())
    yield task
    task.cancel()


async def both(*acts: Awaitable[Any]) -> list[Any]:
    """Acts that do not wait for each other, at once: the processes start slowly."""
    return list(await asyncio.gather(*acts))


async def test_an_order_from_its_cart_to_the_review(starter: Starter) -> None:
    placed = await starter.done("place", "examples/two-merchants.json", "--key", "k-1")
    no = placed["order_no"]
    assert (placed["outcome"], placed["amount_due_fen"], placed["key"]) == ("PLACED", 50_000, "k-1")
    again, to_pay = await both(
        starter.done("place", "examples/two-merchants.json", "--key", "k-1"),
        starter.done("list", "--buyer", "10001", "--tab", "to_pay"),
    )
    assert again == placed, (placed, again)
    assert [item["order_no"] for item in to_pay["items"]] == [no]

    await starter.done("pay", no)
    order = await starter.until(lambda seen: len(seen["sub_orders"]) == 2, "show", no)
    tea, lamp = (sub["sub_order_no"] for sub in order["sub_orders"])
    assert order["run"]["url"].endswith(f"/namespaces/default/workflows/order%2F{no}")
    shipped = await starter.done("ship", lamp, "--carrier", "SF-Express", "--tracking-no", "SF1")
    assert shipped == {"number": lamp, "status": "SHIPPED", "refused": None}

    order, stopped, scanned = await both(
        starter.done("show", no),
        starter.refused("cancel", no),
        starter.done("track", lamp, "in_transit", "--place", "武汉", "--event-id", "e-1"),
    )
    assert order["status"] == "PARTIALLY_SHIPPED" and scanned["status"] == "SHIPPED"
    assert [line["shipped"] for line in order["lines"]] == [0, 0, 1]
    assert stopped.answer["refused"]["allowed"] == ["CANCEL", "CONFIRM_RECEIPT"]
    assert "allowed now: CANCEL" in stopped.err and "PARTIALLY_SHIPPED" in stopped.err

    await both(starter.done("deliver", lamp), starter.done("ship", tea, "--carrier", "YTO", "--tracking-no", "Y1"))
    confirmed = await starter.done("confirm", no)
    assert {answer["status"] for answer in confirmed["answers"].values()} == {"COMPLETED"}
    reviewed, late = await both(
        starter.done("review", lamp, "--rating", "5", "--text", "亮"), starter.refused("cancel", tea)
    )
    assert reviewed["status"] == "REVIEWED"
    assert late.answer["refused"]["status"] == "COMPLETED"

    text, sub, to_review, merchants = await both(
        starter("show", no),
        starter.done("show", lamp),
        starter.done("list", "--buyer", "10001", "--tab", "to_review"),
        starter.done("list", "--merchant", "lumen"),
    )
    assert "status   COMPLETED" in text.out and "¥199.00" in text.out
    assert [scan["kind"] for scan in sub["tracking"]] == ["in_transit"] and sub["order_no"] == no
    assert [event["action"] for event in sub["events"]] == ["SHIP", "DELIVER", "CONFIRM_RECEIPT", "REVIEW"]
    assert [item["sub_order_no"] for item in to_review["items"]] == [tea]
    assert [item["sub_order_no"] for item in merchants["items"]] == [lamp]


async def test_two_runs_make_two_orders_and_a_key_only_one(starter: Starter) -> None:
    first, second = await both(*(starter.done("place", "examples/one-line.json") for _ in range(2)))
    assert first["order_no"] != second["order_no"]
    other = await starter("place", "examples/free-sample.json", "--key", first["key"])
    assert other.code == 1 and "was used for another cart" in other.err
    page = await starter.done("list", "--operator", "--size", "1")
    more = await starter.done("list", "--operator", "--size", "1", "--after", page["next"])
    assert page["items"] != more["items"]


async def test_a_refused_number_says_why(starter: Starter) -> None:
    sold_out, misled = await both(
        starter.refused("place", "examples/out-of-stock.json"), starter.refused("place", "examples/wrong-price.json")
    )
    assert sold_out.answer["refusal"]["code"] == "OUT_OF_STOCK" and sold_out.answer["outcome"] == "REFUSED"
    no = misled.answer["order_no"]
    cancelled, text = await both(starter("cancel", no), starter("show", no))
    assert cancelled.code == 1 and "was refused when it was placed (PRICE_CHANGED)" in cancelled.err
    assert "the buyer was shown" in text.out
    assert "BOOK-FIRST-EDITION: 1 wanted, 0 left" in sold_out.err
    assert sold_out.answer["order_no"] == ""  # nothing was started, so there is nothing to show


async def test_who_is_blocked_is_told_nothing_and_operators_are(starter: Starter) -> None:
    blocked = await starter("risk", "block", "BUYER", "90001", "--reason", "chargebacks", "--author", "me")
    assert blocked.code == 0
    ran = await starter.refused("place", "examples/blocked-buyer.json")
    assert "NOT_ACCEPTED" in ran.err and "chargebacks" not in ran.err + ran.out
    shown = await starter.done("show", ran.answer["order_no"])
    assert "chargebacks" in shown["events"][0]["detail"]


async def test_numbers_that_nobody_has(starter: Starter) -> None:
    placed = await starter.done("place", "examples/free-sample.json")
    no = placed["order_no"]
    assert placed["payment_link"] is None
    missing = sub_order_no(no, 99)
    shipped, paid = await both(starter("ship", missing, "--carrier", "SF", "--tracking-no", "1"), starter("pay", no))
    assert (shipped.code, paid.code) == (1, 1)
    assert f"there is no sub-order {missing}" in shipped.err and "there is no such payment" in paid.err


async def test_an_audit_of_a_healthy_shop_finds_nothing(starter: Starter) -> None:
    report, text = await both(starter.done("audit"), starter("audit"))
    assert (report["started_again"], report["found"], report["more"]) == (0, [], 0)
    assert text.code == 0 and "need a person       0" in text.out


async def test_a_newcomer_s_own_goods(starter: Starter) -> None:
    put = ("put", "INK-1", "--merchant", "m-1", "--title", "墨", "--price-fen", "2500", "--warehouse", "w-1")
    product = await starter.done("product", *put)
    assert product["price_fen"] == 2_500 and product["limited"] is False
    stock = await starter.done("stock", "receive", "INK-1", "10")
    assert (stock["sellable_total"], stock["available"]) == (10, 10)


async def test_with_no_worker_up_an_order_is_accepted_and_nothing_else_is_done(
    unanswered: asyncio.Task[Unanswered],
) -> None:
    saw = await unanswered
    assert (saw.placed.code, saw.placed.err, saw.placed.answer["outcome"]) == (0, "", "ACCEPTED")
    assert (saw.shown.code, saw.shown.answer["outcome"]) == (0, "ACCEPTED")
    assert saw.cancelled.code == 3 and "no worker answers; ask again" in saw.cancelled.err
