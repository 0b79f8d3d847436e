"""Any sequence of what orders and people do to the ledger does what it does to a model of forty lines."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Any

import hypothesis.strategies as st
import pytest
from asyncpg import CheckViolationError
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.stock import Deducted, Moved, ReleaseStock, Restock, StockOf
from domain.order.reservation import Reserved, ReserveStock, StockLine
from domain.order.stock import StockPolicy
from store.database.engine import engine_for
from store.stock.changes import Change, TooFew, change_stock, history
from store.stock.ledger import PostgresStock
from tests.support.books import lines, order_number

_runs = count()
which = st.integers(0, 2)
pieces = st.integers(1, 4)


class Model:
    """One order on paper: what it holds, was promised, has bought and has brought back, and its answers."""

    def __init__(self) -> None:
        self.held: Counter[str] = Counter()
        self.promised: Counter[str] = Counter()
        self.bought: Counter[str] = Counter()
        self.back: Counter[str] = Counter()
        self.asked: set[str] = set()  # what it was granted
        self.answers: dict[str, Any] = {}


class Ledger(RuleBasedStateMachine):
    """Each call goes through one of three workers, each with connections of its own."""

    runner: asyncio.Runner
    engines: list[AsyncEngine]
    workers: list[PostgresStock]

    def __init__(self) -> None:
        super().__init__()
        run = next(_runs)
        self.skus = [f"{name}{run}" for name in "AB"]
        self.there = Counter(dict.fromkeys(self.skus, 5))
        self.orders = [Model() for _ in range(3)]
        self.numbers = [order_number() for _ in range(3)]
        for sku in self.skus:
            self.runner.run(self.workers[0].receive(sku, 5))

    @rule(n=which, a=pieces, b=pieces, promise=st.booleans(), worker=which)
    def reserve(self, n: int, a: int, b: int, promise: bool, worker: int) -> None:
        order, wanted = self.orders[n], Counter(dict(zip(self.skus, (a, b), strict=True)))
        goods = _goods(wanted, self.skus[1] if promise else None)
        taken = Counter({line.sku: line.quantity for line in goods if line.policy is _PLACED})
        if "reserve" not in order.answers:
            short = {sku for sku in self.skus if taken[sku] > self.there[sku]}
            order.answers["reserve"] = "released" if "release" in order.answers else short
            order.asked = set(self.skus) if not order.answers["reserve"] else set()
            if not order.answers["reserve"]:
                order.held += taken
                order.promised += wanted - taken
                self.there -= taken
        request = ReserveStock(order_no=self.numbers[n], lines=goods)
        answer: Reserved = self.runner.run(self.workers[worker].reserve(request))
        heard = "released" if answer.released_before else {shortage.sku for shortage in answer.short}
        given_back = "release" in order.answers and order.answers["reserve"] == set()
        assert heard == ("released" if given_back else order.answers["reserve"])

    @rule(n=which, worker=which, unsell=st.booleans())
    def release(self, n: int, worker: int, unsell: bool) -> None:
        order = self.orders[n]
        if "release" not in order.answers:
            sold = order.bought - order.back if unsell else Counter[str]()
            order.answers["release"] = Moved(pieces=order.held.total() + sold.total())
            self.there += order.held + sold
            order.back += sold
            if sold:
                order.answers["deduct"] = (0, order.asked)  # nothing of it may ship
            order.held.clear()
            order.promised.clear()
        of_order = ReleaseStock(order_no=self.numbers[n], sold=unsell)
        assert self.runner.run(self.workers[worker].release(of_order)) == order.answers["release"]

    @rule(n=which, worker=which)
    def deduct(self, n: int, worker: int) -> None:
        order = self.orders[n]
        answer: Deducted = self.runner.run(self.workers[worker].deduct(StockOf(order_no=self.numbers[n])))
        released = "release" in order.answers
        expected = order.answers.get("deduct") or ((0, order.asked) if released else self._sell(order))
        if order.answers and not released:  # before anything was asked of it, a deduction is not remembered
            order.answers["deduct"] = expected
        assert (answer.pieces, {shortage.sku for shortage in answer.short}) == expected

    def _sell(self, order: Model) -> tuple[int, set[str]]:
        short = {sku for sku in order.promised if order.promised[sku] > self.there[sku]}
        taken = Counter({sku: order.promised[sku] for sku in order.promised if sku not in short})
        self.there -= taken
        sold = order.held + taken
        order.bought += sold
        order.held.clear()
        order.promised.clear()
        return sold.total(), short

    @rule(n=which, sku=st.integers(0, 1), quantity=pieces, key=st.integers(1, 3), worker=which)
    def restock(self, n: int, sku: int, quantity: int, key: int, worker: int) -> None:
        order, name, ledger = self.orders[n], self.skus[sku], self.workers[worker]
        line = lines(*dict.fromkeys(self.skus, quantity).items())[sku]
        request = Restock(order_no=self.numbers[n], reason_key=str(key), lines=[line])
        fits = order.back[name] + quantity <= order.bought[name]
        nothing_sold = "release" in order.answers and order.answers.get("deduct", (None,))[0] == 0
        if f"restock/{key}" not in order.answers and nothing_sold:
            order.answers[f"restock/{key}"] = 0
        if f"restock/{key}" not in order.answers and not fits:
            with pytest.raises((CheckViolationError, ValueError)):
                self.runner.run(ledger.restock(request))
            return
        if f"restock/{key}" not in order.answers:
            order.answers[f"restock/{key}"] = quantity
            order.back[name] += quantity
            self.there[name] += quantity
        assert self.runner.run(ledger.restock(request)) == Moved(pieces=order.answers[f"restock/{key}"])

    @rule(sku=st.integers(0, 1), delta=st.integers(-4, 4).filter(bool), worker=which)
    def change(self, sku: int, delta: int, worker: int) -> None:
        name = self.skus[sku]
        change = Change(sku=name, pieces=delta, kind="adjust" if delta < 0 else "receive", actor="ann")
        if self.there[name] + delta < 0:
            with pytest.raises(TooFew):
                self.runner.run(change_stock(self.engines[worker], [change]))
            return
        self.runner.run(change_stock(self.engines[worker], [change]))
        self.there[name] += delta

    @rule(wanted=st.lists(st.tuples(which, pieces), min_size=2, max_size=6))
    def a_crowd_comes_and_goes(self, wanted: list[tuple[int, int]]) -> None:
        """All at one instant, each by a worker: no more than is there, and no one is refused what would fit."""
        sku = self.skus[0]
        asked = [(worker, ReserveStock(order_no=order_number(), lines=lines((sku, n)))) for worker, n in wanted]

        async def come_and_go() -> list[Reserved]:
            answers = await asyncio.gather(*(self.workers[worker].reserve(one) for worker, one in asked))
            left = (await self.workers[0].levels([sku]))[sku]["available"]
            granted = sum(n for (_, n), answer in zip(wanted, answers, strict=True) if not answer.short)
            assert left == self.there[sku] - granted >= 0
            assert all(n > left for (_, n), answer in zip(wanted, answers, strict=True) if answer.short)
            ends = [self.workers[worker].release(ReleaseStock(order_no=one.order_no)) for worker, one in asked]
            await asyncio.gather(*ends)
            return answers

        self.runner.run(come_and_go())

    @invariant()
    def the_counters_are_those_of_the_model(self) -> None:
        levels = self.runner.run(self.workers[0].levels(self.skus))
        for sku in self.skus:
            held = sum(order.held[sku] for order in self.orders)
            bought = sum(order.bought[sku] - order.back[sku] for order in self.orders)
            assert levels[sku] == {
                "sellable_total": self.there[sku] + held + bought,
                "available": self.there[sku],
                "reserved": held,
                "deducted": bought,
            }

    def teardown(self) -> None:
        """The history tells the same as the counters."""
        for sku in self.skus:
            entries = self.runner.run(history(self.engines[0], sku, 10_000))
            level = self.runner.run(self.workers[0].levels([sku]))[sku]
            sums = [sum(getattr(entry, name) for entry in entries) for name in ("available", "reserved", "gone")]
            assert sums == [level["available"], level["reserved"], level["deducted"]]


_PLACED = StockPolicy.RESERVE_ON_PLACEMENT


def _goods(wanted: Counter[str], promised: str | None) -> list[StockLine]:
    return [
        line.model_copy(update={"policy": StockPolicy.DEDUCT_ON_PAYMENT}) if line.sku == promised else line
        for line in lines(*wanted.items())
    ]


@pytest.fixture
def runner(engine: AsyncEngine, database_url: str) -> Iterator[asyncio.Runner]:
    """A loop and connections of its own: Hypothesis does not await."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as made:
        Ledger.runner, Ledger.engines = made, [engine_for(database_url, pool_size=2) for _ in range(3)]
        Ledger.workers = [PostgresStock(own) for own in Ledger.engines]
        yield made
        for own in Ledger.engines:
            made.run(own.dispose())


def test_any_sequence_of_what_orders_and_people_do_does_what_the_model_does(runner: asyncio.Runner) -> None:
    """Counters, answers, refusals, repeats and history; through three workers."""
    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
