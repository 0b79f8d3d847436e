"""POST /orders: one order per key, whatever is repeated, and an answer that says what to do."""

import asyncio

import pytest

from domain.order.ownership import Role
from domain.risk import BlockKind
from tests.support.shop import Person, Shop, until, working
from tests.support.web import Web, front_of, new_key, opened, problem


async def test_an_order_is_answered_with_its_number_amount_link_and_deadline(web: Web, shop: Shop) -> None:
    placed = await web.checkout.post("/orders", web.cart([await shop.sku()], Person()), key=new_key())
    body = placed.json()
    assert placed.status_code == 201
    assert placed.headers["location"] == f"/orders/{body['order_no']}"
    assert isinstance(body["order_no"], str)
    assert body["amount_due_fen"] == 1000
    assert body["payment_link"].startswith("http")
    assert body["pay_by"].endswith("Z")
    assert body["refusal"] is None


async def test_the_same_key_and_body_get_the_same_answer(web: Web, shop: Shop) -> None:
    key, cart = new_key(), web.cart([await shop.sku()], Person())
    first = await web.checkout.post("/orders", cart, key=key)
    again = await web.checkout.post("/orders", cart, key=key)
    assert (again.status_code, again.content) == (201, first.content)


async def test_ten_equal_requests_at_once_make_one_order(web: Web, shop: Shop) -> None:
    key, sku = new_key(), await shop.sku()
    cart = web.cart([sku], Person())
    answers = await asyncio.gather(*(web.checkout.post("/orders", cart, key=key) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["order_no"] for answer in answers}) == 1
    assert (await shop.level(sku))["reserved"] == 1


async def test_the_same_key_with_another_body_is_refused(web: Web, shop: Shop) -> None:
    key, sku, person = new_key(), await shop.sku(), Person()
    assert (await web.checkout.post("/orders", web.cart([sku], person), key=key)).status_code == 201
    other = await web.checkout.post("/orders", web.cart([sku], person, ip="10.0.0.1"), key=key)
    problem(other, 422, "idempotency-key-reused")


async def test_the_same_key_of_another_caller_is_another_order(web: Web, shop: Shop) -> None:
    key, cart = new_key(), web.cart([await shop.sku()], Person())
    ours = await web.checkout.post("/orders", cart, key=key)
    theirs = await web.party(Role.CHECKOUT, "app").post("/orders", cart, key=key)
    assert (ours.status_code, theirs.status_code) == (201, 201)
    assert ours.json()["order_no"] != theirs.json()["order_no"]


async def test_a_buyer_orders_for_itself_and_nobody_else(web: Web, shop: Shop) -> None:
    person, sku = Person(), await shop.sku()
    own = await web.buyer(person).post("/orders", web.cart([sku], person), key=new_key())
    assert own.status_code == 201
    for_other = await web.buyer(Person()).post("/orders", web.cart([sku], person), key=new_key())
    problem(for_other, 403, "not-for-your-role")


async def test_a_changed_price_is_refused_with_what_would_be_right(web: Web, shop: Shop) -> None:
    sku = await shop.sku()
    cart = web.cart([sku], Person(), expected_amount_fen=999)
    key = new_key()
    refused = problem(await web.checkout.post("/orders", cart, key=key), 409, "order-refused")
    assert refused["code"] == "PRICE_CHANGED"
    assert refused["place"] == "expected_amount_fen"
    assert "1000" in refused["detail"]
    assert refused["remedy"]
    assert (await shop.level(sku))["reserved"] == 0
    assert problem(await web.checkout.post("/orders", cart, key=key), 409, "order-refused") == refused


async def test_out_of_stock_names_the_line(web: Web, shop: Shop) -> None:
    cart = web.cart([await shop.sku(pieces=0)], Person())
    refused = problem(await web.checkout.post("/orders", cart, key=new_key()), 409, "order-refused")
    assert (refused["code"], refused["place"]) == ("OUT_OF_STOCK", "line 1")


async def test_a_blocked_buyer_is_told_nothing_more(web: Web, shop: Shop) -> None:
    person = Person()
    await shop.block(BlockKind.BUYER, str(person.buyer_id))
    answer = await web.checkout.post("/orders", web.cart([await shop.sku()], person), key=new_key())
    refused = problem(answer, 409, "order-refused")
    assert refused["code"] == "NOT_ACCEPTED"
    assert set(refused) == {"type", "title", "status", "detail", "instance", "code", "order_no"}
    assert "block" not in answer.text


