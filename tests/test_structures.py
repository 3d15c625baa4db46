"""Structures: what comes back holds no secret, what went in is as it was, and nothing makes the walk fail or stall."""

import copy
import gc
import io
import secrets
import sys
import threading
import traceback
from collections import OrderedDict, UserDict, deque, namedtuple
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import RootModel, SecretStr

from confguard._copied import RedactedError
from confguard._redaction import Redactor
from confguard._walk import DEEPEST, KEYS, LEFT_OUT, clean_exception, scrub
from tests.finder import _needles, places_of
from tests.holders import AttributedError, Frozen, Model, Plain, leaves

CANARY = secrets.token_urlsafe(24)


@pytest.fixture
def own() -> Redactor:
    redactor = Redactor()
    redactor.learn(CANARY, "key")
    return redactor


Pair = namedtuple("Pair", "left right")  # noqa: PYI024 - one without types, as most are


class Loud:
    """Shows what it holds; by ``str`` alone, as URLs do whose repr hides the password."""

    def __init__(self, held: str) -> None:
        self.held = held

    def __str__(self) -> str:
        return f"loud {self.held}"

    def __repr__(self) -> str:
        return "Loud(…)"


class SlottedError(Exception):
    __slots__ = ("body",)

    def __init__(self, body: object) -> None:
        super().__init__("slotted")
        self.body = body


def shows(value: object, canary: str = CANARY) -> bool:
    return any(needle in text for text in leaves(value) for needle in _needles(canary))


def with_private(value: object) -> Model:
    model = Model(first=1)
    model._kept = value
    return model


def with_note(text: str) -> Exception:
    error = ValueError("bad")
    error.add_note(text)
    return error


def chained(text: str, *, cause: bool) -> Exception:
    error = ValueError("outer")
    setattr(error, "__cause__" if cause else "__context__", KeyError(text))
    return error


