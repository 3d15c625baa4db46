"""What every test stands on: an environment without anything of the developer's, and a place of its own."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from confguard._redaction import redactor
from tests.doubles import Store

_FOREIGN = ("AWS_", "AZURE_", "BAO_", "GOOGLE_", "VAULT_", "SSL_CERT_", "APP_", "MYSERVICE_", "PYDANTIC_")

# An example takes as long as the machine is busy: hypothesis's own limit of 200 ms for one fails where nothing is wrong.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Take out variables that would decide a test, and stand in an empty directory which is also the home."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN) or name.upper().endswith(("_CA_BUNDLE", "_PROXY")):
            monkeypatch.delenv(name)
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
