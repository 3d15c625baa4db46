"""Picking values out of payloads, near names, and the texts of a secret."""

import base64
import json
import re
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from confguard._values import closest, decode, masked_url, pick, quotes_part, texts
from confguard.provider import Failure, Found

scalars = st.none() | st.booleans() | st.integers() | st.text()
trees = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))


@pytest.mark.parametrize(
    ("payload", "pointer", "expected"),
    [
        ("anything", "", "anything"),
        (b"\x00\xff", "", b"\x00\xff"),
        ('{"a": "x"}', "/a", "x"),
        ('{"a": {"b": [1, {"c": "x"}]}}', "/a/b/1/c", "x"),
        ('{"a/b": "x"}', "/a~1b", "x"),
        ('{"a~b": "x"}', "/a~0b", "x"),
        ('{"~1": "x", "/": "y"}', "/~01", "x"),
        ('{"": "x"}', "/", "x"),
        ('{"a": 5432}', "/a", "5432"),
        ('{"a": true}', "/a", "true"),
        ('{"a": {"b": 1}}', "/a", '{"b": 1}'),
        (b'{"a": "x"}', "/a", "x"),
    ],
)
def test_a_pointer_picks_a_value(payload: str | bytes, pointer: str, expected: str | bytes) -> None:
    """A string is picked as it stands, anything else as its JSON text."""
    assert pick(Found(payload, "7"), pointer, "store x") == Found(expected, "7")


@pytest.mark.parametrize(
    ("payload", "pointer", "expected"),
    [
        (
            "no json",
            "/a",
            Failure("malformed", "store x: the payload is not JSON, so #/a picks nothing", "take the fragment off"),
        ),
        (b"\xff", "/a", Failure("malformed", "store x: the payload is not JSON, so #/a picks nothing", "take the fragment off")),
        ('{"a": 1}', "/b", Failure("missing", "store x: the payload has no key 'b'")),
        (
            '{"password": 1}',
            "/pasword",
            Failure("missing", "store x: the payload has no key 'pasword'", "did you mean 'password'?"),
        ),
        ("[1]", "/1", Failure("missing", "store x: the list of 1 in the payload has no index '1'")),
        ("[1]", "/-1", Failure("missing", "store x: the list of 1 in the payload has no index '-1'")),
        ("[1]", "/²", Failure("missing", "store x: the list of 1 in the payload has no index '²'")),
        ('"text"', "/a", Failure("malformed", "store x: no object or list where 'a' is looked for")),
        ('{"a": null}', "/a", Failure("missing", "store x: /a is null")),
    ],
)
def test_a_pointer_that_leads_nowhere(payload: str | bytes, pointer: str, expected: Failure) -> None:
    """A key that is not there is missing, a payload of the wrong shape malformed, and neither quotes the payload."""
    assert pick(Found(payload), pointer, "store x") == expected


@given(trees, st.text())
def test_pick_agrees_with_a_walk(tree: object, key: str) -> None:
    """A pointer of one key picks what indexing the decoded payload gives."""
    picked = pick(Found(json.dumps(tree)), "/" + key.replace("~", "~0").replace("/", "~1"), "store x")
    if isinstance(tree, Mapping) and tree.get(key) is not None:
        value = tree[key]
        assert isinstance(picked, Found)
        assert picked.value == (value if isinstance(value, str) else json.dumps(value))
    elif not isinstance(tree, list):
        assert isinstance(picked, Failure)


def walked(tree: object, keys: Sequence[str]) -> object:
    """What a pointer leads to, told in the plainest way; None where it leads nowhere."""
    for key in keys:
        if isinstance(tree, Mapping):
            tree = tree.get(key)
        elif isinstance(tree, list) and re.fullmatch("[0-9]+", key) and int(key) < len(tree):
            tree = tree[int(key)]
        else:
            return None
    return tree


@st.composite
def trees_and_keys(draw: st.DrawFn) -> tuple[object, list[str]]:
    """A payload, and keys that mostly lead into it."""
    tree: object = draw(trees)
    keys: list[str] = []
    at = tree
    while draw(st.integers(0, 3)):
        known = (
            list(at) if isinstance(at, Mapping) else [str(number) for number in range(len(at))] if isinstance(at, list) else []
        )
        keys.append(draw(st.sampled_from([*known, "0", "-1", "x", "~1"])))
        at = walked(at, keys[-1:])
    return tree, keys


@settings(max_examples=300)
@given(trees_and_keys())
def test_pick_agrees_with_a_walk_of_any_depth(case: tuple[object, list[str]]) -> None:
    """What is there is picked as it stands or as JSON of the same; what is not there is missing, or the payload malformed."""
    tree, keys = case
    pointer = "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)
    picked, value = pick(Found(json.dumps(tree)), pointer, "store x"), walked(tree, keys)
    if not keys:
        assert picked == Found(json.dumps(tree))
    elif value is None:
        assert isinstance(picked, Failure)
        assert picked.kind in ("missing", "malformed")
    else:
        assert isinstance(picked, Found)
        assert isinstance(picked.value, str)
        assert picked.value == value if isinstance(value, str) else json.loads(picked.value) == value