HOLDERS: dict[str, Callable[[Any], object]] = {
    "a text": lambda text: f"the key is {text}!",
    "bytes": lambda text: b"\xff" + text.encode(),
    "a bytearray": lambda text: bytearray(text.encode()),
    "a memoryview": lambda text: memoryview(text.encode()),
    "a value": lambda text: {"a": 1, "b": text},
    "a key": lambda text: {text: 1},
    "a key that is a tuple": lambda text: {(1, text): 1},
    "a list": lambda text: [1, [text]],
    "a tuple": lambda text: (1, (text,)),
    "a named tuple": lambda text: Pair(1, text),
    "a set": lambda text: {1, text},
    "a frozenset": lambda text: frozenset({1, text}),
    "a deque": lambda text: deque([text], maxlen=2),
    "a view": lambda text: {1: text}.items(),
    "a mapping": lambda text: UserDict({"a": [text]}),
    "a mapping that cannot be written": lambda text: MappingProxyType({"a": text}),
    "a dataclass": lambda text: Plain([text]),
    "a frozen dataclass": lambda text: Frozen(1, (text,)),
    "a model": lambda text: Model(first=[text]),
    "what else a model has": lambda text: Model(first=1, second=text),
    "a private attribute": with_private,
    "a root model": lambda text: RootModel[list[str]]([text]).root,
    "a pydantic secret": lambda text: [SecretStr(text)],
    "an object's str": Loud,
    "an exception": lambda text: ValueError("bad", text),
    "an exception's attribute": lambda text: AttributedError(500, body={"a": text}),
    "an exception's slot": SlottedError,
    "a note": with_note,
    "a cause": lambda text: chained(text, cause=True),
    "a context": lambda text: chained(text, cause=False),
    "a group": lambda text: ExceptionGroup("many", [ValueError(1), ExceptionGroup("inner", [KeyError(text)])]),
    "a group's message": lambda text: BaseExceptionGroup(text, [KeyboardInterrupt()]),
    "the file of an OSError": lambda text: FileNotFoundError(2, "there is no such file", f"/run/{text}"),
    "the bytes of a UnicodeDecodeError": lambda text: UnicodeDecodeError("utf-8", b"\xff" + text.encode(), 0, 1, "bad"),
    "the line of a SyntaxError": lambda text: SyntaxError("bad", ("x.py", 1, 1, f"key = {text}", 1, 2)),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_nothing_that_can_be_reached_in_the_copy_is_a_secret(own: Redactor, holder: str) -> None:
    """Whatever holds the secret; and the same search finds it in the original."""
    original = HOLDERS[holder](CANARY)
    assert shows(original)
    clean = scrub(original, own)
    assert not shows(clean)
    assert shows(original), "the original is not changed"


@pytest.mark.parametrize("holder", HOLDERS)
def test_what_holds_no_secret_is_given_back(own: Redactor, holder: str) -> None:
    original = HOLDERS[holder]("an ordinary text")
    assert scrub(original, own) is original or holder == "a pydantic secret"


def test_the_mask_names_the_field_and_the_rest_is_as_it_was(own: Redactor) -> None:
    original = {"a": [1, 2.5, None, True, (b"x", f"<{CANARY}>")], "b": {"c": {1, 2}}}
    clean = scrub(original, own)
    assert clean == {"a": [1, 2.5, None, True, (b"x", "<[redacted:key]>")], "b": {"c": {1, 2}}}


simple = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8), st.binary(max_size=8)
)
canaries = st.sampled_from([CANARY, CANARY.encode(), CANARY.encode().hex(), f"x{CANARY}y", (CANARY,), SecretStr(CANARY)])
hashables = st.recursive(
    simple | canaries,
    lambda inner: st.one_of(st.tuples(inner, inner), st.builds(Frozen, inner), st.frozensets(inner, max_size=3)),
    max_leaves=4,
)
structures = st.recursive(
    hashables,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(hashables, inner, max_size=4),
        st.tuples(inner, inner),
        st.builds(deque, st.lists(inner, max_size=3)),
        st.builds(Plain, inner, inner),
        st.builds(lambda first, second: Model(first=first, second=second), inner, inner),
        st.builds(lambda value: ValueError(value), inner),
        st.builds(lambda value: AttributedError(1, body=value), inner),
        st.builds(
            lambda values: ExceptionGroup("many", [ValueError(value) for value in values]),
            st.lists(inner, min_size=1, max_size=3),
        ),
    ),
    max_leaves=10,
)


@given(structures)
def test_any_structure_is_copied_without_the_secret_and_not_changed(original: object) -> None:
    """Whatever is within what: no secret in the copy; the original as it was; and itself where there was nothing to hide."""
    own = Redactor()
    own.learn(CANARY, "key")
    before = repr(original)
    held = shows(original)
    clean = scrub(original, own, keys=frozenset())
    assert not shows(clean)
    assert repr(original) == before
    assert shows(original) == held
    if not held:
        assert clean is original
    assert repr(scrub(clean, own, keys=frozenset())) == repr(clean), "to redact what was redacted changes nothing"


def test_two_keys_that_become_the_same_are_still_two(own: Redactor) -> None:
    """No entry is lost where keys differ in nothing but the form of a secret."""
    original = {CANARY: 1, CANARY.encode().hex(): 2, "[redacted:key] (2)": 3, "[redacted:key]": 4}
    assert list(scrub(original, own).values()) == [1, 2, 3, 4]


def test_three_thousand_keys_that_become_the_same_are_as_many(own: Redactor) -> None:
    """Names are counted on from the last one, not tried anew for each."""
    original = {secrets.token_hex(16): number for number in range(3000)}
    for key in original:
        own.learn(key, "key")
    clean = scrub(original, own)
    assert list(clean.values()) == list(range(3000))
    assert list(clean)[-1] == "[redacted:key] (3000)"


