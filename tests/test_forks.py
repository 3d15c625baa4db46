"""Forks and interruptions while the redactor learns: nobody waits for ever, and what was learned is hidden."""

import subprocess
import sys

import pytest

# A thread is held in the middle of what takes a lock, and its process forks. The child has a while to do its work.
FORKING = """
import os, signal, sys, threading
from pydantic import SecretStr
from confguard import BaseSettings, explain, redaction, validate
from confguard.redaction import redactor

entered, release = threading.Event(), threading.Event()
OTHER, NEW = os.urandom(16).hex(), os.urandom(16).hex()


class AppSettings(BaseSettings):
    key: SecretStr = SecretStr(OTHER)


def held():
    entered.set()
    release.wait(20)


class Slow(str):
    def __hash__(self):
        held()
        return hash(str(self))


def redact(text):
    return redactor.redact(text).replace(OTHER, "OTHER").replace(NEW, "NEW")


def learn():
    redactor.learn(NEW, "new")
    return f"{redact(OTHER)} {redact(NEW)}"


def load():
    return f"{explain(validate(AppSettings))[0].value} {redact(OTHER)}"


def install():
    redaction.install()
    return "installed"


redactor.learn(OTHER, "other")
settings = validate(AppSettings)
"""
LEARNS = "redactor.learn(Slow('slow secret'), 'slow')"
REMEMBERS = """
import confguard._explain
with confguard._explain.known._lock:
    held()
"""
INSTALLS = """
import confguard._hooks
with confguard._hooks._lock:
    held()
"""
END = """
thread = threading.Thread(target=lambda: exec(sys.argv[1]))
thread.start()
entered.wait(20)
pid = os.fork()
if pid == 0:
    signal.alarm(10)
    print(globals()[sys.argv[2]](), flush=True)
    os._exit(0)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
release.set()
thread.join()
print(code)
"""


def run(*arguments: str) -> str:
    # From Python 3.12 on it warns of a fork in a process with threads, which is what is tried here.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("held", "work", "shown"),
    [
        (LEARNS, "learn", "[redacted:other] [redacted:new]"),
        (LEARNS, "load", "********** [redacted:other]"),
        (REMEMBERS, "load", "********** [redacted:other]"),
        (INSTALLS, "install", "installed"),
    ],
    ids=["learns", "learns, and the child loads", "remembers", "installs"],
)
def test_a_forked_child_waits_for_no_thread_of_its_parent(held: str, work: str, shown: str) -> None:
    """A lock that such a thread held at the fork is free in the child, which still hides what its parent knew."""
    assert run(FORKING + END, held, work) == f"{shown}\n0\n"


INTERRUPTED = """
import os, signal
from confguard.redaction import redactor

FIRST, SECOND, THIRD = (os.urandom(16).hex() for _ in range(3))


class Interrupted(str):
    def __hash__(self):
        signal.raise_signal(signal.SIGUSR1)
        return hash(str(self))


def handler(*_):
    redactor.learn(SECOND, "second")
    print(redactor.redact(f"{FIRST} {SECOND}"))


signal.alarm(20)
signal.signal(signal.SIGUSR1, handler)
redactor.learn(FIRST, "first")
redactor.learn(Interrupted(THIRD), "third")
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
print(redactor.redact(THIRD))
"""


def test_a_signals_handler_may_write_while_its_thread_learns() -> None:
    """It neither waits for itself, nor hides from its thread that something was learned."""
    out = run(INTERRUPTED)
    assert set(out.splitlines()[:-1]) == {"[redacted:first] [redacted:second]"}
    assert out.splitlines()[-1] == "[redacted:third]"
