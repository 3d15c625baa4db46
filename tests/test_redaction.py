"""The redactor."""

import json
import pickle
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confguard._redaction import Redactor

secrets = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=4, max_size=12).filter(
    lambda text: not set("[]redacted:field ") & set(text)
)


@given(secrets, st.text(), st.text())
def test_a_known_secret_is_replaced_in_its_plain_forms(secret: str, before: str, after: str) -> None:
    """The value, URL-encoded, JSON- and Python-escaped, is gone from a text, whatever stands around it."""
    redactor = Redactor()
    redactor.learn(secret, "field")
    for form in (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]):
        redacted = redactor.redact(f"{before}{form}{after}")
        assert form not in redacted
        assert "[redacted:field]" in redacted


@given(st.text())
def test_text_without_secrets_is_unchanged(text: str) -> None:
    """A text that holds no secret comes back as it was."""
    redactor = Redactor()
    redactor.learn("\ue000\ue001\ue002\ue003", "field")
    if "\ue000" not in text:
        assert redactor.redact(text) == text


def test_overlapping_secrets_are_united() -> None:
    """Where one secret ends inside of another, the tail of neither is left."""
    redactor = Redactor()
    redactor.learn("abcdef", "first")
    redactor.learn("defghi", "second")
    assert redactor.redact("<abcdefghi>") == "<[redacted:first]>"


def test_each_line_of_a_key_is_a_secret() -> None:
    """A multi-line value is found whole, and line by line."""
    redactor = Redactor()
    redactor.learn("-----BEGIN-----\nMIIB1234\n-----END-----\n", "tls_key")
    assert redactor.redact("got MIIB1234 back") == "got [redacted:tls_key] back"


def test_bytes_are_learned() -> None:
    """A binary value is known by the text in it."""
    redactor = Redactor()
    redactor.learn(b"\xffhunter2", "field")
    assert redactor.redact("a hunter2 b") == "a [redacted:field] b"


def test_a_value_of_three_characters_is_not_searched_for() -> None:
    """A value that is too short to be told from other text leaves text alone."""
    redactor = Redactor()
    redactor.learn("abc", "field")
    assert redactor.redact("abc") == "abc"
    assert not redactor.holds_secret("abc")


def test_shows_and_pickles_nothing() -> None:
    """Neither its repr nor a pickle gives away what it knows."""
    redactor = Redactor()
    redactor.learn("hunter2hunter2", "field")
    assert repr(redactor) == "<Redactor>"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(redactor)
