"""Promise 7, at large: for generated settings classes and environments both bases load the same, or both refuse."""

import re
from collections import Counter
from typing import Any

import pydantic_settings
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import given as generated

import confguard
from tests.differential.blueprint import Case, Situation
from tests.differential.cases import KINDS, cases, features
from tests.differential.kinds import Kind
from tests.differential.outcomes import Loaded, Outcome, Refused, given, laid_out, made, outcome, with_hidden_keys

CLASSES = 8
"""So many classes are generated for each type of a field, and each is loaded in `SITUATIONS` environments."""

INTENDED = re.compile(
    r"is empty|line \d+ cannot be read: its quote is not closed, or something follows it|the file is a directory, .*"
)
"""What `validate` refuses on purpose, beside conflicts, though pydantic-settings loads it: see docs/differences.md."""


def compare(case: Case, tally: Counter[str]) -> None:
    """Load a case on both bases in every way, and compare how it ends."""
    theirs, ours = (_class_or_refusal(case, base) for base in (pydantic_settings.BaseSettings, confguard.BaseSettings))
    if isinstance(theirs, Refused) or isinstance(ours, Refused):
        assert theirs == ours
        tally["no class"] += 1
        return
    for situation in case.situations:
        with laid_out(situation):
            ended = _compare_in(situation, theirs, ours)
        tally[type(ended).__name__] += 1
        if isinstance(ended, Loaded):
            tally.update(case.features | situation.features)


def _compare_in(situation: Situation, theirs: dict[str, Any], ours: dict[str, Any]) -> Outcome:
    their_class, our_class = theirs["Settings"], ours["Settings"]
    their_init, our_init = given(theirs, situation.init), given(ours, situation.init)
    their_call, our_call = given(theirs, situation.call), given(ours, situation.call)
    expected = outcome(lambda: their_class(**their_init, **their_call), their_class)
    actual = outcome(lambda: our_class(**our_init, **our_call), our_class)
    assert actual == (with_hidden_keys(expected[0], actual[0]), expected[1])
    constructed = outcome(lambda: their_class.model_construct(**their_init))
    assert outcome(lambda: our_class.model_construct(**our_init)) == constructed
    without = outcome(their_class, their_class) if their_init or their_call else expected
    validated, _ = outcome(lambda: explained(confguard.validate(our_class)))
    _compare_validated(validated, without[0])
    return expected[0]


def _class_or_refusal(case: Case, base: type) -> dict[str, Any] | Refused:
    """The class; or how pydantic refuses to make it."""
    try:
        return made(case, base)
    except Exception as exc:  # noqa: BLE001 - compared
        return Refused(type(exc).__name__, str(exc))


def explained(loaded: confguard.BaseSettings) -> confguard.BaseSettings:
    """Settings whose every value knows where it came from."""
    assert all(one.origin.source and one.value is not None for one in confguard.explain(loaded))
    return loaded


def _compare_validated(actual: Outcome, expected: Outcome) -> None:
    """`validate` loads the same, or refuses at least what the other refuses; an empty secret it refuses on purpose."""
    if isinstance(actual, Loaded):
        assert actual == expected
        return
    told: Any = actual.told
    if isinstance(expected, Loaded):
        assert actual.by == "ConfigError"
        assert all(INTENDED.fullmatch(message) for kind, _, message in told if kind != "conflicting")
    elif expected.by == "SystemExit":
        assert actual == expected
    elif (
        actual.by == "SystemExit"
    ):  # a wrong command line too, behind a file or a hook that fails: `validate` goes on after those
        assert expected.by not in ("ValidationError", "SettingsError")
    else:
        assert actual.by == "ConfigError"
        assert "defect" not in {kind for kind, _, _ in told}
        told_of = frozenset().union(*actual.fields)
        assert all(told_of & fields for fields in expected.fields), (actual, expected)


def test_both_bases_load_the_same_or_both_refuse() -> None:
    """Plain calls with and without arguments, `model_construct` and `validate`, over at least 2,000 cases.

    Every type of field, way of configuring, hook for sources and argument of a call is in a case that loads.
    """
    tally: Counter[str] = Counter()
    for number, kind in enumerate(KINDS):
        _compare_all(kind, number, tally)
    assert tally["no class"] < 10
    assert tally["Loaded"] + tally["Refused"] >= 2000
    assert {feature for feature in features() if not tally[feature]} == set()


def _compare_all(kind: Kind, number: int, tally: Counter[str]) -> None:
    @seed(number)
    @settings(
        max_examples=CLASSES, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @generated(cases((kind,)))
    def test(case: Case) -> None:
        compare(case, tally)

    test()
