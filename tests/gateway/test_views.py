"""What each party is shown: its own part, and nothing of others, of risk or of operations."""

import pytest

from domain.order.ownership import Caller, Role
from domain.order.status import CloseReason, Status
from domain.records.views import AttentionView, EventView, LineView, OrderView, RefundView, SubOrderView
from gateway.visibility import shown_to
from tests.support.shop import Person, Shop
from tests.support.web import Web, new_name, problem

AT = "2026-11-12T08:00:00Z"
SHOP = "checkout/shop"


def line(line_no: int, merchant: str) -> LineView:
    return LineView(
        line_no=line_no,
        sku=f"S{line_no}",
        title="t",
        merchant=merchant,
        quantity=1,
        unit_price_fen=100 * line_no,
        goods_fen=100 * line_no,
        pay_fen=100 * line_no,
    )


def sub_order(number: str, line_no: int, merchant: str, status: Status, carrier: str | None = None) -> SubOrderView:
    return SubOrderView(
        sub_order_no=number,
        merchant=merchant,
        delivery_mode="PHYSICAL",
        warehouse="w",
        shipping_fen=0,
        status=status,
        goods_fen=100 * line_no,
        pay_fen=100 * line_no,
        after_sale="NONE",
        carrier=carrier,
        lines=[line(line_no, merchant)],
    )


def event(actor: str, subject: str = "") -> EventView:
    return EventView.model_validate_json(
        f'{{"at": "{AT}", "actor": "{actor}", "action": "X", "subject": "{subject}", "detail": "d"}}'
    )


@pytest.fixture
def order() -> OrderView:
    """Two merchants, one parcel on its way with SF; rejected by risk, refunded, and in need of a person."""
    whole = OrderView.model_validate_json(
        f'{{"order_no": "1", "buyer_id": 42, "status": "PARTIALLY_SHIPPED", "goods_fen": 300, "amount_due_fen": 300,'
        f'"currency": "CNY", "placed_at": "{AT}", "lines": [], "sub_orders": [], "refunds": [], "attention": [],'
        f'"events": [], "payment_link": "http://pay", "risk_verdict": "REJECT", "close_reason": "RISK_REJECTED"}}'
    )
    attention = AttentionView.model_validate_json(f'{{"subject": "b", "topic": "t", "text": "x", "since": "{AT}"}}')
    refund = RefundView(refund_no="r", amount_fen=100, currency="CNY", state="DONE", reason="RISK_REJECTED")
    parts = {
        "lines": [line(1, "m1"), line(2, "m2")],
        "sub_orders": [
            sub_order("a", 1, "m1", Status.SHIPPED, "SF"),
            sub_order("b", 2, "m2", Status.AWAITING_SHIPMENT),
        ],
        "refunds": [refund],
        "attention": [attention],
        "events": [event("BUYER"), event("PLATFORM"), event("MERCHANT", "a"), event("PLATFORM", "b")],
    }
    return whole.model_copy(update=parts)


def as_(role: Role, sub: str) -> Caller:
    return Caller(role=role, sub=sub)


def test_an_operator_sees_all_of_it(order: OrderView) -> None:
    assert shown_to(as_(Role.OPERATOR, "ann"), order, None, SHOP) == order


def test_a_buyer_sees_it_without_risk_and_operations(order: OrderView) -> None:
    shown = shown_to(as_(Role.BUYER, "42"), order, None, SHOP)
    assert shown is not None
    assert (shown.lines, shown.amount_due_fen, shown.payment_link) == (order.lines, 300, "http://pay")
    assert (shown.risk_verdict, shown.attention) == (None, [])
    assert [one.actor for one in shown.events] == ["BUYER", "MERCHANT"]
    assert shown.close_reason is CloseReason.CANCELLED_BY_PLATFORM
    assert "RISK" not in shown.model_dump_json()


def test_a_merchant_sees_its_own_part_as_if_it_were_all(order: OrderView) -> None:
    shown = shown_to(as_(Role.MERCHANT, "m1"), order, None, SHOP)
    assert shown is not None
    assert [sub.sub_order_no for sub in shown.sub_orders] == ["a"]
    assert [one.sku for one in shown.lines] == ["S1"]
    assert (shown.goods_fen, shown.amount_due_fen, shown.status) == (100, 100, Status.SHIPPED)
    assert (shown.payment_link, shown.refunds, shown.attention) == (None, [], [])
    assert "m2" not in shown.model_dump_json()


def test_a_merchant_sees_its_lines_of_an_order_that_is_not_split(order: OrderView) -> None:
    unsplit = order.model_copy(update={"sub_orders": [], "status": Status.PENDING_PAYMENT})
    shown = shown_to(as_(Role.MERCHANT, "m2"), unsplit, None, SHOP)
    assert shown is not None
    assert ([one.sku for one in shown.lines], shown.amount_due_fen) == (["S2"], 200)
    assert shown.status is Status.PENDING_PAYMENT


def test_a_carrier_sees_the_parcels_it_carries(order: OrderView) -> None:
    shown = shown_to(as_(Role.CARRIER, "SF"), order, None, SHOP)
    assert shown is not None
    assert [sub.sub_order_no for sub in shown.sub_orders] == ["a"]
    assert "m2" not in shown.model_dump_json()


