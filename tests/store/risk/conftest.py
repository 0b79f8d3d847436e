"""What the tests of the risk desk share."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from store.risk.desk import PostgresRisk


@pytest.fixture
def desk(engine: AsyncEngine) -> PostgresRisk:
    return PostgresRisk(engine)
