"""The plug-in for pytest: fixtures, no real fetch in a test that does not allow it, and no known secret in what pytest shows.

pytest imports it in every project that has this library, so it imports nothing before a test needs it.
"""

import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from confguard._stand_ins import guarded

if TYPE_CHECKING:
    import warnings

    from confguard._reference import Reference
    from confguard.provider import Failure
    from confguard.testing._clean import CleanEnvironment
    from confguard.testing._fake import FakeProvider

MARKER = "confguard_allow_fetches"
_OPTION = "--confguard-allow-fetches"


class _Run:
    """A run of pytest: where it is, and whether a fetch is allowed there. Read by every thread that is about to fetch."""

    def __init__(self) -> None:
        self.allowed = self.in_test = False
        self.where = "pytest, outside of a test,"

    @contextmanager
    def at(self, where: str, *, in_test: bool, allowed: bool) -> Generator[None]:
        before = self.where, self.in_test, self.allowed
        self.where, self.in_test, self.allowed = where, in_test, allowed or self.allowed
        try:
            yield
        finally:
            self.where, self.in_test, self.allowed = before

    def guard(self, references: "Sequence[Reference]") -> "Mapping[Reference, Failure] | None":
        """Why none of these is fetched; None where it may be."""
        if self.allowed:
            return None
        from confguard._unset import Untold
        from confguard.provider import Failure
        from confguard.testing._fake import what_to_write

        # By value, since the test may be over when it is told.
        message = f"{self.where} would fetch {{}} for real"
        otherwise = f"mark the test @pytest.mark.{MARKER}" if self.in_test else f"run pytest {_OPTION}"

        def tell(reference: "Reference") -> Failure:
            tip = f"take the fixture confguard_fake and write {what_to_write(reference)}; or {otherwise}"
            return Failure("unconfigured", message.format(reference), tip)

        told = {reference: tell(reference) for reference in references}
        return {one: Untold(failure.kind, failure.message, failure.tip, tell=tell) for one, failure in told.items()}


_RUN = pytest.StashKey[_Run]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option and its like in an ini file."""
    text = "let confguard fetch from real stores in tests"
    parser.getgroup("confguard").addoption(_OPTION, action="store_true", default=False, help=text)
    parser.addini(MARKER, text, type="bool", default=False)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Refuse fetches of conftest files too."""
    _begin(early_config, allowed=early_config.known_args_namespace.confguard_allow_fetches)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse fetches from here on, unless they are allowed."""
    _begin(config, allowed=config.option.confguard_allow_fetches)
    config.addinivalue_line("markers", f"{MARKER}: let confguard fetch from real stores in this test")


def _begin(config: pytest.Config, *, allowed: bool) -> None:
    if _RUN not in config.stash:
        config.stash[_RUN] = _Run()
        until_the_end = ExitStack()
        until_the_end.enter_context(guarded(config.stash[_RUN].guard))
        config.add_cleanup(until_the_end.close)
    config.stash[_RUN].allowed = allowed or bool(config.getini(MARKER))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Say where a module fetches that is collected, and take secrets out of what is shown of its failure."""
    where = f"the collection of {collector.nodeid or 'the tests'}"
    with collector.config.stash[_RUN].at(where, in_test=False, allowed=False):
        report = yield
    _clean(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Say which test fetches, from its fixtures' set-up to their end, and whether it may."""
    tests_a_provider = getattr(getattr(item, "cls", None), MARKER, False)
    allowed = tests_a_provider or item.get_closest_marker(MARKER) is not None
    with item.config.stash[_RUN].at(item.nodeid, in_test=True, allowed=allowed):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Take secrets out of what is shown of a test."""
    report = yield
    _clean(report)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """The same for what was added since: subtests bring their output so."""
    _clean(report)


@pytest.hookimpl(tryfirst=True)
def pytest_warning_recorded(warning_message: "warnings.WarningMessage") -> None:
    """Take secrets out of the warnings that are shown at the end."""
    if _nothing_is_known():
        return
    from confguard.testing._reports import clean_warning

    clean_warning(warning_message)


@pytest.hookimpl(tryfirst=True)
def pytest_assertrepr_compare(op: str, left: object, right: object) -> Sequence[str] | None:
    """Show no diff of a secret."""
    if _nothing_is_known():
        return None
    from confguard.testing._reports import without_diff

    return without_diff(op, left, right)


def _clean(report: pytest.TestReport | pytest.CollectReport) -> None:
    if _nothing_is_known():
        return
    from confguard.testing._reports import clean_report

    clean_report(report)


def _nothing_is_known() -> bool:
    """Whether nobody can have told the redactor anything: it was never imported."""
    return "confguard._redaction" not in sys.modules


@pytest.fixture
def confguard_env() -> "Generator[CleanEnvironment]":
    """A clean environment, set through it, and an empty directory to stand in: confguard_env["SHOP_STAGE"] = "development"."""
    from confguard.testing._clean import CleanEnvironment

    with CleanEnvironment() as env:
        yield env


@pytest.fixture
def confguard_fake() -> "Generator[FakeProvider]":
    """A fake in the place of every store: confguard_fake["vault://secret/shop#/api_key"] = "fake"."""
    from confguard.testing._fake import faking

    with faking() as fake:
        yield fake


@pytest.fixture
def confguard_settings() -> Callable[..., Any]:
    """Makes valid settings: `confguard_settings(ShopSettings, stage="production")` gives them, with made values for the rest."""
    from confguard.testing import valid_settings

    made: Callable[..., Any] = valid_settings
    return made
