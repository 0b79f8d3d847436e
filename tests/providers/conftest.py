"""One sandbox and one receiver for all tests here; each test uses ids of its own."""

import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from providers.calls import LIMITS
from providers.payment import HttpPaymentProvider
from tests.support.parties import BadDay, Receiver, Sandbox


@pytest.fixture(scope="session")
async def _receiver() -> AsyncIterator[Receiver]:
    async with Receiver().listening() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def _sandbox(_receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox") / "state.db", _receiver.url)
    sandbox.start()
    yield sandbox
    sandbox.stop(signal.SIGTERM)


@pytest.fixture
def own_receiver() -> Receiver:
    """One that does not listen yet."""
    return Receiver()


@pytest.fixture
def own_sandbox(tmp_path: Path, own_receiver: Receiver) -> Iterator[Sandbox]:
    """One to kill, not started yet; its notifications go to `own_receiver`."""
    sandbox = Sandbox(tmp_path / "state.db", own_receiver.url)
    yield sandbox
    sandbox.kill()


@pytest.fixture
def receiver(_receiver: Receiver) -> Iterator[Receiver]:
    """The shared receiver, which answers 204 again afterwards."""
    yield _receiver
    _receiver.answer = None


@pytest.fixture(scope="session")
async def _http(_sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=_sandbox.url, trust_env=False, limits=LIMITS) as client:
        yield client


@pytest.fixture
async def sandbox(_sandbox: Sandbox, _http: httpx.AsyncClient) -> AsyncIterator[Sandbox]:
    """The shared sandbox; bad days end with the test."""
    yield _sandbox
    (await _http.put("/bad-days", json={})).raise_for_status()


@pytest.fixture
def http(sandbox: Sandbox, _http: httpx.AsyncClient) -> httpx.AsyncClient:
    """A plain client of the shared sandbox: a browser, or an operator."""
    return _http


@pytest.fixture(scope="session")
async def _provider(_sandbox: Sandbox) -> AsyncIterator[HttpPaymentProvider]:
    async with HttpPaymentProvider(_sandbox.url) as provider:
        yield provider


@pytest.fixture
def provider(sandbox: Sandbox, _provider: HttpPaymentProvider) -> HttpPaymentProvider:
    return _provider


@pytest.fixture
def bad_day(http: httpx.AsyncClient) -> BadDay:
    """Switch on what is named, and everything else off."""

    async def switch(**switches: Any) -> None:
        (await http.put("/bad-days", json=switches)).raise_for_status()

    return switch
