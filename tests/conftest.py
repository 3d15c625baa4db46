"""What every test stands on: an environment without anything of the developer's, and a place of its own."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from confguard._redaction import redactor
from tests.doubles import Store

# What a process needs, and the tests and their workers read. All else that is set here is somebody's, and decides no test.
_KEPT = frozenset({"HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "TERM", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV"})
_KEPT_PREFIXES = ("COVERAGE", "HYPOTHESIS_", "PIP_", "PYTEST_", "PYTHON")

for _name in list(os.environ):
    if _name not in _KEPT and not _name.startswith(_KEPT_PREFIXES):
        del os.environ[_name]

# An example takes as long as the machine is busy: hypothesis's own limit of 200 ms for one fails where nothing is wrong.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Stand in an empty directory which is also the home."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    return home


@pytest.fixture(autouse=True)
def empty_redactor() -> None:
    """Forget the secrets of other tests: the redactor is the process's, and what it knows would hide what leaks."""
    redactor.forget_all()


@pytest.fixture
def store() -> Store:
    """An empty store in memory."""
    return Store()
