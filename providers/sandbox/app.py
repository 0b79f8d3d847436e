"""The sandbox as one FastAPI application."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Request

from providers.sandbox import cashier, hooks, merchant, payment
from providers.sandbox.bad_days import BadDays
from providers.sandbox.problems import SandboxProblem, body, problem_answer
from providers.sandbox.relay import Relay
from providers.sandbox.state import State, TheState

router = APIRouter()


@router.get("/health")
async def health(request: Request) -> dict[str, str]:
    """Whether the service and its relay are up: without the relay, buyers would look as if they did not pay."""
    if request.app.state.relay_task.done():
        raise SandboxProblem(503, "relay-stopped", "the relay of the notifications has stopped")
    return {"status": "ok"}


@router.get("/bad-days")
async def bad_days(state: TheState) -> BadDays:
    """The switches as they are now."""
    return state.bad_days


@router.put("/bad-days")
async def set_bad_days(state: TheState, switches: Annotated[BadDays, Depends(body(BadDays))]) -> BadDays:
    """Replace all switches: one that is not named is off."""
    state.set_bad_days(switches)
    return switches


def create_app(state: State, relay: Relay, public_url: str) -> FastAPI:
    """The sandbox's application; `public_url` is where the buyer's browser finds it."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with contextlib.closing(state):
            app.state.relay_task = asyncio.create_task(relay.run())
            yield
            app.state.relay_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await app.state.relay_task

    app = FastAPI(title="Sandbox of the parties outside the house", lifespan=lifespan)
    app.state.sandbox, app.state.relay, app.state.public_url = state, relay, public_url.rstrip("/")
    app.add_exception_handler(SandboxProblem, problem_answer)
    for part in (router, payment.router, cashier.router, merchant.router, hooks.router):
        app.include_router(part)
    return app
