"""A worker's process that reserves a piece for each order it is told on its standard input, all at once."""

import asyncio
import sys

from domain.order.reservation import ReserveStock
from store.database.engine import engine_for
from store.stock.ledger import PostgresStock
from tests.support.books import lines


async def main(database_url: str, sku: str) -> None:
    stock = PostgresStock(engine_for(database_url))
    orders = sys.stdin.read().split()
    print("ready", flush=True)
    await asyncio.gather(
        *(stock.reserve(ReserveStock(order_no=no, lines=lines((sku, 1)), buyer_id=7)) for no in orders)
    )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
