"""Webhooks are verified over the bytes as they came."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from domain import signature
from domain.signature import Seal, fault_of_secret, fault_of_signature, new_secret

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = new_secret("standard", b"o" * 32)
NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
BODY = '{"data": [{"e":"zoë@x.test"}]}'.encode()
STANDARD = Seal("standard", (SECRET,))
GITHUB = Seal("hmac", ("It's a Secret to Everybody",), "X-Hub-Signature-256", "hex", "sha256=")
TYPEFORM = Seal("hmac", ("typeform-secret-of-mine",), "Typeform-Signature", "base64", "sha256=")

Check = Callable[[Seal, Mapping[str, str], bytes, datetime], str | None]


def signed(*secrets: str, body: bytes = BODY, at: datetime = NOW) -> dict[str, str]:
    """The headers as the official client makes them, one signature a secret."""
    signatures = [Webhook(secret).sign("msg_1", at, body.decode()) for secret in secrets]
    timestamp = str(int(at.timestamp()))
    return {"webhook-id": "msg_1", "webhook-timestamp": timestamp, "webhook-signature": " ".join(signatures)}


def test_the_example_of_the_standard_is_accepted() -> None:
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    sent_at = datetime(2021, 2, 25, 15, 2, 10, tzinfo=UTC)

    assert fault_of_signature(STANDARD, headers, b'{"test": 2432232314}', sent_at) is None


def test_the_example_of_github_is_accepted() -> None:
    headers = {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}

    assert fault_of_signature(GITHUB, headers, b"Hello, World!", NOW) is None
    assert fault_of_signature(GITHUB, {k: v.upper() for k, v in headers.items()}, b"Hello, World!", NOW) is None
    assert fault_of_signature(GITHUB, headers, b"Hello, World?", NOW) is not None
    assert fault_of_signature(GITHUB, {k: v[7:] for k, v in headers.items()}, b"Hello, World!", NOW) is not None


def test_a_signature_of_typeform_is_accepted() -> None:
    digest = hmac.new(b"typeform-secret-of-mine", BODY, hashlib.sha256).digest()
    headers = {"typeform-signature": "sha256=" + base64.b64encode(digest).decode()}

    assert fault_of_signature(TYPEFORM, headers, BODY, NOW) is None
    assert fault_of_signature(TYPEFORM, headers, BODY + b" ", NOW) is not None
    assert fault_of_signature(GITHUB, headers, BODY, NOW) == "the header X-Hub-Signature-256 is missing"


@pytest.mark.parametrize("seconds", [-300, -299, 0, 299, 300])
def test_a_clock_may_be_five_minutes_off(seconds: int) -> None:
    assert fault_of_signature(STANDARD, signed(SECRET, at=NOW + timedelta(seconds=seconds)), BODY, NOW) is None


@pytest.mark.parametrize("seconds", [-301, 301, -86_400, 86_400])
def test_an_old_timestamp_is_refused_and_one_of_the_future_too(seconds: int) -> None:
    fault = fault_of_signature(STANDARD, signed(SECRET, at=NOW + timedelta(seconds=seconds)), BODY, NOW)

    assert fault == "webhook-timestamp is not within 5 minutes of now"


@pytest.mark.parametrize("timestamp", ["", "x", "1e9", "nan", "inf", "-1", "٣", " 1", "1" * 400, "1764072000.0"])
def test_a_timestamp_that_is_no_number_of_seconds_is_refused(timestamp: str) -> None:
    assert fault_of_signature(STANDARD, signed(SECRET) | {"webhook-timestamp": timestamp}, BODY, NOW)


def test_of_several_signatures_one_is_enough_wherever_it_stands() -> None:
    assert fault_of_signature(STANDARD, signed(OTHER, SECRET), BODY, NOW) is None
    assert fault_of_signature(STANDARD, signed(SECRET, OTHER), BODY, NOW) is None
    assert fault_of_signature(STANDARD, signed(OTHER, OTHER), BODY, NOW) == "no signature is one of this secret"


def test_each_of_two_secrets_is_good() -> None:
    both = Seal("standard", (OTHER, SECRET))

    assert fault_of_signature(both, signed(SECRET), BODY, NOW) is None
    assert fault_of_signature(both, signed(OTHER), BODY, NOW) is None
    assert fault_of_signature(both, signed(new_secret("standard", b"x" * 32)), BODY, NOW) is not None


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_what_is_missing_is_named_to_the_owner(missing: str) -> None:
    headers = {name: value for name, value in signed(SECRET).items() if name != missing}

    assert fault_of_signature(STANDARD, headers, BODY, NOW) == f"the header {missing} is missing"


@pytest.mark.parametrize("version", ["v1a", "v2", "V1", "", "v1,v1"])
def test_a_signature_of_another_version_is_none(version: str) -> None:
    headers = signed(SECRET)
    headers["webhook-signature"] = headers["webhook-signature"].replace("v1", version, 1)

    assert fault_of_signature(STANDARD, headers, BODY, NOW) is not None


@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_changed_byte_is_refused(body: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(body) - 1))
    changed = bytearray(body)
    changed[place] ^= data.draw(st.integers(1, 255))
    for seal in (GITHUB, TYPEFORM):
        headers = {seal.header.lower(): signature._signature(seal, seal.secrets[0], b"", body).decode()}
        assert fault_of_signature(seal, headers, body, NOW) is None
        assert fault_of_signature(seal, headers, bytes(changed), NOW) is not None


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_a_changed_id_or_timestamp_is_refused(name: str) -> None:
    headers = signed(SECRET)
    headers[name] = headers[name][:-1] + "9"

    assert fault_of_signature(STANDARD, headers, BODY, NOW) == "no signature is one of this secret"


@given(st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()))
def test_headers_of_any_kind_are_refused_and_break_nothing(headers: dict[str, str]) -> None:
    assert fault_of_signature(STANDARD, headers, BODY, NOW)
    assert fault_of_signature(GITHUB, {"x-hub-signature-256": "".join(headers.values())}, BODY, NOW)


@pytest.mark.parametrize(
    ("scheme", "secret", "good"),
    [
        ("standard", SECRET, True),
        ("standard", "whsec_" + base64.b64encode(b"x" * 64).decode(), True),
        ("standard", "whsec_" + base64.b64encode(b"x" * 65).decode(), False),
        ("standard", "whsec_" + base64.b64encode(b"x" * 23).decode(), False),
        ("standard", "whsec_", False),
        ("standard", SECRET.removeprefix("whsec_"), False),
        ("standard", "whsec_ü" + "A" * 40, False),
        ("standard", SECRET + "\n", False),
        ("hmac", "It's a Secret to Everybody", True),
        ("hmac", "x" * 15, False),
        ("hmac", "x" * 257, False),
        ("hmac", "x" * 16 + "\n", False),
    ],
)
def test_a_secret_that_a_caller_brings_must_be_one_of_the_scheme(
    scheme: signature.Scheme, secret: str, *, good: bool
) -> None:
    assert (fault_of_secret(scheme, secret) is None) is good


def test_a_made_up_secret_is_one_that_could_be_brought() -> None:
    assert fault_of_secret("standard", new_secret("standard", bytes(32))) is None
    assert fault_of_secret("hmac", new_secret("hmac", bytes(32))) is None


def of_what_was_parsed(seal: Seal, headers: Mapping[str, str], body: bytes, now: datetime) -> str | None:
    return fault_of_signature(seal, headers, json.dumps(json.loads(body)).encode(), now)


def of_the_first_signature(seal: Seal, headers: Mapping[str, str], body: bytes, now: datetime) -> str | None:
    first = headers.get("webhook-signature", "").partition(" ")[0]
    return fault_of_signature(seal, {**headers, "webhook-signature": first}, body, now)


@pytest.mark.parametrize(
    ("check", "fails"),
    [
        (fault_of_signature, []),
        (of_what_was_parsed, ["takes what the client signed", "takes the bytes alone"]),
        (of_the_first_signature, ["takes any of several"]),
    ],
)
def test_checks_of_something_else_are_found(check: Check, fails: list[str]) -> None:
    """The broken twins."""
    plain = json.dumps(json.loads(BODY)).encode()
    promises = {
        "takes what the client signed": check(STANDARD, signed(SECRET), BODY, NOW) is None,
        "takes the bytes alone": check(STANDARD, signed(SECRET, body=plain), BODY, NOW) is not None,
        "takes any of several": check(STANDARD, signed(OTHER, SECRET, body=plain), plain, NOW) is None,
    }
    assert [promise for promise, held in promises.items() if not held] == fails
