"""Risk: who may place an order (`screen`), and what to think of an order once it is placed (`assess`)."""

from domain.risk.assess import RULES, assess
from domain.risk.facts import AssessFacts, LineFacts, PastOrder, ReceiptFacts, UsualFacts
from domain.risk.identity import Block, BlockKind, Identity, address_key, block_value, device_key, phone_key
from domain.risk.screen import NOT_ACCEPTED, Screened, ScreenFacts, screen
from domain.risk.settings import BadSetting, RiskSettings
from domain.risk.verdict import (
    Assessment,
    ChangedVerdict,
    Decision,
    RiskDecided,
    RiskKind,
    RiskReason,
    RiskVerdict,
    TryReport,
)

__all__ = [
    "NOT_ACCEPTED",
    "RULES",
    "AssessFacts",
    "Assessment",
    "BadSetting",
    "Block",
    "BlockKind",
    "ChangedVerdict",
    "Decision",
    "Identity",
    "LineFacts",
    "PastOrder",
    "ReceiptFacts",
    "RiskDecided",
    "RiskKind",
    "RiskReason",
    "RiskSettings",
    "RiskVerdict",
    "ScreenFacts",
    "Screened",
    "TryReport",
    "UsualFacts",
    "address_key",
    "assess",
    "block_value",
    "device_key",
    "phone_key",
    "screen",
]
