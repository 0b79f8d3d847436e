"""What holds of every quote, whatever is in the document."""

import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.order.product import DeliveryMode
from tests.support.quote_documents import documents
from tests.support.quotes import Doc, ask

OTHER = {"PARALLEL": "PROGRESSIVE", "PROGRESSIVE": "PARALLEL"}
many = settings(deadline=None, max_examples=120)


@given(documents())
@many
def test_the_shares_add_up_and_no_line_is_negative(doc: Doc) -> None:
    answer = ask(doc)
    for line in answer.lines:
        assert line.pay_fen >= 0
        assert line.pay_fen == line.goods_fen - sum(share.amount_fen for share in line.discounts)
        assert all(share.amount_fen > 0 for share in line.discounts)
    assert answer.discount_fen == sum(line.goods_fen - line.pay_fen for line in answer.lines)
    assert answer.discount_fen == sum(answer.funding_fen.values())
    assert answer.amount_due_fen == answer.goods_fen - answer.discount_fen + answer.shipping_fen


@given(documents())
@many
def test_max_off_holds_wherever_a_promotion_applies(doc: Doc) -> None:
    answer = ask(doc)
    for promo in doc["promotions"]:
        taken = sum(
            s.amount_fen for line in answer.lines for s in line.discounts if s.promotion_id == promo["promotion_id"]
        )
        merchants = 2 if promo["level"] in ("SHOP", "SHOP_COUPON") else 1
        assert promo.get("max_off_fen") is None or taken <= merchants * promo["max_off_fen"]


@given(documents())
@many
def test_every_promotion_in_scope_applies_or_says_why_not(doc: Doc) -> None:
    answer = ask(doc)
    refused = {entry.promotion_id for entry in answer.not_applied}
    applied = {s.promotion_id for line in answer.lines for s in line.discounts} | {g.promotion_id for g in answer.gifts}
    assert not refused & applied
    products = {entry["sku"]: entry for entry in doc["catalog"]}
    in_cart = [products[entry["sku"]] for entry in doc["lines"]]
    for promo in doc["promotions"]:
        in_scope = any(
            promo["merchant"] in (None, p["merchant"]) and (promo["skus"] is None or p["sku"] in promo["skus"])
            for p in in_cart
        )
        assert (promo["promotion_id"] in refused | applied) == in_scope


@given(documents())
@many
def test_the_sub_orders_add_up_to_the_order(doc: Doc) -> None:
    answer = ask(doc)
    wanted = {line.line_no: line.quantity for line in answer.lines} | {g.line_no: g.quantity for g in answer.gifts}
    for line_no, quantity in wanted.items():
        assert quantity == sum(e.quantity for s in answer.sub_orders for e in s.lines if e.line_no == line_no)
    for line in answer.lines:
        parts = [e.pay_fen for s in answer.sub_orders for e in s.lines if e.line_no == line.line_no]
        assert sum(parts) == line.pay_fen
    assert sum(s.pay_fen + s.shipping_fen for s in answer.sub_orders) == answer.amount_due_fen
    assert all(s.pay_fen == sum(e.pay_fen for e in s.lines) for s in answer.sub_orders)
    if any(s.delivery_mode is DeliveryMode.PHYSICAL for s in answer.sub_orders):
        assert all(s.shipping_fen == 0 for s in answer.sub_orders if s.delivery_mode is DeliveryMode.VIRTUAL)


@given(documents())
@many
def test_a_sub_order_has_one_value_of_each_key_and_keeps_the_parcel_limit(doc: Doc) -> None:
    answer = ask(doc)
    products = {entry["sku"]: entry for entry in doc["catalog"]}
    skus = {e.line_no: e.sku for e in answer.lines} | {g.line_no: g.sku for g in answer.gifts}
    limit = doc["parcel_limit"] or {}
    for sub_order in answer.sub_orders:
        inside = [(products[skus[e.line_no]], e.quantity) for e in sub_order.lines]
        for key in ("merchant", "delivery_mode", "ships_from", "handling"):
            shown = getattr(sub_order, key)
            assert {p[key] for p, _ in inside} == {None if shown is None else str(shown)}
        if sub_order.delivery_mode is DeliveryMode.PHYSICAL:
            over = any(
                sum(p[size] * n for p, n in inside) > limit[key]
                for key, size in (("weight_g", "weight_g"), ("value_fen", "price_fen"))
                if key in limit
            )
            assert over == ("OVERSIZE" in sub_order.flags)
            assert not over or sum(n for _, n in inside) == 1


@given(documents("PARALLEL") | documents("PROGRESSIVE"))
@many
def test_switching_the_mode_never_gives_more_where_all_were_issued_under_one(doc: Doc) -> None:
    issued = doc["promotions"][0]["issued_under"] if doc["promotions"] else doc["mode"]
    before, after = ask({**doc, "mode": issued}), ask({**doc, "mode": OTHER[issued]})
    assert after.discount_fen <= before.discount_fen
    assert not after.gifts


@given(documents(), st.randoms(use_true_random=False))
@many
def test_the_order_of_the_input_changes_nothing(doc: Doc, rng: random.Random) -> None:
    other = {
        **doc,
        **{key: rng.sample(doc[key], len(doc[key])) for key in ("lines", "catalog", "promotions", "coupons")},
    }
    one, two = (json.loads(ask(d).model_dump_json(exclude={"not_applied"})) for d in (doc, other))
    assert one == two
