"""A merchant's warehouse system over HTTP."""

from activities.merchant import Granted, GrantGoods, HandOver
from providers.calls import HttpParty, json_body, segment


class HttpMerchantSystem(HttpParty):
    """Implements `activities.merchant.MerchantSystem`. Anything but a 2xx raises `PartyFault`."""

    party = "merchant system"

    async def hand_over(self, parcel: HandOver) -> None:
        """Give the parcel to the warehouse. Key: `sub_order_no`."""
        await self._ask("POST", f"/merchants/{segment(parcel.merchant)}/hand-overs", **json_body(parcel))

    async def grant(self, goods: GrantGoods) -> Granted:
        """Deliver virtual goods. Key: `sub_order_no`."""
        path = f"/merchants/{segment(goods.merchant)}/grants"
        return self._read(Granted, await self._ask("POST", path, **json_body(goods)))
