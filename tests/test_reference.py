"""The splitter of references."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confguard._reference import InvalidReferenceError, Reference, parse_reference, parse_template

segments = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1).filter(
    lambda text: "/" not in text and text not in (".", "..")
)
paths = st.lists(segments, min_size=1, max_size=4).map("/".join)
names = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vault://secret/app#/password", Reference("vault", "secret/app", (), "/password")),
        ("vault://secret/app#password", Reference("vault", "secret/app", (), "/password")),
        ("vault://secret/app?version=3#/a/b", Reference("vault", "secret/app", (("version", "3"),), "/a/b")),
        ("awssecrets://arn:aws:secretsmanager:eu-west-1:123:secret:App-x#/k",
         Reference("awssecrets", "arn:aws:secretsmanager:eu-west-1:123:secret:App-x", (), "/k")),
        ("awsssm:///team/app", Reference("awsssm", "/team/app")),
        ("awsssm://team/", Reference("awsssm", "team/")),
        ("vault://Secret/A+B%20c[0]", Reference("vault", "Secret/A+B c[0]")),
        ("vault://a%2Fb%23%3F#/x%23", Reference("vault", "a/b#?", (), "/x#")),
        ("vault://a#?b", Reference("vault", "a", (), "/?b")),
        ("vault://a?b=c?d=e", Reference("vault", "a", (("b", "c?d=e"),))),
    ],
)  # fmt: skip
def test_splits_as_operators_write(text: str, expected: Reference) -> None:
    """Scheme, first '#', first '?', each part decoded once; no case is folded and no '+' turned into a space."""
    assert parse_reference(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("secret/app", "no '://'"),
        ("vault:/secret/app", "no '://'"),
        ("Vault://secret/app", "lower-case"),
        ("vault://", "nothing behind"),
        ("vault:///", "nothing behind"),
        ("vault://#/a", "nothing behind"),
        ("vault://a/../b", "'.' or '..'"),
        ("vault://a/%2e%2e/b", "'.' or '..'"),
        ("vault://a%2f..%2fb", "'.' or '..'"),
        ("vault://./a", "'.' or '..'"),
        ("vault://a//b", "empty segment"),
        ("vault://a%", "'%'"),
        ("vault://a%zz", "'%'"),
        ("vault://a%ff", "not UTF-8"),
        ("vault://a%00b", "control character"),
        ("vault://a%0ab", "control character"),
        ("vault://a\nb", "control character"),
        ("vault://a?version", "without a name or a value"),
        ("vault://a?=3", "without a name or a value"),
        ("vault://a?v=1&v=2", "stands twice"),
        ("vault://a?&", "without a name or a value"),
        ("vault://a#/b~2", "RFC 6901"),
    ],
)
def test_refuses_what_it_cannot_read(text: str, reason: str) -> None:
    """A reference that cannot be read is refused with what to write instead."""
    with pytest.raises(InvalidReferenceError) as caught:
        parse_reference(text)
    assert reason in str(caught.value)


@given(
    scheme=st.from_regex(r"[a-z][a-z0-9+.-]*", fullmatch=True),
    path=paths,
    params=st.dictionaries(names, names, max_size=3),
    fragment=st.lists(names, max_size=3),
)
def test_writing_and_splitting_round_trip(scheme: str, path: str, params: dict[str, str], fragment: list[str]) -> None:
    """What a reference is written as is split into the same reference."""
    pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in fragment)
    reference = Reference(scheme, path, tuple(sorted(params.items())), pointer)
    assert parse_reference(str(reference)) == reference


T = TypeVar("T")
TEMPLATES = ["vault://{a}", "vault://x/{a}/y", "vault://x.{a}"]
FILLINGS = ["prod", "..", ".", "a/b", "a\n", "", "é", "a-1_2.x"]

# What a reference is made of, in any order: nearly all texts of these are nearly references.
pieces = st.lists(
    st.sampled_from(
        ["vault", "://", "/", "#", "?", "&", "=", "%", "%2F", "%2e", "%23", "%25", "%ff", "%C3%A9", "~", "~0", "~1", ".", ".."]
    )
    | st.sampled_from(
        [
            "{",
            "}",
            "{{",
            "}}",
            "{a}",
            "{a.b}",
            "{1}",
            "{}",
            "é",
            " ",
            "+",
            "\n",
            "\ud800",
            "a",
            "b",
            "version=3",
            ":",
            "[",
            "arn:aws",
        ]
    )
    | st.characters(),
    max_size=12,
).map("".join)
likely = pieces | pieces.map("vault://a{}".format) | st.text() | st.text().map("vault://{}".format)


def read(parse: Callable[[str], T], text: str) -> T | None:
    """What a text is read as; None where it is refused, as it may be."""
    try:
        return parse(text)
    except InvalidReferenceError:
        return None


@settings(max_examples=500)
@given(likely)
def test_any_text_is_split_or_refused(text: str) -> None:
    """No text whatever makes the splitter fail in any other way than by refusing it; what it splits it writes alike."""
    reference = read(parse_reference, text)
    if reference is not None:
        assert parse_reference(str(reference)) == reference
        assert reference.path.strip("/")
        assert not {"", ".", ".."} & set(reference.path.removeprefix("/").removesuffix("/").split("/"))
        assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in reference.path)


@settings(max_examples=500)
@given(
    likely | st.sampled_from(["vault://{a}", "vault://x/{a}/y", "vault://x.{a}"]), st.sampled_from(FILLINGS) | st.text(max_size=4)
)
def test_any_text_is_a_template_or_refused(text: str, value: str) -> None:
    """A template that can be read is written so that it reads alike; what is filled in stays within its segment."""
    template = read(parse_template, text)
    if template is None:
        return
    again = parse_template(str(template))
    assert (again.pieces, again.rest) == (template.pieces, template.rest)
    filled = read(lambda _: template.fill(dict.fromkeys(template.names, value)), "")
    if filled is not None:
        assert not template.names or re.fullmatch("[A-Za-z0-9_.-]+", value)
        assert parse_reference(str(filled)) == filled
        assert filled.path.count("/") == "".join(template.pieces[::2]).count("/")
        assert replace(filled, path=template.rest.path) == template.rest


@given(paths)
def test_a_template_without_names_is_the_reference_itself(path: str) -> None:
    """Doubled braces apart, a template that needs no value is read as `parse_reference` reads it."""
    text = str(Reference("vault", path))
    assert parse_template(text.replace("{", "{{").replace("}", "}}")).fill({}) == parse_reference(text)


def test_literal_braces_are_written_twice() -> None:
    """A doubled brace is one brace of the path."""
    assert parse_template("vault://secret/{{a}}").fill({}).path == "secret/{a}"


@pytest.mark.parametrize(
    "text", ["vault://{app?version=3}", "vault://x/{app#/key}", "vault://x?version={app}", "vault://x#/{app}"]
)
def test_a_name_that_does_not_stand_in_the_path_is_refused(text: str) -> None:
    """Neither elsewhere nor around the end of the path, where it would be split in two and lost."""
    with pytest.raises(InvalidReferenceError, match="can only stand in the path"):
        parse_template(text)


@pytest.mark.parametrize("text", ["vault://{a", "vault://a}", "vault://{{a}"])
def test_a_single_brace_is_refused(text: str) -> None:
    """A brace that stands alone is not taken for a literal one."""
    with pytest.raises(InvalidReferenceError, match="written twice"):
        parse_template(text)


def test_param_of_a_reference() -> None:
    """A parameter is asked for by name, and None where it is not there."""
    reference = parse_reference("vault://a?version=3")
    assert (reference.param("version"), reference.param("stage")) == ("3", None)
