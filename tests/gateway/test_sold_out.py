"""Sold out is cheap: refused before anything is started, for as long as it is so, and for nobody else's sake."""

import asyncio

from domain.order.ownership import Role
from domain.order.stock import StockPolicy
from store.stock.sold_out import PostgresStockGate
from tests.support.shop import Person, Shop
from tests.support.web import Web, front_of, new_key, new_name, opened, problem


async def test_sold_out_is_refused_without_a_number_or_a_run(web: Web, shop: Shop) -> None:
    """The key is as if it had not been asked: even another cart may take it."""
    sku = await shop.sku(pieces=1)
    await web.place([sku], Person())
    key = new_key()
    refused = problem(await web.checkout.post("/orders", web.cart([sku], Person()), key=key), 409, "order-refused")
    assert (refused["code"], refused["place"]) == ("OUT_OF_STOCK", "line 1")
    assert f"{sku}: 1 wanted, 0 left" in refused["detail"]
    assert "order_no" not in refused
    assert await shop.sql("SELECT 1 FROM checkout_keys WHERE idempotency_key = :key", key=key) == []
    another = web.cart([await shop.sku(pieces=1)], Person())
    assert (await web.checkout.post("/orders", another, key=key)).status_code == 201


async def test_the_same_key_asked_again_after_a_release_gets_an_order(web: Web, shop: Shop) -> None:
    sku, key = await shop.sku(pieces=1), new_key()
    first = await web.place([sku], Person())
    cart = web.cart([sku], Person())
    problem(await web.checkout.post("/orders", cart, key=key), 409, "order-refused")
    await shop.cancel(first)
    placed = await web.checkout.post("/orders", cart, key=key)
    assert placed.status_code == 201, placed.text
    assert (await shop.level(sku))["reserved"] == 1


async def test_who_has_the_last_piece_is_never_told_that_it_is_gone(web: Web, shop: Shop) -> None:
    """The same key many times at once: whoever looks when the order's own run holds the piece gets that order."""
    for _ in range(5):
        sku, key = await shop.sku(pieces=1), new_key()
        cart = web.cart([sku], Person())
        answers = await asyncio.gather(*(web.checkout.post("/orders", cart, key=key) for _ in range(8)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["order_no"] for answer in answers}) == 1


async def test_an_order_that_no_worker_has_answered_yet_is_not_refused_when_all_is_sold_meanwhile(shop: Shop) -> None:
    """It is accepted, and its run is the one to say so."""
    idle = Shop(shop.client, shop.engine, shop.settings.model_copy(update={"task_queue": new_name("idle")}), shop.http)
    async with opened(idle, front=front_of(idle, wait_s=0.5)) as web:
        sku, key = await shop.sku(pieces=1), new_key()
        cart = web.cart([sku], Person())
        assert (await web.checkout.post("/orders", cart, key=key)).status_code == 202
        await shop.place([sku])
        assert (await web.checkout.post("/orders", cart, key=key)).status_code == 202


async def test_what_only_the_payment_takes_is_not_refused(web: Web, shop: Shop) -> None:
    """The ledger would grant it: a merchant who deducts on payment may sell more often than it has pieces."""
    merchant = new_name("promises")
    await shop.catalog.set_policy(merchant, StockPolicy.DEDUCT_ON_PAYMENT)
    sku = await shop.sku(pieces=1, merchant=merchant)
    await shop.sql("UPDATE stock SET available = 0, sellable_total = 0 WHERE sku = :sku", sku=sku)
    placed = await web.party(Role.CHECKOUT, "web").post("/orders", web.cart([sku], Person()), key=new_key())
    assert placed.status_code == 201, placed.text


async def test_the_gate_refuses_nothing_that_the_ledger_would_grant(web: Web, shop: Shop) -> None:
    """Twenty buyers of ten pieces: exactly ten get one, gate or not."""
    sku = await shop.sku(pieces=10)
    answers = await asyncio.gather(
        *(web.checkout.post("/orders", web.cart([sku], Person()), key=new_key()) for _ in range(20))
    )
    assert sorted(answer.status_code for answer in answers) == [201] * 10 + [409] * 10
    assert await shop.level(sku) == {"sellable_total": 10, "available": 0, "reserved": 10, "deducted": 0}


async def test_too_many_who_look_at_once_are_told_to_ask_again(shop: Shop) -> None:
    front = front_of(shop)
    gate = front.checkout._gate
    assert isinstance(gate, PostgresStockGate)
    gate._ask._most_waiting = 0
    async with opened(shop, front=front) as web:
        answer = await web.checkout.post("/orders", web.cart([await shop.sku()], Person()), key=new_key())
        problem(answer, 503, "unavailable")
