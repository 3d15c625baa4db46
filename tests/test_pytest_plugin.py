"""The plug-in for pytest: what it costs, what it refuses, and what it hides. Tests of tests run in a project of their own."""

import json
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import SecretStr

from confguard import BaseSettings, From, SettingsConfigDict, lazy, validate
from confguard.testing import CleanEnvironment, FakeProvider
from tests.doubles import Store

pytest_plugins = ["pytester"]

# A provider that would go out, and what it was asked in spite of everything.
SHOP = """
import threading
from typing import Annotated, ClassVar

import pytest
from pydantic import SecretStr

from confguard import BaseSettings, ConfigError, From, SettingsConfigDict, validate
from confguard.provider import Found
from confguard.testing import FakeProvider, faking


class Remote:
    schemes: ClassVar[frozenset[str]] = frozenset({"remote"})

    def fetch(self, refs, *, deadline):
        with open("asked", "a") as file:
            file.writelines(f"{ref}\\n" for ref in refs)
        return {ref: Found('{"key": "a real value"}') for ref in refs}


class Local(Remote):
    schemes: ClassVar[frozenset[str]] = frozenset({"local"})
    local: ClassVar[bool] = True


class Shop(BaseSettings):
    model_config = SettingsConfigDict(providers=[Remote(), Local()])

    key: Annotated[SecretStr, From("remote://shop#/key")]


def problem():
    try:
        validate(Shop)
    except ConfigError as error:
        return error.problems[0]
"""


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:randomly", *args)


def asked(pytester: pytest.Pytester) -> Sequence[str]:
    file = pytester.path / "asked"
    return file.read_text().split() if file.exists() else ()


# What it costs.


def test_a_project_that_does_not_use_it_imports_next_to_nothing(pytester: pytest.Pytester) -> None:
    """In a project with one empty test the plug-in imports itself, its packages and two leaves, and nothing else."""
    pytester.makeconftest(
        "import json, sys\ndef pytest_unconfigure(config):\n    open('modules', 'w').write(json.dumps(sorted(sys.modules)))\n"
    )
    pytester.makepyfile("def test_nothing():\n    pass\n")

    def modules(*args: str) -> set[str]:
        result = pytester.runpytest_subprocess("-p", "no:cacheprovider", *args)
        result.assert_outcomes(passed=1)
        return set(json.loads((pytester.path / "modules").read_text()))

    added = modules() - modules("-p", "no:confguard")
    leaves = {"confguard._stand_ins", "confguard._version"}
    assert added == {"confguard", "confguard.testing", "confguard.testing._pytest_plugin", *leaves}


# The fixtures.


class Shop(BaseSettings):
    key: Annotated[SecretStr, From("vault://secret/shop#/key")]


def test_the_fixture_for_the_environment_is_clean(confguard_env: CleanEnvironment) -> None:
    """The test stands in an empty directory, in an environment that has what the test sets and nothing of the developer's."""
    confguard_env["KEY"] = "set by the test"
    assert validate(Shop).key == SecretStr("set by the test")
    assert Path.cwd() == confguard_env.path
    assert "USER" not in os.environ


def test_a_handle_loads_anew_in_the_fixture_for_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a handle loaded before decides no test, and what it loads in one is gone after it."""
    monkeypatch.setenv("KEY", "loaded before")
    shop = lazy(Shop)
    assert shop.key == SecretStr("loaded before")
    with CleanEnvironment() as env:
        env["KEY"] = "set by the test"
        assert shop.key == SecretStr("set by the test")
    assert shop.key == SecretStr("loaded before")


def test_a_variable_that_is_no_text_is_named(confguard_env: CleanEnvironment) -> None:
    with pytest.raises(TypeError, match="the value of WORKERS is of the type int, and variables hold text alone"):
        confguard_env["WORKERS"] = 3  # type: ignore[assignment]


def test_a_fetch_is_refused_before_its_sdk_is_missed(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who forgot a fake is told to fake it, and not to install what a real fetch would need."""
    monkeypatch.setitem(sys.modules, "hvac", None)
    pytester.makepyfile(
        SHOP
        + """
class Vaulted(BaseSettings):
    key: Annotated[SecretStr, From("vault://shop#/key")]


def test_forgotten():
    with pytest.raises(ConfigError) as caught:
        validate(Vaulted)
    [problem] = caught.value.problems
    assert "would fetch vault://shop#/key for real" in problem.message


@pytest.mark.confguard_allow_fetches
def test_allowed():
    with pytest.raises(ConfigError, match="pip install"):
        validate(Vaulted)
"""
    )
    run(pytester).assert_outcomes(passed=2)


