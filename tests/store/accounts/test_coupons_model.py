"""Any sequence of takes, redemptions and givings back does to the ledger what it does to a model on paper."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.coupons import CouponsGivenBack, CouponsRedeemed
from store.accounts.coupons import PostgresCoupons
from store.database.engine import engine_for
from tests.support.books import BUYER, NOW, order_number
from tests.support.offers import entries, of, take, with_coupons

_runs = count()
which = st.integers(0, 2)


class Ledger(RuleBasedStateMachine):
    """Three coupons, of which coupon n expires n days from now; three orders; a clock that only goes forward."""

    runner: asyncio.Runner
    engine: AsyncEngine
    ledger: PostgresCoupons

    def __init__(self) -> None:
        super().__init__()
        self.buyer = BUYER + next(_runs) * 1_000_000
        self.now = NOW
        self.names = [f"{self.buyer}-{n}" for n in range(3)]
        self.expiry = {name: NOW + timedelta(days=n + 1) for n, name in enumerate(self.names)}
        for name, expires_at in self.expiry.items():
            self.runner.run(with_coupons(self.engine, name, buyer_id=self.buyer, expires_at=expires_at))
        self.numbers = [order_number() for _ in range(3)]
        self.state = dict.fromkeys(self.names, "AVAILABLE")
        self.order: dict[str, int] = {}
        self.history = {name: ["ISSUED"] for name in self.names}
        self.answers: dict[tuple[str, int], Any] = {}

    @rule()
    def half_a_day_passes(self) -> None:
        self.now += timedelta(hours=12)

    @rule(n=which, picked=st.sets(which, min_size=1))
    def take(self, n: int, picked: set[int]) -> None:
        wanted = [self.names[each] for each in picked]
        answer = self.runner.run(take(self.ledger, self.numbers[n], *wanted, buyer_id=self.buyer, at=self.now))
        if ("take", n) not in self.answers:
            self.answers["take", n] = self._take(n, wanted)
        told = ([], True) if ("give_back", n) in self.answers else self.answers["take", n]
        assert ([gone.coupon_id for gone in answer.gone], answer.released_before) == told

    def _take(self, n: int, wanted: list[str]) -> tuple[list[str], bool]:
        if ("give_back", n) in self.answers:
            return [], True
        gone = [name for name in wanted if self.state[name] != "AVAILABLE" or self.now >= self.expiry[name]]
        for name in [] if gone else wanted:
            self.order[name] = n
            self._step(name, "TAKEN", "TAKEN")
        return gone, False

    @rule(n=which)
    def redeem(self, n: int) -> None:
        if ("redeem", n) not in self.answers:
            taken = [name for name in self._of(n) if self.state[name] == "TAKEN"]
            for name in taken:
                self._step(name, "REDEEMED", "REDEEMED")
            self.answers["redeem", n] = CouponsRedeemed(coupons=len(taken))
        assert self.runner.run(self.ledger.redeem(of(self.numbers[n], at=self.now))) == self.answers["redeem", n]

    @rule(n=which)
    def give_back(self, n: int) -> None:
        if ("give_back", n) not in self.answers:
            held = self._of(n)
            expired = [name for name in held if self.now >= self.expiry[name]]
            for name in held:
                del self.order[name]
                self._step(name, *(("EXPIRED", "EXPIRED") if name in expired else ("AVAILABLE", "GIVEN_BACK")))
            back = CouponsGivenBack(usable=len(held) - len(expired), expired=len(expired))
            self.answers["give_back", n] = back
        assert self.runner.run(self.ledger.give_back(of(self.numbers[n], at=self.now))) == self.answers["give_back", n]

    @invariant()
    def the_coupons_are_those_of_the_model(self) -> None:
        held = self.runner.run(self.ledger.of_buyer(self.buyer, NOW))
        assert {coupon.coupon_id: str(coupon.state) for coupon in held} == self.state
        orders = {coupon.coupon_id: coupon.order_no for coupon in held if coupon.order_no}
        assert orders == {name: self.numbers[n] for name, n in self.order.items()}

    def teardown(self) -> None:
        for name in self.names:
            assert self.runner.run(entries(self.ledger, name)) == self.history[name]

    def _of(self, n: int) -> list[str]:
        return [name for name, order in self.order.items() if order == n]

    def _step(self, name: str, state: str, entry: str) -> None:
        self.state[name] = state
        self.history[name].append(entry)


@pytest.fixture
def runner(engine: AsyncEngine, database_url: str) -> Iterator[asyncio.Runner]:
    """A loop and connections of its own: Hypothesis does not await."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as made:
        own = engine_for(database_url, pool_size=1)
        Ledger.runner, Ledger.engine, Ledger.ledger = made, own, PostgresCoupons(own)
        yield made
        made.run(own.dispose())


def test_any_sequence_of_steps_does_what_the_model_does(runner: asyncio.Runner) -> None:
    """States, answers, refusals, repeats and histories."""
    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
