"""Whose an order is. What a party may see, and what it may act on, is decided here and nowhere else."""

from enum import StrEnum

from domain.base import Message
from domain.order.status import Actor


class Role(StrEnum):
    CHECKOUT = "checkout"
    BUYER = "buyer"
    MERCHANT = "merchant"
    CARRIER = "carrier"
    OPERATOR = "operator"


_ACTORS = {
    Role.BUYER: Actor.BUYER,
    Role.MERCHANT: Actor.MERCHANT,
    Role.CARRIER: Actor.CARRIER,
    Role.OPERATOR: Actor.PLATFORM,
}


class Caller(Message):
    """A party: its role, and its id there (a buyer's is the buyer id, a carrier's the name on the parcels)."""

    role: Role
    sub: str

    @property
    def name(self) -> str:
        """The name that its keys are kept under. A role has no slash, so no two callers share one."""
        return f"{self.role}/{self.sub}"

    @property
    def actor(self) -> Actor:
        """What it is in the status table. Checkout only places: it acts on no order."""
        return _ACTORS[self.role]


class Owners(Message):
    """The parties of an order, or of a part of it: a sub-order, a line, an after-sale case. A carrier has sub-orders
    only. `placed_by` is the caller of its checkout, where that is asked for."""

    buyer_id: int
    merchants: list[str]
    carrier: str | None = None
    placed_by: str | None = None


def owns(caller: Caller, owners: Owners) -> bool:
    """Whether this is the party's own. An operator acts for the platform, whose every order is."""
    match caller.role:
        case Role.OPERATOR:
            return True
        case Role.BUYER:
            return caller.sub == str(owners.buyer_id)
        case Role.MERCHANT:
            return caller.sub in owners.merchants
        case Role.CARRIER:
            return caller.sub == owners.carrier
        case Role.CHECKOUT:
            return has_placed(caller, owners.placed_by)


def has_placed(caller: Caller, placed_by: str | None) -> bool:
    """Whether the party's own checkout asked for the order; known before there is an order."""
    return caller.name == placed_by


def may_place_for(caller: Caller, buyer_id: int) -> bool:
    """Whether the party may order in this buyer's name: checkout in anybody's, a buyer in its own."""
    match caller.role:
        case Role.CHECKOUT:
            return True
        case Role.BUYER:
            return owns(caller, Owners(buyer_id=buyer_id, merchants=[]))
        case _:
            return False
