"""`override`: other values for some fields of a settings class, from the beginning of a block to its end."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Literal, TypeVar, get_args

from pydantic import ValidationError

from confguard._classes import schema_of
from confguard._invalid import invalid
from confguard._lazy import class_of_handle
from confguard._load import Load
from confguard._overrides import Layer
from confguard._redaction import redactor
from confguard._replaced import validate_together
from confguard._schema import Node, Schema
from confguard._settings import BaseSettings, check_class
from confguard._state import ABSENT, find
from confguard._values import closest, is_empty, texts
from confguard.testing._standing import begin_in_context, begin_in_process, end_in_context, end_in_process

D = TypeVar("D", bound=Callable[..., Any])

Scope = Literal["process", "context"]


def override(
    settings_class: type[BaseSettings] | BaseSettings,
    values: Mapping[str, object] = {},
    /,
    *,
    scope: Scope = "process",
    **fields: object,
) -> "Override":
    """Other values for some fields of a settings class, while a ``with`` block, a test or the tests of a class run.

        with override(AppSettings, debug=True, **{"db.password": "fake"}): ...

        @override(AppSettings, debug=True)
        async def test_debug(): ...

    `validate` and ``AppSettings()`` give these values, and so does every handle that `lazy` made of the class. They win over
    every source, and over what the code gives as arguments. What is overridden is neither read, nor fetched, nor missing. A
    handle that is loaded shows a copy of its settings with the values in it; one that is not, or whose copy a validator or a rule
    refuses, loads when it is first read, and raises `ConfigError` where that is refused. Afterwards each holds what it held
    before. Settings that the code holds itself stay as they are.

    Overrides nest: the one that began last wins. They may end in any order.

    Args:
        settings_class: The settings class, or a handle of it. Its subclasses are classes of their own.
        values: By field path, the values: for paths, and for fields that are called as an argument of this function.
        scope: ``process`` for every thread, as a server that runs in one needs it; ``context`` for this thread or task alone,
            and the tasks that it starts.
        fields: The same by name. A value is given as to the class itself: a plain text for a `SecretStr`, a mapping or an
            instance for a nested model.

    Returns:
        A context manager, which gives nothing; also a decorator of functions, coroutine functions and classes. Of a class it
        decorates every method whose name begins with ``test``.

    Raises:
        ValueError: There is no such field, or its value is not valid. Nothing is changed.
        TypeError: It is no settings class, or what is decorated is a generator or no function, as a fixture of pytest's.
    """
    owner = check_class(class_of_handle(settings_class) or settings_class, "override")
    given = {**values, **fields}
    if any("." in path for path in given):
        given = dict(sorted(given.items(), key=lambda item: item[0].count(".")))
    values = fields = {}
    schema = schema_of(owner)
    refusal = _misnamed(schema, given)
    secrets = _secrets(schema, given) if refusal is None else []
    refusal = refusal or _invalid(owner, given, secrets)
    if scope not in get_args(Scope):
        refusal = f"scope is 'process' or 'context', not {scope!r}"
    if refusal:
        given, secrets = {}, []
        raise ValueError(refusal)
    return Override(owner, given, secrets, scope)


class Override:
    """What `override` returns. It may begin again once it has ended, and not before."""

    def __init__(
        self,
        settings_class: type[BaseSettings],
        values: Mapping[str, object],
        secrets: Sequence[tuple[Node, object]],
        scope: Scope,
    ) -> None:
        self._settings_class = settings_class
        self._values = values
        self._secrets = secrets
        self._scope: Scope = scope
        self._layer: Layer | None = None

    def __repr__(self) -> str:
        return f"<override of {', '.join(self._values) or 'nothing'} in {self._settings_class.__name__}>"

    def __enter__(self) -> None:
        if self._layer is not None:
            raise RuntimeError(f"{self!r} has begun already; call override() once more")
        layer = Layer(self._settings_class, self._values)
        self._learn()
        error = (begin_in_process if self._scope == "process" else begin_in_context)(layer)
        if error is None:
            self._layer = layer
            return
        del self, layer  # the error is not to lead to the values
        try:
            raise error
        finally:
            del error

    def _learn(self) -> None:
        """Tell the redactor the secrets, as a load does: a handle that is loaded shows them without one."""
        for node, value in self._secrets:
            for text in texts(value):
                redactor.learn(text, node.path)

    def __exit__(self, *_: object) -> None:
        layer, self._layer = self._layer, None
        if layer is not None:
            (end_in_process if self._scope == "process" else end_in_context)(layer)

    def __call__(self, decorated: D) -> D:
        """Decorate a function, a coroutine function, or the tests of a class."""
        made: D = self._around_tests(decorated) if isinstance(decorated, type) else self._around(decorated)
        return made

    def _around_tests(self, owner: Any) -> Any:
        for name in dir(owner):
            test = inspect.getattr_static(owner, name)
            if name.startswith("test") and isinstance(getattr(test, "__func__", test), FunctionType):
                setattr(owner, name, self._around(test))
        return owner

    def _around(self, function: Any) -> Any:
        if isinstance(function, (staticmethod, classmethod)):
            return type(function)(self._around(function.__func__))
        if not isinstance(function, (FunctionType, MethodType, BuiltinFunctionType, partial)):
            # What is put around a fixture of pytest's, say, is no fixture any more.
            kind = type(function).__name__
            raise TypeError(f"override decorates functions and classes, and no {kind}; write it below that decorator")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            name = getattr(function, "__qualname__", repr(function))
            raise TypeError(f"{name} is a generator, whose body runs later: write `with override(…)` in it")
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def awaiting(*args: Any, **kwargs: Any) -> Any:
                with self._anew():
                    return await function(*args, **kwargs)

            return awaiting

        @wraps(function)
        def calling(*args: Any, **kwargs: Any) -> Any:
            with self._anew():
                return function(*args, **kwargs)

        return calling

    def _anew(self) -> "Override":
        """One for a single call: a function may be called by itself, or by several threads."""
        return Override(self._settings_class, self._values, self._secrets, self._scope)


def _misnamed(schema: Schema, given: Mapping[str, object]) -> str | None:
    """What is wrong with the names of the fields."""
    for path in given.keys() - schema.trails.keys():
        aliased = (node.path for node in schema.nodes if (path,) in node.keys)
        meant = next(aliased, None) or closest(path, schema.trails)
        return f"there is no field {path!r}{f'; did you mean {meant!r}?' if meant else ''}"
    for path in given.keys() & schema.in_lists:
        return f"{path} cannot be overridden: the alias path that is read first leads into a list"
    return None


def _invalid(owner: type[BaseSettings], given: Mapping[str, object], secrets: Sequence[tuple[Node, object]]) -> str | None:
    """What is wrong with the values; quotes none of them. What is judged with other fields is left to those who have them."""
    schema = schema_of(owner)
    by_model = {"": {path: value for path, value in given.items() if "." not in path}}
    for path, value in given.items() if len(by_model[""]) < len(given) else ():
        outer, _, name = path.rpartition(".")
        by_model.setdefault(outer, {})[name] = value
    faults: list[str] = []
    for above, values in by_model.items():
        model = schema.trails[above][-1].model if above else owner
        assert model is not None  # noqa: S101 - what has fields is a model
        faults += _faults(owner, model, above, values, [text for _, value in secrets for text in texts(value)])
    faults += [
        f"{node.path}: is an empty secret; a field that may be empty says Field(min_length=0)"
        for node, value in secrets
        if not node.takes_empty and is_empty(value)
    ]
    return f"override of {owner.__name__}: {'; '.join(faults)}" if faults else None


def _faults(
    owner: type[BaseSettings], model: type, above: str, values: Mapping[str, object], secrets: Sequence[str | bytes]
) -> list[str]:
    try:
        validate_together(model, values)
    except ValidationError as exc:
        load: Load = Load(owner, layers=())
        load.texts += secrets  # which no message may quote
        problems = list(invalid(exc, load, tuple(above.split(".")) if above else ()))
        return [f"{problem.field}: {problem.message or problem.kind}" for problem in problems] or ["not valid"]
    except Exception as exc:  # noqa: BLE001 - of a validator of the user's; its frames hold the values
        paths = (f"{above}.{name}" if above else name for name in values)
        return [f"{', '.join(paths)}: a validator raised {type(exc).__qualname__}"]
    return []


def _secrets(schema: Schema, given: Mapping[str, object]) -> list[tuple[Node, object]]:
    """The fields among those given that are secrets, with their values; of a model those in it."""
    found: list[tuple[Node, object]] = []
    for path, value in given.items():
        trail = schema.trails[path]
        node = trail[-1]
        if not node.secret:
            continue
        if not node.children:
            found.append((node, value))
        else:
            inside = [(leaf[-1], find(value, leaf[len(trail) :])) for leaf in schema.leaves_of(path) if leaf[-1].secret]
            found += [(node, inner) for node, inner in inside if inner is not ABSENT]
    return found
