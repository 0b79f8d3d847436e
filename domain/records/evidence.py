"""Evidence: an order as it was placed, and the chain of hashes that shows what was changed or removed later."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from domain.base import Message, Utc
from domain.order.cart import Terms
from domain.order.lines import OrderLine, PricedOrder
from domain.order.order_number import GENES
from domain.order.snapshot import TradeSnapshot, canonical

CHAINS = 64
GENESIS = ""  # the hash before a chain's first link
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def chain_of(order_no: int) -> int:
    """The chain that an order's events belong to. It depends on the gene only, so that one buyer's orders share one."""
    return order_no % GENES % CHAINS


class Link(Message):
    """One event of an order in its chain, as the database holds it."""

    chain: int
    seq: int
    prev_sha256: str
    sha256: str
    order_no: int
    subject: str
    actor: str
    action: str
    detail: str
    at: Utc
    body: str | None = None


def link_sha256(link: Link) -> str:
    """What the link's hash must be. The database's function `evidence_sha256` says the same in SQL."""
    parts: tuple[object, ...] = (
        *(link.prev_sha256, link.chain, link.seq, link.order_no, link.subject, link.actor, link.action, link.detail),
        *((link.at - _EPOCH) // timedelta(microseconds=1), link.body),
    )
    return hashlib.sha256("".join(_part(part) for part in parts).encode()).hexdigest()


def _part(value: object) -> str:
    """A value with its length in bytes before it, so that no two different links give the same text."""
    return "-:," if value is None else f"{len(str(value).encode())}:{value},"


# --- an order as it was placed


def placed(order_no: str, buyer_id: int, priced: PricedOrder, terms: Terms) -> str:
    """The body of the order's PLACE event, as JSON: what was sold, at what price, under which rules, and the digests
    of what the buyer saw. It is kept for ever, so nothing in it is personal except the buyer's id."""
    return canonical(
        {
            "order_no": order_no,
            "buyer_id": buyer_id,
            "pricing_mode": terms.pricing_mode.value,
            "recording": terms.recording.value,
            **totals(priced.amount_due_fen, priced.shipping_fen, priced.currency, priced.coupons, priced.rules),
            "lines": [as_placed(line) for line in priced.lines],
        }
    )


def totals(
    amount_due_fen: int, shipping_fen: int, currency: str, coupons: list[str], rules: Mapping[str, str]
) -> dict[str, Any]:
    """What the PLACE event says of the whole order. `rules` maps each promotion that applied to its document's
    digest."""
    return {
        "amount_due_fen": amount_due_fen,
        "shipping_fen": shipping_fen,
        "currency": currency,
        "coupons": coupons,
        "rules": dict(rules),
    }


def as_placed(line: OrderLine) -> dict[str, Any]:
    """What the PLACE event says of a line. It contains what the buyer saw only if the line holds a copy of its own."""
    said = {"line_no", "sku", "version", "digest", "quantity", "unit_price_fen", "goods_fen", "pay_fen", "policy"}
    own = {"snapshot": line.snapshot.model_dump(mode="json")} if line.snapshot else {}
    shares = sorted((share.model_dump() for share in line.shares), key=lambda share: str(share["promotion_id"]))
    gift = line.gift.model_dump() if line.gift else None
    return {**line.model_dump(mode="json", include=said), "shares": shares, "gift": gift, **own}


# --- what a verification says


class LineEvidence(Message):
    """What the buyer saw of one line, and what is wrong with the evidence of it. `saw` is None when that is lost."""

    line_no: int
    sku: str
    version: int
    digest: str
    quantity: int
    pay_fen: int
    saw: TradeSnapshot | None = None
    problems: list[str]


class ChainEvidence(Message):
    """The order's chain, from its beginning to its tip. `broken_at` is the first link that is not as it was written.

    Whoever keeps a tip elsewhere (with another company, on paper) can prove a rewritten chain even to the database's
    owner."""

    chain: int
    links: int
    tip_sha256: str
    broken_at: int | None = None
    problem: str = ""

    @property
    def whole(self) -> bool:
        return not self.problem


class HistoryEvidence(StrEnum):
    """What the workflow's own history says of the lines' digests. The history is deleted after its retention."""

    MATCHES = "MATCHES"
    DIFFERS = "DIFFERS"
    GONE = "GONE"
    NOT_ASKED = "NOT_ASKED"


class Verified(Message):
    """Whether the evidence of an order is still what was written when it was placed."""

    order_no: str
    intact: bool
    lines: list[LineEvidence]
    problems: list[str]  # of the order as a whole
    chain: ChainEvidence
    history: HistoryEvidence = HistoryEvidence.NOT_ASKED
