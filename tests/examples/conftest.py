"""The servers that the examples' houses share with all tests."""

import pytest
from temporalio.client import Client

from runtime.embedded import Postgres, TemporalServer
from tests.examples.house import Servers


@pytest.fixture(scope="session")
def servers(temporal: TemporalServer, postgres: Postgres, client: Client) -> Servers:
    return Servers(temporal, postgres, client)
