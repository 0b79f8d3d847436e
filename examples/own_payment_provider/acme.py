"""Acme's HTTP interface behind the house's Protocol."""

import httpx
from pydantic import ValidationError

from domain.order.payment import (
    OpenPayment,
    PaymentRequest,
    ProviderPayment,
    ProviderState,
    RefundAnswer,
    RefundOrder,
    RefundState,
)
from examples.own_payment_provider.messages import AcmeCharge, AcmeProblem, AcmeRefund, yuan_of
from providers.calls import HttpParty, PartyFault, segment

_STATES = {"open": ProviderState.OPEN, "paid": ProviderState.PAID, "canceled": ProviderState.CLOSED}
_OUTCOMES = {"succeeded": RefundState.DONE, "failed": RefundState.REFUSED}


class AcmePayments(HttpParty):
    """Implements `activities.payment.PaymentProvider`. A fault raises `PartyFault`; a refusal is a value.

    Acme keeps what the story relies on: a repeated PUT changes nothing, and a charge that is canceled before it was
    created stays canceled.
    """

    party = "Acme"

    def __init__(self, base_url: str, key: str) -> None:
        super().__init__(base_url, headers={"authorization": f"Bearer {key}"})

    async def create(self, request: PaymentRequest) -> OpenPayment:
        body = {
            "amount": yuan_of(request.amount_fen),
            "currency": request.currency,
            "pay_before": request.expires_at.isoformat(),
            "description": request.subject,
        }
        charge = self._charge(request.payment_id, await self._ask("PUT", _charge_at(request.payment_id), json=body))
        return OpenPayment(payment_id=request.payment_id, cashier_url=charge.pay_url)

    async def close(self, payment_id: str) -> ProviderPayment:
        """Acme refuses to cancel what is paid; then it is asked what was paid. Any other refusal is a fault: that a
        payment is closed must be Acme's word."""
        response = await self._call("POST", f"{_charge_at(payment_id)}/cancel")
        if _code(response) == "charge-is-paid":
            return await self.query(payment_id)
        if not response.is_success:
            raise self._refuse(response)
        return _payment(self._charge(payment_id, response))

    async def query(self, payment_id: str) -> ProviderPayment:
        response = await self._call("GET", _charge_at(payment_id))
        if _code(response) == "no-such-charge":
            return ProviderPayment(payment_id=payment_id, state=ProviderState.UNKNOWN)
        if not response.is_success:
            raise self._refuse(response)
        return _payment(self._charge(payment_id, response))

    async def refund(self, order: RefundOrder) -> RefundAnswer:
        body = {
            "receipt_id": order.capture_id,
            "amount": yuan_of(order.amount_fen),
            "currency": order.currency,
            "note": order.reason,
        }
        return self._answer(order.refund_no, await self._ask("PUT", _refund_at(order.refund_no), json=body))

    async def query_refund(self, refund_no: str) -> RefundAnswer | None:
        response = await self._call("GET", _refund_at(refund_no))
        if _code(response) == "no-such-refund":
            return None
        if not response.is_success:
            raise self._refuse(response)
        return self._answer(refund_no, response)

    def _charge(self, asked: str, response: httpx.Response) -> AcmeCharge:
        charge = self._read(AcmeCharge, response)
        if charge.charge_id != asked or any(receipt.charge_id != asked for receipt in charge.receipts):
            raise PartyFault(f"{self.party}: asked about {asked!r}, answered about another charge")
        return charge

    def _answer(self, asked: str, response: httpx.Response) -> RefundAnswer:
        refund = self._read(AcmeRefund, response)
        if refund.refund_no != asked:
            raise PartyFault(f"{self.party}: asked about {asked!r}, answered about {refund.refund_no!r}")
        return RefundAnswer(refund_no=asked, state=_OUTCOMES[refund.status], detail=refund.failure)


def _payment(charge: AcmeCharge) -> ProviderPayment:
    captures = tuple(receipt.capture for receipt in charge.receipts)
    return ProviderPayment(payment_id=charge.charge_id, state=_STATES[charge.status], captures=captures)


def _code(response: httpx.Response) -> str:
    """Acme's own word for its refusal; empty when it has not refused, or somebody else has."""
    if response.is_success:
        return ""
    try:
        return AcmeProblem.model_validate_json(response.content).code
    except ValidationError:
        return ""


def _charge_at(charge_id: str) -> str:
    return f"/v3/charges/{segment(charge_id)}"


def _refund_at(refund_no: str) -> str:
    return f"/v3/refunds/{segment(refund_no)}"
