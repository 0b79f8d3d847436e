"""What a split starts from, and what it results in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import Field

from domain.apportion import slice_worth
from domain.base import Document
from domain.order.product import DeliveryMode, Measure, Name, Product
from domain.splitting.packing import MAX_PARCELS, ParcelLimit

MAX_SUB_ORDERS = MAX_PARCELS
OVERSIZE = "OVERSIZE"  # one piece over the parcel limit, which ships alone
BACKORDER = "BACKORDER"  # no warehouse has it now


class Warehouse(Document):
    """What lies in one warehouse of a merchant (实物库存)."""

    warehouse: Name
    merchant: Name
    stock: dict[Name, Measure] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OrderedLine:
    """A priced line to be split; gifts are lines with nothing to pay."""

    line_no: int
    quantity: int
    pay_fen: int
    product: Product
    preferred_warehouse: str | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """What a split depends on besides the lines. A merchant with no warehouse here is taken to have one, with enough
    of everything."""

    warehouses: Sequence[Warehouse] = ()
    parcel_limit: ParcelLimit = field(default_factory=ParcelLimit)
    handling_groups: Sequence[Sequence[str]] = ()


Pieces = tuple[OrderedLine, int]


@dataclass(frozen=True, slots=True)
class SplitPart:
    """Some pieces of some lines, with the values of the keys that they have in common so far."""

    pieces: tuple[Pieces, ...]
    keys: Mapping[str, Any] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()

    def cut(self, pieces: Iterable[Pieces], *flags: str, **keys: object) -> "SplitPart":
        """A smaller part of this part, with these flags and key values added."""
        return replace(self, pieces=tuple(pieces), keys={**self.keys, **keys}, flags=self.flags.union(flags))


@dataclass(frozen=True, slots=True)
class PlannedLine:
    """The units `first` to `last` of an order line; refunds of the sub-order take them one after another."""

    line: OrderedLine
    first: int
    last: int

    @property
    def quantity(self) -> int:
        return self.last - self.first + 1

    @property
    def pay_fen(self) -> int:
        return slice_worth(self.line.pay_fen, self.line.quantity, self.first, self.last)


@dataclass(frozen=True, slots=True)
class PlannedSubOrder:
    """What one warehouse ships as one parcel. `keys` holds one value of each rule's key."""

    lines: Sequence[PlannedLine]
    keys: Mapping[str, Any]
    flags: Sequence[str]
    shipping_fen: int = 0

    @property
    def pay_fen(self) -> int:
        """What was paid for its goods."""
        return sum(line.pay_fen for line in self.lines)

    @property
    def is_physical(self) -> bool:
        return any(line.line.product.delivery_mode is DeliveryMode.PHYSICAL for line in self.lines)
