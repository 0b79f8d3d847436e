"""`python -m providers.sandbox`: the sandbox as a service of its own."""

import argparse
from pathlib import Path

import uvicorn

from providers.sandbox.app import create_app
from providers.sandbox.relay import Relay
from providers.sandbox.state import State, StateInUse


def main() -> None:
    """Serve the sandbox until SIGTERM or Ctrl-C."""
    options = argparse.ArgumentParser(prog="python -m providers.sandbox", description=__doc__)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--state", type=Path, required=True, help="SQLite file; made if it is not there")
    options.add_argument("--notify-url", required=True, help="where payment notifications are posted")
    options.add_argument("--webhook-secret", required=True, help="what they are signed with: whsec_<base64>")
    options.add_argument("--public-url", help="where buyers reach the cashier page; default: host and port")
    given = options.parse_args()
    public_url = given.public_url or f"http://{given.host}:{given.port}"
    try:
        state = State(given.state)
        relay = Relay(state, given.notify_url, given.webhook_secret)
    except (StateInUse, ValueError) as error:
        raise SystemExit(f"the sandbox can't start: {error}") from None
    app = create_app(state, relay, public_url)
    # A request that hangs on purpose must not hold up the shutdown.
    uvicorn.run(app, host=given.host, port=given.port, log_level="warning", timeout_graceful_shutdown=1)


if __name__ == "__main__":
    main()
