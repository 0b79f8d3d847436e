"""Who may tell us of money: a forgery of any shape is `BadSignature`, never another error."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook
from starlette.datastructures import Headers

from activities.notifications import BadNotification, BadSecret, BadSignature
from domain.order.payment import Capture
from providers.notifications import StandardWebhooks
from tests.support.parties import SECRET

DATA: dict[str, Any] = {
    "capture_id": "cap_1",
    "payment_id": "1001",
    "amount_fen": 100,
    "currency": "CNY",
    "captured_at": "2026-11-11T00:00:00Z",
}
GOOD: dict[str, Any] = {"type": "payment.captured", "timestamp": "2026-11-11T00:00:00Z", "data": DATA}
RAW = json.dumps(GOOD).encode()
READER = StandardWebhooks(SECRET)
OTHER_SECRET = "whsec_" + base64.b64encode(b"another secret altogether").decode()


def signed(raw: bytes = RAW, secret: str = SECRET, age_s: int = 0, id_: str = "ntf_1") -> dict[str, str]:
    at = datetime.now(UTC) - timedelta(seconds=age_s)
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(id_, at, raw.decode()),
    }


def changed(**headers: str) -> dict[str, str]:
    return {**signed(), **{f"webhook-{name}": value for name, value in headers.items()}}


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in signed().items() if key != name}


SIGNATURE = signed()["webhook-signature"]
MAC = SIGNATURE.removeprefix("v1,")

FORGERIES: dict[str, tuple[dict[str, str], bytes]] = {
    "no headers at all": ({}, RAW),
    "no id": (without("webhook-id"), RAW),
    "no timestamp": (without("webhook-timestamp"), RAW),
    "no signature": (without("webhook-signature"), RAW),
    "empty signature": (changed(signature=""), RAW),
    "empty id": (changed(id=""), RAW),
    "no comma": (changed(signature="v1" + MAC), RAW),
    "only a comma": (changed(signature=","), RAW),
    "two commas": (changed(signature=SIGNATURE + ","), RAW),
    "a blank at the end": (changed(signature=SIGNATURE + " "), RAW),
    "not ASCII": (changed(signature="v1,签名"), RAW),
    "not ASCII beside a right one": (changed(signature=SIGNATURE + " v1,é"), RAW),
    "bad base64": (changed(signature="v1,abc"), RAW),
    "stray characters in base64": (changed(signature=f"v1,{MAC[:9]}!{MAC[9:]}"), RAW),
    "a newline at the end": (changed(signature=SIGNATURE + "\n"), RAW),
    "cut short": (changed(signature="v1," + base64.b64encode(b"short").decode()), RAW),
    "unknown version": (changed(signature="v2," + MAC), RAW),
    "many signatures": (changed(signature=" ".join([f"v1,{'A' * 43}="] * 1000)), RAW),
    "another secret": (signed(secret=OTHER_SECRET), RAW),
    "too old": (signed(age_s=310), RAW),
    "too new": (signed(age_s=-3_600), RAW),
    "time is no number": (changed(timestamp="now"), RAW),
    "time is NaN": (changed(timestamp="nan"), RAW),
    "time is endless": (changed(timestamp="9" * 400), RAW),
    "time with a fraction": (changed(timestamp=signed()["webhook-timestamp"] + ".5"), RAW),
    "time before time": (changed(timestamp="-1"), RAW),
    "time in other digits": (changed(timestamp="١٢٣٤٥"), RAW),
    "time changed": (changed(timestamp=str(int(signed()["webhook-timestamp"]) - 9)), RAW),
    "another id": (changed(id="ntf_2"), RAW),
    "a dot in the id": (signed(id_="ntf.1"), RAW),
    "an endless id": (signed(id_="n" * 129), RAW),
    "another body": (signed(), RAW.replace(b"100", b"101")),
    "one blank more": (signed(), RAW + b" "),
    "empty body": (signed(), b""),
    "body not UTF-8": (signed(), b"\xff\xfe"),
    "a header twice": ({**signed(), "Webhook-Id": "ntf_1"}, RAW),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_a_bad_signature(name: str) -> None:
    headers, raw = FORGERIES[name]
    with pytest.raises(BadSignature):
        READER.read(headers, raw)


header_values = st.dictionaries(
    st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "Webhook-Signature"]),
    st.text(max_size=60) | st.sampled_from([*signed().values(), "v1,", "v1,=", "v1,a v1"]),
)


@given(headers=header_values, raw=st.binary(max_size=60))
def test_whatever_is_sent_without_the_secret_is_a_bad_signature(headers: dict[str, str], raw: bytes) -> None:
    with pytest.raises(BadSignature):
        READER.read(headers, raw)


def test_a_right_signature_is_taken_in_any_case_of_header() -> None:
    expected = ("ntf_1", Capture.model_validate_json(json.dumps(DATA)))
    assert READER.read(signed(), RAW) == expected
    assert READER.read({name.title(): value for name, value in signed().items()}, RAW) == expected
    assert READER.read(Headers(signed()), RAW) == expected
    assert type(READER.read(signed(), RAW)[1]) is Capture


def test_while_a_secret_is_exchanged_two_signatures_stand_side_by_side() -> None:
    both = f"{signed(secret=OTHER_SECRET)['webhook-signature']} v1a,AAAA {signed()['webhook-signature']}"
    assert READER.read(changed(signature=both), RAW)[0] == "ntf_1"


def data(**fields: Any) -> bytes:
    return json.dumps({**GOOD, "data": {**DATA, **fields}}).encode()


WRONG_FORMS: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b"paid!",
    "no object": b"[]",
    "nothing in it": b"{}",
    "another type": json.dumps({**GOOD, "type": "payment.failed"}).encode(),
    "no data": json.dumps({**GOOD, "data": None}).encode(),
    "a key twice": RAW.replace(b'"amount_fen": 100', b'"amount_fen": 1, "amount_fen": 100'),
    "the same key twice, escaped": RAW.replace(b'"amount_fen": 100', b'"amount_fen": 1, "amount\\u005ffen": 2'),
    "NaN": RAW.replace(b"100", b"NaN"),
    "NaN in a field nobody reads": RAW.replace(b'"amount_fen"', b'"x": NaN, "amount_fen"'),
    "Infinity": RAW.replace(b"100", b"-Infinity"),
    "endless number": RAW.replace(b"100", b"9" * 5000),
    "endless nesting": b"[" * 100_000,
    "amount is text": data(amount_fen="100"),
    "amount is true": data(amount_fen=True),
    "amount is a fraction": data(amount_fen=100.5),
    "amount 0": data(amount_fen=0),
    "amount negative": data(amount_fen=-1),
    "amount beyond the ledger": data(amount_fen=2**63),
    "no currency": data(currency=""),
    "NUL in an id": data(payment_id="10\0"),
    "newline after an id": data(payment_id="10\n"),
    "no capture id": data(capture_id=""),
    "endless capture id": data(capture_id="c" * 129),
    "time without a zone": data(captured_at="2026-11-11T00:00:00"),
    "time elsewhere": data(captured_at="2026-11-11T00:00:00+08:00"),
}


@pytest.mark.parametrize("name", WRONG_FORMS)
def test_a_well_signed_body_of_the_wrong_form_is_a_bad_notification(name: str) -> None:
    raw = WRONG_FORMS[name]
    with pytest.raises(BadNotification) as refused:
        READER.read(signed(raw), raw)
    assert refused.value.notification_id == "ntf_1"


def test_a_field_we_do_not_know_yet_is_passed_over() -> None:
    raw = data(fee_fen=3)
    assert READER.read(signed(raw), raw)[1].amount_fen == 100


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_é", "a"])
def test_a_secret_that_is_none_is_our_fault_not_a_forgery(secret: str) -> None:
    with pytest.raises(BadSecret, match="must be base64"):
        StandardWebhooks(secret)
