"""The activities as the timeline shows them, found by their classes."""

import inspect

from activities.after_sale import AfterSaleActivities
from activities.attention import AttentionActivities
from activities.audit import AuditActivities
from activities.catalog import PricingActivities
from activities.coupons import CouponActivities
from activities.merchant import MerchantActivities
from activities.orders import OrderActivities
from activities.payment import PaymentActivities
from activities.refunds import RefundActivities
from activities.risk import RiskActivities
from activities.splitting import SplitActivities
from activities.stock import GoodsActivities, StockActivities
from activities.sub_orders import SubOrderActivities

ACTIVITIES = (
    *(AuditActivities, CouponActivities, OrderActivities, PaymentActivities, PricingActivities, SplitActivities),
    *(MerchantActivities, RiskActivities, GoodsActivities, StockActivities),
    *(AfterSaleActivities, RefundActivities, SubOrderActivities, AttentionActivities),
)
DEFINITION = "__temporal_activity_definition"  # where `activity.defn` leaves what it knows


def activity_names() -> list[str]:
    """The name that each activity is registered under."""
    return [
        getattr(method, DEFINITION).name
        for party in ACTIVITIES
        for _, method in inspect.getmembers(party, inspect.isfunction)
        if hasattr(method, DEFINITION)
    ]
