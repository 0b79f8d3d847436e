"""The double-entry journal. Legs sum to zero, which the database checks when it commits."""

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from store.tables import journal_legs, journal_postings

PROVIDER = "provider"  # what the payment provider holds for us
ORDERS = "orders"  # what we owe for orders: goods to the buyer, then money to merchants
STRAY = "stray"  # what we owe back to payers whose money no order wanted


async def post(
    db: AsyncConnection, key: str, kind: str, reference: str, *, debit: str, credit: str, amount_fen: int, currency: str
) -> None:
    """Two legs under one key. The key is the operation's, so posting twice is impossible."""
    await db.execute(insert(journal_postings).values(key=key, kind=kind, reference=reference))
    legs = [(debit, amount_fen), (credit, -amount_fen)]
    await db.execute(
        insert(journal_legs),
        [
            {"key": key, "leg": number, "account": account, "currency": currency, "amount_fen": amount}
            for number, (account, amount) in enumerate(legs, start=1)
        ],
    )