def test_checkout_sees_what_it_has_placed_as_the_buyer_does(order: OrderView) -> None:
    assert shown_to(as_(Role.CHECKOUT, "shop"), order, None, SHOP) == shown_to(as_(Role.BUYER, "42"), order, None, SHOP)


def test_a_merchant_whose_lines_were_closed_before_the_split_still_sees_them_closed(order: OrderView) -> None:
    others = order.model_copy(update={"sub_orders": order.sub_orders[:1]})
    shown = shown_to(as_(Role.MERCHANT, "m2"), others, None, SHOP)
    assert shown is not None
    assert (shown.status, shown.lines) == (Status.CLOSED, [])


@pytest.mark.parametrize(
    "stranger",
    [as_(Role.BUYER, "43"), as_(Role.MERCHANT, "m3"), as_(Role.CARRIER, "YTO"), as_(Role.CHECKOUT, "another")],
    ids=lambda one: one.role,
)
def test_a_stranger_sees_nothing(order: OrderView, stranger: Caller) -> None:
    assert shown_to(stranger, order, None, SHOP) is None


@pytest.mark.parametrize(("role", "sub"), [(Role.MERCHANT, "m1"), (Role.CARRIER, "SF")])
def test_another_partys_sub_order_is_not_there(order: OrderView, role: Role, sub: str) -> None:
    assert shown_to(as_(role, sub), order, "b", SHOP) is None
    assert shown_to(as_(role, sub), order, "a", SHOP) is not None


def test_a_sub_orders_number_shows_that_part_alone(order: OrderView) -> None:
    shown = shown_to(as_(Role.OPERATOR, "ann"), order, "b", SHOP)
    assert shown is not None
    assert [sub.sub_order_no for sub in shown.sub_orders] == ["b"]
    assert [one.subject for one in shown.attention] == ["b"]
    assert shown_to(as_(Role.OPERATOR, "ann"), order, "c", SHOP) is None


async def test_a_buyers_list_mixes_unpaid_orders_and_sub_orders_in_pages(web: Web, shop: Shop) -> None:
    person = Person()
    paid, subs = await web.paid([new_name("merchant"), new_name("merchant")], person)
    unpaid = await web.place([await shop.sku()], person)
    buyer = web.buyer(person)
    seen, after = [], None
    for _ in range(4):
        page = (await buyer.get("/orders", size=1, **({"after": after} if after else {}))).json()
        seen += page["items"]
        after = page["next"]
        if after is None:
            break
    assert {item["sub_order_no"] or item["order_no"] for item in seen} == {unpaid, *subs}
    assert {item["order_no"] for item in seen} == {paid, unpaid}
    to_pay = (await buyer.get("/orders", tab="to_pay")).json()["items"]
    assert [item["order_no"] for item in to_pay] == [unpaid]
    assert (await web.buyer(Person()).get("/orders")).json() == {"items": [], "next": None}


async def test_a_merchants_list_has_its_sub_orders_by_status(web: Web) -> None:
    merchant = new_name("merchant")
    _, (sub,) = await web.paid([merchant], Person())
    party = web.party(Role.MERCHANT, merchant)
    listed = (await party.get("/sub-orders", status="AWAITING_SHIPMENT")).json()["items"]
    assert [item["sub_order_no"] for item in listed] == [sub]
    assert (await party.get("/sub-orders", status="SHIPPED")).json()["items"] == []


async def test_an_operators_list_has_all_orders_whole(web: Web, shop: Shop) -> None:
    order_no = await web.place([await shop.sku()], Person())
    listed = (await web.operator.get("/orders", status="PENDING_PAYMENT", needs_attention=False, size=100)).json()
    assert order_no in [item["order_no"] for item in listed["items"]]
    listed = (await web.operator.get("/orders", needs_attention=True)).json()
    assert order_no not in [item["order_no"] for item in listed["items"]]


@pytest.mark.parametrize(
    ("role", "wrong"),
    [
        (Role.OPERATOR, {"tab": "to_pay"}),
        (Role.BUYER, {"status": "CLOSED"}),
        (Role.BUYER, {"needs_attention": "true"}),
        (Role.BUYER, {"tap": "to_pay"}),
        (Role.BUYER, {"size": "0"}),
        (Role.BUYER, {"size": "101"}),
        (Role.BUYER, {"after": "nonsense"}),
        (Role.BUYER, {"after": "2026-01-01T00:00:00_1_0"}),
        (Role.BUYER, {"after": f"2026-01-01T00:00:00+00:00_{2**70}_0"}),
        (Role.BUYER, {"after": f"2026-01-01T00:00:00+00:00_1_{2**40}"}),
        (Role.BUYER, {"after": "0001-01-01T00:00:00+14:00_1_0"}),
    ],
)
async def test_a_wrong_parameter_is_named(web: Web, role: Role, wrong: dict[str, str]) -> None:
    answer = await web.party(role, "42").get("/orders", **wrong)
    assert problem(answer, 422, "invalid")["errors"][0]["place"] == f"query.{next(iter(wrong))}"
