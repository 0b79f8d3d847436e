"""Any sequence of the four verbs does to the ledger what it does to a model of twenty lines."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Any

import hypothesis.strategies as st
import pytest
from asyncpg import CheckViolationError  # type: ignore[import-untyped]
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.stock import Moved, ReserveStock, Restock, StockOf
from store.engine import engine_for
from store.stock import PostgresStock
from tests.store.books import lines, order_number

_runs = count()
which = st.integers(0, 2)
pieces = st.integers(1, 4)


class Model:
    """One order on paper: what it holds, has bought and has brought back, and the answers it was given."""

    def __init__(self) -> None:
        self.held: Counter[str] = Counter()
        self.bought: Counter[str] = Counter()
        self.back: Counter[str] = Counter()
        self.answers: dict[str, Any] = {}


class Ledger(RuleBasedStateMachine):
    runner: asyncio.Runner
    stock: PostgresStock

    def __init__(self) -> None:
        super().__init__()
        run = next(_runs)
        self.skus = [f"{name}{run}" for name in "AB"]
        self.there = Counter(dict.fromkeys(self.skus, 5))
        self.orders = [Model() for _ in range(3)]
        self.numbers = [order_number() for _ in range(3)]
        for sku in self.skus:
            self.runner.run(self.stock.receive(sku, 5))

    @rule(n=which, a=pieces, b=pieces)
    def reserve(self, n: int, a: int, b: int) -> None:
        order, wanted = self.orders[n], Counter(dict(zip(self.skus, (a, b), strict=True)))
        request = ReserveStock(order_no=self.numbers[n], lines=lines(*wanted.items()))
        short = {sku for sku in self.skus if wanted[sku] > self.there[sku]}
        first = order.answers.setdefault("reserve", ("released" if "release" in order.answers else short))
        answer = self.runner.run(self.stock.reserve(request))
        if first == "released":
            assert (answer.released_before, answer.short) == (True, [])
            return
        assert {shortage.sku for shortage in answer.short} == first
        if not first and "held" not in order.answers:
            order.answers["held"] = True
            order.held += wanted
            self.there -= wanted

    @rule(n=which)
    def release(self, n: int) -> None:
        order = self.orders[n]
        if "release" not in order.answers:
            order.answers["release"] = order.held.total()
            self.there += order.held
            order.held.clear()
        assert self._end("release", n) == order.answers["release"]

    @rule(n=which)
    def deduct(self, n: int) -> None:
        order = self.orders[n]
        expected = order.answers.get("deduct", order.held.total())
        if order.answers:  # before anything was asked of it, a deduction is not remembered
            order.answers["deduct"] = expected
        order.bought += order.held
        order.held.clear()
        assert self._end("deduct", n) == expected

    @rule(n=which, sku=st.integers(0, 1), quantity=pieces, key=st.integers(1, 3))
    def restock(self, n: int, sku: int, quantity: int, key: int) -> None:
        order, name = self.orders[n], self.skus[sku]
        line = lines(*dict.fromkeys(self.skus, quantity).items())[sku]
        request = Restock(order_no=self.numbers[n], reason_key=str(key), lines=[line])
        fits = order.back[name] + quantity <= order.bought[name]
        if f"restock/{key}" not in order.answers and not fits:
            with pytest.raises((CheckViolationError, ValueError)):
                self.runner.run(self.stock.restock(request))
            return
        if f"restock/{key}" not in order.answers:
            order.answers[f"restock/{key}"] = quantity
            order.back[name] += quantity
            self.there[name] += quantity
        assert self.runner.run(self.stock.restock(request)) == Moved(pieces=order.answers[f"restock/{key}"])

    @invariant()
    def the_counters_are_those_of_the_model(self) -> None:
        levels = self.runner.run(self.stock.levels(self.skus))
        for sku in self.skus:
            held = sum(order.held[sku] for order in self.orders)
            bought = sum(order.bought[sku] - order.back[sku] for order in self.orders)
            assert levels[sku] == {
                "sellable_total": 5,
                "available": self.there[sku],
                "reserved": held,
                "deducted": bought,
            }

    def _end(self, verb: str, n: int) -> int:
        moved: Moved = self.runner.run(getattr(self.stock, verb)(StockOf(order_no=self.numbers[n])))
        return moved.pieces


@pytest.fixture
def runner(engine: AsyncEngine, database_url: str) -> Iterator[asyncio.Runner]:
    """A loop and connections of its own: Hypothesis does not await."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as made:
        own = engine_for(database_url, pool_size=1)
        Ledger.runner, Ledger.stock = made, PostgresStock(own)
        yield made
        made.run(own.dispose())


def test_any_sequence_of_the_four_verbs_does_what_the_model_does(runner: asyncio.Runner) -> None:
    """Counters, answers, refusals and repeats."""
    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=20, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
