"""What must be true of an order once it has come to its end, whatever happened to it."""

from domain.order.status import CloseReason, Status
from tests.support.shop import Shop, until


async def books_balance(shop: Shop, order_no: str) -> None:
    """What the provider has kept is what the journal says: nothing of a closed order, else what was not refunded."""
    kept = await shop.provider_kept(order_no)
    view = await shop.show(order_no)
    closed = view.status is Status.CLOSED
    back = sum(refund.amount_fen for refund in view.refunds)
    assert kept == (0 if closed else view.amount_due_fen - back), view
    assert await shop.money(order_no) == ({"provider": kept, "orders": -kept} if kept else {})


async def no_stray(shop: Shop, order_no: str) -> None:
    """Every capture that the provider has made has its one fate, and what was to go back has gone."""

    async def undecided() -> object:
        statement = (await shop.http.get("/statement")).json()
        taken = {capture["capture_id"] for capture in statement["captures"] if capture["payment_id"] == order_no}
        fates = await shop.sql("SELECT capture_id FROM captures WHERE payment_id = :no", no=order_no)
        owed = await shop.sql("SELECT refund_no FROM refunds WHERE payment_id = :no AND state <> 'DONE'", no=order_no)
        return sorted(taken - {row.capture_id for row in fates}), owed

    await until(undecided, lambda left: left == ([], []), 120)


async def closed_and_given_back(shop: Shop, order_no: str, reason: CloseReason, *skus: str) -> None:
    """What every closed order must leave behind: nothing held, nothing kept."""
    ended = await shop.ended(order_no)
    assert (ended.status, ended.close_reason) == (Status.CLOSED, reason)
    view = await shop.show(order_no)
    assert (view.status, view.close_reason, view.attention) == (Status.CLOSED, reason, [])
    for sku in skus:
        level = await shop.level(sku)
        assert level["available"] == level["sellable_total"], level
    assert await shop.money(order_no) == {}
    assert await shop.provider_kept(order_no) == 0
    assert {refund.state for refund in view.refunds} <= {"DONE"}
