"""The payment provider's notifications, as the gateway reads them: whose is it, and what does it say?"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from domain.order.payment import Capture


class BadSecret(ValueError):
    """The secret that notifications are checked with has not the form that the reader needs. It is ours to mend."""


class BadSignature(Exception):
    """The notification is not provably from the provider. Answer 401."""


class BadNotification(Exception):
    """Raised for a notification that is from the provider, but not as agreed. Answer 4xx and raise an
    alarm, one for each id: money may be behind it."""

    def __init__(self, what_is_wrong: str, notification_id: str) -> None:
        super().__init__(what_is_wrong)
        self.notification_id = notification_id


class PaymentNotification(NamedTuple):
    """Money that the provider says has arrived. The id is the provider's, and a repeat has the same."""

    notification_id: str
    capture: Capture


class NotificationReader(Protocol):
    """Put your own provider's signature and wording behind this.

    Nothing may be parsed, let alone believed, before the signature over the raw body is right; and a signature that
    is older than some minutes is not right any more. A right one does not make a notification new: the inbox keeps
    the ids for ever, to know a repeat.
    """

    def read(self, headers: Mapping[str, str], raw_body: bytes) -> PaymentNotification:
        """Raises `BadSignature` for whatever the provider has not signed, however malformed it is, and
        `BadNotification` for what it has signed and we can't read. The names of headers come in any case."""
        ...
