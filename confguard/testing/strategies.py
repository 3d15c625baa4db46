"""Strategies for hypothesis: settings of a class that vary in all that its schema leaves open.

from hypothesis import given
from confguard.testing import strategies

@given(strategies.settings(AppSettings, app_env="production"))
def test_…(settings: AppSettings) -> None: ...
"""

from operator import attrgetter
from typing import Any, TypeVar

try:
    import hypothesis
    from hypothesis import HealthCheck
    from hypothesis import strategies as st
    from hypothesis.errors import FailedHealthCheck
except ModuleNotFoundError as exc:
    if exc.name != "hypothesis":
        raise
    raise ImportError("confguard.testing.strategies needs hypothesis: pip install hypothesis") from None

from confguard._classes import schema_of
from confguard._problem import Problem
from confguard._settings import BaseSettings, check_class
from confguard.testing._building import Built, build, check_paths, completed, record_of_class
from confguard.testing._drawing import strategy_of
from confguard.testing._shapes import Record, Shape
from confguard.testing._simple import Blanks
from confguard.testing._unmade import CannotMakeError

__all__ = ["settings"]

S = TypeVar("S", bound=BaseSettings)

# hypothesis gives up after 50 examples of which none is good, each drawn three times over, and cannot say why.
_PATIENCE = 100


def settings(settings_class: type[S], /, **fixed: Any) -> st.SearchStrategy[S]:
    """A strategy for valid settings of a class: any value that the types and constraints of its fields allow.

    Fields with a default vary as well, or keep it. Nothing is read: no environment, no file, no store. Secrets begin with
    ``fake-`` and the field's path, unless a pattern or a greatest length says otherwise. What validators, conditions or rules of
    the class refuse is passed over; where nothing passes, hypothesis's health check fails and tells what refused it.

    Args:
        settings_class: A subclass of `BaseSettings`.
        fixed: Values, or strategies for them, by field path: ``debug=True``, ``**{"db.port": integers(1, 9)}``.

    Raises:
        CannotMakeError: No value is known for some fields. It names the fields to fix.
        TypeError: It is no settings class.
        ValueError: There is no such field.
    """
    record = record_of_class(check_class(settings_class, "strategies.settings"))
    check_paths(schema_of(settings_class), list(fixed))
    blanks: Blanks = []
    trees = strategy_of(record, "", blanks)
    lacking = [(path, why) for path, why in blanks if not any(f"{path}.".startswith(f"{name}.") for name in fixed)]
    if lacking:
        problems = [Problem("missing", path, f"no value is made for it: {why}") for path, why in lacking]
        raise CannotMakeError("strategies.settings", settings_class.__name__, problems, [path for path, _ in lacking])
    values = {path: value if isinstance(value, st.SearchStrategy) else st.just(value) for path, value in fixed.items()}
    drawn = _Drawn(record, trees, values)
    return _built(drawn).filter(drawn.accepts).map(attrgetter("settings"))


class _Drawn:
    """What is drawn, and how it went.

    Attributes:
        more: By field path, strategies for what given values and conditions demand beside what has to be there.
        refused: How many examples were refused before any was good; None once one was.
    """

    def __init__(
        self, record: Record, trees: st.SearchStrategy[dict[Any, Any]], values: dict[str, st.SearchStrategy[Any]]
    ) -> None:
        self.record, self.trees, self.values = record, trees, values
        self.more: dict[tuple[str, bool], st.SearchStrategy[Any]] = {}
        self.refused: int | None = 0

    def __repr__(self) -> str:
        return self.record.model.__qualname__

    def accepts(self, built: Built) -> bool:
        """Whether an example is good.

        Raises:
            FailedHealthCheck: None of the first was. It ends the run at once: there is nothing to shrink.
        """
        if built.settings is not None:
            self.refused = None
            return True
        if self.refused is not None:
            self.refused += 1
            if self.refused >= _PATIENCE and not _is_suppressed():
                give = [path for path in built.give if path not in self.values]
                error = CannotMakeError("strategies.settings", self.record.model.__name__, built.problems, give)
                raise FailedHealthCheck(f"all of the first {_PATIENCE} examples were refused, the last so: {error}")
        return False


def _is_suppressed() -> bool:
    """Whether the test wants no health check of what is passed over."""
    current = hypothesis.settings.default
    return current is not None and HealthCheck.filter_too_much in current.suppress_health_check


@st.composite
def _built(draw: st.DrawFn, drawn: _Drawn) -> Built:
    tree = draw(drawn.trees)
    given = {path: draw(value) for path, value in drawn.values.items()}

    def make(shape: Shape, path: str, blanks: Blanks) -> Any:
        key = path, isinstance(shape, Record)
        if key not in drawn.more:
            drawn.more[key] = strategy_of(shape, path, blanks)
        return draw(drawn.more[key])

    return build(drawn.record, completed(drawn.record, tree, given, make, []))
