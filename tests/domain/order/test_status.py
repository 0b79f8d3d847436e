"""Status (RULES.md §6): one table, and nobody gets out of it."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from domain.order.status import (
    TABLE,
    Action,
    Actor,
    AfterSaleFact,
    Facts,
    FulfilmentFact,
    PaymentFact,
    Refused,
    ReviewFact,
    Status,
    act,
    allowed,
    refusal,
    status_of,
)

# As a list, so that a change to the table is made twice, and on purpose.
NEXT = {
    Status.PENDING_PAYMENT: {Status.AWAITING_SHIPMENT, Status.CLOSED},
    Status.AWAITING_SHIPMENT: {Status.SHIPPED, Status.EXCEPTION, Status.CLOSED},
    Status.EXCEPTION: {Status.AWAITING_SHIPMENT, Status.SHIPPED, Status.CLOSED},
    Status.SHIPPED: {Status.COMPLETED},
    Status.COMPLETED: {Status.REVIEWED},
    Status.REVIEWED: set[Status](),
    Status.CLOSED: set[Status](),
}
ENDINGS = {Status.REVIEWED, Status.CLOSED}

actions, actors = st.sampled_from(Action), st.sampled_from(Actor)
any_facts = st.builds(
    Facts,
    payment=st.sampled_from(PaymentFact),
    fulfilment=st.sampled_from(FulfilmentFact),
    review=st.sampled_from(ReviewFact),
    after_sale=st.sampled_from(AfterSaleFact),
)


def differing(before: Facts, after: Facts) -> list[str]:
    return [name for name in Facts.model_fields if getattr(before, name) != getattr(after, name)]


def reachable() -> set[tuple[Facts, Action, Actor, Facts]]:
    """Every step that any party can make, from an order that was just placed."""
    steps: set[tuple[Facts, Action, Actor, Facts]] = set()
    seen, open_ = {Facts()}, [Facts()]
    while open_:
        before = open_.pop()
        for action in Action:
            for actor in Actor:
                after = act(before, action, actor)
                if isinstance(after, Refused):
                    continue
                steps.add((before, action, actor, after))
                if after not in seen:
                    seen.add(after)
                    open_.append(after)
    return steps


class Life(RuleBasedStateMachine):
    """An order on which every party tries everything, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.facts = Facts()

    @rule(action=actions, actor=actors)
    def try_it(self, action: Action, actor: Actor) -> None:
        before = status_of(self.facts)
        answer = act(self.facts, action, actor)
        if isinstance(answer, Refused):
            assert action not in allowed(before, actor)
            return
        assert action in allowed(before, actor)
        assert len(differing(self.facts, answer)) <= 1
        assert status_of(answer) in NEXT[before] | {before}
        self.facts = answer

    @invariant()
    def it_stays_in_the_table(self) -> None:
        assert status_of(self.facts) in TABLE

    @invariant()
    def nothing_is_shipped_unpaid_or_reviewed_before_it_is_received(self) -> None:
        facts = self.facts
        if facts.fulfilment in (FulfilmentFact.SHIPPED, FulfilmentFact.RECEIVED, FulfilmentFact.STUCK):
            assert facts.payment is PaymentFact.PAID
        if facts.review is ReviewFact.REVIEWED:
            assert facts.fulfilment is FulfilmentFact.RECEIVED

    @invariant()
    def it_is_never_partially_shipped(self) -> None:
        assert status_of(self.facts) is not Status.PARTIALLY_SHIPPED


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


def test_the_reachable_statuses_and_their_successors_are_exactly_those_written_here() -> None:
    """Not sampled: the whole graph."""
    steps = reachable()
    graph: dict[Status, set[Status]] = {status: set() for status in NEXT}
    for before, _, _, after in steps:
        if status_of(before) is not status_of(after):
            graph[status_of(before)].add(status_of(after))
    assert graph == NEXT


def test_every_status_but_the_endings_can_still_reach_one() -> None:
    """Nothing for ever: no state is a trap."""
    ends = set(ENDINGS)
    while more := {status for status, following in NEXT.items() if following & ends} - ends:
        ends |= more
    assert ends == set(NEXT)


