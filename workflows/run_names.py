"""The search attributes that operators list and filter runs by. The server must know them before a run starts."""

from temporalio.common import SearchAttributeKey

ORDER_STATUS = SearchAttributeKey.for_keyword("OrderStatus")
ORDER_NO = SearchAttributeKey.for_keyword("OrderNo")
BUYER_ID = SearchAttributeKey.for_keyword("BuyerId")
MERCHANTS = SearchAttributeKey.for_keyword_list("Merchants")
CLOSE_REASON = SearchAttributeKey.for_keyword("CloseReason")
RISK_VERDICT = SearchAttributeKey.for_keyword("RiskVerdict")
NEEDS_ATTENTION = SearchAttributeKey.for_bool("NeedsAttention")
DEADLINE = SearchAttributeKey.for_datetime("Deadline")
AMOUNT_FEN = SearchAttributeKey.for_int("AmountFen")

REGISTERED: dict[str, str] = {
    "OrderStatus": "Keyword",
    "OrderNo": "Keyword",
    "BuyerId": "Keyword",
    "Merchants": "KeywordList",
    "CloseReason": "Keyword",
    "RiskVerdict": "Keyword",
    "NeedsAttention": "Bool",
    "Deadline": "Datetime",
    "AmountFen": "Int",
}


def order_id(order_no: str) -> str:
    return f"order/{order_no}"


def sub_order_id(sub_order_no: str) -> str:
    return f"sub-order/{sub_order_no}"


def stray_payment_id(capture_id: str) -> str:
    return f"stray-payment/{capture_id}"


def after_sale_id(case_no: str) -> str:
    return f"after-sale/{case_no}"
