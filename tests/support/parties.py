"""A sandbox in a process of its own, and a receiver of its notifications that can be told to misbehave."""

import asyncio
import base64
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from domain.order.payment import Capture, PaymentRequest, ProviderPayment, RefundOrder

SECRET = "whsec_" + base64.b64encode(b"a secret that only tests know").decode()
ROOT = Path(__file__).parents[2]
_numbers = count(1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def new_id(kind: str) -> str:
    """Never used before in this run, so that tests can share one sandbox."""
    return f"{kind}-{next(_numbers)}"


def payment_request(**changed: Any) -> PaymentRequest:
    expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=30)
    given = {"payment_id": new_id("pay"), "amount_fen": 12_345, "currency": "CNY", "expires_at": expires_at}
    return PaymentRequest.model_validate({**given, "subject": "Two pears", **changed})


def refund_of(capture: Capture, **changed: Any) -> RefundOrder:
    given = capture.model_dump(include={"payment_id", "capture_id", "amount_fen", "currency"})
    return RefundOrder.model_validate({**given, "refund_no": new_id("refund"), "reason": "test", **changed})


@dataclass
class Arrived:
    """One notification, as it came over the wire."""

    headers: dict[str, str]
    raw_body: bytes
    at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.raw_body)["data"]
        return found


@dataclass
class Receiver:
    """The gateway's place. `answer` says what each notification is answered; it may sleep first."""

    port: int = field(default_factory=free_port)
    arrived: list[Arrived] = field(default_factory=list)
    answer: Callable[[Arrived], Awaitable[int]] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/webhooks/payment"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        raw = b""
        while True:
            part = await receive()
            raw += part.get("body", b"")
            if not part.get("more_body"):
                break
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        one = Arrived(headers, raw, time.monotonic())
        self.arrived.append(one)
        status = await self.answer(one) if self.answer else 204
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    def of(self, payment_id: str) -> list[Arrived]:
        return [one for one in self.arrived if one.data["payment_id"] == payment_id]

    async def wait_for(self, payment_id: str, number: int, within_s: float = 30) -> list[Arrived]:
        """Until at least so many notifications of the payment came."""
        until = time.monotonic() + within_s
        while len(self.of(payment_id)) < number:
            assert time.monotonic() < until, f"{len(self.of(payment_id))} of {number} notifications came"
            await asyncio.sleep(0.02)
        return self.of(payment_id)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Receiver"]:
        config = uvicorn.Config(
            self, host="127.0.0.1", port=self.port, log_level="error", lifespan="off", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        yield self
        server.should_exit = True
        await task


@dataclass
class Sandbox:
    """`python -m providers.sandbox`, which can be killed and started again on the same file."""

    state: Path
    notify_url: str
    port: int = field(default_factory=free_port)
    secret: str = SECRET
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.state.with_name(f"sandbox-{self.port}.log")

    def spawn(self) -> "subprocess.Popen[bytes]":
        options = {"--port": str(self.port), "--state": str(self.state), "--notify-url": self.notify_url}
        command = [sys.executable, "-m", "providers.sandbox", "--webhook-secret", self.secret]
        for name, value in options.items():
            command += [name, value]
        # To a file: a pipe that nobody reads fills up, and then the sandbox hangs in its log.
        with self.log.open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, stderr=log)

    def start(self) -> None:
        self.process = self.spawn()
        until = time.monotonic() + 10
        while time.monotonic() < until:
            assert self.process.poll() is None, "the sandbox did not start"
            try:
                httpx.get(f"{self.url}/health", trust_env=False, verify=False).raise_for_status()
                return
            except httpx.TransportError:
                time.sleep(0.03)
        raise AssertionError("the sandbox is not up after 10 s")

    def stop(self, how: signal.Signals) -> None:
        """Does nothing when it does not run."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(10)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)


BadDay = Callable[..., Awaitable[None]]
"""Switch on what is named, and everything else off."""


async def pay(http: httpx.AsyncClient, payment_id: str, **act: Any) -> tuple[Capture, ...]:
    """Pay at the cashier; all captures of the payment."""
    response = await http.post(f"/cashier/{payment_id}/pay", json=act)
    assert response.status_code == 200, response.text
    return ProviderPayment.model_validate_json(response.content).captures
