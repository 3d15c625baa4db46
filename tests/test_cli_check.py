"""`confguard check`: several classes, env files, some fields, waiting, progress, and the forms of its report."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from confguard import BaseSettings, ConfigError, Problem, validate
from confguard._report import render_github
from tests.command import environment, on_terminal, run, screen, started

SETTINGS = """
from pathlib import Path
from typing import Annotated
from pydantic import SecretStr
from confguard import BaseSettings, From, SettingsConfigDict, lazy
from confguard.provider import Failure, Found

class Store:
    schemes = frozenset({"store"})
    def fetch(self, refs, *, deadline):
        print("asked for", len(refs))
        up = Path("up").exists()
        return {ref: Found("x" * 9) if up else Failure("unavailable", f"store {ref.path}: down") for ref in refs}
    def warnings(self):
        return ("it is not checked",) if Path("unchecked").exists() else ()

store = Store()

class Web(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="WEB_", env_file=".env", providers=[store])
    port: int
    key: Annotated[SecretStr, From("store://a")]

class Worker(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="WORKER_", providers=[store])
    queues: int = 1
    key: Annotated[SecretStr, From("store://b")]

class Mounted(BaseSettings):
    model_config = SettingsConfigDict(secrets_dir="mount")
    token: SecretStr

handle = lazy(Worker)
"""


@pytest.fixture(autouse=True)
def module(clean_environment: Path) -> None:
    """The module of a service, with a store that is up."""
    Path("services.py").write_text(SETTINGS)
    Path("up").touch()


def test_several_classes_share_one_plan_and_one_report() -> None:
    """Two classes are loaded in one fetch and told in one report, whose JSON names both; one named twice is loaded once."""
    targets = ["services:Web", "services:Worker", "services:Web"]
    done = run(["check", *targets], WEB_PORT="x", WORKER_QUEUES="y")
    assert done.returncode == 78
    assert done.stdout.splitlines()[-1] == "Web, Worker: 2 errors, 0 warnings (services)"
    assert done.stderr == "asked for 2\n"
    report = json.loads(run(["check", *targets, "--format", "json"], WEB_PORT="1").stdout)
    assert (report["valid"], report["settings_classes"]) == (True, ["services:Web", "services:Worker"])
    assert [line.split()[:2] for line in run(["check", *targets], WEB_PORT="1").stdout.splitlines()] == [
        ["Web:", "valid,"],
        ["Worker:", "valid,"],
    ]


def test_a_target_that_cannot_be_had_comes_before_all_checks() -> None:
    """Of several targets one that is not there is wrong use, and nothing is loaded."""
    done = run(["check", "services:Web", "services:Wrker"])
    assert (done.returncode, done.stdout) == (64, "")
    assert "did you mean services:Worker?" in done.stderr


def test_what_passes_for_settings_stands_for_its_class() -> None:
    """A module's settings, or a handle of them, are a target as good as their class; asking for the class loads nothing."""
    assert run(["check", "services:handle"]).stdout.startswith("Worker: valid, ")
    planned = run(["check", "services:handle", "--plan"])
    assert (planned.returncode, "asked for" in planned.stdout + planned.stderr) == (0, False)


def test_env_files_take_the_place_of_the_classs_own() -> None:
    """--env-file is read in place of the class's, later ones win, and one that is not there is wrong use."""
    Path(".env").write_text("WEB_PORT=x")
    Path("one.env").write_text("WEB_PORT=y")
    Path("two.env").write_text("WEB_PORT=1")
    assert run(["check", "services:Web"]).returncode == 78
    assert run(["check", "services:Web", "--env-file", "one.env", "--env-file", "two.env"]).returncode == 0
    done = run(["check", "services:Web", "--env-file", "three.env"])
    assert done.returncode == 64
    assert "File 'three.env' does not exist" in done.stderr


def test_quiet_says_nothing_of_success_and_all_of_failure() -> None:
    """With --quiet standard output is empty where all is valid, and has the report where it is not."""
    assert run(["check", "services:Web", "--quiet"], WEB_PORT="1").stdout == ""
    assert run(["check", "services:Web", "-q", "--plan"]).stdout == ""
    assert run(["check", "services:Web", "--quiet"]).stdout.startswith("port  ")


