"""A merchant's warehouse system over HTTP."""

from activities.merchant import Granted, GrantGoods, HandOver
from providers.calls import HttpParty, json_body, segment


class HttpMerchantSystem(HttpParty):
    """Implements `activities.merchant.MerchantSystem`. Anything but a 2xx raises PartyFault."""

    party = "merchant system"

    async def hand_over(self, parcel: HandOver) -> None:
        """Give the parcel to the warehouse. Idempotency key: `sub_order_no` with `revision`."""
        await self._ask("POST", f"/merchants/{segment(parcel.merchant)}/hand-overs", **json_body(parcel))

    async def grant(self, goods: GrantGoods) -> Granted:
        """Have the merchant deliver virtual goods. Idempotency key: `sub_order_no`."""
        path = f"/merchants/{segment(goods.merchant)}/grants"
        return self._read(Granted, await self._ask("POST", path, **json_body(goods)))
