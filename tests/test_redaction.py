"""The redactor: what it finds, what it leaves alone, and that a stream is redacted as the whole."""

import base64
import html
import json
import pickle
import re
import secrets
import sys
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from werkzeug.http import dump_cookie

from confguard import _redaction
from confguard._forms import forms_of, is_searchable
from confguard._redaction import Redactor
from confguard._search import make_pending, make_search, plain_search

# Few letters, so that secrets overlap each other, masks and what stands around them; and any letters at all.
few = st.text("ab[]:*r%+ \\\"'\n-é", min_size=1, max_size=12)
any_text = st.text(st.characters(codec="utf-8"), max_size=30)
values = st.one_of(few, any_text).filter(is_searchable)


def knowing(*known: str | bytes) -> Redactor:
    redactor = Redactor()
    for number, value in enumerate(known):
        redactor.learn(value, f"field{number}")
    return redactor


def found_in(data: bytes, *known: str | bytes) -> list[bytes]:
    """Which forms of secrets stand in bytes, by Python's own search."""
    return [form for value in known for form in forms_of(value) if form in data]


ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "URL-encoded": lambda text: quote(text, safe=""),
    "URL-encoded, slashes left": quote,
    "URL-encoded, small digits": lambda text: re.sub("%..", lambda digits: digits[0].lower(), quote(text, safe="")),
    "URL-encoded, + for a space": quote_plus,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON as it is": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON within JSON": lambda text: json.dumps(json.dumps({"a": text})),
    "Python": lambda text: repr([text]),
    "Python bytes": lambda text: repr(text.encode()),
    "HTML": html.escape,
    "HTML as Jinja writes it": lambda text: html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
    "JSON in HTML": lambda text: html.escape(json.dumps(text)),
    "JSON in a URL": lambda text: quote(json.dumps(text), safe=""),
    "JSON in Python": lambda text: repr([json.dumps(text)]),
    "Python in JSON": lambda text: json.dumps(repr(text)),
    "Python in HTML": lambda text: html.escape(repr(text)),
    "HTML in JSON": lambda text: json.dumps(html.escape(text)),
    "JSON in base64": lambda text: base64.urlsafe_b64encode(json.dumps({"k": text}).encode()).decode(),
    "a cookie": lambda text: dump_cookie("name", text).removeprefix("name=").removesuffix("; Path=/"),
    "bytes taken for Latin-1": lambda text: text.encode().decode("latin-1"),
    "the same in JSON": lambda text: json.dumps(text.encode().decode("latin-1")),
    "an access log": lambda text: text.replace('"', '\\"'),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal in capitals": lambda text: text.encode().hex().upper(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64, one byte before": lambda text: base64.b64encode(b"u" + text.encode() + b"!").decode(),
    "base64, two bytes before": lambda text: base64.b64encode(b"u:" + text.encode() + b"!").decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(b"me:" + text.encode()).decode(),
}
TOKENS = {
    "a token": lambda: secrets.token_urlsafe(24),
    "all that is escaped": lambda: f"{secrets.token_hex(6)}/+ &<>\"'\\é=%?\N{LOCK}#{secrets.token_hex(6)}",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", TOKENS)
def test_a_secret_is_found_in_every_form(kind: str, encoding: str) -> None:
    """What is left of an encoded secret within a text is the mask, and at most what the encoding shares with its surroundings."""
    secret = TOKENS[kind]()
    form = ENCODINGS[encoding](secret)
    redacted = knowing(secret).redact(f"before {form} after")
    assert redacted.startswith("before ")
    assert redacted.endswith(" after")
    assert "[redacted:field0]" in redacted
    middle = redacted.removeprefix("before ").removesuffix(" after").replace("[redacted:field0]", "")
    assert len(middle) <= 16, "only quotes, brackets and the ends of base64 are left"
    assert not any(secret[at : at + 6] in redacted for at in range(len(secret) - 5))


@given(st.lists(values, min_size=1, max_size=4), st.lists(st.one_of(few, any_text), max_size=6), st.data())
def test_redacted_text_holds_no_secret_in_any_form(known: list[str], around: list[str], data: st.DataObject) -> None:
    """Whatever stands around and between secrets, none of their forms is in what comes back."""
    forms = [form for value in known for form in forms_of(value)]
    assume(forms)
    pieces = [text.encode() for text in around] + data.draw(st.lists(st.sampled_from(forms), min_size=1, max_size=5))
    mixed = b"".join(data.draw(st.permutations(pieces)))
    redacted = knowing(*known).redact_bytes(mixed)
    assert found_in(redacted, *known) == []
    text = mixed.decode(errors="replace")
    assert found_in(knowing(*known).redact(text).encode(), *known) == []


@given(st.lists(values, min_size=1, max_size=4), st.text())
def test_text_without_secrets_is_unchanged(known: list[str], text: str) -> None:
    """A text that holds no secret comes back as it was, to the byte."""
    assume(not found_in(text.encode(errors="surrogatepass"), *known))
    assert knowing(*known).redact(text) is text


@given(st.lists(values, min_size=1, max_size=4), st.lists(st.one_of(few, any_text), max_size=8))
@example(["redacted"], ["redacted"])
@example(["field0"], ["a", "field0"])
@example(["[redacted:field0]"], ["[redacted:field0]"])
@example(["y]field"], ["y]field"])
@example(["secret[", "redacted:"], ["secret[", "redacted:"])
def test_redaction_is_idempotent(known: list[str], pieces: list[str]) -> None:
    """To redact what was redacted changes nothing, also where a secret looks like a mask."""
    redactor = knowing(*known)
    once = redactor.redact("".join([*known, *pieces, *known]))
    assert redactor.redact(once) == once


@given(st.lists(values, min_size=1, max_size=3), st.lists(st.one_of(few, st.just("ab")), max_size=8), st.data())
def test_a_stream_cut_anywhere_equals_the_whole(known: list[str], pieces: list[str], data: st.DataObject) -> None:
    """Wherever a stream is cut into parts, what comes out is what the whole would have given."""
    whole = "".join(data.draw(st.permutations([*pieces, *known, *known]))).encode()
    redactor = knowing(*known)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    stream = redactor.stream()
    given_out = [stream.feed(whole[start:end]) for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert b"".join([*given_out, stream.end()]) == redactor.redact_bytes(whole)


@settings(deadline=None)  # it searches after each byte
@given(st.lists(values, min_size=1, max_size=2), st.lists(few, max_size=8))
def test_a_stream_gives_out_nothing_that_may_be_the_beginning_of_a_secret(known: list[str], pieces: list[str]) -> None:
    """What a stream has given out at any time holds no secret, byte by byte."""
    redactor = knowing(*known)
    stream = redactor.stream()
    out = b""
    for byte in "".join([*pieces, *known]).encode():
        out += stream.feed(bytes([byte]))
        assert found_in(out, *known) == []


short = st.binary(min_size=1, max_size=12).map(lambda data: bytes(byte % 3 for byte in data))


@given(st.lists(short, min_size=1, max_size=4, unique=True), st.lists(short, max_size=5))
@example([b"123456789"], [b"12345678"])
@example([b"1234567890"], [b"123456789"])
def test_a_stream_waits_for_nothing_but_the_rest_of_a_pattern(patterns: list[bytes], pieces: list[bytes]) -> None:
    """What is held back begins at the first place from where on the text is the beginning, and not the whole, of a pattern."""
    data = b"".join(pieces)
    naive = [at for at in range(len(data)) if any(len(one) > len(data) - at and one.startswith(data[at:]) for one in patterns)]
    assert make_pending(patterns)(data) == min(naive, default=len(data))


@given(st.lists(values, min_size=1, max_size=3), st.lists(st.one_of(few, st.just("ab")), max_size=8))
@settings(max_examples=50)
def test_a_stream_holds_back_only_what_may_be_the_beginning_of_a_secret(known: list[str], pieces: list[str]) -> None:
    """Where no form of a secret begins with the end of what has come, all of it is given out."""
    data = "".join([*known, *pieces]).encode()
    ends = [data[at:] for at in range(len(data))]
    assume(not any(form.startswith(end) and form != end for value in known for form in forms_of(value) for end in ends))
    stream = knowing(*known).stream()
    assert stream.feed(data) == knowing(*known).redact_bytes(data)
    assert stream.end() == b""


def test_a_stream_holds_back_nothing_more() -> None:
    """What stands before the beginning of a secret is given out, to the byte."""
    secret = secrets.token_urlsafe()
    for shown in range(1, len(secret)):
        assert knowing(secret).stream().feed(f"Name: {secret[:shown]}".encode()) == b"Name: "


@given(st.lists(values, min_size=1, max_size=3), st.lists(st.one_of(few, st.just("ab")), max_size=8), st.data())
@settings(max_examples=50)
def test_a_stream_that_pauses_gives_out_no_secret(known: list[str], pieces: list[str], data: st.DataObject) -> None:
    """Wherever nothing follows for a while, what has been given out holds no form, and the rest of a text is not lost."""
    stream = knowing(*known).stream()
    out = b""
    for byte in "".join(data.draw(st.permutations([*pieces, *known]))).encode():
        out += stream.feed(bytes([byte]))
        if data.draw(st.booleans()):
            out += stream.pause()
            assert not stream.holds
        assert found_in(out, *known) == []
    out += stream.feed(b"\0 the end")
    out += stream.cut()
    assert out.endswith(b"\0 the end")
    assert found_in(out, *known) == []


def test_of_the_longest_form_too_all_but_the_last_byte_is_held_back() -> None:
    """So that nothing of it is shown before it is known."""
    longest = max(forms_of("hunter2/hunter2"), key=len)
    assert knowing("hunter2/hunter2").stream().feed(b"! " + longest[:-1]) == b"! "


@pytest.mark.parametrize("pauses", [False, True])
def test_a_secret_whose_first_bytes_were_shown_has_one_mask(pauses: bool) -> None:
    """Also where another secret begins within it."""
    stream = knowing("abcdefgh", "ghijklmn").stream()
    assert stream.feed(b"ab") + stream.pause() == b"ab"
    assert stream.feed(b"cdefgh") == b"[redacted:field0]"
    assert not pauses or stream.pause() == b""
    assert stream.feed(b"ijklmn!") == b"!"


def test_a_secret_that_comes_slowly_shows_two_bytes_at_most() -> None:
    """With a pause after each byte the mask comes with the third, and once."""
    secret = secrets.token_urlsafe()
    stream = knowing(secret).stream()
    out = b"".join(stream.feed(bytes([byte])) + stream.pause() for byte in f"!{secret}!".encode())
    assert out + stream.end() == f"!{secret[:2]}[redacted:field0]!".encode()


def test_what_began_like_a_secret_and_went_on_otherwise_is_shown_from_there() -> None:
    """A pause gives a mask for the beginning of a secret; what follows is no part of it."""
    stream = knowing("postgres://me:hunter2hunter2@db").stream()
    assert stream.feed(b"psql: postgres") == b"psql: "
    assert stream.pause() == b"[redacted:field0]"
    assert stream.pause() == b""
    assert stream.feed(b"=# ") == b"=# "


@pytest.mark.parametrize(("shown", "rest"), [(7, None), (8, b"[redacted:field0]")])
def test_the_beginning_of_a_secret_is_masked_where_a_stream_is_cut_off(shown: int, rest: bytes | None) -> None:
    """From 8 bytes on; fewer are given out as they are, and so are all at a true end."""
    secret = secrets.token_urlsafe()
    cut, ended = knowing(secret).stream(), knowing(secret).stream()
    assert cut.feed(secret[:shown].encode()) + ended.feed(secret[:shown].encode()) == b""
    assert cut.cut() == (rest or secret[:shown].encode())
    assert ended.end() == secret[:shown].encode()


@given(st.lists(values, min_size=1, max_size=3), st.lists(st.one_of(few, st.just("ab")), max_size=8), st.data())
@settings(max_examples=50)
def test_secrets_are_found_wherever_a_stream_is_cut(known: list[str], pieces: list[str], data: st.DataObject) -> None:
    """Each place where secrets begin is told once, with its line, those that overlap as one."""
    whole = "".join(data.draw(st.permutations([*pieces, *known, *known]))).encode()
    finder = knowing(*known).finder()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    found = [each for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True) for each in finder.feed(whole[start:end])]
    found += finder.end()
    covered = [False] * (len(whole) + 1)
    begins: list[int] = []
    for start, end in sorted(
        {
            (at, at + len(form))
            for value in known
            for form in forms_of(value)
            for at in range(len(whole))
            if whole.startswith(form, at)
        }
    ):
        begins += [] if covered[start] else [start]
        covered[start:end] = [True] * (end - start)
    assert [each.offset for each in found] == begins
    assert [each.line for each in found] == [whole.count(b"\n", 0, start) + 1 for start in begins]
    assert {each.label for each in found} <= {f"field{number}" for number in range(len(known))}


def test_the_quote_behind_a_secret_is_left() -> None:
    """A mask stands for the secret alone, so that JSON stays JSON."""
    secret = secrets.token_urlsafe()
    assert json.loads(knowing(secret).redact(json.dumps({"key": secret}))) == {"key": "[redacted:field0]"}


def test_a_finding_names_the_secret() -> None:
    """Its label, not that of another."""
    first, second = secrets.token_urlsafe(), secrets.token_urlsafe()
    assert [each.label for each in knowing(first, second).finder().feed(f"{second} {first} ".encode())] == ["field1", "field0"]


def test_values_that_are_not_searched_for_are_told_by_their_labels() -> None:
    """So that nobody takes them for protected."""
    assert knowing("true", secrets.token_urlsafe(), "5432").unsearchable() == ["field0", "field2"]


@given(st.lists(st.binary(min_size=1, max_size=6), min_size=1, max_size=6, unique=True), st.binary(max_size=60))
@example([b"aa", b"aaa", b"a"], b"aaaaaa")
def test_plain_python_finds_what_the_automaton_finds(patterns: list[bytes], data: bytes) -> None:
    """Both ways of searching give every occurrence of every pattern, overlapping ones too."""
    naive = sorted(
        (number, at, at + len(pattern))
        for number, pattern in enumerate(patterns)
        for at in range(len(data))
        if data.startswith(pattern, at)
    )
    assert sorted(plain_search(patterns)(data)) == naive
    assert sorted(make_search(patterns)(data)) == naive


def test_without_the_extra_it_hides_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `ahocorasick_rs` is not installed, secrets are found all the same."""
    monkeypatch.setitem(sys.modules, "ahocorasick_rs", None)
    secret = secrets.token_urlsafe()
    assert knowing(secret).redact(f"<{secret}>") == "<[redacted:field0]>"


def test_the_automaton_is_what_the_tests_of_this_file_use() -> None:
    """With the extra installed, as here, the search is not the one in plain Python."""
    assert "plain_search" not in make_search([b"secret"]).__qualname__


@pytest.mark.parametrize("around", ['"{}"', "'{}'", "\"{}'", "({})", "<{}>", "\\{}\\", "%{}%"])
@pytest.mark.parametrize("kind", TOKENS)
def test_what_stands_around_a_secret_stays(kind: str, around: str) -> None:
    """No character beside a secret is taken with it: JSON with a mask in it is still JSON."""
    secret = TOKENS[kind]()
    assert knowing(secret).redact(around.format(secret)) == around.format("[redacted:field0]")


def test_overlapping_secrets_are_united() -> None:
    """Where one secret ends inside of another, the tail of neither is left, and the first names the mask."""
    redactor = knowing("abcdef", "defghi")
    assert redactor.redact("<abcdefghi>") == "<[redacted:field0]>"
    assert redactor.redact("<defghi|abcdef>") == "<[redacted:field1]|[redacted:field0]>"


def test_a_secret_within_another_does_not_cut_it() -> None:
    """The longest of the secrets that begin at one place names the mask, and hides the whole."""
    assert knowing("hunter", "hunter22").redact("hunter22") == "[redacted:field1]"


def test_each_line_of_a_key_is_a_secret_and_its_armour_is_none() -> None:
    """A multi-line value is found whole, and line by line; what every key begins with is no secret."""
    redactor = knowing("-----BEGIN KEY-----\nMIIB1234\n-----END KEY-----\n")
    assert redactor.redact("got MIIB1234 back") == "got [redacted:field0] back"
    assert redactor.redact("-----BEGIN KEY-----\nof another") == "-----BEGIN KEY-----\nof another"


@pytest.mark.parametrize("way", ["plain", "escaped"])
def test_the_credentials_of_a_url_are_secrets_of_their_own(way: str) -> None:
    """Of a secret that is a URL the password, user and password, and parameters named like credentials are found alone."""
    password, token = f"p@ss/{secrets.token_hex(8)}", f"t&k{secrets.token_hex(8)}"
    redactor = knowing(f"postgres://me:{quote(password, safe='')}@db.test/app?sslmode=require&auth_token={quote(token, safe='')}")
    shown = [password, token] if way == "plain" else [quote(password, safe=""), quote(token, safe="")]
    for text in shown:
        assert redactor.redact(f"<{text}>") == "<[redacted:field0]>"
    assert redactor.redact("me at db.test/app with sslmode=require") == "me at db.test/app with sslmode=require"


def test_bytes_are_known_as_they_are_and_by_the_text_in_them() -> None:
    """A binary secret is found in bytes, in hexadecimal, in base64, and the text in it within text."""
    secret = b"\xff\xfe" + secrets.token_hex(8).encode() + b"\x00"
    redactor = knowing(secret)
    assert redactor.redact_bytes(b"<" + secret + b">") == b"<[redacted:field0]>"
    for text in (secret.hex(), base64.b64encode(secret).decode(), secret[2:-1].decode()):
        assert "[redacted:field0]" in redactor.redact(f"<{text}>")


@pytest.mark.parametrize("text", ["äöüä", "åéåé", "😀😀", "aé→é", "→é😃b"])
@pytest.mark.parametrize(("first", "last"), [(0, 0), (1, 1), (1, 2), (3, 1)])
def test_a_binary_secret_in_the_middle_of_a_character_leaves_text_readable(text: str, first: int, last: int) -> None:
    """Bytes that are a part of characters in a text are hidden with these characters and no others, at its ends too."""
    raw = text.encode()
    secret = raw[first : len(raw) - last]
    before, after = len(raw[:first].decode(errors="ignore")), len(raw[len(raw) - last :].decode(errors="ignore"))
    for left, right in [("", ""), ("<", ">"), ("ä", "ä")]:
        expected = f"{left}{text[:before]}[redacted:field0]{text[len(text) - after :]}{right}"
        assert knowing(secret).redact(f"{left}{text}{right}") == expected


@pytest.mark.parametrize("value", ["", "abc", "true", "TRUE", "5432", " 8080 ", "localhost", "postgres", "production"])
def test_a_value_that_stands_in_every_log_is_not_searched_for(value: str) -> None:
    """What cannot be told from ordinary text is left alone, in every form."""
    assert knowing(value).redact(f"the value {value}, {value.encode().hex()}") == f"the value {value}, {value.encode().hex()}"


def test_what_was_learned_longest_ago_is_forgotten_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the oldest goes; one that is learned again is new again, and keeps its label."""
    monkeypatch.setattr(_redaction, "LIMIT", 2)
    redactor = knowing("first-secret", "second-secret")
    redactor.learn("first-secret", "again")
    redactor.learn("third-secret", "third")
    assert redactor.forgotten == 1
    assert redactor.redact("first-secret second-secret") == "[redacted:field0] second-secret"


def test_what_is_forgotten_is_text_like_any_other() -> None:
    """After `forget_all` nothing is hidden, and what is learned then is."""
    first, second = secrets.token_urlsafe(), secrets.token_urlsafe()
    redactor = knowing(first)
    assert redactor.redact(first) == "[redacted:field0]"
    redactor.forget_all()
    assert redactor.redact(first) == first
    redactor.learn(second, "second")
    assert redactor.redact(first + second) == f"{first}[redacted:second]"


def test_whether_a_text_holds_a_secret_is_told() -> None:
    """Whatever else is in it: half of a surrogate pair comes from a variable that is no UTF-8."""
    secret = secrets.token_urlsafe()
    redactor = knowing(secret)
    texts = [f"<{secret}>", f"\udce4{secret}", "\udce4", ""]
    assert [redactor.holds_secret(text) for text in texts] == [True, True, False, False]


def test_what_is_searched_for_is_made_once() -> None:
    """As long as nothing is learned it is the same, which a process that logs a lot depends on."""
    redactor = knowing(secrets.token_urlsafe())
    known = redactor.known()
    assert redactor.known() is known
    redactor.learn(secrets.token_urlsafe(), "another")
    assert redactor.known() is not known


def test_shows_and_pickles_nothing() -> None:
    """Neither its repr nor a pickle gives away what it knows, and nor does a stream."""
    redactor = knowing("hunter2hunter2")
    assert repr(redactor) == "<Redactor>"
    stream = redactor.stream()
    stream.feed(b"hunter2")
    assert repr(stream) == "<RedactedStream>"
    finder = redactor.finder()
    assert repr(finder) == "<FindingStream>"
    assert repr(redactor.known()) == "<Known>"
    for thing in (redactor, stream, finder, redactor.known()):
        with pytest.raises(TypeError, match="cannot"):
            pickle.dumps(thing)


def test_what_stands_beside_a_secret_stays_as_it_is() -> None:
    """Half of a surrogate pair, as a file name that is no UTF-8 has it, is no reason to fail or to change it."""
    secret = secrets.token_urlsafe()
    assert knowing(secret).redact(f"\ud83d {secret} \udcff") == "\ud83d [redacted:field0] \udcff"