async def test_too_many_lines_are_refused_and_the_key_stays_free(web: Web, shop: Shop) -> None:
    sku, person, key = await shop.sku(pieces=300), Person(), new_key()
    lines = [{"line_no": n, "sku": sku, "quantity": 1} for n in range(1, 202)]
    large = await web.checkout.post("/orders", web.cart([sku], person, lines=lines), key=key)
    refused = problem(large, 422, "limit-exceeded")
    assert (refused["place"], refused["remedy"]) == ("lines", "at most 200")
    assert (await web.checkout.post("/orders", web.cart([sku], person), key=key)).status_code == 201


@pytest.mark.parametrize(
    ("raw", "status", "kind"),
    [
        (b'{"buyer_id": 1, "buyer_id": 2}', 400, "malformed"),
        (b'{"buyer_id": NaN}', 400, "malformed"),
        (b"{", 400, "malformed"),
        (b"\xff\xfe{\x00", 400, "malformed"),
        (b"[" * 20_000, 400, "malformed"),
        (b"", 415, "not-json"),
        (b'"\\ud800"', 422, "invalid"),
        (b"[]", 422, "invalid"),
    ],
)
async def test_what_is_no_strict_json_is_refused(web: Web, raw: bytes, status: int, kind: str) -> None:
    headers = {"content-type": "application/json" if raw else "text/plain"}
    answer = await web.checkout.post("/orders", key=new_key(), content=raw, headers=headers)
    problem(answer, status, kind)


@pytest.mark.parametrize(
    ("field", "value", "place"),
    [
        ("buyer_id", True, "buyer_id"),
        ("buyer_id", "1", "buyer_id"),
        ("expected_amount_fen", 10.0, "expected_amount_fen"),
        ("lines", [{"line_no": 1, "sku": "A", "quantity": 0}], "lines[0].quantity"),
        ("discount_fen", 1, "discount_fen"),
    ],
)
async def test_a_wrong_field_is_named(web: Web, field: str, value: object, place: str) -> None:
    answer = await web.checkout.post("/orders", web.cart(["A"], Person(), **{field: value}), key=new_key())
    assert place in [one["place"] for one in problem(answer, 422, "invalid")["errors"]]


async def test_a_text_that_the_database_can_not_keep_is_refused(web: Web) -> None:
    answer = await web.checkout.post("/orders", web.cart(["A"], Person(), device_id="d\0"), key=new_key())
    problem(answer, 422, "invalid")


@pytest.mark.parametrize("key", [None, "", "two words", "k" * 201])
async def test_an_order_needs_a_key_of_visible_characters(web: Web, key: str | None) -> None:
    answer = await web.checkout.post("/orders", web.cart(["A"], Person()), key=key)
    assert "Idempotency-Key" in problem(answer, 422, "invalid")["detail"]


async def test_with_no_worker_it_is_accepted_and_comes_through_when_one_comes(shop: Shop) -> None:
    idle = Shop(
        client=shop.client,
        engine=shop.engine,
        settings=shop.settings.model_copy(update={"task_queue": f"idle-{new_key()}"}),
        http=shop.http,
    )
    async with opened(idle, front=front_of(idle, wait_s=1.0)) as web:
        key, cart = new_key(), web.cart([await shop.sku()], Person())
        accepted = await web.checkout.post("/orders", cart, key=key)
        order_no = accepted.json()["order_no"]
        assert accepted.status_code == 202
        assert accepted.headers["location"] == f"/orders/{order_no}"
        assert int(accepted.headers["retry-after"]) > 0
        assert (await web.checkout.get(f"/orders/{order_no}")).status_code == 202
        problem(await web.operator.get(f"/orders/{order_no}"), 404, "no-such-order")
        async with working(idle.settings, idle.client):
            await until(lambda: web.checkout.get(f"/orders/{order_no}"), lambda answer: answer.status_code == 200)
            placed = await web.checkout.post("/orders", cart, key=key)
        assert (placed.status_code, placed.json()["order_no"]) == (201, order_no)


async def test_a_refusal_can_be_looked_up_by_whoever_placed_it_only(web: Web, shop: Shop) -> None:
    cart, key = web.cart([await shop.sku()], Person(), expected_amount_fen=1), new_key()
    refused = problem(await web.checkout.post("/orders", cart, key=key), 409, "order-refused")
    order_no = (await shop.sql("SELECT order_no FROM checkout_keys WHERE idempotency_key = :key", key=key))[0][0]
    looked_up = problem(await web.checkout.get(f"/orders/{order_no}"), 409, "order-refused")
    assert {**looked_up, "instance": ""} == {**refused, "instance": ""}
    problem(await web.party(Role.CHECKOUT, "app").get(f"/orders/{order_no}"), 404, "no-such-order")
