"""Every route that takes a token, with the body it wants and the roles that have it."""

from typing import Any

SHIPMENT = {"carrier": "SF", "tracking_no": "1"}
SCAN = {"event_id": "e", "kind": "in_transit", "at": "2026-11-12T08:00:00Z"}
PIECES = {"lines": [{"line_no": 1, "quantity": 1}]}
ROUTES: dict[tuple[str, str], tuple[Any, set[str]]] = {
    ("POST", "/orders"): ({}, {"checkout", "buyer"}),
    ("GET", "/orders"): (None, {"buyer", "operator"}),
    ("GET", "/sub-orders"): (None, {"merchant"}),
    ("GET", "/orders/{order}"): (None, {"checkout", "buyer", "merchant", "carrier", "operator"}),
    ("POST", "/orders/{order}/cancel"): ({}, {"buyer", "operator"}),
    ("POST", "/orders/{sub}/cancel"): ({}, {"buyer", "merchant", "operator"}),
    ("POST", "/sub-orders/{sub}/cancel-pieces"): (PIECES, {"buyer", "merchant", "operator"}),
    ("GET", "/sub-orders/{sub}/refund-quote"): (None, {"buyer", "merchant", "operator"}),
    ("POST", "/orders/{order}/decide-risk"): ({"approved": True, "note": "n"}, {"operator"}),
    ("POST", "/sub-orders/{sub}/reschedule"): ({"ships_from": "2026-12-24"}, {"merchant", "operator"}),
    ("POST", "/sub-orders/{sub}/ship"): (SHIPMENT, {"merchant"}),
    ("POST", "/sub-orders/{sub}/track"): (SCAN, {"carrier"}),
    ("POST", "/sub-orders/{sub}/deliver"): (None, {"carrier"}),
    ("POST", "/sub-orders/{sub}/confirm-receipt"): (None, {"buyer"}),
    ("POST", "/sub-orders/{sub}/review"): ({"rating": 5}, {"buyer"}),
    ("POST", "/sub-orders/{sub}/after-sales"): (
        {"kind": "REFUND_ONLY", "lines": [{"line_no": 1, "quantity": 1}], "reason": "cracked"},
        {"buyer"},
    ),
}
LISTS = {"/orders", "/sub-orders"}
