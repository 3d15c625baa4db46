"""Valid settings of a class, made of its schema."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from confguard._classes import schema_of
from confguard._problem import Problem
from confguard._settings import BaseSettings, check_class
from confguard.testing._building import Built, build, check_paths, completed, record_of_class
from confguard.testing._shapes import Record
from confguard.testing._simple import Blanks, simple
from confguard.testing._unmade import CannotMakeError

S = TypeVar("S", bound=BaseSettings)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is made of a class alone.

    Attributes:
        record: Its record.
        tree: The values of the fields that have to be there.
        blanks: The fields for which none can be made.
        whole: The tree with what conditions demand, and the fields that it lacks, for calls that give nothing.
    """

    record: Record
    tree: Mapping[Any, Any]
    blanks: Blanks
    whole: tuple[Mapping[Any, Any], Blanks]


_plans: WeakKeyDictionary[type, _Plan] = WeakKeyDictionary()


def valid_settings(settings_class: type[S], /, **values: Any) -> S:
    """Valid settings of a class, made of its schema alone: no environment, no file and no store is read.

    A field with a default keeps it, unless ``Required(When(…))`` demands a value. The others get the simplest value that their
    type and constraints allow, the same on every run: the field's name as a text, the least number, the first of several
    choices. Secrets begin with ``fake-`` and the field's path, as far as a pattern or a greatest length lets them; hosts end in
    ``.test``. No value is told to the redactor. Validators, conditions and rules of the class are run.

    Args:
        settings_class: A subclass of `BaseSettings`.
        values: Values by field path, which win: ``debug=True``, ``**{"db.password": "x"}``. They are validated, too.

    Returns:
        Settings as `validate` returns them; `explain` tells of what was made that it was given (``init``).

    Raises:
        CannotMakeError: No value is known for some fields, or validators, conditions or rules refuse what was made. It names all
            that has to be given.
        TypeError: It is no settings class.
        ValueError: There is no such field, or one is given whole and in parts that do not fit.
    """
    plan = _plan_of(check_class(settings_class, "valid_settings"))
    check_paths(schema_of(settings_class), list(values))
    names = frozenset(values)
    built = _built(plan, values)
    values = {}
    if built.settings is None:
        give = [path for path in built.give if not any(f"{path}.".startswith(f"{name}.") for name in names)]
        raise CannotMakeError("valid_settings", settings_class.__name__, built.problems, give)
    settings: S = built.settings
    return settings


def _plan_of(settings_class: type[BaseSettings]) -> _Plan:
    plan = _plans.get(settings_class)
    if plan is None:
        record = record_of_class(settings_class)
        blanks: Blanks = []
        tree = simple(record, "", blanks)
        lacking = list(blanks)
        whole = completed(record, tree, {}, simple, lacking)
        plan = _plans[settings_class] = _Plan(record, tree, blanks, (whole, lacking))
    return plan


def _built(plan: _Plan, values: Mapping[str, Any]) -> Built:
    if values:
        lacking = list(plan.blanks)
        tree = completed(plan.record, plan.tree, values, simple, lacking)
    else:
        tree, lacking = dict(plan.whole[0]), plan.whole[1]
    if lacking:
        problems = [Problem("missing", path, f"no value is made for it: {why}") for path, why in lacking]
        return Built(None, problems, [path for path, _ in lacking])
    return build(plan.record, _own(tree))


def _own(value: Any) -> Any:
    """A copy whose containers nobody shares: a validator may change them."""
    if type(value) is dict:
        return {key: _own(item) for key, item in value.items()}
    return [_own(item) for item in value] if type(value) is list else value