def test_every_reachable_action_changes_one_fact_at_the_most_and_never_the_after_sale_mark() -> None:
    """After-sale is a mark beside the status."""
    for before, action, actor, after in reachable():
        assert len(differing(before, after)) <= 1, (before, action, actor)
        assert before.after_sale is after.after_sale


def test_a_shipped_order_can_neither_be_cancelled_nor_rejected_nor_expire_by_anybody() -> None:
    """Edge case 32: an order cancelled that is already shipped."""
    for status in (Status.SHIPPED, Status.COMPLETED, Status.REVIEWED):
        for actor in Actor:
            assert not {Action.CANCEL, Action.REJECT, Action.EXPIRE} & set(allowed(status, actor))


def test_an_order_that_needs_a_person_can_still_be_cancelled() -> None:
    """Edge case 32: one stuck that nobody can cancel."""
    stuck = Facts(payment=PaymentFact.PAID, fulfilment=FulfilmentFact.STUCK)
    for actor in (Actor.BUYER, Actor.MERCHANT, Actor.PLATFORM):
        closed = act(stuck, Action.CANCEL, actor)
        assert isinstance(closed, Facts)
        assert status_of(closed) is Status.CLOSED


def test_a_payment_never_reopens_a_closed_order() -> None:
    """Edge case 6, as the table has it."""
    for payment in PaymentFact:
        assert isinstance(
            act(Facts(payment=payment, fulfilment=FulfilmentFact.CLOSED), Action.PAY, Actor.BUYER), Refused
        )


@given(any_facts, actions, actors)
def test_a_refusal_names_the_state_the_action_and_what_is_allowed(facts: Facts, action: Action, actor: Actor) -> None:
    """From any facts, also unreachable ones; and what it calls allowed is allowed."""
    before = facts.model_copy()
    answer = act(facts, action, actor)
    assert facts == before
    if not isinstance(answer, Refused):
        return
    assert (answer.status, answer.action) == (status_of(facts), action)
    for word in (answer.status, answer.action, actor):
        assert word in answer.reason
    assert all(can in answer.reason for can in answer.allowed)
    assert action not in answer.allowed
    for can in answer.allowed:
        assert isinstance(act(facts, can, actor), Facts)


@given(any_facts, actions, actors)
def test_from_any_facts_an_action_changes_one_fact_at_the_most(facts: Facts, action: Action, actor: Actor) -> None:
    """Also from facts that no order reaches."""
    answer = act(facts, action, actor)
    if isinstance(answer, Facts):
        assert len(differing(facts, answer)) <= 1


@pytest.mark.parametrize(
    ("status", "actor", "can"),
    [
        (Status.PENDING_PAYMENT, Actor.BUYER, (Action.PAY, Action.CANCEL)),
        (Status.PENDING_PAYMENT, Actor.MERCHANT, ()),
        (Status.PENDING_PAYMENT, Actor.CLOCK, (Action.EXPIRE,)),
        (Status.AWAITING_SHIPMENT, Actor.BUYER, (Action.CANCEL,)),
        (Status.AWAITING_SHIPMENT, Actor.MERCHANT, (Action.CANCEL, Action.RESCHEDULE, Action.SHIP)),
        (Status.AWAITING_SHIPMENT, Actor.CARRIER, ()),
        (Status.SHIPPED, Actor.BUYER, (Action.CONFIRM_RECEIPT,)),
        (Status.SHIPPED, Actor.CLOCK, (Action.CONFIRM_RECEIPT,)),
        (Status.SHIPPED, Actor.CARRIER, (Action.TRACK, Action.DELIVER)),
        (Status.COMPLETED, Actor.BUYER, (Action.REVIEW,)),
        (Status.REVIEWED, Actor.BUYER, ()),
        (Status.CLOSED, Actor.PLATFORM, ()),
    ],
)
def test_each_party_may_do_what_is_its_own(status: Status, actor: Actor, can: tuple[Action, ...]) -> None:
    """And nothing else."""
    assert allowed(status, actor) == can


def test_a_party_that_may_do_nothing_is_told_so() -> None:
    """Not an empty list at the end of a sentence."""
    assert refusal(Status.CLOSED, Action.PAY, Actor.BUYER).reason.endswith("allowed now: nothing")
