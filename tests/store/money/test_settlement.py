"""Settlement: each sub-order once, each posting in one statement, and the statements say what the journal says."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from domain.order.payment import RefundAnswer, RefundState
from domain.records.settlement import Earned
from store.accounts.points import PostgresPoints
from store.money.settlement import PostgresSettlement
from store.tables import metadata
from tests.support.books import BUYER, DUE, NOW, WEEK, AnswerLost, Ledgers, line
from tests.support.refunds import Refunds, gift, shared

PAGE = (Path(__file__).parents[3] / "docs/money.md").read_text()


@pytest.fixture
def refunds(ledgers: Ledgers) -> Refunds:
    return Refunds(ledgers)


@pytest.fixture
def settlement(ledgers: Ledgers) -> PostgresSettlement:
    return PostgresSettlement(ledgers.engine)


async def owed(ledgers: Ledgers, merchant: str = "m1") -> int:
    """By the journal."""
    return -(await ledgers.balances()).get(f"merchant/{merchant}", 0)


@pytest.mark.parametrize(
    ("revenue", "bps", "fee"), [(1_000, 500, 50), (1_010, 500, 51), (1_009, 500, 50), (1, 5_000, 1), (999, 0, 0)]
)
def test_the_fee_is_rounded_half_up_once(revenue: int, bps: int, fee: int) -> None:
    assert Earned(revenue, 0, 0, 0, 0, bps).fee_fen == fee


async def test_the_worked_example(ledgers: Ledgers, refunds: Refunds, settlement: PostgresSettlement) -> None:
    """Paid 2475 + 50 for 5 × 550 less 275, of which the platform funds 100; a fee of 5 %."""
    _, (sub,) = await ledgers.split(shared(1, "m1", 5, 550, 275, 100), shipping_fen=50)
    await refunds.received(sub)
    (statement,) = await settlement.settle(DUE)
    (row,) = statement.rows
    assert (row.goods_fen, row.subsidy_fen, row.shipping_fen) == (2_475, 100, 50)
    assert (row.fee_fen, row.refunds_fen, row.net_fen) == (129, 0, 2_496)
    assert await ledgers.balances() == {"provider": 2_525, "subsidy": 100, "fee": -129, "merchant/m1": -2_496}
    assert (statement.statement_no, statement.total_fen) == ("m1-0001", 2_496)
    assert await settlement.statement("m1-0001") == statement
    await refunds.add_up()


async def test_the_documentations_table(ledgers: Ledgers, refunds: Refunds, settlement: PostgresSettlement) -> None:
    """docs/money.md: each row of its worked example."""
    accounts = ("provider", "orders", "shipping", "refunds", "subsidy", "fee", "merchant/m1")
    told = [row.split("|")[2:-1] for row in PAGE[PAGE.index("| paid |") :].splitlines()[:6]]
    wanted = [[int(cell.strip().replace("−", "-") or 0) for cell in row] for row in told]

    async def row() -> list[int]:
        balances = await ledgers.balances()
        return [balances.get(account, 0) for account in accounts]

    async def paid_back(refund_no: str | None) -> list[int]:
        assert refund_no is not None
        await ledgers.payments.refund_answered(RefundAnswer(refund_no=refund_no, state=RefundState.DONE))
        return await row()

    _, (sub,) = await ledgers.split(shared(1, "m1", 5, 550, 275, 100), shipping_fen=50)
    seen = [await row()]
    two = (await refunds.cancel(sub, {1: 2})).owed.refund_no
    seen += [await row(), await paid_back(two)]
    await refunds.received(sub)
    await settlement.settle(DUE)
    seen.append(await row())
    one = (await refunds.decide(sub, {1: 1})).owed.refund_no
    seen += [await row(), await paid_back(one)]
    assert seen == wanted


async def test_nothing_is_settled_before_the_window_ends_or_while_a_case_is_open(
    ledgers: Ledgers, refunds: Refunds, settlement: PostgresSettlement
) -> None:
    """The window that the order was placed under, to the second."""
    _, (sub,) = await ledgers.split(line(), after_sale_window_s=60)
    await ledgers.ship(sub)
    assert await settlement.settle(DUE) == []
    await ledgers.receive(sub)
    assert await settlement.settle(NOW + timedelta(seconds=59)) == []
    await ledgers.sql("UPDATE sub_orders SET after_sale = 'OPEN'")
    assert await settlement.settle(DUE) == []
    await ledgers.sql("UPDATE sub_orders SET after_sale = 'SETTLED'")
    assert [one.total_fen for one in await settlement.settle(NOW + timedelta(seconds=60))] == [950]


async def test_settled_twice_or_by_many_at_once_is_settled_once(
    ledgers: Ledgers, refunds: Refunds, settlement: PostgresSettlement
) -> None:
    """Five runs over thirty sub-orders of two merchants: every row in one statement, their totals the journal's."""
    for _ in range(15):
        _, subs = await ledgers.split(line(1, "m1"), line(2, "m2"))
        for sub in subs:
            await refunds.received(sub)
    runs = await asyncio.gather(*(settlement.settle(DUE) for _ in range(5)))
    made = [statement for run in runs for statement in run]
    assert sum(len(statement.rows) for statement in made) == 30
    for merchant in ("m1", "m2"):
        totals = [one.total_fen for one in made if one.merchant == merchant]
        assert sum(totals) == await owed(ledgers, merchant) == 15 * 950
    numbers = sorted(statement.statement_no for statement in made)
    assert len(numbers) == len(set(numbers))
    assert await settlement.settle(DUE) == []
    await refunds.add_up()


