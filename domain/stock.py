"""What a merchant may choose of how its stock is taken."""

from enum import StrEnum


class StockPolicy(StrEnum):
    """When an order's pieces are taken; stored on the line when it is placed, so a changed policy changes no order."""

    RESERVE_ON_PLACEMENT = "RESERVE_ON_PLACEMENT"  # 下单减库存
    DEDUCT_ON_PAYMENT = "DEDUCT_ON_PAYMENT"  # 支付减库存
