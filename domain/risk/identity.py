"""Who a buyer is to the risk check: the five marks that a block may name and buyers may share, in normal form.

The database compares normal forms, so changing one of them would orphan every key that is stored: don't.
"""

import hashlib
import re
import unicodedata
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from domain.base import Message, Utc
from domain.order.cart import Address, Cart

HOME_COUNTRY = "86"
# A range wider than these is a typing error that would shut out a whole country.
WIDEST_IPV4, WIDEST_IPV6 = 8, 16


class BlockKind(StrEnum):
    BUYER = "BUYER"
    DEVICE = "DEVICE"
    ADDRESS = "ADDRESS"
    PHONE = "PHONE"
    IP_RANGE = "IP_RANGE"


class Block(Message):
    """A mark whose bearer may not order until `expires_at` (None: until unblocked). `value` is in normal form."""

    kind: BlockKind
    value: str
    reason: str
    author: str
    expires_at: Utc | None = None


class Identity(Message):
    """The marks of one checkout, in normal form."""

    buyer_id: int
    device_id: str
    address_key: str
    phone_key: str
    ip: str

    @classmethod
    def of(cls, cart: Cart) -> "Identity":
        return cls(
            buyer_id=cart.buyer_id,
            device_id=device_key(cart.device_id),
            address_key=address_key(cart.address),
            phone_key=phone_key(cart.address.phone),
            ip=cart.ip,
        )

    def marks(self) -> dict[BlockKind, list[str]]:
        """Every block value that would catch this identity, so that a look-up is by equality even for IP ranges."""
        return {
            BlockKind.BUYER: [str(self.buyer_id)],
            BlockKind.DEVICE: [self.device_id],
            BlockKind.ADDRESS: [self.address_key],
            BlockKind.PHONE: [self.phone_key],
            BlockKind.IP_RANGE: ip_ranges_of(self.ip),
        }


def address_key(address: Address) -> str:
    """A digest of the place, so that neither a log nor a block list shows where somebody lives.

    The recipient's name and phone are left out: abusers use one place under many names. So are width, case, spaces
    and punctuation (between digits it is kept as one dash: 1-23 is not 12-3), and the border between region and
    street. A digest is no secret: whoever has a list of addresses can test them.
    """
    return _place_key(address.region + address.street)


def device_key(device_id: str) -> str:
    """A device's id as it was given, without the space around it: ids are opaque, and case may matter."""
    return device_id.strip()


def phone_key(phone: str) -> str:
    """Digits only, with the country code: 13800138000, +86 138-0013-8000 and 0086 13800138000 are one phone.

    A number without a country code is taken for one at home, and its trunk 0 (010…) is dropped. The key is digits, not
    a digest, since risk looks at neighbours in one block of numbers; so it is personal, and stays out of logs.
    """
    text = unicodedata.normalize("NFKC", phone).strip()
    digits = re.sub(r"[^0-9]", "", text)  # a key is digits only, since ranges of keys are compared as text
    if digits.startswith("00"):
        return _without_trunk(digits[2:])
    if text.startswith("+") or re.fullmatch(HOME_COUNTRY + r"1[3-9]\d{9}", digits):
        return _without_trunk(digits)
    return HOME_COUNTRY + digits.removeprefix("0")


def phone_neighbours(key: str, digits: int) -> tuple[str, str]:
    """The first and the last number of the block around a phone's key: it holds all that differ from it in the last
    `digits` only."""
    stem = key[:-digits]
    return stem + "0" * digits, stem + "9" * digits


def ip_ranges_of(ip: str) -> list[str]:
    """Every range that holds this address, from the widest that may be blocked to the address itself; none for a text
    that is no address."""
    try:
        address = _unmapped(ip_address(ip.strip()))
    except ValueError:
        return []
    widest = WIDEST_IPV4 if address.version == 4 else WIDEST_IPV6
    sizes = range(widest, address.max_prefixlen + 1)
    return [str(ip_network((address, size), strict=False)) for size in sizes]


def block_value(kind: BlockKind, text: str) -> str:
    """The normal form of what a person typed for a block; a ValueError says what would be right.

    An address is given as text (region and street) or by the key that an order shows.
    """
    text = text.strip()
    if not text:
        raise ValueError(f"a {kind} to block can't be empty")
    if kind is BlockKind.BUYER:
        return _buyer(text)
    if kind is BlockKind.DEVICE:
        return device_key(text)
    if kind is BlockKind.ADDRESS:
        return text if re.fullmatch(r"[0-9a-f]{32}", text) else _place_key(text)
    if kind is BlockKind.PHONE:
        return _phone(text)
    return _range(text)


def _place_key(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).casefold()
    plain = re.sub(r"(?<=\d)[\W_]+(?=\d)", "-", plain)
    plain = re.sub(r"(?!(?<=\d)-(?=\d))[\W_]", "", plain)
    return hashlib.sha256(plain.encode()).hexdigest()[:32]


def _without_trunk(digits: str) -> str:
    return HOME_COUNTRY + digits[2:].removeprefix("0") if digits.startswith(HOME_COUNTRY) else digits


def _unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An IPv4 address that was written as IPv6 is the IPv4 address: ::ffff:192.0.2.1 is 192.0.2.1."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _buyer(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,16}", text) or int(text) == 0:
        raise ValueError(f"{text!r} is no buyer's id; give a whole number from 1, like 70010042")
    return str(int(text))


def _phone(text: str) -> str:
    if not re.fullmatch(r"\+?[0-9][0-9\- ]{4,24}", text):
        raise ValueError(f"{text!r} is no phone number; give digits, like +86 138 0013 8000")
    return phone_key(text)


def _range(text: str) -> str:
    try:
        found: IPv4Network | IPv6Network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is no IP range; give one like 203.0.113.0/24 or 2001:db8::/32") from None
    if isinstance(found, IPv6Network) and found.prefixlen >= 96 and (mapped := found.network_address.ipv4_mapped):
        found = IPv4Network((mapped, found.prefixlen - 96))
    widest = WIDEST_IPV4 if found.version == 4 else WIDEST_IPV6
    if found.prefixlen < widest:
        raise ValueError(f"{found} is too wide; a blocked range is /{widest} or narrower")
    return str(found)
