"""What holds for the repository as a whole, whoever wrote the file."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PINS = ROOT / ".ci" / "pins.txt"
TEST = ROOT / ".ci" / "pins-test.txt"
LOWEST = ROOT / ".ci" / "pins-lowest.txt"

# None of these patterns matches its own text.
ADDRESSES = {
    "an option that names an index": re.compile(r"index[-_]url|find[-_]links|registry\s*=\s*http", re.IGNORECASE),
    "the address of an index": re.compile(r"files\.pythonhosted|pypi\.org|registry\.(?:npmjs|yarnpkg)"),
    "a download address in a lock file": re.compile(r'"resolved"\s*:'),
    "a path of one machine": re.compile(r"(?<![\w.~}-])(?<!:/)/(?:root|work|opt/pypi)/"),
}
URL = re.compile(r"https?:/")
OTHER_PROJECT = re.compile(r"\b(?:pip[3x]?|uv|tool|poetry) (?:install|add) +(?:-\S+ +)*['\"]?confguard(?![\w-])")
BARE_IGNORE = re.compile(r"#\s*(?:type|pyright):\s*ignore(?!\[)")
SKIPPED = re.compile(
    r"\bmark\.(?:skip|xfail)|\bpytest\.(?:skip|xfail|importorskip)\b|\bskip(?:If|Unless|Test)\b"
    r"|\bfrom (?:pytest|unittest) import .*(?:skip|xfail)",
    re.IGNORECASE,
)


def tracked(*patterns: str) -> list[Path]:
    """The files that git tracks, and those that it would if they were added."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return [path for name in names if name and (path := ROOT / name).is_file()]


def findings(pattern: re.Pattern[str], *files: str) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in tracked(*files)
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]


def listed(lines: list[str]) -> str:
    return "".join(f"\n  {line}" for line in lines)


@pytest.mark.parametrize("what", ADDRESSES)
def test_no_file_holds_an_address_of_an_index_or_of_a_machine(what: str) -> None:
    found = findings(ADDRESSES[what])
    assert not found, f"{what} has no place in the repository, where it would bind others to it:{listed(found)}"


def test_no_pin_or_lock_file_holds_an_address() -> None:
    found = findings(URL, ".ci/pins*", "*requirements*.txt", "*.lock", "*package*.json")
    assert not found, f"a pin is a name, a version and hashes, never an address:{listed(found)}"


def test_nobody_is_told_to_install_the_unrelated_project_of_our_import_name() -> None:
    found = findings(OTHER_PROJECT)
    assert not found, f"the distribution to install is confguard-settings:{listed(found)}"


def test_every_ignored_type_error_is_named() -> None:
    found = findings(BARE_IGNORE, "confguard/*.py", "providers/*.py")
    assert not found, f"say which error is ignored, in brackets:{listed(found)}"


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    found = findings(SKIPPED, "tests/*.py", "docs/*.py", ":!tests/test_repository.py")
    assert not found, f"a test that does not run proves nothing; mend it or delete it:{listed(found)}"


@pytest.mark.parametrize(
    ("pattern", "bad", "good"),
    [
        (ADDRESSES["an option that names an index"], "--extra-index^-url x", "the index of urls"),
        (ADDRESSES["an option that names an index"], "PIP_INDEX^_URL=x", "reindex urls"),
        (ADDRESSES["the address of an index"], "from pypi^.org/simple", "python.org"),
        (ADDRESSES["a download address in a lock file"], '"resolved^": "x"', "resolved: x"),
        (ADDRESSES["a path of one machine"], "in /root^/x", "vault://root/x, ~/work/x and secret/root/x"),
        (ADDRESSES["a path of one machine"], "file:///work^/x", "/etc/work, /home/me/work/x"),
        (OTHER_PROJECT, "pip install ^confguard", "pip install confguard-settings && confguard check"),
        (OTHER_PROJECT, "uv add -U '^confguard[vault]'", "pip uninstall confguard"),
        (BARE_IGNORE, "x = 1  # type: ^ignore", "x = 1  # type: ignore[misc]"),
        (SKIPPED, "@pytest.mark.^skipif(True)", "def test_a_key_is_skipped() -> None:"),
        (SKIPPED, "from pytest import ^skip", "from unittest import mock"),
    ],
)
def test_the_rules_above_find_what_they_look_for(pattern: re.Pattern[str], bad: str, good: str) -> None:
    assert pattern.search(bad.replace("^", ""))  # taken out here, lest the samples themselves are found
    assert not pattern.search(good)


def pins(path: Path) -> dict[str, list[Version]]:
    """The pinned versions by name; more than one where they differ between platforms or Pythons."""
    found: dict[str, list[Version]] = {}
    for name, version in re.findall(r"^([a-z0-9.-]+)==([^\s;]+)", path.read_text("utf-8"), re.MULTILINE):
        found.setdefault(name, []).append(Version(version))
    return found