async def test_a_run_whose_answer_is_lost_is_finished_by_the_next(
    ledgers: Ledgers, refunds: Refunds, settlement: PostgresSettlement
) -> None:
    """It had settled, and stated nothing."""

    class Losing(PostgresSettlement):
        async def _state(self, *_: object) -> list[object]:  # type: ignore[override]
            raise AnswerLost

    _, (sub,) = await ledgers.split()
    await refunds.received(sub)
    with pytest.raises(AnswerLost):
        await Losing(ledgers.engine).settle(DUE)
    assert [one.total_fen for one in await settlement.settle(DUE)] == [950]
    await refunds.add_up()


async def test_a_refund_before_the_settlement_is_less_to_settle(
    ledgers: Ledgers, refunds: Refunds, settlement: PostgresSettlement
) -> None:
    """Of 4 pieces one went back before shipping, one after: two are left, with their share of the subsidy."""
    _, (sub,) = await ledgers.split(shared(1, "m1", 4, 1_000, 400, 400), shipping_fen=60)
    await refunds.cancel(sub, {1: 1})
    await refunds.received(sub)
    await refunds.decide(sub, {1: 1})
    (statement,) = await settlement.settle(DUE)
    (row,) = statement.rows
    assert (row.goods_fen, row.refunds_fen, row.subsidy_fen, row.fee_fen) == (3_600, 1_800, 200, 100)
    assert row.net_fen == 3_600 - 1_800 + 200 + 60 - 100
    await refunds.add_up()


async def test_a_refund_after_the_settlement_is_carried_into_the_next_statement(
    ledgers: Ledgers, refunds: Refunds, settlement: PostgresSettlement
) -> None:
    """With the platform's share and fee of it reversed; in full, the merchant and the platform keep nothing of it."""
    _, (sub,) = await ledgers.split(shared(1, "m1", 4, 1_000, 400, 400))
    await refunds.received(sub)
    (first,) = await settlement.settle(DUE)
    assert (await refunds.decide(sub, {1: 1}, at=DUE + WEEK)).amount_fen == 900
    assert await settlement.settle(DUE) == []
    (second,) = await settlement.settle(DUE + WEEK)
    (row,) = second.rows
    assert (row.refunds_fen, row.subsidy_fen, row.fee_fen, row.net_fen) == (900, -100, -50, -950)
    assert (second.statement_no, second.total_fen) == ("m1-0002", -950)
    assert first.total_fen + second.total_fen == await owed(ledgers)
    await refunds.add_up()
    await refunds.decide(sub, {1: 3}, at=DUE + WEEK)
    await refunds.add_up()
    (third,) = await settlement.settle(DUE + WEEK)
    assert first.total_fen + second.total_fen + third.total_fen == await owed(ledgers) == 0
    assert await ledgers.balances() == {"provider": 3_600, "refunds": -3_600}


async def test_what_is_withheld_for_a_gift_is_the_merchants(
    ledgers: Ledgers, refunds: Refunds, settlement: PostgresSettlement
) -> None:
    """Also when the sub-order closed by it."""
    _, (sub, gifts) = await ledgers.split(line(1, "m1"), gift(2, "m2", [1], returnable=False, fen=300))
    await ledgers.ship(gifts)
    assert (await refunds.cancel(sub, {1: 1})).amount_fen == 700
    (statement,) = await settlement.settle(DUE)
    assert (statement.merchant, statement.total_fen) == ("m1", 285)
    assert await ledgers.balances() == {"provider": 1_000, "refunds": -700, "fee": -15, "merchant/m1": -285}
    await refunds.add_up()


async def test_an_order_that_cost_nothing_is_settled_by_what_the_platform_funded(
    ledgers: Ledgers, refunds: Refunds, settlement: PostgresSettlement
) -> None:
    _, (sub,) = await ledgers.split(shared(1, "m1", 2, 500, 1_000, 1_000))
    await refunds.received(sub)
    await settlement.settle(DUE)
    assert await ledgers.balances() == {"subsidy": 1_000, "fee": -50, "merchant/m1": -950}
    await refunds.decide(sub, {1: 2})
    assert await ledgers.balances() == {}
    await refunds.add_up()


