"""`confguard scan`: the secrets of settings in files, told without being shown."""

import base64
import html
import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.command import COMMAND, environment, on_terminal, run

SETTINGS = """
from pydantic import SecretStr
from confguard import BaseSettings

class App(BaseSettings):
    api_key: SecretStr
    password: SecretStr = SecretStr("")
    pin: SecretStr = SecretStr("")
"""
FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in a URL": lambda text: quote(text, safe=""),
    "in JSON": lambda text: json.dumps({"key": text}),
    "in Python": lambda text: repr([text]),
    "in HTML": html.escape,
    "in hexadecimal": lambda text: text.encode().hex(),
    "in base64": lambda text: base64.b64encode(b"u:" + text.encode()).decode(),
}
# What a scan holds in memory at most when it has searched a file.
PEAK = """
import resource, runpy, sys
sys.argv.pop(0)
try: runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit: pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


@pytest.fixture(autouse=True)
def secret(clean_environment: Path) -> str:
    """The module of a service, a directory to search, and the service's secret."""
    Path("services.py").write_text(SETTINGS)
    Path("tree").mkdir()
    return f"{secrets.token_hex(6)}/+\"'<é {secrets.token_hex(6)}"


def scan(secret: str, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a scan; what it writes never holds the secret."""
    done = run(["scan", "services:App", *arguments], API_KEY=secret, **variables)
    assert not any(form in done.stdout + done.stderr for form in (secret, secret[:12], secret[-12:], secret.encode().hex()))
    return done


def lines(done: "subprocess.CompletedProcess[str]") -> Sequence[str]:
    """What is found, without the summary."""
    *found, summary = done.stdout.splitlines()
    assert re.fullmatch(r"\d+ findings? in \d+ files? \(\d+\.\d MB\)", summary)
    return found


def test_a_secret_is_found_in_every_form(secret: str) -> None:
    """File, line and field are told, and the exit code is 1."""
    for form, encode in FORMS.items():
        Path(f"tree/{form}").write_text(f"first\n\nkey: {encode(secret)} of {encode(secret)}\nlast\n")
    done = scan(secret, "tree")
    assert (done.returncode, lines(done), done.stderr) == (1, [f"tree/{form}:3: api_key" for form in sorted(FORMS)], "")


def test_files_without_a_secret_are_clean(secret: str) -> None:
    """Exit code 0, and a summary."""
    Path("tree/app.log").write_text(f"{secret[1:]}\n{secret[:-1]}\n")
    done = scan(secret, "tree", "services.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "0 findings in 2 files (0.0 MB)\n"


def test_everything_below_a_directory_is_searched_in_order(secret: str) -> None:
    """Hidden files and those of .git too; links, pipes and devices are passed over; binary files are told by byte."""
    for path in ("tree/.git/config", "tree/b/c/deep.txt", "tree/a.txt"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(f"{secret}\n")
    Path("tree/core").write_bytes(bytes(100) + secret.encode())
    Path("tree/link.txt").symlink_to("a.txt")
    Path("tree/there").symlink_to("b")
    Path("tree/itself").symlink_to("../tree")
    os.mkfifo("tree/pipe")
    done = scan(secret, "tree")
    assert done.returncode == 1
    assert lines(done) == [
        "tree/.git/config:1: api_key",
        "tree/a.txt:1: api_key",
        "tree/b/c/deep.txt:1: api_key",
        "tree/core: byte 100: api_key",
    ]
    assert done.stderr == ""


def test_standard_input_is_searched(secret: str) -> None:
    """`-` stands for it."""
    command = [str(COMMAND), "scan", "services:App", "-", "services.py"]
    done = subprocess.run(
        command, env=environment(API_KEY=secret), input=f"\n{secret}", capture_output=True, text=True, check=False
    )
    assert (done.returncode, lines(done)) == (1, ["(standard input):2: api_key"])


def test_each_secret_is_told_by_its_field(secret: str) -> None:
    """Two on a line are two findings, one of them twice is one; with `--only` the other field need not be there."""
    other = secrets.token_urlsafe()
    Path("tree/app.log").write_text(f"{secret} {other} {secret}\n")
    assert lines(scan(secret, "tree", PASSWORD=other)) == ["tree/app.log:1: api_key", "tree/app.log:1: password"]
    done = run(["scan", "services:App", "--only", "password", "tree"], PASSWORD=other)
    assert lines(done) == ["tree/app.log:1: password"]


def test_a_path_that_holds_a_secret_is_found_and_hidden() -> None:
    """In the name of a file, of a directory, and of one that is named and is not there."""
    secret = secrets.token_urlsafe()
    Path(f"tree/{secret}").mkdir()
    Path(f"tree/{secret}/{secret}.txt").write_text(secret)
    done = scan(secret, "tree", f"no-{secret}")
    assert lines(done) == [
        "tree/[redacted:api_key]: its name: api_key",
        "tree/[redacted:api_key]/[redacted:api_key].txt: its name: api_key",
        "tree/[redacted:api_key]/[redacted:api_key].txt:1: api_key",
        "no-[redacted:api_key]: its name: api_key",
    ]
    assert done.stderr == "no-[redacted:api_key]: No such file or directory\n"
    for form in ("json", "github"):
        assert f"[redacted{':' if form == 'json' else '%3A'}api_key].txt" in scan(secret, "tree", "--format", form).stdout


def test_a_name_that_could_forge_a_line_is_escaped(secret: str) -> None:
    """A name is shown on one line, whatever bytes it is of."""
    for name in (b"a\n::error::b", b"\xff\x1b[2J"):
        Path(os.fsdecode(b"tree/" + name)).write_text(secret)
    assert lines(scan(secret, "tree")) == ["tree/a\\n::error::b:1: api_key", "tree/\\udcff\\x1b[2J:1: api_key"]
    assert scan(secret, "tree", "--format", "github").stdout.startswith("::error file=tree/a\\n%3A%3Aerror%3A%3Ab,line=1,")


def test_what_cannot_be_read_is_told_and_the_rest_is_searched(secret: str) -> None:
    """A path that is not there, and a pipe that is named; without a finding the exit code is 66: one may stand there."""
    os.mkfifo("pipe")
    Path("tree/app.log").write_text("nothing\n")
    done = scan(secret, "missing", "pipe", "tree")
    assert (done.returncode, lines(done)) == (66, [])
    assert done.stderr.splitlines() == [
        "missing: No such file or directory",
        "pipe: is neither a file nor a directory; give what it holds to standard input, and -",
    ]
    Path("tree/app.log").write_text(secret)
    assert scan(secret, "missing", "tree").returncode == 1


@pytest.mark.parametrize("glob", ["*.env", "tree/sub/*.env", "sub/"])
def test_excluded_files_are_passed_over(secret: str, glob: str) -> None:
    """By name or path, of files and directories."""
    Path("tree/sub").mkdir()
    Path("tree/sub/local.env").write_text(secret)
    Path("tree/app.log").write_text(secret)
    assert lines(scan(secret, "tree", "--exclude", glob)) == ["tree/app.log:1: api_key"]


def test_the_current_directory_is_searched_by_names_without_a_prefix(secret: str) -> None:
    """What is told and excluded is written as one would write it."""
    Path("tree/sub").mkdir()
    Path("tree/sub/local.env").write_text(secret)
    Path("tree/app.log").write_text(secret)
    assert lines(scan(secret, ".", "--exclude", "tree/sub/*.env")) == ["tree/app.log:1: api_key"]


def test_json_tells_everything(secret: str) -> None:
    """One object, with what was searched, found and not read."""
    Path("tree/app.log").write_text(f"\n é{secret}\n")
    done = scan(secret, "--format", "json", "tree", "missing", PIN="1234")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "version": 1,
        "exit_code": 1,
        "settings_class": "services:App",
        "not_looked_for": ["pin"],
        "files": 1,
        "bytes": 5 + len(secret.encode()),
        "findings": [{"file": "tree/app.log", "line": 2, "byte": 4, "field": "api_key"}],
        "notes": [{"file": "missing", "message": "No such file or directory", "unread": True}],
    }


def test_github_gets_annotations(secret: str) -> None:
    """Each finding stands beside its line."""
    Path("tree/a,b.log").write_text(f"\n{secret}\n")
    first = scan(secret, "--format", "github", "tree").stdout.splitlines()[0]
    assert first == "::error file=tree/a%2Cb.log,line=2,title=secret found::api_key, a secret, stands here"


def test_values_that_are_not_looked_for_are_told(secret: str) -> None:
    """A PIN is like any number, so the scan says that it does not protect it."""
    Path("tree/app.log").write_text("1234\n")
    done = scan(secret, "tree", PIN="1234")
    assert done.returncode == 0
    assert done.stderr.startswith("pin              warning: degraded\n    it is so short or so common that")


def test_refused_settings_search_nothing() -> None:
    """The report goes to standard error, with the exit code of a check."""
    done = run(["scan", "services:App", "tree"])
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.splitlines()[-1] == "App: 1 error, 0 warnings (services)"


def test_wrong_use_is_told() -> None:
    """A path is needed."""
    assert run(["scan", "services:App"]).returncode == 64


def test_a_file_of_findings_is_told_up_to_a_limit(secret: str) -> None:
    """A thousand of one file, and that there are more; the next file is searched."""
    Path("tree/a.log").write_text(f"{secret}\n" * 1001)
    Path("tree/b.log").write_text(secret)
    done = scan(secret, "tree")
    assert [line.split(":")[0] for line in lines(done)] == ["tree/a.log"] * 1000 + ["tree/b.log"]
    assert done.stderr == "tree/a.log: more than 1000 findings; the others are not told\n"


def test_a_large_file_is_searched_in_parts(secret: str) -> None:
    """A secret across the parts is found, in memory that does not grow with the file: one of 100 MB of a single line."""
    found: list[str] = []
    peaks: list[int] = []
    for size in (1, 100):
        with Path("tree/large").open("wb") as file:
            file.truncate(size << 20)  # which takes no room on the disk
            file.seek((size << 20) - 5)
            file.write(secret.encode())
            file.truncate((size << 20) + (1 << 20))
        done = subprocess.run(
            [sys.executable, "-c", PEAK, COMMAND, "scan", "services:App", "tree"],
            env=environment(API_KEY=secret),
            capture_output=True,
            text=True,
            check=False,
        )
        found += lines(done)
        peaks.append(int(done.stderr))
    assert found == [f"tree/large: byte {(size << 20) - 5}: api_key" for size in (1, 100)]
    assert peaks[1] - peaks[0] < 20_000


def test_progress_is_shown_on_a_terminal_and_taken_away(secret: str) -> None:
    """On standard error, where that is a terminal, and nowhere else."""
    Path("tree/app.log").write_text(secret)
    written = on_terminal(["scan", "services:App", "tree"], "stderr", API_KEY=secret)
    assert re.search(r"1 file, 0 MB", written)
    assert written.endswith("\r\x1b[2K")
