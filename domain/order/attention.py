"""What a person may be needed for. The operators' page tells what to do about each topic."""

from enum import StrEnum


class AttentionTopic(StrEnum):
    """Names the mark on a run and in the database. Renaming one leaves the marks that are there without a healer."""

    SCREENING = "screening"
    PRICING = "pricing"
    STOCK = "stock"
    COUPONS = "coupons"
    RECORD = "record"

    PAYMENT_PAGE = "payment page"
    PAYMENT_RECORD = "payment record"
    PAYMENT_CLOSING = "payment closing"
    STRAY_PAYMENT = "stray payment"

    RISK_ASSESSMENT = "risk assessment"
    RISK_REVIEW = "risk review"
    RISK_REVIEW_ESCALATED = "risk review, escalated"
    RISK_DECISION = "risk decision"
    ESCALATION = "escalation"

    SPLIT = "split"
    SUB_ORDER_RUN = "run"
    SUB_ORDER_FACTS = "sub-order facts"
    BACK_ORDER = "back-order"
    HAND_OVER = "hand-over"
    DISPATCH = "dispatch"
    WAREHOUSE_STOCK = "warehouse stock"
    TRANSIT = "transit"
    SHIPPING_RECORD = "shipping record"
    DELIVERY_RECORD = "delivery record"
    RECEIPT_RECORD = "receipt record"

    CANCEL = "cancel"
    RESTOCK = "restock"
    REFUND = "refund"  # lasts longer than the order: a refund may be owed when everything else has ended

    CASE = "case"
    DISPUTE = "dispute"
    REFUND_QUOTE = "refund quote"
    REFUND_DECISION = "refund decision"

    AUDIT = "audit"


def of_sub_order(sub_order_no: str, topic: str) -> str:
    """The topic under which an order's run shows the trouble of one of its sub-orders."""
    return f"{sub_order_no} {topic}"
