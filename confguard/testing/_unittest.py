"""What the plug-in of pytest gives as fixtures, for `unittest`: mixins, each of which sets one attribute up for every test."""

import unittest
from typing import Any, TypeVar

from confguard._settings import BaseSettings
from confguard.testing._clean import CleanEnvironment
from confguard.testing._fake import FakeProvider, faking

S = TypeVar("S", bound=BaseSettings)


class EnvironmentMixin(unittest.TestCase):
    """Runs each test in a clean environment and an empty directory.

        class TestShop(EnvironmentMixin, FakeMixin, unittest.TestCase):
            def test_starts(self) -> None:
                self.confguard_env["SHOP_STAGE"] = "development"

    A class that has a ``setUp`` of its own calls ``super().setUp()`` first.

    Attributes:
        confguard_env: The environment.
    """

    confguard_env: CleanEnvironment

    def setUp(self) -> None:
        """Set the environment up, and have it back when the test is over."""
        self.confguard_env = self.enterContext(CleanEnvironment())
        super().setUp()


class FakeMixin(unittest.TestCase):
    """Runs each test with a fake in the place of every store.

    Attributes:
        confguard_fake: The fake, in which nothing is set at first.
    """

    confguard_fake: FakeProvider

    def setUp(self) -> None:
        """Put the fake in place, until the test is over."""
        self.confguard_fake = self.enterContext(faking())
        super().setUp()


class SettingsMixin(unittest.TestCase):
    """Makes valid settings of a class."""

    def confguard_settings(self, settings_class: type[S], /, **values: Any) -> S:
        """Valid settings of a class: the values that are given, and made ones for the rest."""
        from confguard.testing import valid_settings

        made: S = valid_settings(settings_class, **values)
        return made
