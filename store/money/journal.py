"""The double-entry journal. Legs sum to zero, which the database checks when it commits.

What we have is positive, what we owe negative. A posting's reference is the number of the order (of a stray payment:
the payment's id), so that the balances of one order are those of its postings.
"""

from collections.abc import Mapping

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from store.tables import journal_legs, journal_postings

PROVIDER = "provider"  # what the payment provider holds for us
ORDERS = "orders"  # what buyers paid for goods, until it is settled or refunded
SHIPPING = "shipping"  # what they paid for shipping, likewise
REFUNDS = "refunds"  # what we owe back to buyers: decided, and not done yet
STRAY = "stray"  # what we owe back to payers whose money no order wanted
SUBSIDY = "subsidy"  # what the platform funded of discounts, and owes to merchants for it
FEE = "fee"  # what the platform keeps

_POST = insert(journal_postings)
_LEGS = insert(journal_legs)


def merchant_account(merchant: str) -> str:
    """The account of what a merchant is owed and has not been paid out. Paying out is done elsewhere."""
    return f"merchant/{merchant}"


async def post(
    db: AsyncConnection, key: str, kind: str, reference: str, legs: Mapping[str, int], currency: str
) -> None:
    """Legs in fen, by account, under one key; those of nothing are left out. The key is the operation's, so posting
    twice is impossible."""
    await db.execute(_POST, {"key": key, "kind": kind, "reference": reference})
    rows = [
        {"key": key, "leg": number, "account": account, "currency": currency, "amount_fen": fen}
        for number, (account, fen) in enumerate(((a, f) for a, f in legs.items() if f), start=1)
    ]
    if rows:
        await db.execute(_LEGS, rows)
