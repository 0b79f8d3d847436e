"""Freight by the merchants' templates, to the gram and the fen."""

import pytest

from domain.splitting.freight import Consignment, FreightTemplate, freight_fen

TEMPLATE = FreightTemplate(
    merchant="m1",
    warehouse="w1",
    first_g=1000,
    first_fee_fen=800,
    further_g=500,
    further_fee_fen=200,
    free_from_fen=9900,
)


@pytest.mark.parametrize(("weight", "fee"), [(0, 800), (1000, 800), (1001, 1000), (1500, 1000), (1501, 1200)])
def test_each_further_weight_begun_costs_its_fee(weight: int, fee: int) -> None:
    assert TEMPLATE.fee_fen(weight, 100) == fee


@pytest.mark.parametrize(("goods", "fee"), [(9899, 800), (9900, 0), (9901, 0)])
def test_freight_is_free_from_the_amount_on(goods: int, fee: int) -> None:
    assert TEMPLATE.fee_fen(1, goods) == fee


def sent(merchant: str = "m1", warehouse: str | None = "w1", weight: int = 600, goods: int = 5000) -> Consignment:
    return Consignment(merchant, warehouse, weight, goods)


def test_parcels_of_one_warehouse_are_weighed_together() -> None:
    assert freight_fen([sent(), sent(goods=100)], [TEMPLATE]) == 1000
    assert freight_fen([sent(), sent()], [TEMPLATE]) == 0  # together they are free


def test_each_warehouse_has_its_own_template_else_the_merchants() -> None:
    general = TEMPLATE.model_copy(update={"warehouse": None, "first_fee_fen": 500})
    assert freight_fen([sent(), sent(warehouse="w2")], [TEMPLATE, general]) == 800 + 500


def test_virtual_goods_and_merchants_without_a_template_pay_none() -> None:
    assert freight_fen([sent(warehouse=None), sent(merchant="m2")], [TEMPLATE]) == 0
