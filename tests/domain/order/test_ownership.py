"""Whose an order is: the whole table of parties and owners."""

import pytest

from domain.order.ownership import Caller, Owners, Role, has_placed, may_place_for, owns

OWNERS = {
    "an order": Owners(buyer_id=42, merchants=["m1", "m2"]),
    "an order with its checkout": Owners(buyer_id=42, merchants=["m1", "m2"], placed_by="checkout/shop"),
    "an order that its buyer placed": Owners(buyer_id=42, merchants=["m1", "m2"], placed_by="buyer/42"),
    "a sub-order": Owners(buyer_id=42, merchants=["m1"]),
    "a sub-order on its way": Owners(buyer_id=42, merchants=["m1"], carrier="SF"),
}
EVERY = set(OWNERS)
SPLIT = {"a sub-order", "a sub-order on its way"}
# As a list, so that a change to the rule is made twice, and on purpose.
OWN = {
    (Role.OPERATOR, "ann"): EVERY,
    (Role.BUYER, "42"): EVERY,
    (Role.BUYER, "43"): set[str](),
    (Role.BUYER, "m1"): set[str](),
    (Role.MERCHANT, "m1"): EVERY,
    (Role.MERCHANT, "m2"): EVERY - SPLIT,
    (Role.MERCHANT, "m3"): set[str](),
    (Role.MERCHANT, "42"): set[str](),
    (Role.MERCHANT, "SF"): set[str](),
    (Role.CARRIER, "SF"): {"a sub-order on its way"},
    (Role.CARRIER, "YTO"): set[str](),
    (Role.CARRIER, "None"): set[str](),
    (Role.CARRIER, "m1"): set[str](),
    (Role.CHECKOUT, "shop"): {"an order with its checkout"},
    (Role.CHECKOUT, "another"): set[str](),
    (Role.CHECKOUT, "42"): set[str](),
}
PARTIES = [Caller(role=role, sub=sub) for role, sub in OWN]


@pytest.mark.parametrize("caller", PARTIES, ids=lambda caller: caller.name)
def test_the_whole_table_of_who_owns_what(caller: Caller) -> None:
    """Nobody owns anything by an id that is somebody else's in another role."""
    assert {what for what, owners in OWNERS.items() if owns(caller, owners)} == OWN[caller.role, caller.sub]


def test_the_table_names_every_role() -> None:
    """One that is added is decided on."""
    assert {role for role, _ in OWN} == set(Role)


@pytest.mark.parametrize("role", Role)
def test_who_has_placed_an_order_is_the_caller_of_its_checkout(role: Role) -> None:
    """The same id in another role is another party, and nobody has placed what was never asked for."""
    assert has_placed(Caller(role=role, sub="42"), f"{role}/42")
    assert not has_placed(Caller(role=role, sub="42"), f"{role}/43")
    assert not has_placed(Caller(role=role, sub="42"), "nobody/42")
    assert not has_placed(Caller(role=role, sub="42"), None)


@pytest.mark.parametrize(
    ("role", "own", "others"),
    [
        (Role.CHECKOUT, True, True),
        (Role.BUYER, True, False),
        (Role.MERCHANT, False, False),
        (Role.CARRIER, False, False),
        (Role.OPERATOR, False, False),
    ],
)
def test_checkout_places_for_anybody_and_a_buyer_for_itself(role: Role, own: bool, others: bool) -> None:
    """Nobody else places an order."""
    caller = Caller(role=role, sub="42")
    assert (may_place_for(caller, 42), may_place_for(caller, 43)) == (own, others)
