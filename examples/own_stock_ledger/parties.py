"""The choice: our own stock. `ORDERS_PARTIES=examples.own_stock_ledger.parties:PARTIES` names it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.stock_party import StockParty
from examples.own_stock_ledger.ledger import SqliteStock
from examples.own_stock_ledger.lookers import SqliteGate, SqliteHoldings, SqliteShelves
from examples.own_stock_ledger.no_warehouses import NoWarehouses
from examples.own_stock_ledger.stock_file import StockFile
from runtime.parties import Parties
from runtime.settings import Settings


class StockSettings(BaseSettings):
    """`STOCK_FILE`: where the pieces are written down."""

    model_config = SettingsConfigDict(env_prefix="STOCK_", frozen=True)

    file: Path


@asynccontextmanager
async def own_stock(_: Settings, __: AsyncEngine) -> AsyncIterator[StockParty]:
    with closing(StockFile(StockSettings().file)) as file:
        yield stock_in(file)


def stock_in(file: StockFile) -> StockParty:
    """All five look at the same pieces."""
    return StockParty(
        ledger=SqliteStock(file),
        physical=NoWarehouses(),
        gate=SqliteGate(file),
        shelves=SqliteShelves(file),
        holdings=SqliteHoldings(file),
    )


PARTIES = Parties(stock=own_stock)