def test_cycles_lead_where_they_led(own: Redactor) -> None:
    """A copy of what holds itself holds itself."""
    cycle: list[object] = [CANARY]
    cycle.append({"back": cycle})
    clean = scrub(cycle, own)
    assert clean[1]["back"] is clean
    plain = Plain(CANARY)
    plain.second = [plain]
    copied = scrub(plain, own)
    assert copied.second[0] is copied
    through: tuple[list[object], ...] = ([CANARY],)
    through[0].append(through)
    assert scrub(through, own) == (["[redacted:key]", LEFT_OUT],), "no tuple can be made before what is in it"


def test_exceptions_that_hold_each_other_are_copied_once(own: Redactor) -> None:
    """A cycle through arguments and causes ends, and so does one through a group's exceptions."""
    first, second = ValueError(CANARY), KeyError()
    first.args, second.args = (CANARY, second, second), (first, first)
    first.__cause__, second.__context__ = second, first
    clean = scrub(first, own)
    assert clean.__cause__.__context__ is clean
    assert not shows(clean)
    group = ExceptionGroup("many", [inner := ValueError(CANARY)])
    inner.__context__ = group
    assert not shows(scrub(group, own))


def test_what_is_shared_is_walked_once(own: Redactor) -> None:
    """Forty levels of two references each would otherwise be walked a million million times."""
    shapes: list[Callable[[Any], object]] = [
        lambda inner: [inner, inner],
        lambda inner: (inner, inner),
        lambda inner: {1: inner, 2: inner},
        lambda inner: Frozen(inner, (inner,)),
        lambda inner: ValueError(inner, inner),
    ]
    for shape in shapes:
        value: object = CANARY
        for _ in range(15):
            value = shape(value)
        original = value
        assert not any(CANARY in text for text in leaves(scrub(original, own)) if len(text) < 1000)


@pytest.mark.parametrize("make", [lambda inner: [inner], lambda inner: {"a": inner}, Plain, lambda inner: ValueError(inner)])
def test_what_is_too_deep_is_left_out(own: Redactor, make: Callable[[Any], Any]) -> None:
    """Ten thousand levels neither exhaust the stack nor give away what is at the end."""
    value: Any = CANARY
    for _ in range(10_000):
        value = make(value)
    walk: Any = scrub(value, own)
    for _ in range(DEEPEST):
        walk = (
            walk.first if isinstance(walk, Plain) else walk.args[0] if isinstance(walk, Exception) else next(iter(_items(walk)))
        )
    assert walk == LEFT_OUT


