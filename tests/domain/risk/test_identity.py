"""Normal forms: what is one phone, one address, one range."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.order.cart import Address, Cart, CartLine
from domain.risk import BlockKind, Identity, address_key, block_value, phone_key
from domain.risk.identity import ip_ranges_of, phone_neighbours


def address(region: str, street: str, recipient: str = "Li Lei", phone: str = "13800138000") -> Address:
    return Address(recipient=recipient, phone=phone, region=region, street=street)


@pytest.mark.parametrize("written", ["13800138000", "138-0013-8000", "+86 138 0013 8000", "0086 13800138000"])
def test_one_phone_however_it_is_written(written: str) -> None:
    assert phone_key(written) == "8613800138000"


@pytest.mark.parametrize("written", ["010-8888 8888", "+86 10 88888888", "+86 010 88888888"])
def test_a_landline_loses_its_trunk_zero(written: str) -> None:
    assert phone_key(written) == "861088888888"


def test_a_phone_abroad_keeps_its_country() -> None:
    assert phone_key("+44 20 7946 0000") == phone_key("0044 20 7946 0000") == "442079460000"


def test_the_block_around_a_phone_number() -> None:
    assert phone_neighbours("8613800138765", 3) == ("8613800138000", "8613800138999")


PLACE = address("浙江省杭州市", "文三路1号2-301")


@pytest.mark.parametrize(
    "same",
    [
        address("浙江省 杭州市", "文三路 1号 2-301"),
        address("浙江省杭州市", "文三路１号，2 - 301"),
        address("浙江省", "杭州市文三路1号2#301"),
        address("浙江省杭州市", "文三路1号2-301", recipient="Han Meimei", phone="13900139000"),
    ],
    ids=["spaces", "wide digits", "the border elsewhere, another dash", "another name and phone"],
)
def test_one_place_however_it_is_written(same: Address) -> None:
    assert address_key(same) == address_key(PLACE)


@pytest.mark.parametrize("street", ["文三路1号2-302", "文三路1号23-01", "文三路12号301"])
def test_another_door_is_another_place(street: str) -> None:
    assert address_key(address("浙江省杭州市", street)) != address_key(PLACE)


def test_an_addresss_key_tells_nothing_and_never_changes() -> None:
    """Stored blocks and orders hold it, so it must be the same in every version."""
    assert address_key(PLACE) == "3ca955d5787d5cbdc95c94e4fb270995"


@pytest.mark.parametrize(
    ("ip", "inside", "outside"),
    [
        ("203.0.113.9", "203.0.113.0/24", "203.0.112.0/24"),
        ("::ffff:203.0.113.9", "203.0.113.0/24", "::ffff:0:0/96"),
        ("2001:db8::1", "2001:db8::/32", "2001:db9::/32"),
    ],
)
def test_an_address_lies_in_its_ranges(ip: str, inside: str, outside: str) -> None:
    assert inside in ip_ranges_of(ip)
    assert outside not in ip_ranges_of(ip)


@pytest.mark.parametrize("ip", ["", "localhost", "203.0.113", "203.0.113.9, 198.51.100.1"])
def test_what_is_no_ip_address_lies_in_no_range(ip: str) -> None:
    assert ip_ranges_of(ip) == []


@given(st.ip_addresses(v=4).map(str), st.integers(8, 32))
def test_a_blocked_range_catches_every_address_in_it(ip: str, size: int) -> None:
    """Also one that comes, or is blocked, as an IPv4 address mapped into IPv6."""
    for written in (f"{ip}/{size}", f"::ffff:{ip}/{96 + size}"):
        assert block_value(BlockKind.IP_RANGE, written) in ip_ranges_of(ip)
        assert block_value(BlockKind.IP_RANGE, written) in ip_ranges_of(f"::ffff:{ip}")


@given(st.ip_addresses(v=6, network="2000::/3").map(str), st.integers(16, 128))
def test_a_blocked_ipv6_range_catches_every_address_in_it(ip: str, size: int) -> None:
    assert block_value(BlockKind.IP_RANGE, f"{ip}/{size}") in ip_ranges_of(ip)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (BlockKind.BUYER, " 0042 ", "42"),
        (BlockKind.DEVICE, " D-1 ", "D-1"),
        (BlockKind.PHONE, "138 0013 8000", "8613800138000"),
        (BlockKind.ADDRESS, "浙江省杭州市 文三路1号2-301", address_key(PLACE)),
        (BlockKind.ADDRESS, address_key(PLACE), address_key(PLACE)),
        (BlockKind.IP_RANGE, "203.0.113.9/24", "203.0.113.0/24"),
        (BlockKind.IP_RANGE, "203.0.113.9", "203.0.113.9/32"),
    ],
)
def test_a_block_is_kept_in_the_form_that_a_checkout_has(kind: BlockKind, text: str, value: str) -> None:
    assert block_value(kind, text) == value


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        (BlockKind.BUYER, "x", "give a whole number from 1"),
        (BlockKind.BUYER, "0", "give a whole number from 1"),
        (BlockKind.DEVICE, "  ", "can't be empty"),
        (BlockKind.PHONE, "call me", "give digits"),
        (BlockKind.IP_RANGE, "203.0.113", "give one like 203.0.113.0/24"),
        (BlockKind.IP_RANGE, "0.0.0.0/0", "too wide; a blocked range is /8 or narrower"),
        (BlockKind.IP_RANGE, "::/0", "too wide; a blocked range is /16 or narrower"),
    ],
)
def test_a_block_of_nothing_is_refused_with_what_would_be_right(kind: BlockKind, text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        block_value(kind, text)


def test_a_carts_identity_is_in_normal_form() -> None:
    cart = Cart(
        buyer_id=7,
        lines=[CartLine(line_no=1, sku="TEA", quantity=1)],
        expected_amount_fen=1,
        address=PLACE,
        device_id=" D ",
        ip="203.0.113.9",
    )
    assert Identity.of(cart) == Identity(
        buyer_id=7, device_id="D", address_key=address_key(PLACE), phone_key="8613800138000", ip="203.0.113.9"
    )
