"""What the tests of the service share."""

import logging
from collections.abc import Iterator

import pytest

from confguard.testing import CleanEnvironment, FakeProvider


@pytest.fixture
def deployed(confguard_env: CleanEnvironment, confguard_fake: FakeProvider) -> CleanEnvironment:
    """Where the service starts: variables, a mounted file, and a fake in the place of OpenBao. A test spoils what it wants."""
    confguard_env["APP_ENV"] = "staging"
    confguard_env["MYSERVICE_PUBLIC_URL"] = "https://shop.test"
    confguard_env["CREDENTIALS_DIRECTORY"] = "run"
    confguard_env.mounted({"myservice_database_url": "postgresql://shop:fake-password@db.test/shop"}, "run")
    confguard_fake["vault://secret/myservice"] = {"secret_key": "fake-secret-key", "smtp_password": "fake-smtp-password"}
    confguard_fake["vault://secret/payments#/stripe_key"] = "fake-stripe-key"
    return confguard_env


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Take away the handlers that the service gives to the root logger: what they write to ends with the test."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if handler not in before:
            handler.close()
    root.handlers[:] = before
    root.setLevel(level)
