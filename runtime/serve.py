"""`python -m runtime.serve`: the gateway as a process. On SIGTERM it finishes what is under way, and ends."""

import asyncio
import logging
import signal
import socket

import uvicorn
import uvloop

from activities.notifications import BadSecret
from gateway.app import create_app
from gateway.context import GatewaySettings
from runtime import logs
from runtime.embedded import HOST
from runtime.parties import BadParties, chosen
from runtime.settings import Settings, load
from runtime.temporal import Unreachable
from runtime.wiring import open_front

log = logging.getLogger("gateway")


def gateway_settings(settings: Settings) -> GatewaySettings:
    return GatewaySettings(
        jwt_key=settings.jwt_key,
        body_bytes=settings.body_bytes,
        requests_per_minute=settings.requests_per_minute,
    )


def listen(port: int) -> socket.socket:
    """A socket that is bound to the port. It is made before anything else is opened, so that a taken port shows at
    once. Raises OSError."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError:
        listening.close()
        raise
    return listening


async def serve(settings: Settings, listening: socket.socket) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises `Unreachable` when Temporal does not answer at the start, and `BadSecret`
    when the provider's notifications can't be read with the secret that is set."""
    notifications = chosen(settings).notifications(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn raises the signal again after its orderly stop; this one swallows it, so that we exit with 0.
        loop.add_signal_handler(number, lambda: None)
    async with open_front(settings) as front:
        config = uvicorn.Config(
            create_app(front, gateway_settings(settings), notifications),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=settings.graceful_shutdown_s,
        )
        await uvicorn.Server(config).serve(sockets=[listening])


def main() -> int:
    """Run the gateway; returns the exit status: 0 after an orderly stop, 1 when it can't start."""
    logs.as_json()
    settings = load()
    try:
        with listen(settings.gateway_port) as listening:
            uvloop.run(serve(settings, listening))
    except OSError as error:
        log.error("the gateway can't listen on port %d: %s", settings.gateway_port, error.strerror or error)
        return 1
    except (Unreachable, BadSecret, BadParties) as fault:
        log.error("%s", fault)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
