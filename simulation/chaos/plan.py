"""Who does what in a simulation: every decision is made here, from the seed, before anything starts.

What the system then does depends on timing; what the parties want does not.
"""

from dataclasses import dataclass, field
from random import Random

from simulation.chaos.goods import AMPLE, CODE, GOLD, LATE, MERCHANTS, SCARCE

PAYMENT_WINDOW_S = 8  # one of the terms that the orders of a simulation are sold under
FIRST_BUYER = 1_000_000_007
_APART = 99_991  # the distance between buyers' ids, so that each has a gene of its own

PAYMENTS = {
    "once": 50, "never": 8, "twice": 6, "wrong amount": 4, "wrong currency": 3, "wrong, then right": 5,
    "at the deadline": 6, "too late": 5, "told late": 6, "told very late": 3, "no page yet": 4,
}  # fmt: skip
OPERATIONS = (
    *("terminate order", "terminate and reset order", "reset order", "cancel order run"),
    *("terminate sub-order", "cancel sub-order run"),
)


@dataclass(frozen=True)
class Parcel:
    """What a merchant, a carrier and the buyer do with each sub-order of that merchant."""

    ship_after_s: float
    refused: bool  # the merchant cancels it instead
    ship_twice: bool  # with two tracking numbers, of which one counts
    delivered: bool
    confirmed: bool
    reviewed: bool


@dataclass(frozen=True)
class OrderPlan:
    number: int
    arrives_s: float
    buyer_id: int
    home: int  # buyers at one home share a device and an address
    lines: tuple[tuple[str, int], ...]
    coupon: str | None
    asks_at_once: int  # how many times the same key is used at the same moment
    walks_away: bool  # never asks again when there is no answer
    payment: str
    pays_after_s: float
    cancels_after_s: float | None
    platform_cancels: bool
    operation: str | None
    operated_after_s: float
    risk_approved: bool | None  # None: nobody decides
    parcels: dict[str, Parcel] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    seed: int
    orders: tuple[OrderPlan, ...]
    coupons: dict[str, int]  # each coupon's owner
    lasts_s: float


def make(seed: int, orders: int, per_second: float) -> Plan:
    made = [_order(Random(f"{seed}/order/{n}"), n, n / per_second) for n in range(orders)]
    made = _shared(Random(f"{seed}/sharing"), made)
    return Plan(seed, tuple(made), {one.coupon: one.buyer_id for one in made if one.coupon}, orders / per_second)


def _order(random: Random, number: int, arrives_s: float) -> OrderPlan:
    (payment,) = random.choices(list(PAYMENTS), list(PAYMENTS.values()))
    buyer_id = FIRST_BUYER + number * _APART
    operation = random.choice(OPERATIONS) if random.random() < 0.16 else None
    return OrderPlan(
        number=number,
        arrives_s=arrives_s + random.random(),
        buyer_id=buyer_id,
        home=buyer_id,
        lines=_lines(random),
        coupon=f"C{number:06d}" if random.random() < 0.25 else None,
        asks_at_once=random.choice((1, 1, 1, 2, 3)),
        walks_away=random.random() < 0.05,
        payment=payment,
        pays_after_s=random.choice((0.0, random.uniform(0, 2), random.uniform(0, PAYMENT_WINDOW_S - 1))),
        cancels_after_s=random.uniform(0, 10) if random.random() < 0.15 else None,
        platform_cancels=random.random() < 0.3,
        operation=operation,
        operated_after_s=random.choice((random.uniform(0.1, 2), random.uniform(0.1, 11))),  # most orders end soon
        risk_approved=random.choice((True, True, False, None)),
        parcels={merchant: _parcel(random) for merchant in MERCHANTS},
    )


def _lines(random: Random) -> tuple[tuple[str, int], ...]:
    """The lines of a cart: one or two SKUs from each of one to three merchants, and sometimes scarce, virtual or late
    goods."""
    skus: list[str] = []
    for merchant in random.sample(MERCHANTS, random.choice((1, 1, 1, 2, 2, 3))):
        skus += random.sample(AMPLE[merchant], random.choice((1, 1, 2)))
        if random.random() < 0.15:
            skus.append(SCARCE[merchant])
    for sku, share in ((CODE, 0.08), (LATE, 0.05)):
        if random.random() < share:
            skus.append(sku)
    return tuple((sku, random.choice((1, 1, 1, 2, 3))) for sku in skus)


def _parcel(random: Random) -> Parcel:
    return Parcel(
        ship_after_s=random.choice((0.0, random.uniform(0, 3))),
        refused=random.random() < 0.07,
        ship_twice=random.random() < 0.1,
        delivered=random.random() < 0.9,
        confirmed=random.random() < 0.6,
        reviewed=random.random() < 0.4,
    )


def _shared(random: Random, orders: list[OrderPlan]) -> list[OrderPlan]:
    """The plans with some of them tied to the one before: by the same coupon, or by limited goods at the same home."""
    made = list(orders)
    for at in range(1, len(made)):
        before, own = made[at - 1], vars(made[at])
        if before.coupon and random.random() < 0.3:  # both want the coupon at nearly the same moment
            again = {"buyer_id": before.buyer_id, "home": before.home, "coupon": before.coupon}
            made[at] = OrderPlan(**{**own, **again, "arrives_s": before.arrives_s + random.random() * 0.1})
        elif random.random() < 0.05:
            pieces = random.choice((2, 2, 9))  # suspicious, or plainly too many
            made[at - 1] = OrderPlan(**{**vars(before), "lines": ((GOLD, 1),), "coupon": None})
            gold = {"home": before.home, "lines": ((GOLD, pieces),), "coupon": None}
            made[at] = OrderPlan(**{**own, **gold, "arrives_s": before.arrives_s + 1.5})
    return made
