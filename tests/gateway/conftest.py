"""The gateway over real HTTP, in front of the tests' shop."""

from collections.abc import AsyncIterator

import pytest

from tests.support.shop import Shop
from tests.support.web import Web, opened


@pytest.fixture(scope="session")
async def _web(_shop: Shop) -> AsyncIterator[Web]:
    async with opened(_shop) as web:
        yield web


@pytest.fixture
def web(_web: Web, shop: Shop) -> Web:
    """The gateway that the tests share; each takes buyers and goods of its own."""
    return _web
