"""The stock as one party: all that the house asks about pieces, to be replaced together.

`activities.stock` has the two ledgers, which move pieces. Beside them are those who only look: the gate before
checkout, the shelves that a price and a split are planned with, and the holdings that the audit compares with the
orders. All of a set must look at the same pieces, or checkout refuses by one truth what another would sell.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import Field

from activities.stock import PhysicalLedger, StockLedger
from domain.base import Message, Utc
from domain.order.reservation import StockLine
from domain.records.audit import Finding
from domain.splitting.model import Warehouse


class StockGate(Protocol):
    """Before the ledger: what is plainly sold out is refused without starting anything. The gate only ever refuses;
    the ledger decides. Checkout waits for it, so it must be quick. A gate that can't be asked raises an OSError
    (`ConnectionError`, `TimeoutError`): the caller is told to come again."""

    async def available(self, lines: Sequence[StockLine]) -> Mapping[str, int]:
        """How many pieces are left now of each SKU that can be sold out. One that was never received, or that is taken
        only by its payment, is left out. What a release brought back must be seen at once."""
        ...

    async def knows(self, order_no: str) -> bool:
        """Whether the ledger has answered this order's reserve: it may hold itself what is sold out for others."""
        ...


class Shelves(Protocol):
    """What there is, to plan with. Nothing is taken here, and nothing promised: the ledgers decide."""

    async def warehouses(self, wanted: Mapping[str, Collection[str]]) -> list[Warehouse]:
        """The warehouses of these merchants, with what lies in them of these SKUs (SKUs by merchant). A merchant that
        keeps its goods itself has none."""
        ...

    async def sellable(self, skus: Collection[str]) -> dict[str, int]:
        """How many pieces of each SKU can be sold now."""
        ...


class StockHeld(Message):
    """What the ledgers know of one order. `sellable`: pieces are reserved, or promised, and neither sold nor released.
    `goods`: the sub-orders for which pieces are set aside in a warehouse. `since`: when its reserve was answered; None
    when that is not known."""

    order_no: str
    sellable: bool = False
    goods: list[str] = Field(default_factory=list)
    since: Utc | None = None


class BooksCompared(Message):
    """The first of what does not add up, and how much more there is."""

    found: list[Finding]
    more: int = 0


class StockHoldings(Protocol):
    """What the ledgers hold, as the audit asks it. Reads only."""

    async def holding(self, after: str, most: int) -> list[str]:
        """The next `most` orders by number, after the number `after`, for which sellable pieces are held or goods are
        set aside. The audit goes through all of them every hour: this must cost what is held, not what was ever
        sold."""
        ...

    async def held(self, order_nos: Collection[str]) -> list[StockHeld]:
        """What is known of these orders, as it is now; those that are not known may be left out."""
        ...

    async def compare(self, most: int) -> BooksCompared:
        """Whether the counters go with the entries and the reservations, each in one moment. The subject of a finding
        stays the same for as long as it lasts. A ledger that keeps no counters beside its entries finds nothing."""
        ...


@dataclass(frozen=True)
class StockParty:
    """One set; `runtime.parties` says which. A house without warehouses has a physical ledger that shows none."""

    ledger: StockLedger
    physical: PhysicalLedger
    gate: StockGate
    shelves: Shelves
    holdings: StockHoldings
