"""The JSON report and its published schema."""

import json
import subprocess
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator, ValidationError  # type: ignore[import-untyped]

from confguard._problem import _ORDER, Kind
from confguard._report import OriginJSON, ProblemJSON, ReportJSON, render_json
from confguard._why import Outcome
from confguard.testing._openbao import OpenBao
from tests.e2e.conftest import ROOT, Service

SCHEMA: dict[str, Any] = json.loads((ROOT / "docs" / "report.schema.json").read_text())
Draft202012Validator.check_schema(SCHEMA)
VALIDATOR = Draft202012Validator(SCHEMA)


def read(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The report, once it is found to be as the schema says."""
    report: dict[str, Any] = json.loads(done.stdout)
    VALIDATOR.validate(report)
    assert report["exit_code"] == done.returncode
    return report


def test_a_valid_report_follows_the_schema(service: Service) -> None:
    """Good settings give a report without problems."""
    report = read(service.check("--format", "json"))
    assert (report["valid"], report["problems"]) == (True, [])


def test_a_broken_report_follows_the_schema(service: Service, bao: OpenBao) -> None:
    """Several problems give a report that holds each of them, with its origin or where was looked."""
    service.break_in_four_ways(bao)
    report = read(service.check("--format", "json"))
    assert [(problem["kind"], problem["field"]) for problem in report["problems"]] == [
        ("denied", "stripe_key"),
        ("missing", "public_url"),
        ("missing", "database_url"),
        ("invalid", "page_size"),
    ]


def test_a_report_of_an_outage_follows_the_schema(service: Service) -> None:
    """A store that is not there gives a report of 75."""
    service.variables["VAULT_ADDR"] = "https://127.0.0.1:9"
    assert read(service.check("--format", "json"))["exit_code"] == 75


def test_a_warning_follows_the_schema(service: Service) -> None:
    """A warning stands in the report, and leaves it valid."""
    service.variables["VAULT_SKIP_VERIFY"] = "true"
    report = read(service.check("--format", "json"))
    assert (report["valid"], [problem["severity"] for problem in report["problems"]]) == (True, ["warning"])


def test_a_plan_follows_the_schema(service: Service) -> None:
    """The plan names each reference once, with the fields that want it."""
    report = read(service.check("--format", "json", "--plan"))
    assert report["plan"] == {
        "vault://secret/myservice": ["secret_key", "smtp_password"],
        "vault://secret/payments": ["stripe_key"],
    }
    assert report["requests"] == {"vault": 4}


def test_the_schema_knows_every_key_and_kind() -> None:
    """What the code can write and what the schema allows are the same, and the schema wants all of it."""
    problem, origin = SCHEMA["$defs"]["problem"], SCHEMA["$defs"]["origin"]
    assert (
        set(SCHEMA["required"])
        == set(SCHEMA["properties"]) - {"plan", "requests", "fields", "why"}
        == set(ReportJSON.__annotations__)
    )
    assert set(problem["required"]) == set(problem["properties"]) == set(ProblemJSON.__annotations__)
    assert set(origin["required"]) == set(origin["properties"]) == set(OriginJSON.__annotations__)
    for part in (SCHEMA["$defs"]["field"], SCHEMA["$defs"]["step"]):
        assert set(part["required"]) == set(part["properties"])
    kinds, words = SCHEMA["$defs"]["step"]["properties"]["outcome"]["anyOf"]
    assert kinds["$ref"].endswith("/problem/properties/kind")
    assert set(words["enum"]) == set(get_args(get_args(Outcome)[-1]))
    assert problem["properties"]["kind"]["enum"] == list(_ORDER)
    assert set(_ORDER) == {kind for part in get_args(Kind) for kind in get_args(part)}


@pytest.mark.parametrize(
    "change",
    [{"secret": "x"}, {"version": 2}, {"exit_code": 1}, {"valid": False}, {"problems": [{}]}, {"errors": -1}],
    ids=lambda change: next(iter(change)),
)
def test_the_schema_is_strict(change: dict[str, object]) -> None:
    """An unknown key, another version, an unknown exit code or one that contradicts the rest are refused."""
    report = render_json([], ["myservice.settings:AppSettings"])
    VALIDATOR.validate(report)
    with pytest.raises(ValidationError):
        VALIDATOR.validate(report | change)
