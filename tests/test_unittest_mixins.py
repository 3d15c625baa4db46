"""The mixins for `unittest`: what the fixtures of pytest give, without pytest."""

import io
import os
import secrets
import unittest
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import SecretStr

from confguard import BaseSettings, ConfigError, From, SettingsConfigDict, validate
from confguard.testing import EnvironmentMixin, FakeMixin

VALUE = f"value-{secrets.token_hex(8)}"


class Shop(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SHOP_", env_file=".env")

    stage: str = "nowhere"
    key: Annotated[SecretStr, From("vault://secret/shop#/key")]


def outcome(case: type[unittest.TestCase]) -> tuple[int, Sequence[str]]:
    """How many tests ran, and what the others said that did not pass."""
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
    result = unittest.TextTestRunner(io.StringIO()).run(suite)
    return result.testsRun, [text for _, text in [*result.failures, *result.errors]]


def test_each_test_has_an_environment_and_a_fake_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test sets is not there in the next; a ``setUp`` of the class finds both; everything comes back afterwards."""
    monkeypatch.setenv("SHOP_STAGE", "the developer's")
    before, folder = dict(os.environ), Path.cwd()

    class Case(EnvironmentMixin, FakeMixin, unittest.TestCase):
        def setUp(self) -> None:
            super().setUp()
            self.confguard_env["SHOP_STAGE"] = "development"

        def test_loads(self) -> None:
            self.confguard_fake["vault://secret/shop#/key"] = VALUE
            self.confguard_env.dotenv({"SHOP_STAGE": "lower"})
            settings = validate(Shop)
            assert (settings.stage, settings.key.get_secret_value()) == ("development", VALUE)

        def test_refuses(self) -> None:
            with pytest.raises(ConfigError) as caught:
                validate(Shop)
            assert [problem.message for problem in caught.value.problems] == ["the test has not set vault://secret/shop#/key"]
            assert list(Path().iterdir()) == []

    assert outcome(Case) == (2, [])
    assert (dict(os.environ), Path.cwd()) == (before, folder)
    with pytest.raises(ConfigError, match="VAULT_ADDR is not set"):
        validate(Shop)


def test_everything_comes_back_when_a_set_up_fails() -> None:
    """A ``setUp`` that raises leaves neither an environment nor a fake behind."""
    before = dict(os.environ)

    class Case(FakeMixin, EnvironmentMixin, unittest.TestCase):
        def setUp(self) -> None:
            super().setUp()
            self.confguard_env.dotenv({"SHOP_STAGE": "development"})
            raise RuntimeError("broken")

        def test_nothing(self) -> None: ...

    ran, [told] = outcome(Case)
    assert (ran, "RuntimeError: broken" in told) == (1, True)
    assert dict(os.environ) == before
    with pytest.raises(ConfigError, match="VAULT_ADDR is not set"):
        validate(Shop)


def test_coroutines_are_tested_alike() -> None:
    """The mixins stand before the class for coroutines, too."""

    class Case(FakeMixin, unittest.IsolatedAsyncioTestCase):
        async def test_loads(self) -> None:
            self.confguard_fake["vault://secret/shop#/key"] = VALUE
            assert validate(Shop).key.get_secret_value() == VALUE

    assert outcome(Case) == (1, [])
