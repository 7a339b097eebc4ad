"""Laws of secrets: none is left in a text, in whatever form, and everything else is."""

from __future__ import annotations

import json
import pickle
import re
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sinagot.runlog.secrets import MASK, redact_value, redactor

SECRETS = st.text(st.characters(codec="utf-8", exclude_characters="*"), min_size=4, max_size=30).filter(
    str.strip
)


@settings(deadline=None)
@given(SECRETS)
def test_no_form_of_a_secret_is_left(secret: str) -> None:
    """As it is, in JSON, `repr`, URLs and base64: what held the secret holds it no more."""
    redact = redactor(["other-secret", secret])
    raw = secret.encode()
    forms = [
        secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1], quote(secret),
        quote(secret, safe=""), quote_plus(secret), re.sub("%..", lambda found: found[0].lower(), quote(secret)),
        b64encode(raw).decode(), urlsafe_b64encode(raw).decode().rstrip("="),
    ]  # fmt: skip
    for form in forms:
        shown = redact(f"<{form}>")
        assert MASK in shown
        assert form not in shown


@pytest.mark.parametrize("before", ["u:", "us:", "usr:"])
@pytest.mark.parametrize("after", ["", "x", "yz"])
def test_secret_within_something_in_base64(before: str, after: str) -> None:
    """The header of a basic login holds no secret, wherever in it the secret begins."""
    secret = "hunter2-hunter2"
    shown = redactor([secret])("Basic " + b64encode(f"{before}{secret}{after}".encode()).decode())
    assert MASK in shown and len(shown.replace(MASK, "")) < len("Basic ") + 12


@settings(deadline=None)
@given(st.text(max_size=200))
def test_text_without_secrets_stays(text: str) -> None:
    """What holds no form of a secret is as it was."""
    assume("zq7" not in text.lower())
    assert redactor(["zq7zq7zq7zq7"])(text) == text


def test_without_secrets_nothing_is_done() -> None:
    """No secrets, no search; blank ones do not count."""
    value = {"a": object()}
    assert redactor([]) is redactor(["", "  ", "\n"]) is str
    assert redact_value(value, str) is value


def test_longest_secret_first() -> None:
    """Of a secret that begins with another one nothing is left behind."""
    assert redactor(["token", "token-longer"])("token-longer token") == "*** ***"


def test_short_secrets_are_words() -> None:
    """A secret of a few letters is hidden where it stands alone, and does not tear words apart."""
    assert redactor(["ab1", "7"])("ab1 'ab1' cab1n 7 2017 x=7") == "*** '***' cab1n *** 2017 x=***"


def test_lines_of_a_key() -> None:
    """A secret of several lines is hidden line by line as well."""
    key = "-----BEGIN-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END-----\n"
    shown = redactor([key])(
        "line 2 is MIIEvQIBADANBg\n" + key + "; " + repr(key) + " " + urlencode({"k": key})
    )
    assert "MIIE" not in shown and "kqhk" not in shown


def test_signs_of_expressions_are_no_pattern() -> None:
    """A secret is a text, not a regular expression; nor is the mask one."""
    redact = redactor([r"a.c\1(", "[^x]+"])
    assert redact(r"abc\1( [^x]+ y") == r"abc\1( *** y"


def test_plain_data_of_any_depth() -> None:
    """Keys and values are looked through, other objects and types stay; a list in itself ends."""
    other = object()
    value = {"s3cret-x": ["s3cret", ("a s3cret", 3, None, other)], "b": b"\xffs3cret", "c": {"s3cret"}}
    shown = redact_value(value, redactor(["s3cret"]))
    assert shown == {"***-x": ["***", ("a ***", 3, None, other)], "b": b"\xff***", "c": {"***"}}
    endless: list[object] = ["s3cret"]
    endless.append(endless)
    assert "s3cret" not in repr(redact_value(endless, redactor(["s3cret"])))


def test_it_travels_to_workers_and_tells_nothing_of_itself() -> None:
    """A redactor survives pickling, and its own text holds no secret."""
    redact = redactor(["s3cret"])
    assert pickle.loads(pickle.dumps(redact))("a s3cret") == "a ***"
    assert "s3cret" not in repr(redact)