def test_the_fixture_for_the_environment_gives_everything_back(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test after it finds the variables and the directory of before, and no stray file is read in it."""
    monkeypatch.setenv("STAGE", "the developer's")
    (pytester.path / ".env").write_text("STAGE=stray")
    pytester.makepyfile(
        """
        import os

        def test_clean(confguard_env):
            assert "STAGE" not in os.environ and os.listdir() == []
            confguard_env["STAGE"] = "mine"

        def test_after():
            assert os.environ["STAGE"] == "the developer's" and ".env" in os.listdir()
        """
    )
    run(pytester).assert_outcomes(passed=2)


def test_the_fixture_for_fakes_stands_in_for_every_store(confguard_fake: FakeProvider) -> None:
    """What the test sets is loaded, by the provider that the settings name."""
    confguard_fake["vault://secret/shop#/key"] = "set by the test"
    assert validate(Shop).key == SecretStr("set by the test")


# Real fetches.


def test_a_real_fetch_is_refused(pytester: pytest.Pytester) -> None:
    """Nobody is asked; the problem names the test and the reference and says what to write, which helps when it is written."""
    pytester.makepyfile(
        SHOP
        + """
def test_refused():
    found = problem()
    assert found.kind == "unconfigured"
    assert found.message == "test_a_real_fetch_is_refused.py::test_refused would fetch remote://shop#/key for real"
    assert found.tip == (
        'take the fixture confguard_fake and write confguard_fake["remote://shop#/key"] = "…"; '
        "or mark the test @pytest.mark.confguard_allow_fetches"
    )

def test_written(confguard_fake):
    confguard_fake["remote://shop#/key"] = "fake value"
    assert validate(Shop).key.get_secret_value() == "fake value"

def test_in_a_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(problem()))
    thread.start()
    thread.join()
    assert "::test_in_a_thread would fetch" in found[0].message

@pytest.fixture(scope="session")
def everything():
    return problem()

def test_in_a_fixture(everything):
    assert "::test_in_a_fixture would fetch" in everything.message

def test_a_default_does_not_stand_in():
    class Lenient(Shop):
        key: Annotated[SecretStr, From("remote://shop#/key", on_outage="default")] = SecretStr("default")

    with pytest.raises(ConfigError):
        validate(Lenient)
"""
    )
    run(pytester).assert_outcomes(passed=5)
    assert asked(pytester) == ()


def test_a_marker_allows_real_fetches(pytester: pytest.Pytester) -> None:
    """A test, a class or a module that is marked fetches, its fixtures too, and the test after it does not."""
    pytester.makepyfile(
        SHOP
        + """
@pytest.fixture
def loaded():
    return validate(Shop)

@pytest.mark.confguard_allow_fetches
def test_marked(loaded):
    assert validate(Shop) == loaded

def test_after():
    assert problem() is not None

@pytest.mark.confguard_allow_fetches
class TestMarked:
    def test_marked(self):
        validate(Shop)

class TestOfAProvider:
    confguard_allow_fetches = True  # as `ProviderContract` has it

    def test_contract(self):
        validate(Shop)
"""
    )
    run(pytester, "--strict-markers").assert_outcomes(passed=4)
    assert len(asked(pytester)) == 4


@pytest.mark.parametrize(("ini", "option"), [("true", ()), ("false", ("--confguard-allow-fetches",))])
def test_a_whole_run_can_allow_real_fetches(ini: str, option: Sequence[str], pytester: pytest.Pytester) -> None:
    """By an option or in the ini file, all tests and their collection may fetch."""
    pytester.makeini(f"[pytest]\nconfguard_allow_fetches = {ini}\n")
    pytester.makepyfile(SHOP + "\nvalidate(Shop)\n\ndef test_fetches():\n    validate(Shop)\n")
    run(pytester, "--strict-config", *option).assert_outcomes(passed=1)
    assert len(asked(pytester)) == 2


def test_what_is_local_is_not_refused(pytester: pytest.Pytester) -> None:
    """Files, variables, a provider that says that it is local, and a fake that is given in code are asked."""
    pytester.makepyfile(
        SHOP
        + """
def test_local(tmp_path, monkeypatch):
    monkeypatch.setenv("KEY_OF_SHOP", "a variable")
    (tmp_path / "key").write_text("a file")

    class Mine(BaseSettings):
        model_config = SettingsConfigDict(providers=[Local(), FakeProvider({"acme://shop": "a fake"})])

        variable: Annotated[SecretStr, From("env://KEY_OF_SHOP")]
        file: Annotated[SecretStr, From(f"file://{tmp_path}/key")]
        local: Annotated[SecretStr, From("local://shop#/key")]
        fake: Annotated[SecretStr, From("acme://shop")]

    settings = validate(Mine)
    got = [getattr(settings, name).get_secret_value() for name in Mine.model_fields]
    assert got == ["a variable", "a file", "a real value", "a fake"]
