"""The example service with every integration on, driven through failures: no byte of a secret comes out of it anywhere.

The same requests to the same service with nothing of it on leak at each end, which shows that the search can see.
"""

import json
import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from confguard.testing._openbao import OpenBao
from tests.command import COMMAND
from tests.e2e.conftest import EXAMPLE, READ, ROOT, TARGET
from tests.web_rig import SPECIAL, Receiver, Reply, fetch, forms, receiving, wait_for

PIECE = 12  # this many characters in a row are no accident
STREAMS = ("standard output", "standard error")
LOGS = ("service.log", "access.log", "error.log")
TRACKERS = ("Sentry", "Rollbar", "Bugsnag")
FORMAT = '%(h)s "%(r)s" %(s)s "%(f)s" "%(a)s" %({x-key}i)s %({x-key}o)s %({no-such-header}i)s'
UNDER_MASK = (str(COMMAND), "run", TARGET, "--mask", "--drop", "VAULT_TOKEN", "--")


@dataclass
class Deployment:
    """The service, where it runs, what it is told, and everything that it gives away.

    Attributes:
        folder: Where it runs.
        bao: Its store.
        trackers: Where it reports errors to.
        variables: Its environment, whole.
        secrets: Every secret that it ever had.
        answers: What its clients got.
    """

    folder: Path
    bao: OpenBao
    trackers: dict[str, Receiver]
    variables: dict[str, str]
    secrets: list[str] = field(repr=False)
    answers: list[bytes] = field(default_factory=list, repr=False)

    def change_secrets(self) -> None:
        """Let every secret that the service loads have a new value."""
        made = [secrets.token_urlsafe(12) + SPECIAL + secrets.token_urlsafe(12) for _ in range(4)]
        self.bao.put("secret", "myservice", {"secret_key": made[0], "smtp_password": made[1]})
        self.bao.put("secret", "payments", {"stripe_key": made[2]})
        mounted = self.folder / "run" / "myservice_database_url"
        mounted.write_text(f"postgresql://shop:{quote(made[3], safe='')}@db.example.com/shop")
        mounted.chmod(0o600)
        self.secrets += [*made, quote(made[3], safe="")]

    @property
    def newest(self) -> str:
        """A secret of now: the key of Stripe."""
        return self.secrets[-3]

    def everything(self) -> dict[str, bytes]:
        """All that came out, by where."""
        logs = {name: (self.folder / "logs" / name).read_bytes() for name in LOGS if (self.folder / "logs" / name).exists()}
        streams = {name: (self.folder / name).read_bytes() for name in STREAMS}
        trackers = {name: receiver.everything for name, receiver in self.trackers.items()}
        return {**logs, **streams, **trackers, "responses": b"\n".join(self.answers)}

    def size(self) -> dict[str, int]:
        return {name: len(data) for name, data in self.everything().items()}

    def ask(self, port: int, path: str, **headers: str) -> Reply:
        """Ask the service for something; a connection that it cuts is an answer too."""
        try:
            reply = fetch(port, path, "GET", None, **headers)
        except HTTPException as error:
            reply = Reply(0, type(error).__name__, [], b"")
        self.answers.append(reply.everything)
        return reply

    def scan(self) -> int:
        """What `confguard scan` of the logs says, of the secrets of now."""
        command = [str(COMMAND), "scan", TARGET, "logs"]
        done = subprocess.run(command, cwd=self.folder, env=self.variables, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.returncode


@pytest.fixture
def deployment(tmp_path: Path) -> Generator[Deployment]:
    """The service with a store and error trackers of its own, well configured, with every integration on."""
    folder = tmp_path / "service"
    for name in ("run", "logs"):
        (folder / name).mkdir(parents=True)
    with ExitStack() as stack:
        bao = stack.enter_context(OpenBao())
        bao.mount_kv("secret")
        bao.policy("myservice", f"{READ.format('myservice')}\n{READ.format('payments')}")
        trackers = {name: stack.enter_context(receiving()) for name in TRACKERS}
        token = bao.token("myservice")
        path = [str(EXAMPLE), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": os.pathsep.join(path),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUTF8": "1",
            "APP_ENV": "staging",
            "MYSERVICE_PUBLIC_URL": "https://shop.example.com",
            "MYSERVICE_LOG_FILE": "logs/service.log",
            "MYSERVICE_SENTRY_DSN": trackers["Sentry"].url.replace("//", "//public@") + "/1",
            "ROLLBAR": trackers["Rollbar"].url,
            "BUGSNAG": trackers["Bugsnag"].url,
            "CREDENTIALS_DIRECTORY": "run",
            "VAULT_ADDR": bao.address,
            "VAULT_CACERT": str(bao.ca_cert),
            "VAULT_TOKEN": token,
        }
        made = Deployment(folder, bao, trackers, variables, [token])
        made.change_secrets()
        yield made


@contextmanager
def started(deployment: Deployment, command: Sequence[str], log: Path, pattern: str) -> "Generator[tuple[int, int]]":
    """A server, as its users start it; its port, which it logs, and its process. It is told to end as a supervisor does."""
    before = len(log.read_bytes()) if log.exists() else 0
    with ExitStack() as stack:
        out, err = (stack.enter_context((deployment.folder / name).open("ab")) for name in STREAMS)
        process = stack.enter_context(
            subprocess.Popen(
                command, cwd=deployment.folder, env=deployment.variables, stdout=out, stderr=err, start_new_session=True
            )
        )
        try:
            wait_for(lambda: process.poll() is not None or re.search(pattern, log.read_text()[before:] if log.exists() else ""))
            found = re.search(pattern, log.read_text()[before:])
            assert found, process.returncode
            yield int(found[1]), process.pid
            process.terminate()
            process.wait(30)
        finally:
            with suppress(ProcessLookupError):  # it has ended
                os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def gunicorn(deployment: Deployment, before: Iterable[str] = ()) -> "Generator[tuple[int, int]]":
    """The service under gunicorn."""
    options = {
        "--bind": "127.0.0.1:0",
        "--access-logfile": "logs/access.log",
        "--error-logfile": "logs/error.log",
        "--access-logformat": FORMAT,
    }
    words = [word for option in options.items() for word in option]
    command = [*before, sys.executable, "-m", "gunicorn", *words, "tests.e2e.leaking:create_app()"]
    log = deployment.folder / "logs" / "error.log"
    with started(deployment, command, log, r"Listening at: http://127\.0\.0\.1:(\d+)") as (port, pid):
        fetch(port, "/flush")  # the worker has made the application
        yield port, pid


def pieces_of(values: Iterable[str]) -> dict[bytes, str]:
    """All that a secret may leave behind: every few characters in a row of each of its forms, and which secret and form it is."""
    made: dict[bytes, str] = {}
    for number, value in enumerate(values):
        for name, form in forms(value).items():
            for at in range(len(form) - PIECE + 1):
                made.setdefault(form[at : at + PIECE], f"secret {number} {name}")
    return made


def found(pieces: dict[bytes, str], data: bytes) -> list[str]:
    """Of which secrets, in which forms, something stands in bytes."""
    return sorted({pieces[data[at : at + PIECE]] for at in range(len(data) - PIECE + 1) if data[at : at + PIECE] in pieces})


def ways(port: int) -> dict[str, list[str]]:
    """The ways to fail that the service has: all of them, and those that answer with a secret."""
    told: dict[str, list[str]] = json.loads(fetch(port, "/ways").body)
    return told


def drive(deployment: Deployment, port: int, forms_of_answers: Iterable[str] = ()) -> int:
    """Let the service fail in every way, and ask what a client with a secret in its hands might. Returns how often it failed."""
    told = ways(port)
    paths = [f"/leak/{way}/all" for way in told["all"]]
    paths += [f"/leak/{way}/{quote(form)}" for way in told["answers"] for form in forms_of_answers]
    failed = [reply.status for path in paths if (reply := deployment.ask(port, path)).status in (0, 302, 500)]
    guess = deployment.newest
    fetched = fetch(port, f"/echo?q={quote_plus(guess)}", X_Key=guess.encode().decode("latin-1"), Referer=quote(guess))
    assert fetched.body == guess.encode()  # what it sent itself tells a client nothing
    deployment.ask(port, f"/no/such/{quote(guess)}", User_Agent=quote(guess), Cookie=f"key={quote(guess)}")
    deployment.ask(port, "/flush")
    return len(failed)


def test_no_secret_comes_out_of_the_service(deployment: Deployment) -> None:
    """Through failures of every kind, a reload and a restart on changed secrets nothing of an old or a new one comes out."""
    each = list(forms(""))
    with gunicorn(deployment) as (port, pid):
        assert drive(deployment, port, each) >= 50
        assert deployment.scan() == 0
        deployment.change_secrets()
        old = fetch(port, "/flush").body
        os.kill(pid, signal.SIGHUP)
        wait_for(lambda: deployment.ask(port, "/flush").body not in (old, b""))
        drive(deployment, port)
        assert deployment.scan() == 0
    deployment.change_secrets()
    with gunicorn(deployment, UNDER_MASK) as (port, _):
        drive(deployment, port)
        deployment.ask(port, "/leak/printed/all")
        assert deployment.scan() == 0
    pieces = pieces_of(deployment.secrets)
    everything = deployment.everything()
    assert {name: found(pieces, data) for name, data in everything.items()} == {name: [] for name in everything}
    assert [name for name, data in everything.items() if b"[redacted" not in data] == []


def test_without_the_integrations_secrets_come_out_at_every_end(deployment: Deployment) -> None:
    """Each way to fail shows one at some end, and each end is shown one."""
    deployment.variables["LEAKS"] = "yes"
    pieces = pieces_of(deployment.secrets)
    silent, seen = [], set()
    with gunicorn(deployment) as (port, _):
        for way in ways(port)["all"]:
            before = deployment.size()
            deployment.ask(port, f"/leak/{way}/all")
            fetch(port, "/flush")
            ends = {name for name, data in deployment.everything().items() if found(pieces, data[before[name] :])}
            silent += [] if ends else [way]
            seen |= ends
        deployment.ask(port, f"/no/such/{quote(deployment.newest)}")
        assert deployment.scan() == 1
    seen |= {name for name, data in deployment.everything().items() if found(pieces, data)}
    assert (silent, sorted(seen)) == ([], sorted(deployment.everything()))


def test_the_page_of_a_debugger_shows_no_secret(deployment: Deployment) -> None:
    """Werkzeug's, which shows tracebacks to whoever asked."""
    command = [sys.executable, "-m", "flask", "--app", "tests.e2e.leaking", "run", "--debug", "--no-reload", "--port", "0"]
    out = deployment.folder / "standard output"
    with started(deployment, command, out, r"Running on http://127\.0\.0\.1:(\d+)") as (port, _):
        for way in ("message", "cause", "group", "variable", "broken_stream"):
            reply = deployment.ask(port, f"/leak/{way}/all")
            assert b"debugger" in reply.body.lower() or way == "broken_stream"
    assert found(pieces_of(deployment.secrets), b"\n".join([*deployment.everything().values()])) == []
    assert b"[redacted" in deployment.answers[0]
