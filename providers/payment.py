"""The payment provider over HTTP, in the sandbox's protocol. Another provider's protocol goes into another module."""

from domain.order.payment import OpenPayment, PaymentRequest, ProviderPayment, RefundAnswer, RefundOrder
from providers.calls import HttpParty, PartyFault, json_body, segment


class HttpPaymentProvider(HttpParty):
    """Implements `activities.payment.PaymentProvider`. A fault raises PartyFault; a refusal is a value."""

    party = "payment provider"

    async def create(self, request: PaymentRequest) -> OpenPayment:
        """Open a payment. Idempotency key: `payment_id`."""
        response = await self._ask("POST", "/payments", **json_body(request))
        answer = self._read(OpenPayment, response)
        self._same(request.payment_id, answer.payment_id)
        return answer

    async def close(self, payment_id: str) -> ProviderPayment:
        """Have the provider take no money from now on; its answer is CLOSED, or PAID with the captures."""
        response = await self._ask("POST", f"/payments/{segment(payment_id)}/close")
        answer = self._read(ProviderPayment, response)
        self._same(payment_id, answer.payment_id)
        return answer

    async def query(self, payment_id: str) -> ProviderPayment:
        """What the provider knows of a payment; UNKNOWN is an answer too."""
        response = await self._ask("GET", f"/payments/{segment(payment_id)}")
        answer = self._read(ProviderPayment, response)
        self._same(payment_id, answer.payment_id)
        return answer

    async def refund(self, order: RefundOrder) -> RefundAnswer:
        """Have the provider send money back. Idempotency key: `refund_no`."""
        response = await self._ask("POST", "/refunds", **json_body(order))
        answer = self._read(RefundAnswer, response)
        self._same(order.refund_no, answer.refund_no)
        return answer

    async def query_refund(self, refund_no: str) -> RefundAnswer | None:
        """The answer that was given to a refund; None when the provider says that it has never heard of it."""
        response = await self._call("GET", f"/refunds/{segment(refund_no)}")
        # Any server answers 404 to a wrong address: only the provider's own word counts as "never heard of it".
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
