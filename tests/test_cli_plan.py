"""`confguard check --plan`: how many requests a start makes, and the mistakes of classes, without a network or an environment."""

import json
import os
from pathlib import Path

import pytest

from tests.command import run

HEAD = """
from typing import Annotated, Literal
from pydantic import SecretStr
from confguard import BaseSettings, From, Required, SettingsConfigDict, When

class Counting:
    schemes = frozenset({"counting"})
    def fetch(self, refs, *, deadline):
        raise AssertionError("a plan asks nobody")
    def requests(self, refs):
        return 1 + -(-len(refs) // 20)

class Settings(BaseSettings):
    model_config = SettingsConfigDict(providers=[Counting()])
"""


def plan(body: str, *arguments: str) -> tuple[int, str]:
    """The exit code and the plan of a class."""
    Path("planned.py").write_text(HEAD + "".join(f"    {line}\n" for line in body.splitlines()))
    done = run(["check", "planned:Settings", "--plan", *arguments])
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_a_provider_tells_how_many_requests_it_makes() -> None:
    """Requests are counted by the provider where it can, for all references of a round at once; each round begins anew."""
    fields = [f'key_{at}: Annotated[SecretStr, From("counting://a/{at}#/x")]' for at in range(25)]
    assert plan("\n".join(fields))[1].splitlines()[0] == "counting: at most 3 requests"
    later = 'other: Annotated[SecretStr, From("counting://a/1#/y", "counting://b")]'
    assert plan("\n".join([*fields, later]))[1].splitlines()[0] == "counting: at most 5 requests"


def test_what_is_filled_in_differently_is_counted_apart() -> None:
    """Two references whose paths differ in the field that stands in them are two requests."""
    body = 'a: str\nb: str\nx: Annotated[SecretStr, From("vault://{a}/k")]\ny: Annotated[SecretStr, From("vault://{b}/k")]'
    code, text = plan(body)
    assert (code, text.splitlines()[0]) == (0, "vault: at most 5 requests")
    report = json.loads(plan(body, "--format", "json")[1])
    assert report["requests"] == {"vault": 5}
    assert report["plan"] == {"vault://{a}/k": ["x"], "vault://{b}/k": ["y"]}


def test_a_plan_of_some_fields() -> None:
    """With --only the plan has what these fields may need, and no more."""
    body = 'a: Annotated[SecretStr, From("vault://s/a")]\nb: Annotated[SecretStr, From("vault://s/b")]'
    assert "vault://s/b" not in plan(body, "--only", "a")[1]


@pytest.mark.parametrize(
    ("body", "field", "kind", "words"),
    [
        ('key: Annotated[SecretStr, From("secret/app")]', "key", "mistake", "no '://' in it"),
        ('key: Annotated[SecretStr, From("vault://{nme}/a")]', "key", "mistake", "there is no such field"),
        ('pw: SecretStr\nkey: Annotated[SecretStr, From("vault://{pw}/a")]', "key", "mistake", "it is a secret"),
        ('env: str = "dev"\nkey: Annotated[SecretStr, From("vault://{env}/a")]', "key", "mistake", "it has a default"),
        (
            'a: Annotated[str, From("vault://{b}/x", secret=False)]\nb: Annotated[str, From("vault://{a}/x", secret=False)]',
            "a",
            "mistake",
            "a cycle",
        ),
        ('key: Annotated[SecretStr, From("vault://s/a?vershun=3")]', "key", "unconfigured", "unknown parameter 'vershun'"),
        ('key: Annotated[str, From("vault://s/a")]', "key", "mistake", "its type would show it"),
        ('key: Annotated[SecretStr, From("vault://s/a", when=When(evn="x"))]', "key", "mistake", "there is no such field"),
        ('dsn: Annotated[SecretStr | None, Required(When(evn="x"))] = None', "dsn", "mistake", "there is no such field"),
        ('key: Annotated[SecretStr, From("valt://s/a")]', "key", "unconfigured", "no provider for valt://"),
    ],
)
def test_a_mistake_of_the_class_is_found(body: str, field: str, kind: str, words: str) -> None:
    """Each mistake is told for its field with 78."""
    code, text = plan(body, "--format", "json")
    report = json.loads(text)
    assert (code, report["exit_code"]) == (78, 78)
    told = {problem["field"]: problem for problem in report["problems"]}
    assert told[field]["kind"] == kind
    assert words in told[field]["message"]


def test_a_scheme_whose_sdk_is_not_installed_names_the_extra() -> None:
    """The extra to install is named with our distribution's name."""
    Path("sitecustomize.py").write_text(
        "import importlib.util as util\nfind = util.find_spec\n"
        "util.find_spec = lambda name, package=None: None if name == 'hvac' else find(name, package)\n"
    )
    Path("sdk.py").write_text(HEAD + '    key: Annotated[SecretStr, From("vault://s/a")]\n')
    path = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
    done = run(["check", "sdk:Settings", "--plan"], PYTHONPATH=path)
    assert done.returncode == 78
    assert "tip        pip install 'confguard-settings[vault]'" in done.stdout


@pytest.mark.parametrize(("scheme", "owners"), [("acme", ["one", "two"]), ("vault", ["confguard-settings", "one"])])
def test_two_claims_on_a_scheme_name_both(scheme: str, owners: list[str]) -> None:
    """Two distributions that register one scheme, or one of ours, are told by their names, and neither is loaded."""
    for name in [owner for owner in owners if owner != "confguard-settings"]:
        info = Path(f"site/{name}-1.0.dist-info")
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[confguard.providers]\n{scheme} = {name}:Provider\n")
    Path("claimed.py").write_text(HEAD + f'    key: Annotated[SecretStr, From("{scheme}://s/a")]\n')
    path = os.pathsep.join([str(Path("site").absolute()), os.environ.get("PYTHONPATH", "")])
    done = run(["check", "claimed:Settings", "--plan"], PYTHONPATH=path)
    assert done.returncode == 78
    claim = next(line for line in done.stdout.splitlines() if "claimed twice" in line)
    assert all(owner in claim for owner in owners)