def _items(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value


def test_a_long_chain_of_causes_is_cut(own: Redactor) -> None:
    error = ValueError(CANARY)
    for _ in range(1000):
        error, before = ValueError("again"), error
        error.__context__ = before
    clean: BaseException | None = scrub(error, own)
    texts = []
    while clean is not None:
        texts.append(str(clean))
        clean = clean.__context__
    assert texts == ["again"] * DEEPEST + [LEFT_OUT]


@pytest.mark.parametrize("wrap", [lambda error: ExceptionGroup("many", [error]), lambda error: _caused(error)])
def test_an_exception_that_lies_too_deep_says_so(wrap: Callable[[Exception], Exception], own: Redactor) -> None:
    """Below 50 levels an exception stands for what is left out of groups and of causes, and its text tells that."""
    error: Exception = ValueError(CANARY)
    for _ in range(60):
        error = wrap(error)
    clean = scrub(error, own)
    assert not shows(clean)
    assert LEFT_OUT in list(leaves(clean))


def _caused(error: Exception) -> Exception:
    made = ValueError("of another")
    made.__cause__ = error
    return made


@pytest.mark.parametrize(
    "huge",
    [
        lambda: f"{'x' * 10_000_000}{CANARY}",
        lambda: {number: f"{number}{CANARY}" for number in range(50_000)},
        lambda: [CANARY] * 200_000,
    ],
    ids=["a line of 10 MB", "a wide dict", "a long list"],
)
def test_large_structures_are_walked_item_by_item(own: Redactor, huge: Callable[[], Any]) -> None:
    """The work is counted: as many searches as there are texts, and not one more."""
    searched: list[int] = []
    plain = own.redact

    def counted(text: str) -> str:
        searched.append(len(text))
        return plain(text)

    original = huge()
    expected = len(original) if isinstance(original, list) else 50_000 * 2 if isinstance(original, dict) else 1
    own.redact = counted  # type: ignore[method-assign]
    assert CANARY not in str(scrub(original, own))[-1000:]
    assert len(searched) <= expected


def test_near_the_end_of_the_stack_nothing_is_given_away(own: Redactor) -> None:
    """Where the stack is all but used up, what cannot be walked is left out."""
    outcomes: list[object] = []

    def dive(levels: int) -> None:
        if levels:
            return dive(levels - 1)
        try:
            outcomes.append(scrub([[[[[[Plain({"a": CANARY})]]]]]], own))
        except RecursionError:
            outcomes.append(None)
        return None

    gc.collect()
    gc.disable()  # what others left, and is ended by code of theirs, is not to be collected where there is no room for that
    try:
        for room in range(10, 90, 3):
            frame, depth = sys._getframe(), 0
            while frame is not None:
                frame, depth = frame.f_back, depth + 1  # type: ignore[assignment]
            dive(sys.getrecursionlimit() - depth - room)
    finally:
        gc.enable()
    assert not any(shows(outcome) for outcome in outcomes)
    assert any(LEFT_OUT in list(leaves(outcome)) for outcome in outcomes)


class Hostile:
    """Raises whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(CANARY)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # as proxies have it that are not bound
        raise RuntimeError(CANARY)

    def __repr__(self) -> str:
        raise RuntimeError(CANARY)


class Broken(UserDict[str, str]):
    def items(self) -> Any:
        raise OSError("the connection is closed")


def test_code_of_others_that_raises_stops_nothing(own: Redactor) -> None:
    """An object that raises at every touch is left out; a mapping that cannot be walked is shown as text."""
    clean = scrub([Hostile(), Broken({"a": CANARY}), CANARY], own)
    assert clean[0] == LEFT_OUT
    assert clean[1] == "{'a': '[redacted:key]'}"
    assert clean[2] == "[redacted:key]"


class Endless:
    def __repr__(self) -> str:
        return f"<{self!r}>"


def test_what_needs_more_of_the_stack_than_there_is_is_left_out(own: Redactor) -> None:
    """Elsewhere there may be more, and then it would be shown."""
    assert scrub([Endless()], own) == [LEFT_OUT]


def test_a_number_that_is_a_secret_is_hidden_whatever_writes_it(own: Redactor) -> None:
    """Numbers are looked at as they are written; one of thousands of digits, which Python refuses to write, stays."""
    own.learn("4815162342", "pin")
    own.learn("271.828", "rate")
    assert scrub({"a": 4815162342, "b": -4815162342.0, "c": 271.828, "d": 42}, own) == {
        "a": "[redacted:pin]",
        "b": "-[redacted:pin].0",
        "c": "[redacted:rate]",
        "d": 42,
    }
    assert scrub(10**5000, own) == 10**5000


def test_an_exception_that_cannot_be_copied_is_told_by_its_name(own: Redactor) -> None:
    """One whose class gives the secret, or refuses to be made, is replaced by one that says what it was."""

    class StubbornError(Exception):
        def __str__(self) -> str:
            return f"always {CANARY}"

    class RefusingError(Exception):
        def __new__(cls, *_: object, **given: object) -> Self:
            if "sesame" not in given:
                raise TypeError("closed")
            return super().__new__(cls)

        def __init__(self, **_: object) -> None:
            super().__init__(CANARY)

    for error in (StubbornError(), RefusingError(sesame=1)):
        clean = scrub(error, own)
        assert isinstance(clean, RedactedError)
        assert str(clean).endswith(": always [redacted:key]" if isinstance(error, StubbornError) else "[redacted:key]")
        assert type(error).__qualname__ in str(clean)


def test_a_group_that_is_made_otherwise_keeps_what_is_in_it(own: Redactor) -> None:
    class Own(ExceptionGroup[Exception]):
        def __new__(cls, count: int, errors: list[Exception]) -> Self:
            return super().__new__(cls, f"{count + 0} went wrong", errors)

    clean = scrub(Own(1, [ValueError(CANARY)]), own)
    assert type(clean) is ExceptionGroup
    assert "Own: 1 went wrong" in str(clean)
    assert str(clean.exceptions[0]) == "[redacted:key]"


def test_a_clean_exception_keeps_its_tracebacks_and_a_scrubbed_one_has_none(own: Redactor) -> None:
    """What is shown needs its lines; what is sent away would carry the frames with all their values."""
    with pytest.raises(ValueError, match="outer") as raised:
        _raise_twice()
    error = raised.value
    clean, bare = clean_exception(error, own), scrub(error, own)
    assert clean.__traceback__ is error.__traceback__
    assert clean.__cause__ is not None
    assert clean.__cause__.__traceback__ is not None
    shown = "".join(traceback.format_exception(error))
    assert "".join(traceback.format_exception(clean)) == shown.replace(CANARY, "[redacted:key]")
    assert bare.__traceback__ is None
    assert bare.__cause__.__traceback__ is None
    assert places_of(CANARY, bare) == []


def _raise_twice() -> None:
    try:
        dict[str, int]()[CANARY]
    except KeyError as inner:
        raise ValueError("outer") from inner


@pytest.mark.parametrize(
    "name", ["password", "Authorization", "Set-Cookie", "db_password", "X-API-Key", "apiKey", b"cookie", "STRIPE_SECRET"]
)
def test_the_usual_keys_are_masked_whatever_stands_under_them(own: Redactor, name: str | bytes) -> None:
    typed = {"a": {name: "typed by a user"}, "headers": [(name, "from outside")], "nested": {name: {"x": [1]}}}
    assert scrub(typed, own) == {"a": {name: "[redacted]"}, "headers": [(name, "[redacted]")], "nested": {name: "[redacted]"}}
    assert scrub(typed, own, keys=frozenset()) is typed


def test_other_keys_are_not_masked_and_own_ones_can_be(own: Redactor) -> None:
    value = {"tokens": 4, "author": "me", "password": None, "secret": False, "iban": "DE00"}
    assert scrub(value, own) is value
    assert scrub(value, own, keys=KEYS | {"iban"})["iban"] == "[redacted]"


def test_a_dict_that_grows_meanwhile_stops_nothing(own: Redactor) -> None:
    """Another thread may write what is being walked."""
    shared = dict.fromkeys(range(1000), CANARY)
    stop = threading.Event()

    def grow() -> None:
        number = 1000
        while not stop.is_set():
            shared[number] = CANARY
            del shared[number]
            number += 1

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        for _ in range(50):
            assert CANARY not in str(scrub(shared, own))
    finally:
        stop.set()
        thread.join()


def test_opaque_objects_are_passed_on(own: Redactor) -> None:
    """What shows nothing is not looked into, and is the same object."""
    stream, lock = io.StringIO(CANARY), threading.Lock()
    clean = scrub({"stream": stream, "lock": lock, "kind": OrderedDict, "key": CANARY}, own)
    assert clean["stream"] is stream
    assert clean["lock"] is lock
    assert clean["kind"] is OrderedDict


def test_copies_work_as_their_originals_do(own: Redactor) -> None:
    """What was made without a constructor can still be shown, compared and copied."""
    for original in (Plain(CANARY), Frozen(CANARY), Model(first=CANARY, second=2), with_private(CANARY)):
        clean = scrub(original, own)
        assert type(clean) is type(original)
        assert repr(clean) == repr(original).replace(CANARY, "[redacted:key]")
        assert copy.deepcopy(clean) == clean
    assert scrub(Model(first=CANARY, second=2), own).model_dump() == {"first": "[redacted:key]", "second": 2}