@given(st.text() | st.binary(), st.text(max_size=3))
def test_no_payload_makes_a_pointer_fail(payload: str | bytes, key: str) -> None:
    """Any payload is picked from or refused, and no refusal quotes it."""
    picked = pick(Found(payload), f"/{key}".replace("~", "~0"), "store x")
    assert isinstance(picked, Found | Failure)


@given(st.binary(), st.booleans(), st.booleans(), st.integers(1, 80))
def test_what_was_encoded_is_decoded(raw: bytes, url_safe: bool, padded: bool, width: int) -> None:
    """Either alphabet, with padding or without, in lines of any length, gives the bytes back; as text where they are UTF-8."""
    text = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(raw).decode()
    text = text if padded else text.rstrip("=")
    answer = decode(Found("\n".join(text[at : at + width] for at in range(0, len(text), width)), version="7"), "x")
    assert isinstance(answer, Found)
    assert answer.version == "7"
    assert (answer.value.encode() if isinstance(answer.value, str) else answer.value) == raw


@given(st.text() | st.binary())
def test_any_value_is_decoded_or_refused(value: str | bytes) -> None:
    """No value whatever makes decoding fail in any other way than by a failure that does not quote it."""
    answer = decode(Found(value), "x")
    assert isinstance(answer, Found) or answer.message == "x: the value is not base64"


@pytest.mark.parametrize(
    ("name", "candidates", "expected"),
    [
        ("DATABASE_URL", ["DATABSE_URL", "DEBUG"], "DATABSE_URL"),
        ("db__host", ["DB_HOST"], "DB_HOST"),
        ("port", ["host"], None),
        ("port", [], None),
    ],
)
def test_closest_names_one_that_was_probably_meant(name: str, candidates: list[str], expected: str | None) -> None:
    """Case and doubled underscores do not keep names apart; what is merely similar is not named."""
    assert closest(name, candidates) == expected


def test_texts_of_a_value_are_found_at_any_depth() -> None:
    """Strings, bytes, secrets and numbers are all told, in containers that hold themselves too."""
    loop: list[object] = ["a", b"b", {"k": SecretStr("c")}, 12345, None, True]
    loop.append(loop)
    assert sorted(map(str, texts(loop))) == ["12345", "a", "b'b'", "c"]


def test_texts_within_json_are_told_too() -> None:
    """A text that is JSON of a list or an object is told whole, and what is in it; keys only where asked for."""
    text = '{"a": ["b"]}'
    assert sorted(map(str, texts(text))) == ["b", text]
    assert sorted(map(str, texts({"k": "v"}, keys=True))) == ["k", "v"]


@pytest.mark.parametrize(
    ("message", "secret", "expected"),
    [
        ("bad hunter2hunter2", "hunter2hunter2", True),
        ("bad HUNTER2h…", "hunter2hunter2", True),
        ("bad hunte", "hunter2hunter2", False),
        ("pin 123 no", "123", True),
        ("no", "no", False),
        ("not at db.internal", "postgres://u:pw12345@db.internal/d", False),
        ("pw12345", "postgres://u:pw12345@db.internal/d", True),
        ("bad hunter2", b"hunter2", True),
    ],
)
def test_a_message_that_quotes_a_part_of_a_secret_is_known(message: str, secret: str | bytes, expected: bool) -> None:
    """Six characters in a row give a secret away, or all of a shorter one; scheme and host of a URL do not."""
    assert quotes_part(message, [secret]) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("https://h/x?page=1", "https://h/x?page=**********"),
        ("postgres://u:p@h/d", "postgres://**********@h/d"),
        ("[AnyUrl('https://t@h/')]", "[AnyUrl('https://**********@h/')]"),
    ],
)
def test_credentials_of_a_url_are_masked_by_their_place(text: str, expected: str) -> None:
    """Userinfo and the values of a query are masked, whatever they are."""
    assert masked_url(text) == expected


@pytest.mark.parametrize("number", ["1.10", "9007199254740993", "1e400", "-0", "1" * 5000])
def test_a_number_keeps_the_text_that_it_was_written_as(number: str) -> None:
    """A float or an int would lose digits of a value that is a key or a version, alone and within what is picked."""
    payload = Found(f'{{"a": {number}, "b": [{{"c": {number}}}]}}')
    assert pick(payload, "/a", "x") == Found(number)
    assert pick(payload, "/b", "x") == Found(f'[{{"c": {number}}}]')


@pytest.mark.parametrize(
    ("value", "decoded"),
    [("cGFzcw==", "pass"), ("cGFzcw", "pass"), ("_-8=", b"\xff\xef"), ("/+8", b"\xff\xef"), ("", ""), (b"cGFz\ncw==", "pass")],
)
def test_base64_is_decoded(value: str | bytes, decoded: str | bytes) -> None:
    """Standard and URL-safe, with padding and without, with line breaks; text where it is UTF-8."""
    assert decode(Found(value, version="1"), "x") == Found(decoded, version="1")


@pytest.mark.parametrize("value", ["pass word!", "a", "cGFzcw==x"])
def test_what_is_no_base64_is_malformed(value: str) -> None:
    """A text that is not base64 is not decoded in part."""
    answer = decode(Found(value), "x")
    assert isinstance(answer, Failure)
    assert answer.kind == "malformed"