"""
    )
    run(pytester).assert_outcomes(passed=1)


def test_fetches_outside_of_tests_are_refused(pytester: pytest.Pytester) -> None:
    """A module that fetches when it is collected, and a ``conftest.py``, are told so, with what would allow it."""
    pytester.makeconftest(SHOP + "\nFOUND = problem()\n")
    pytester.makepyfile(
        test_module="""
        from conftest import FOUND, problem

        HERE = problem()

        def test_told():
            assert FOUND.message == "pytest, outside of a test, would fetch remote://shop#/key for real"
            assert HERE.message == "the collection of test_module.py would fetch remote://shop#/key for real"
            assert HERE.tip.endswith('confguard_fake["remote://shop#/key"] = "…"; or run pytest --confguard-allow-fetches')
        """
    )
    run(pytester).assert_outcomes(passed=1)
    assert asked(pytester) == ()


def test_nothing_of_a_run_is_left_behind(pytester: pytest.Pytester, store: Store) -> None:
    """After a run in this process, fetches are as free as they were before it."""

    class Stored(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])

        key: Annotated[SecretStr, From("store://key")]

    store.put("key", "a real value")
    pytester.makepyfile("def test_nothing():\n    pass\n")
    run(pytester).assert_outcomes(passed=1)
    assert validate(Stored).key == SecretStr("a real value")


# What is hidden.

LEAKING = """
import logging
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import SecretStr

from confguard import BaseSettings, From, validate
from confguard.testing import faking

VALUES = dict(zip(["short", "lengthy", "armoured"], Path("secrets").read_text().split("--"), strict=True))


class Shop(BaseSettings):
    short: Annotated[SecretStr, From("vault://shop#/short")]
    lengthy: Annotated[SecretStr, From("vault://shop#/lengthy")]
    armoured: Annotated[SecretStr, From("vault://shop#/armoured")]


with faking({"vault://shop": VALUES}):
    settings = validate(Shop)
    del VALUES


@dataclass
class Holder:
    value: str = field(repr=False)


@pytest.fixture(params=["short", "lengthy", "armoured"])
def value(request):
    return getattr(settings, request.param).get_secret_value()


def test_compared(value):
    assert f"Bearer {value}" == f"Bearer {value} of a user"


def test_contained(value):
    assert "another" in {value: "key"}, value


def test_held(value):
    assert Holder(value) == Holder(f"{value}=")


def test_raised(value):
    inner = {"Authorization": f"Bearer {value}"}
    try:
        raise KeyError(value)
    except KeyError as error:
        raise RuntimeError(f"cannot log in with {value}", inner) from error


def test_printed(value, record_property):
    record_property("key", value)
    print("printed", value)
    logging.getLogger("shop").error("logged %s", value)
    subprocess.run(["echo", value])


def test_in_a_fixture(broken):
    pass


@pytest.fixture
def broken(value):
    raise LookupError(value)


def test_settings():
    assert settings == Shop.model_construct(short=SecretStr("other"))
"""


@pytest.fixture
def leaking(pytester: pytest.Pytester) -> Sequence[str]:
    """A project whose tests leak three secrets in every way, and those secrets."""
    made = (secrets.token_hex(16), secrets.token_hex(300), "\n".join(secrets.token_hex(16) for _ in range(4)))
    (pytester.path / "secrets").write_text("--".join(made))
    pytester.makepyfile(test_leaking=LEAKING)
    return made


def shown(pytester: pytest.Pytester, result: pytest.RunResult) -> str:
    return "\n".join([*result.outlines, *result.errlines, (pytester.path / "junit.xml").read_text()])


def parts_in(text: str, made: Sequence[str]) -> set[str]:
    """Which eight characters of secrets in a row stand in a text."""
    lines = [line for value in made for line in value.split("\n")]
    return {part for line in lines for at in range(len(line) - 7) if (part := line[at : at + 8]) in text}


@pytest.mark.parametrize(
    ("style", "ci"),
    [
        ("--showlocals", ""),
        ("--showlocals -vv", ""),
        ("--tb=short -rA", "true"),
        ("--tb=native", ""),
        ("--tb=line --color=yes", ""),
    ],
)
def test_what_pytest_shows_of_failures_holds_no_secret(
    style: str, ci: str, pytester: pytest.Pytester, leaking: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No eight characters of a secret stand in what is shown, shortened or not: tracebacks, variables, output, XML."""
    monkeypatch.setenv("CI", ci)  # where it is set, pytest shortens less
    result = run(pytester, "--junitxml=junit.xml", "-o", "junit_family=xunit1", *style.split())
    result.assert_outcomes(failed=13, passed=3, errors=3)
    assert parts_in(shown(pytester, result), leaking) == set()
    result.stdout.fnmatch_lines(["*cannot log in with *redacted:short*"])