steps = st.lists(st.tuples(st.sampled_from([1, 2]), st.integers(0, 2)), min_size=1, max_size=8)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=steps, platform_fen=st.integers(0, 277), bps=st.integers(0, 3_000))
async def test_refunds_and_settlements_in_any_order_add_up(
    ledgers: Ledgers,
    refunds: Refunds,
    settlement: PostgresSettlement,
    steps: list[tuple[int, int]],
    platform_fen: int,
    bps: int,
) -> None:
    """Some at one instant. The statements' totals are the journal's, whatever came first."""
    async with ledgers.engine.begin() as db:
        await db.execute(text(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY CASCADE"))
    cart = (shared(1, "m1", 5, 333, 277, platform_fen), line(2, "m1", 4, 101))
    _, (sub,) = await ledgers.split(*cart, shipping_fen=99, fee_bps=bps)
    await refunds.received(sub)
    total = 0
    for line_no, pieces in steps:
        settling = settlement.settle(DUE)
        if pieces:
            made, _ = await asyncio.gather(settling, refunds.decide(sub, {line_no: pieces}))
        else:
            made = await settling
        total += sum(statement.total_fen for statement in made)
        await refunds.add_up()
    total += sum(statement.total_fen for statement in await settlement.settle(DUE))
    assert total == await owed(ledgers)
    balances = await ledgers.balances()
    assert {"orders", "shipping"} & set(balances) == set()
    assert sum(balances.values()) == 0


async def test_a_stated_row_never_changes(ledgers: Ledgers, refunds: Refunds, settlement: PostgresSettlement) -> None:
    """The database says no, whoever asks."""
    _, (sub,) = await ledgers.split()
    await refunds.received(sub)
    await settlement.settle(DUE)
    for change in (
        "UPDATE statement_rows SET statement_no = NULL",
        "DELETE FROM statement_rows",
        "UPDATE statements SET total_fen = 0",
        "DELETE FROM statements",
        "UPDATE piece_refunds SET goods_fen = 0",
        "UPDATE point_entries SET points = 0",
    ):
        if "piece_refunds" in change:
            await refunds.decide(sub, {1: 1})
        with pytest.raises(IntegrityError, match=r"never changes|only ever added to"):
            await ledgers.sql(change)


# --- points


async def points(ledgers: Ledgers) -> int:
    return (await PostgresPoints(ledgers.engine).of_buyer(BUYER)).balance


async def test_points_are_earned_at_receipt_and_taken_back_in_proportion(ledgers: Ledgers, refunds: Refunds) -> None:
    """One per whole yuan paid for the goods; after any refund as many as if only the rest had been bought."""
    _, (sub,) = await ledgers.split(line(1, quantity=4, fen=1_060), shipping_fen=500)
    await ledgers.ship(sub)
    assert await points(ledgers) == 0
    await asyncio.gather(*(ledgers.receive(sub) for _ in range(5)))
    assert await points(ledgers) == 42
    assert (await refunds.quote(sub, {1: 1})).points == 11
    left = []
    for _ in range(4):
        await refunds.decide(sub, {1: 1})
        left.append(await points(ledgers))
    assert left == [31, 21, 10, 0]
    await refunds.add_up()


async def test_points_that_are_spent_are_missed_and_told(ledgers: Ledgers, refunds: Refunds) -> None:
    """Never below nothing: what is short is kept with the entry, and an alarm; also of eight refunds at once."""
    row = "('s', :buyer, 'SPENT', -75, 0, now())"
    spent = f"INSERT INTO point_entries (key, buyer_id, entry, points, short, at) VALUES {row}"
    subs = []
    for _ in range(8):
        _, (sub,) = await ledgers.split(line())
        await refunds.received(sub)
        subs.append(sub)
    await ledgers.sql(spent, buyer=BUYER)
    await asyncio.gather(*(refunds.decide(sub, {1: 1}) for sub in subs))
    assert await points(ledgers) == 0
    assert await ledgers.one("SELECT sum(short)::bigint FROM point_entries") == 75
    alarms = [row.body["text"] for row in await ledgers.sql("SELECT body FROM outbox WHERE topic = 'alarm'")]
    assert sum("could not be taken back" in alarm for alarm in alarms) >= 1
    await refunds.add_up()


async def test_points_are_what_the_terms_of_the_order_say(ledgers: Ledgers, refunds: Refunds) -> None:
    _, (sub,) = await ledgers.split(line(), points_per_yuan=3)
    await refunds.received(sub)
    _, (none,) = await ledgers.split(line(), points_per_yuan=0)
    await refunds.received(none)
    assert await points(ledgers) == 30