def own_requirements() -> Iterator[Requirement]:
    """What the library needs, with and without its extras."""
    project = PROJECT["project"]
    for texts in project["dependencies"], *project["optional-dependencies"].values():
        yield from (one for one in map(Requirement, texts) if one.name != project["name"])


def group_requirements(*groups: str) -> Iterator[Requirement]:
    for group in groups:
        yield from map(Requirement, PROJECT["dependency-groups"][group])


@pytest.mark.parametrize(("path", "groups"), [(PINS, ("test", "lint", "build")), (TEST, ("test",)), (LOWEST, ("test",))])
def test_the_pins_are_what_the_project_asks_for(path: Path, groups: tuple[str, ...]) -> None:
    pinned = pins(path)
    wrong = [
        f"{requirement} (pinned: {', '.join(map(str, pinned.get(requirement.name, []))) or 'not at all'})"
        for requirement in (*own_requirements(), *group_requirements(*groups))
        if not any(requirement.specifier.contains(version) for version in pinned.get(requirement.name, []))
    ]
    assert not wrong, f"{path.name} and pyproject.toml disagree; run `make pins`:{listed(wrong)}"


def test_the_lowest_pins_are_the_lowest_versions_that_the_project_allows() -> None:
    pinned = pins(LOWEST)
    wrong = [
        f"{requirement} (pinned: {', '.join(map(str, pinned[requirement.name]))})"
        for requirement in own_requirements()
        if Version(lower_bound(requirement)) not in pinned[requirement.name]
    ]
    assert not wrong, f"run `make pins`, or raise the bound that cannot be had to what is pinned:{listed(wrong)}"


def test_the_pins_for_tests_are_a_part_of_the_pins() -> None:
    pinned = pins(PINS)
    wrong = [name for name, versions in pins(TEST).items() if versions != pinned.get(name)]
    assert not wrong, f"run `make pins`:{listed(wrong)}"


def lower_bound(requirement: Requirement) -> str:
    bounds = [one.version for one in requirement.specifier if one.operator == ">="]
    assert len(bounds) == 1, f"{requirement} needs a lower bound, so that it can be proved"
    return bounds[0]


def modules_of(root: Path, *patterns: str) -> Iterator[str]:
    """The modules below a folder, but for those with a part that begins with an underscore."""
    for path in tracked(*patterns):
        parts = path.relative_to(root).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if not any(part.startswith("_") for part in parts):
            yield ".".join(parts)


PUBLIC = sorted([*modules_of(ROOT, "confguard/*.py"), *modules_of(ROOT / "providers", "providers/*.py")])
"""The modules that users import from."""


def test_the_public_modules_are_found() -> None:
    assert {"confguard", "confguard.asgi", "confguard.provider", "confguard.testing.servers", "confguard_vault"} <= set(PUBLIC)


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_checked_by_type_checkers(module: str) -> None:
    """Each name that a public module lists is imported from it by a file of tests/typing (where ruff has it used as well)."""
    names = set(getattr(import_module(module), "__all__", ()))
    assert names, f"{module} lists no public names in __all__"
    checked = {
        alias.name
        for path in tracked("tests/typing/*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == module
        for alias in node.names
    }
    missing = sorted(names - checked)
    assert not missing, f"{module}: use these in tests/typing, rightly and wrongly:{listed(missing)}"


def test_an_ignored_error_that_is_none_is_an_error_to_both_type_checkers() -> None:
    """What a file of tests/typing ignores has to be wrong to each checker by itself: so a type that loosens fails the check."""
    assert PROJECT["tool"]["mypy"]["strict"], "which warns of ignored errors that are none"
    assert "warn_unused_ignores" not in PROJECT["tool"]["mypy"]
    (environment,) = PROJECT["tool"]["pyright"]["executionEnvironments"]
    expected = {"root": "tests/typing", "enableTypeIgnoreComments": False, "reportUnnecessaryTypeIgnoreComment": True}
    assert expected == {name: environment[name] for name in expected}
    assert {"tests", "tests/typing"} <= {*PROJECT["tool"]["mypy"]["files"], *PROJECT["tool"]["pyright"]["include"]}


def test_every_provider_is_held_to_the_rules_of_imports() -> None:
    linter = PROJECT["tool"]["importlinter"]
    contracts = {contract["name"]: contract for contract in linter["contracts"]}
    providers = {path.relative_to(ROOT / "providers").parts[0] for path in tracked("providers/*/*")}
    assert providers | {"confguard"} == set(linter["root_packages"])
    assert providers == set(contracts["the core finds providers by name, late: it imports none"]["forbidden_modules"])
    assert providers == set(contracts["providers import of the core only confguard.provider"]["source_modules"])
    allowed = contracts["providers import of the core only confguard.provider"]["ignore_imports"]
    assert {f"{one}{rest} -> confguard.provider" for one in providers for rest in ("", ".**")} == set(allowed)