def test_strict_takes_warnings_for_errors() -> None:
    """A warning exits with 0 without --strict and with 78 with it, and then is told as an error in every form."""
    Path("unchecked").touch()
    done = run(["check", "services:Web"], WEB_PORT="1")
    assert (done.returncode, done.stdout.splitlines()[-3]) == (0, "Web: 0 errors, 1 warning (services)")
    assert done.stdout.splitlines()[-1].startswith("Web: valid")
    strict = run(["check", "services:Web", "--strict"], WEB_PORT="1")
    assert (strict.returncode, strict.stdout.splitlines()[-1]) == (78, "Web: 1 error, 0 warnings (services)")
    report = json.loads(run(["check", "services:Web", "--strict", "--format", "json"], WEB_PORT="1").stdout)
    assert (report["valid"], report["exit_code"], report["errors"]) == (False, 78, 1)


def test_only_these_fields_are_loaded() -> None:
    """--only loads and requires the named fields alone; an unknown one is wrong use, with a suggestion."""
    Path("up").unlink()
    done = run(["check", "services:Web", "--only", "port"], WEB_PORT="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Web: valid, 1 field (1 from env)")
    done = run(["check", "services:Web", "--only", "prot"])
    assert (done.returncode, done.stdout) == (64, "")
    assert "there is no field 'prot'; did you mean 'port'?" in done.stderr


def test_waiting_for_a_store_tells_a_line_a_change() -> None:
    """--wait goes on while the store is out, says so once on standard error, and ends well when it is back."""
    Path("up").unlink()
    with started(["check", "services:Web", "--wait", "30s"], WEB_PORT="1") as process:
        assert process.stderr is not None
        told = [process.stderr.readline(), process.stderr.readline()]
        Path("up").touch()
        stdout, rest = process.communicate(timeout=30)
    assert told == ["asked for 1\n", "waiting: key unavailable\n"]
    assert process.returncode == 0
    assert "waiting" not in rest
    assert stdout.startswith("Web: valid")


def test_waiting_for_a_mount_that_is_not_there_yet() -> None:
    """--wait goes on while a declared mount is not there, and not where the mount is there without the value."""
    with started(["check", "services:Mounted", "--wait", "30s"]) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "waiting: token missing\n"
        Path("new").mkdir()
        Path("new/token").write_text("a value")
        Path("new").rename("mount")
        process.communicate(timeout=30)
    assert process.returncode == 0
    Path("mount/token").unlink()
    done = run(["check", "services:Mounted", "--wait", "30s"])
    assert (done.returncode, done.stderr) == (78, "")


def test_a_wait_that_is_over_ends_with_the_report() -> None:
    """When the time to wait is over, the report of the last try is printed and the exit code is that of an outage."""
    Path("up").unlink()
    done = run(["check", "services:Web", "--wait", "100ms"], WEB_PORT="1")
    assert done.returncode == 75
    assert done.stdout.startswith("key  ")


def test_progress_is_drawn_on_a_terminal_and_taken_away() -> None:
    """On a terminal a line a provider is drawn while it is asked, in no colour, and nothing of it is left at the end."""
    drawn = on_terminal(["check", "services:Web"], "stderr", WEB_PORT="1")
    assert "store: asking for 1 value …" in drawn
    assert "store: 1 value in 0.0" in drawn
    assert "m" not in [sequence[-1] for sequence in drawn.split("\x1b")[1:]]
    assert screen(drawn) == ["asked for 1"]
    assert "asking" not in on_terminal(["check", "services:Web"], "stderr", WEB_PORT="1", TERM="dumb")


def test_progress_and_what_is_told_while_waiting_do_not_garble_each_other() -> None:
    """A line that is told while progress is drawn stands alone on the screen."""
    Path("up").unlink()
    drawn = on_terminal(["check", "services:Web", "--wait", "1200ms"], "stderr", WEB_PORT="1")
    assert set(screen(drawn)) == {"asked for 1", "waiting: key unavailable"}


