"""Acme itself, as small as it can be, so that an order can be tried on it.

It forgets everything when it ends, and whoever knows a charge can pay it. A real one does neither.
"""

import argparse
import asyncio
import secrets
import time
from datetime import UTC, datetime
from typing import Literal

import httpx
import uvicorn
from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, Field

from examples.own_payment_provider.messages import (
    AcmeCharge,
    AcmeEvent,
    AcmeProblem,
    AcmeReceipt,
    AcmeRefund,
    Yuan,
    yuan_of,
)
from examples.own_payment_provider.parties import AcmeSettings
from examples.own_payment_provider.webhooks import HEADER, sign

TRIES = 60
PAUSE_S = 0.5


class Wanted(BaseModel):
    """What a shop asks Acme to collect."""

    amount: Yuan
    currency: str
    pay_before: AwareDatetime
    description: str


class Charge(BaseModel):
    wanted: Wanted | None = None
    status: Literal["open", "paid", "canceled"] = "open"
    receipts: list[AcmeReceipt] = Field(default_factory=list)


class WantedRefund(BaseModel):
    receipt_id: str
    amount: Yuan
    currency: str
    note: str


class Acme:
    """Its books, and its webhook."""

    def __init__(self, key: str, webhook_url: str, webhook_secret: str) -> None:
        self._key = key
        self._webhook_url = webhook_url
        self._webhook_secret = webhook_secret
        self._charges: dict[str, Charge] = {}
        self._refunds: dict[str, AcmeRefund] = {}
        self._left: dict[str, int] = {}  # fen of each receipt that can be refunded
        self._sending: set[asyncio.Task[None]] = set()
        self.router = APIRouter()
        for method, path, answers in (
            ("PUT", "/v3/charges/{charge_id}", self.create),
            ("POST", "/v3/charges/{charge_id}/cancel", self.cancel),
            ("GET", "/v3/charges/{charge_id}", self.charge),
            ("PUT", "/v3/refunds/{refund_no}", self.refund),
            ("GET", "/v3/refunds/{refund_no}", self.refunded),
            ("POST", "/pay/{charge_id}", self.pay),
        ):
            self.router.add_api_route(path, answers, methods=[method])

    async def create(self, request: Request, charge_id: str, wanted: Wanted) -> AcmeCharge:
        self._check_key(request)
        charge = self._charges.setdefault(charge_id, Charge())
        charge.wanted = charge.wanted or wanted
        return self._told(request, charge_id, charge)

    async def cancel(self, request: Request, charge_id: str) -> AcmeCharge:
        """What was never created is canceled, too, and stays so."""
        self._check_key(request)
        charge = self._charges.setdefault(charge_id, Charge())
        if charge.status == "paid":
            raise HTTPException(409, "charge-is-paid")
        charge.status = "canceled"
        return self._told(request, charge_id, charge)

    async def charge(self, request: Request, charge_id: str) -> AcmeCharge:
        self._check_key(request)
        if charge_id not in self._charges:
            raise HTTPException(404, "no-such-charge")
        return self._told(request, charge_id, self._charges[charge_id])

    async def refund(self, request: Request, refund_no: str, wanted: WantedRefund) -> AcmeRefund:
        """Done once under its number; one that has failed may be tried again."""
        self._check_key(request)
        known = self._refunds.get(refund_no)
        if known is not None and known.status == "succeeded":
            return known
        left = self._left.get(wanted.receipt_id, 0)
        if wanted.amount <= left:
            self._left[wanted.receipt_id] = left - wanted.amount
            refund = AcmeRefund(refund_no=refund_no, status="succeeded")
        else:
            failure = f"{yuan_of(left)} of the receipt can be refunded"
            refund = AcmeRefund(refund_no=refund_no, status="failed", failure=failure)
        self._refunds[refund_no] = refund
        return refund

    async def refunded(self, request: Request, refund_no: str) -> AcmeRefund:
        self._check_key(request)
        if refund_no not in self._refunds:
            raise HTTPException(404, "no-such-refund")
        return self._refunds[refund_no]

    async def pay(self, charge_id: str) -> AcmeReceipt:
        """What the buyer does: it needs no key."""
        charge, now = self._charges.get(charge_id, Charge()), datetime.now(UTC)
        if charge.wanted is None or charge.status != "open" or now >= charge.wanted.pay_before:
            raise HTTPException(409, "charge-takes-no-money")
        receipt = AcmeReceipt.model_validate(
            {
                "receipt_id": f"rcpt-{secrets.token_hex(8)}",
                "charge_id": charge_id,
                "amount": yuan_of(charge.wanted.amount),
                "currency": charge.wanted.currency,
                "paid_at": now,
            }
        )
        charge.status = "paid"
        charge.receipts.append(receipt)
        self._left[receipt.receipt_id] = receipt.amount
        self._tell(receipt)
        return receipt

    def _told(self, request: Request, charge_id: str, charge: Charge) -> AcmeCharge:
        pay_url = f"{request.base_url}pay/{charge_id}"
        return AcmeCharge(charge_id=charge_id, status=charge.status, pay_url=pay_url, receipts=charge.receipts)

    def _check_key(self, request: Request) -> None:
        if request.headers.get("authorization") != f"Bearer {self._key}":
            raise HTTPException(401, "wrong-key")

    def _tell(self, receipt: AcmeReceipt) -> None:
        event = AcmeEvent(event_id=f"evt-{secrets.token_hex(8)}", kind="charge.paid", receipt=receipt)
        task = asyncio.create_task(self._send(event.model_dump_json().encode()))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, body: bytes) -> None:
        """Again and again, until somebody has taken it."""
        async with httpx.AsyncClient(trust_env=False) as http:
            for _ in range(TRIES):
                headers = {HEADER: sign(self._webhook_secret, int(time.time()), body)}
                try:
                    if (await http.post(self._webhook_url, content=body, headers=headers)).is_success:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(PAUSE_S)


async def _problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse(AcmeProblem(code=error.detail).model_dump(), error.status_code)


def acme_app(acme: Acme) -> FastAPI:
    app = FastAPI(title="Acme")
    app.add_exception_handler(HTTPException, _problem)
    app.include_router(acme.router)
    return app


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--webhook-url", required=True, help="the gateway's /webhooks/payments")
    given, settings = options.parse_args(), AcmeSettings()
    acme = Acme(settings.key.get_secret_value(), given.webhook_url, settings.webhook_secret.get_secret_value())
    uvicorn.run(acme_app(acme), port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
