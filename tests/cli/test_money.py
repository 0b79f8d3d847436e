"""Money on the command line, on a real database."""

import asyncio
import csv
import io
import json
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from store.database.engine import engine_for
from tests.support.books import BUYER, Ledgers
from tests.support.command_line import Typed, answer, bad, no
from tests.support.refunds import Refunds, shared

Order = tuple[str, str]


@pytest.fixture(scope="module")
def order(database: str) -> Iterator[Order]:
    """Received a week ago and more, one of five pieces refunded: its number, and the sub-order's."""

    async def made(engine: AsyncEngine) -> Order:
        ledgers = Ledgers(engine)
        refunds = Refunds(ledgers)
        order_no, (sub,) = await ledgers.split(shared(1, "kiln", 5, 550, 275, 100), shipping_fen=50)
        await refunds.cancel(sub, {1: 1})
        await refunds.received(sub)
        await ledgers.sql("UPDATE sub_orders SET received_at = now() - interval '8 days'")
        return order_no, sub

    yield asyncio.run(_on(database, made))


async def _on(database: str, work: Callable[[AsyncEngine], Coroutine[Any, Any, Order]]) -> Order:
    engine = engine_for(database)
    try:
        return await work(engine)
    finally:
        await engine.dispose()


def test_an_orders_money_is_told_as_a_story(typed: Typed, order: Order) -> None:
    """Postings in their order, who has what, and what was paid for each line and funded by whom."""
    told = typed("money", order[0])
    assert (told.code, told.err) == (0, "")
    for word in ("the buyer paid", "a refund was decided", "¥25.25", "owed back to the buyer", "¥4.95", "1 (¥4.95)"):
        assert word in told.out
    assert "p1 ¥2.75: merchant ¥1.75, platform ¥1.00" in " ".join(told.out.split())
    found = answer(typed, "money", order[0])
    assert [posting["kind"] for posting in found["postings"]][:2] == ["CAPTURE", "REFUND_DECIDED"]
    assert sum(leg["amount_fen"] for leg in found["balances"]) == 0


def test_money_of_no_order_is_refused(typed: Typed, order: Order) -> None:
    assert "there is no order" in no(typed, "money", "1251718138551200001")
    assert "this is done to its order" in bad(typed, "money", order[1])


def test_settle_makes_a_statement_once_in_every_format(typed: Typed, order: Order) -> None:
    assert "nothing is owed" in typed("settle", "--until", "30d").out
    assert "still to come" in bad(typed, "settle", "--until", "2999-01-01")
    made = typed("settle", "--until", "0d", "--merchant", "kiln", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(made.out))
    amounts = [int(row[f"{name}_fen"]) for name in ("goods", "subsidy", "shipping", "fee", "refunds", "net")]
    assert amounts == [2_475, 80, 50, 103, 495, 2_007]
    assert (row["statement_no"], row["sub_order_no"]) == ("kiln-0001", order[1])
    again = json.loads(typed("settle", "--until", "0d", "--format", "json").out)
    assert again == {"statements": []}
    assert "¥20.07" in typed("statements").out
    (shown,) = json.loads(typed("statements", "kiln-0001", "--format", "json").out)["statements"]
    assert (shown["total_fen"], len(shown["rows"])) == (2_007, 1)
    assert "kiln-0001,kiln,CNY" in typed("statements", "--format", "csv").out
    assert "there is no statement" in no(typed, "statements", "kiln-0009")


def test_reconcile_says_that_it_adds_up_or_what_does_not(typed: Typed, database: str, order: Order) -> None:
    told = typed("reconcile")
    assert (told.code, told.out, told.err) == (0, "it all adds up\n", "")
    assert answer(typed, "reconcile") == {"wrong": []}

    def refund_of(fen: int) -> None:
        async def change(engine: AsyncEngine) -> Order:
            await Ledgers(engine).sql("UPDATE refunds SET amount_fen = amount_fen + :fen", fen=fen)
            return order

        asyncio.run(_on(database, change))

    refund_of(1)
    told = typed("reconcile")
    assert (told.code, told.err) == (1, "")
    assert f"orders that owe another refund than is to be made: {order[0]}" in told.out
    assert len(json.loads(typed("reconcile", "--json").out)["wrong"]) == len(told.out.splitlines())
    refund_of(-1)


def test_a_member_is_shown_with_its_points(typed: Typed, order: Order) -> None:
    shown = answer(typed, "member", "show", str(BUYER))
    assert (shown["balance"], shown["tier"]) == (19, None)
    assert [entry["entry"] for entry in shown["entries"]] == ["EARNED"]
    assert "has 19 points" in typed("member", "show", str(BUYER)).out


@pytest.mark.parametrize(("line", "why"), [("1", "like 1=2"), ("a=1", "like 1=2"), ("1=0", "must be 1 or more")])
def test_a_wrong_piece_is_told(typed: Typed, order: Order, line: str, why: str) -> None:
    assert why in bad(typed, "cancel", order[1], "--line", line)
    assert "name one of them" in bad(typed, "cancel", order[0], "--line", "1=1")