def test_github_gets_an_annotation_for_each_problem_and_the_summary() -> None:
    """--format github writes a workflow command for each problem, and the summary as the last line."""
    done = run(["check", "services:Web", "--format", "github"], WEB_PORT="50%")
    assert done.stdout.splitlines() == [
        (
            "::error title=port invalid::Input should be a valid integer, unable to parse string as an integer; it is '50%25'"
            "%0Afrom       env WEB_PORT"
        ),
        "Web: 1 error, 0 warnings (services)",
    ]
    assert done.returncode == 78
    assert run(["check", "services:Web", "--format", "github"], WEB_PORT="1").stdout.startswith("Web: valid")


def test_nothing_in_a_problem_makes_a_workflow_command_of_its_own() -> None:
    """Line ends, percent signs, and in a title colons and commas are written so that GitHub reads them as text."""
    problem = Problem("missing", "a,b:c", "first\n::stop-commands::x\r100%", settings_class="m:C", severity="warning")
    command, summary = render_github([problem]).splitlines()
    assert command == "::warning title=a%2Cb%3Ac warning%3A missing::first\\n::stop-commands::x\\r100%25"
    assert summary == "C: 0 errors, 1 warning (m)"


def test_a_check_writes_nothing_and_needs_no_home() -> None:
    """A user without a home or a name, on a file system that is read-only, can check; a store's token file is not looked for."""
    Path("homeless.py").write_text(
        "from typing import Annotated\nfrom pydantic import SecretStr\nfrom confguard import BaseSettings, From\n"
        "class Settings(BaseSettings):\n    key: Annotated[SecretStr, From('vault://secret/app#/key')]\n"
    )
    Path("nobody.py").write_text(
        "import os, pwd, sys\n"
        "def unknown(uid): raise KeyError(uid)\n"
        "pwd.getpwuid = unknown\n"
        "def refuse(event, args):\n"
        "    writes = event == 'open' and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)\n"
        "    if (writes and args[0] != os.devnull) or event in ('os.mkdir', 'os.rename', 'os.remove', 'os.truncate'):\n"
        "        raise OSError(30, 'Read-only file system', 'a file')\n"
        "sys.addaudithook(refuse)\n"
        "from confguard.cli import main\n"
        "main()\n"
    )
    variables = {name: text for name, text in environment(WEB_PORT="1").items() if name != "HOME"}

    def check(target: str, **more: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "nobody.py", "check", target]
        return subprocess.run(command, env=variables | more, capture_output=True, text=True, timeout=30, check=False)

    done = check("services:Web")
    assert (done.returncode, done.stderr) == (0, "asked for 1\n")
    done = check("homeless:Settings", VAULT_ADDR="https://127.0.0.1:1")
    assert done.stdout.startswith("key  ")
    assert done.returncode in (75, 77, 78)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete_the_command(shell: str) -> None:
    """The script that click makes for a shell is printed on request."""
    done = run([], _CONFGUARD_COMPLETE=f"{shell}_source")
    assert "_CONFGUARD_COMPLETE" in done.stdout
    assert run([], _CONFGUARD_COMPLETE="bash_complete", COMP_WORDS="confguard ex", COMP_CWORD="1").stdout == "plain,explain\n"


@pytest.mark.parametrize("name", ["check", "explain", "run"])
def test_the_help_of_each_command_has_examples_and_exit_codes(name: str) -> None:
    """Each command's help shows how it is called and what its exit codes mean."""
    text = run([name, "--help"]).stdout
    assert f"  confguard {name} myservice.settings:AppSettings" in text
    assert all(f" {code:>2}  " in text for code in (0, 64, 70, 74, 75, 77, 78))


def test_each_load_leaves_one_structured_record(caplog: pytest.LogCaptureFixture) -> None:
    """A load is logged with counts, durations and kinds, for machines as attributes; and with nothing that was read."""

    class Settings(BaseSettings):
        port: int

    caplog.set_level(logging.INFO, "confguard")
    with pytest.raises(ConfigError):
        validate(Settings)
    [record] = caplog.records
    facts = vars(record)["confguard"]
    seconds = facts.pop("seconds")
    assert facts == {
        "settings_classes": [f"{__name__}:{Settings.__qualname__}"],
        "valid": False,
        "fields": 1,
        "fetched": 0,
        "providers": {},
        "problems": {"missing": 1},
    }
    assert 0 < seconds < 10
    assert record.getMessage().startswith(f"{Settings.__qualname__}: refused in 0.")
