"""What fuzzing found or began with is tried again in every run; `make fuzz` looks for more."""

from pathlib import Path

import pytest

from confguard._redaction import Redactor
from tests.fuzz import harnesses
from tests.fuzz.harnesses import HARNESSES

CORPUS = Path(__file__).parent / "fuzz" / "corpus"


def seeds(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


def failures(name: str) -> int:
    """How many seeds break a promise."""
    failed = 0
    for seed in seeds(name):
        try:
            HARNESSES[name](seed)
        except AssertionError:
            failed += 1
    return failed


@pytest.mark.parametrize("name", HARNESSES)
def test_the_seeds_of_fuzzing_break_no_promise(name: str) -> None:
    """Each of them, and each of them cut in the middle."""
    assert len(seeds(name)) >= 20
    for seed in seeds(name):
        for data in (seed, seed[: len(seed) // 2]):
            HARNESSES[name](data)


@pytest.mark.parametrize("name", HARNESSES)
def test_the_seeds_see_a_redactor_that_hides_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it does taken out, the same seeds fail."""
    monkeypatch.setattr(Redactor, "redact", lambda _, text: text)
    monkeypatch.setattr(Redactor, "redact_bytes", lambda _, data: data)
    assert failures(name) >= 5


def test_the_seeds_see_a_walk_that_changes_what_it_walks(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that redacts lists in their places is caught."""

    def careless(value: object, *_: object, **__: object) -> object:
        if isinstance(value, list):
            value[:] = ["[redacted:key]"] * len(value)
        return "[redacted:key]"

    monkeypatch.setattr(harnesses, "scrub", careless)
    assert failures("walker") >= 5