def test_without_the_plug_in_all_of_it_leaks(pytester: pytest.Pytester, leaking: Sequence[str]) -> None:
    """The same tests show every secret where the plug-in is switched off, or the test above would prove nothing."""
    text = shown(
        pytester, run(pytester, "--junitxml=junit.xml", "-o", "junit_family=xunit1", "-p", "no:confguard", "--showlocals", "-vv")
    )
    assert all(line in text for value in leaking for line in value.split("\n"))


def test_a_module_that_cannot_be_collected_shows_no_secret(pytester: pytest.Pytester, leaking: Sequence[str]) -> None:
    """What a failure of collection shows is redacted too."""
    pytester.makepyfile(test_broken="from test_leaking import settings\nraise ValueError(settings.short.get_secret_value())\n")
    result = run(pytester, "--junitxml=junit.xml", "-o", "junit_family=xunit1", "test_broken.py")
    result.assert_outcomes(errors=1)
    assert parts_in(shown(pytester, result), leaking) == set()
    result.stdout.fnmatch_lines(["*ValueError: [[]redacted:short[]]"])


def test_assertions_without_secrets_are_shown_as_ever(pytester: pytest.Pytester, leaking: Sequence[str]) -> None:
    """A diff of what holds no secret is still a diff."""
    pytester.makepyfile(test_plain="from test_leaking import settings\ndef test_diff():\n    assert [1, 2, 3] == [1, 5, 3]\n")
    result = run(pytester, "test_plain.py")
    result.stdout.fnmatch_lines(["*At index 1 diff: 2 != 5"])


def test_it_works_in_workers_of_xdist(pytester: pytest.Pytester, leaking: Sequence[str]) -> None:
    """Fixtures, refusals, markers and redaction hold in every worker process, and the report of the whole shows no secret."""
    pytester.makepyfile(
        test_shop=SHOP
        + """
@pytest.mark.parametrize("number", range(4))
def test_mine(confguard_fake, confguard_env, number):
    confguard_fake["remote://shop#/key"] = f"value of {number}"
    assert validate(Shop).key.get_secret_value() == f"value of {number}"

def test_refused():
    assert "test_shop.py::test_refused would fetch" in problem().message

@pytest.mark.confguard_allow_fetches
def test_marked():
    validate(Shop)
"""
    )
    result = pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", "-n", "2", "--junitxml=junit.xml", "-o", "junit_family=xunit1", "--showlocals"
    )
    result.assert_outcomes(failed=13, passed=9, errors=3)
    assert parts_in(shown(pytester, result), leaking) == set()
    assert asked(pytester) == ["remote://shop"]


def test_where_redacting_fails_the_run_goes_on_and_shows_nothing(pytester: pytest.Pytester) -> None:
    """A test may break the redactor itself: what it printed and raised is withheld, and the other tests are run."""
    secret = secrets.token_hex()
    pytester.makepyfile(
        f"""
        from confguard._redaction import redactor

        redactor.learn("another-{secrets.token_hex()}", "key")

        def test_breaks_it(monkeypatch):
            def broken(text):
                raise MemoryError(text)

            print("{secret}")
            monkeypatch.setattr(redactor, "redact", broken)
            assert False, "{secret}"

        def test_after():
            pass
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=1, failed=1)
    assert "withheld, since redacting it failed: MemoryError" in result.stdout.str()
    assert secret not in result.stdout.str()


def test_warnings_reasons_and_subtests_show_no_secret(pytester: pytest.Pytester) -> None:
    """What is no part of a traceback is redacted too."""
    secret = secrets.token_hex()
    # Written apart below, since no test of this repository itself may be expected to fail.
    (pytester.path / "secret").write_text(secret)
    pytester.makepyfile(
        """
        import unittest
        import warnings
        from pathlib import Path

        import pytest
        from confguard._redaction import redactor

        SECRET = Path("secret").read_text()
        redactor.learn(SECRET, "key")

        def test_warns():
            warnings.warn(f"the key is {SECRET}")

        def test_is_expected_to_fail():
            getattr(pytest, "x" + "fail")(f"known to fail: {SECRET}")

        class TestParts(unittest.TestCase):
            def test_parts(self):
                with self.subTest(key=SECRET):
                    self.assertEqual(1, 2)

            def test_shortened(self):
                self.assertEqual("Authorization: Bearer " + SECRET, "Authorization: Bearer " + SECRET[:4] + "0" * 60)
        """
    )
    result = run(pytester, "-rA", "-W", "always", "--junitxml=junit.xml")
    text = shown(pytester, result)
    assert "the key is [redacted:key]" in text
    assert "known to fail: [redacted:key]" in text
    assert parts_in(text, [secret]) == set()
