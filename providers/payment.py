"""The payment provider over HTTP: what the sandbox speaks. Put another provider's protocol beside it."""

from domain.order.payment import OpenPayment, PaymentRequest, ProviderPayment, RefundAnswer, RefundOrder
from providers.calls import HttpParty, PartyFault, json_body, segment


class HttpPaymentProvider(HttpParty):
    """Implements `activities.payment.PaymentProvider`. A fault raises `PartyFault`; a refusal is a value."""

    party = "payment provider"

    async def create(self, request: PaymentRequest) -> OpenPayment:
        """Open a payment. Key: `payment_id`."""
        response = await self._ask("POST", "/payments", **json_body(request))
        answer = self._read(OpenPayment, response)
        self._same(request.payment_id, answer.payment_id)
        return answer

    async def close(self, payment_id: str) -> ProviderPayment:
        """Take no money from now on, or say that it is paid already."""
        response = await self._ask("POST", f"/payments/{segment(payment_id)}/close")
        answer = self._read(ProviderPayment, response)
        self._same(payment_id, answer.payment_id)
        return answer

    async def query(self, payment_id: str) -> ProviderPayment:
        """What the provider knows of a payment; `UNKNOWN` is an answer too."""
        response = await self._ask("GET", f"/payments/{segment(payment_id)}")
        answer = self._read(ProviderPayment, response)
        self._same(payment_id, answer.payment_id)
        return answer

    async def refund(self, order: RefundOrder) -> RefundAnswer:
        """Send money back. Key: `refund_no`."""
        response = await self._ask("POST", "/refunds", **json_body(order))
        answer = self._read(RefundAnswer, response)
        self._same(order.refund_no, answer.refund_no)
        return answer

    async def query_refund(self, refund_no: str) -> RefundAnswer | None:
        """The answer given to a refund; None when the provider says it has never heard of it."""
        response = await self._call("GET", f"/refunds/{segment(refund_no)}")
        # Any server says 404 to a wrong address: only the provider's own word counts as "never heard of it".
        if response.status_code == 404 and b'"refund-unknown"' in response.content:
            return None
        if not response.is_success:
            raise self._refuse(response)
        answer = self._read(RefundAnswer, response)
        self._same(refund_no, answer.refund_no)
        return answer

    def _same(self, asked: str, answered: str) -> None:
        if asked != answered:
            raise PartyFault(f"{self.party}: asked about {asked!r}, answered about {answered!r}")
