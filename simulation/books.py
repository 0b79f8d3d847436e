"""Whether the books balance, by what the database, the payment provider and Temporal say at the end."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio.client import Client

from domain.records.settlement import Statement
from simulation.parties import View
from store.money.reconciliation import mismatches
from store.money.settlement import PostgresSettlement

_MUST_BE_EMPTY = {
    "journal postings that do not sum to zero": (
        "SELECT key FROM journal_legs GROUP BY key, currency HAVING sum(amount_fen) <> 0"
    ),
    "stray money that is still with us": (
        "SELECT currency FROM journal_legs WHERE account = 'stray' GROUP BY currency HAVING sum(amount_fen) <> 0"
    ),
    "refunds that are decided and still with us": (
        "SELECT currency FROM journal_legs WHERE account = 'refunds' GROUP BY currency HAVING sum(amount_fen) <> 0"
    ),
    "stock counters that do not add up with the reservations": (
        "SELECT s.sku FROM stock s LEFT JOIN stock_reservations r USING (sku, channel)"
        " GROUP BY s.sku, s.channel, s.reserved, s.deducted"
        " HAVING s.reserved <> coalesce(sum(r.quantity) FILTER (WHERE r.state = 'RESERVED'), 0)"
        " OR s.deducted <> coalesce(sum(r.quantity - r.restocked) FILTER (WHERE r.state = 'DEDUCTED'), 0)"
    ),
    "closed orders that still hold stock": (
        "SELECT order_no FROM orders JOIN stock_reservations USING (order_no)"
        " WHERE status = 'CLOSED' AND (state = 'RESERVED' OR (state = 'DEDUCTED' AND restocked < quantity))"
    ),
    "orders whose lines do not add up": (
        "SELECT o.order_no FROM orders o JOIN order_lines l USING (order_no)"
        " GROUP BY o.order_no HAVING sum(l.pay_fen) + o.shipping_fen <> o.amount_due_fen"
    ),
    "orders whose sub-orders do not add up": (
        "SELECT order_no FROM sub_orders s GROUP BY order_no"
        " HAVING sum(pay_fen) <> (SELECT sum(pay_fen) FROM order_lines l"
        " WHERE l.order_no = s.order_no AND l.closed = 0)"
    ),
    "orders that are at no ending": (
        "SELECT order_no FROM orders WHERE status NOT IN ('COMPLETED', 'REVIEWED', 'CLOSED')"
    ),
    "cases of after-sale that are at no ending": "SELECT case_no FROM after_sales WHERE ended_at IS NULL",
    "refunds that are not done": "SELECT refund_no FROM refunds WHERE state <> 'DONE'",
    "notifications that are not settled": (
        "SELECT notification_id FROM payment_notifications WHERE settled_at IS NULL"
    ),
    "ended orders that still want a person": (
        "SELECT order_no FROM attentions JOIN orders USING (order_no) WHERE status IN ('COMPLETED', 'CLOSED')"
    ),
}


async def imbalances(engine: AsyncEngine, client: Client, statement: View) -> list[str]:
    """What does not add up, in words; empty when the books balance."""
    async with engine.connect() as db:
        found = [f"{what}: {rows}" for what, query in _MUST_BE_EMPTY.items() if (rows := await _first(db, query))]
        found += await _against_the_provider(db, statement)
    found += await mismatches(engine)
    open_runs = [run.id async for run in client.list_workflows('ExecutionStatus = "Running"')]
    if open_runs:
        found.append(f"runs that have not ended: {open_runs[:5]}")
    return found


async def unaccounted(engine: AsyncEngine, until: datetime) -> tuple[list[Statement], list[str]]:
    """Settle all orders, which must have ended. Returns the statements, and in words what is then neither a merchant's
    nor the platform's."""
    statements = await PostgresSettlement(engine).settle(until)
    query = (
        "SELECT account || ': ' || sum(amount_fen) FROM journal_legs"
        " WHERE account IN ('orders', 'shipping', 'refunds', 'stray') GROUP BY account, currency"
        " HAVING sum(amount_fen) <> 0"
    )
    async with engine.connect() as db:
        left = [f"money that is nobody's after the settlement: {rows}" for rows in [await _first(db, query)] if rows]
    return statements, left + await mismatches(engine)


async def _first(db: AsyncConnection, query: str) -> list[str]:
    return [str(row[0]) for row in (await db.execute(text(f"{query} LIMIT 5"))).all()]


async def _against_the_provider(db: AsyncConnection, statement: View) -> list[str]:
    """Compare what the journal says that the provider holds for us with the provider's statement."""
    query = text("SELECT currency, sum(amount_fen) FROM journal_legs WHERE account = 'provider' GROUP BY currency")
    ours = {currency: int(amount) for currency, amount in await db.execute(query) if amount}
    currencies = {capture["capture_id"]: capture["currency"] for capture in statement["captures"]}
    theirs: dict[str, int] = {}
    for capture in statement["captures"]:
        theirs[capture["currency"]] = theirs.get(capture["currency"], 0) + capture["amount_fen"]
    for refund in statement["refunds"]:
        currency = currencies[refund["capture_id"]]
        theirs[currency] -= refund["moved_fen"]
    theirs = {currency: amount for currency, amount in theirs.items() if amount}
    return [] if ours == theirs else [f"the journal says the provider holds {ours}, the provider says {theirs}"]
