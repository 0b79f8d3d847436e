"""What needs a person, as the stories see it: a mark for as long as it lasts, and an alarm."""

from typing import Protocol

from temporalio import activity

from domain.base import Message, Utc


class RecordAttention(Message):
    """Idempotency key: the order, subject and topic, for as long as it lasts. `text` is None when it has
    healed. `while_open`:
    nobody is needed for it once the order has ended, and then nothing is noted."""

    order_no: str
    subject: str  # '' for the order, else the sub-order's number
    topic: str
    text: str | None
    alarm: bool = True
    while_open: bool = False
    at: Utc


class Noted(Message):
    changed: bool


class AttentionBook(Protocol):
    """The platform's list of what needs a person."""

    async def record_attention(self, request: RecordAttention) -> Noted:
        """Mark that a person is needed, and raise the alarm if one is wanted; or take the mark away. Idempotency key:
        the order, the subject and the topic, for as long as the mark is there: a repeat changes nothing. A sub-order
        that awaits shipment is in EXCEPTION while it has a mark. A number that no order of ours can have is told in an
        alarm alone."""
        ...


class AttentionActivities:
    """Names as the timeline shows them. Each is one transaction with its key."""

    def __init__(self, book: AttentionBook) -> None:
        self._book = book

    @activity.defn
    async def record_attention(self, request: RecordAttention) -> Noted:
        return await self._book.record_attention(request)
