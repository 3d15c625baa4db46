"""Reports for people and machines, their order, their size and their exit codes."""

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confguard import ConfigError, Origin, Problem
from confguard._problem import by_weight, exit_code
from confguard._report import render_json, render_text

texts = st.text(max_size=40)
problems = st.builds(
    Problem,
    kind=st.sampled_from(["missing", "denied", "invalid", "malformed", "unavailable", "defect", "mistake", "degraded"]),
    field=texts,
    message=texts,
    tip=st.none() | texts,
    origin=st.none() | st.builds(Origin, source=texts, name=texts, place=st.none() | texts, version=st.none() | texts),
    looked_in=st.lists(texts, max_size=3).map(tuple),
    settings_class=st.sampled_from(["myservice.settings:AppSettings", ""]),
    severity=st.sampled_from(["error", "warning"]),
)


def test_a_report_reads_as_a_person_needs_it() -> None:
    """The most serious problem comes first, each with what to mend, and the summary last."""
    error = ConfigError(
        [
            Problem(
                "missing",
                "database_url",
                "",
                tip="MYSERVICE_DATABSE_URL is set. Did you mean MYSERVICE_DATABASE_URL?",
                looked_in=("env MYSERVICE_DATABASE_URL", ".env"),
                settings_class="myservice.settings:AppSettings",
            ),
            Problem(
                "denied",
                "secret_key",
                "vault secret/myservice: 403, denied (or it does not exist)",
                origin=Origin("vault", "secret/myservice#/secret_key"),
                settings_class="myservice.settings:AppSettings",
                request_id="4f2a",
            ),
        ]
    )
    assert str(error).splitlines() == [
        "secret_key: denied, and 1 problem more",  # for lists of errors, which show no more
        "",
        "secret_key       denied",
        "    vault secret/myservice: 403, denied (or it does not exist)",
        "    asked      vault secret/myservice#/secret_key",
        "    request    4f2a",
        "",
        "database_url     missing",
        "    looked in  env MYSERVICE_DATABASE_URL, .env",
        "    tip        MYSERVICE_DATABSE_URL is set. Did you mean MYSERVICE_DATABASE_URL?",
        "",
        "AppSettings: 2 errors, 0 warnings (myservice.settings)",
    ]


def test_fields_that_a_store_failed_alike_share_a_block() -> None:
    """A login that failed is told once, with every field that waited for it; what differs in anything stands apart."""
    failed = [
        Problem("unavailable", name, "vault login: connection refused", tip="is it up?", origin=Origin("vault", f"a#/{name}"))
        for name in ("key", "password")
    ]
    other = Problem("unavailable", "url", "vault login: cut off", tip="is it up?", origin=Origin("vault", "a#/url"))
    local = [Problem("malformed", name, "not valid JSON", origin=Origin("env", name.upper())) for name in ("a", "b")]
    assert render_text([failed[0], other, failed[1], *local]).splitlines() == [
        "key, password    unavailable",
        "    vault login: connection refused",
        "    asked      vault a#/key, vault a#/password",
        "    tip        is it up?",
        "",
        "url              unavailable",
        "    vault login: cut off",
        "    asked      vault a#/url",
        "    tip        is it up?",
        "",
        "a                malformed",
        "    not valid JSON",
        "    from       env A",
        "",
        "b                malformed",
        "    not valid JSON",
        "    from       env B",
        "",
        "5 errors, 0 warnings",
    ]


@given(st.lists(problems, max_size=60))
def test_a_report_stays_within_what_orchestrators_show(found: list[Problem]) -> None:
    """However much is wrong, the text is under 2 KB, ends with the summary, and says how much it leaves out."""
    text = render_text(found)
    assert len(text.encode()) < 2048
    errors = sum(problem.severity == "error" for problem in found)
    assert f"{errors} error" in text.splitlines()[-1]


@given(problems)
def test_nothing_in_a_report_moves_a_cursor_or_forges_a_line(problem: Problem) -> None:
    """Control characters in names, messages and tips are escaped."""
    text = render_text([problem], budget=1_000_000)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert len(text.splitlines()) <= 9


def test_what_does_not_fit_is_shortened_then_counted() -> None:
    """The first problems keep their blocks, of later ones the names are given, and the last are counted."""
    found = [Problem("missing", f"field_{at}", "", looked_in=(f"env FIELD_{at}",) * 5) for at in range(100)]
    lines = render_text(found).splitlines()
    assert lines[:2] == ["field_0          missing", "    looked in  " + ", ".join(["env FIELD_0"] * 5)]
    assert lines.count("") == 11
    assert lines[-4:-2] == ["also", f"    missing: {', '.join(f'field_{at}' for at in range(10, 100))}"]
    assert lines[-1] == "100 errors, 0 warnings"
    assert render_text(found * 10).splitlines()[-3].endswith(" more; --format json has them all")


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([], 0),
        (["missing"], 78),
        (["malformed"], 78),
        (["invalid"], 78),
        (["unconfigured"], 78),
        (["mistake"], 78),
        (["denied"], 77),
        (["unauthenticated"], 77),
        (["unavailable"], 75),
        (["throttled"], 75),
        (["defect"], 70),
        (["unavailable", "denied"], 77),
        (["unavailable", "denied", "missing"], 78),
        (["unavailable", "defect"], 70),
    ],
)
def test_the_exit_code_says_what_helps(kinds: list[Any], expected: int) -> None:
    """78 for what has to be mended, 77 for a permission, 75 where trying again may help; the gravest decides."""
    assert exit_code(Problem(kind, "a", "") for kind in kinds) == expected


def test_warnings_do_not_fail() -> None:
    """A report of warnings alone exits with 0."""
    assert exit_code([Problem("degraded", "", "TLS verification is off", severity="warning")]) == 0


def test_json_has_everything() -> None:
    """Each attribute of a problem stands in the JSON report."""
    problem = Problem(
        "throttled", "a", "m", "t", Origin("vault", "p", None, "3"), ("env A",), "m:C", retry_after=2.5, request_id="r"
    )
    assert render_json([problem], ["m:C"]) == {
        "version": 1,
        "valid": False,
        "exit_code": 75,
        "errors": 1,
        "warnings": 0,
        "settings_classes": ["m:C"],
        "problems": [
            {
                "severity": "error",
                "kind": "throttled",
                "field": "a",
                "message": "m",
                "tip": "t",
                "origin": {"source": "vault", "name": "p", "place": None, "version": "3"},
                "looked_in": ["env A"],
                "settings_class": "m:C",
                "retry_after": 2.5,
                "request_id": "r",
            }
        ],
    }


@given(st.lists(problems, max_size=5))
def test_problems_are_ordered_and_kept(found: list[Problem]) -> None:
    """An error has every problem it was given, errors before warnings, and survives a pickle."""
    error = ConfigError(found)
    assert sorted(map(repr, error.problems)) == sorted(map(repr, found))
    assert error.problems == by_weight(found)
    severities = [problem.severity for problem in error.problems]
    assert severities == sorted(severities)
    assert pickle.loads(pickle.dumps(error)).problems == error.problems
