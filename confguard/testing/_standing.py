"""How an override begins and ends: which layers are on, and what the handles of the class hold meanwhile.

What a handle held before is kept, and given back as it was. All is changed at once; code of users runs while no lock is held.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from confguard import _overrides
from confguard._call import caught
from confguard._explain import known
from confguard._lazy import handles_of, held, held_by_process, hold_by_process, set_apart
from confguard._load import Load
from confguard._overrides import NAME, Layer, layers_of, layers_of_process, stamp_of
from confguard._problem import Origin
from confguard._replaced import replaced
from confguard._rules import judge
from confguard._state import place


def begin_in_process(layer: Layer) -> BaseException | None:
    """Begin an override that every thread sees.

    Returns:
        What interrupted it, in which case nothing is changed.
    """
    owner = layer.settings_class
    while True:
        before = [(handle, held_by_process(handle)) for handle in handles_of(owner)]
        shown: list[Any] = []
        for _, settings in before:
            made, error = _shown(settings, layer)
            if error is not None:
                return error
            shown.append(made)
        with _overrides.lock:
            now = [(handle, held_by_process(handle)) for handle in handles_of(owner)]
            if not _are_same(before, now):
                continue  # one was made or loaded meanwhile
            layer.below = {id(handle): (handle, settings) for handle, settings in before}
            _overrides.put_on_process((*layers_of_process(owner), layer), owner)
            for (handle, _), made in zip(before, shown, strict=True):
                hold_by_process(handle, made)
            return None


def end_in_process(layer: Layer) -> None:
    """End an override that every thread sees. Where another that began later is still on, handles load anew under that."""
    owner = layer.settings_class
    with _overrides.lock:
        layers = layers_of_process(owner)
        at = layers.index(layer)
        above = layers[at + 1 :]
        _overrides.put_on_process((*layers[:at], *above), owner)
        for later in above:
            later.below, layer.below = layer.below, {}
        for handle in handles_of(owner):
            _, settings = layer.below.get(id(handle), (None, None))
            hold_by_process(handle, settings)
    layer.below = {}


def begin_in_context(layer: Layer) -> BaseException | None:
    """Begin an override that this context alone sees.

    Returns:
        What interrupted it, in which case nothing is changed.
    """
    owner = layer.settings_class
    while True:
        stamp = stamp_of(layers_of(owner))
        shown: list[tuple[Any, Any]] = []
        for handle in handles_of(owner):
            made, error = _shown(held(handle), layer)
            if error is not None:
                return error
            shown.append((handle, made))
        with _overrides.lock:
            if stamp != stamp_of(layers_of(owner)):
                continue  # another began or ended meanwhile
            _overrides.put_on_context(layer)
            stamp = stamp_of(layers_of(owner))
            layer.held = {(id(handle), stamp): (handle, made) for handle, made in shown if made is not None}
            for handle in handles_of(owner):
                set_apart(handle, apart=True, settings=held_by_process(handle))
            return None


def end_in_context(layer: Layer) -> None:
    """End an override of a context, for it and for those that were copied from it."""
    owner = layer.settings_class
    with _overrides.lock:
        _overrides.take_off_context(layer)
        layer.held = {}
        if not _overrides.is_apart(owner):
            for handle in handles_of(owner):
                set_apart(handle, apart=False, settings=held_by_process(handle))


def _are_same(before: list[tuple[Any, Any]], now: list[tuple[Any, Any]]) -> bool:
    ids = [[(id(handle), id(settings)) for handle, settings in pairs] for pairs in (before, now)]
    return ids[0] == ids[1]


def _shown(settings: Any, layer: Layer) -> tuple[Any, BaseException | None]:
    """What a handle shows that held these settings.

    Returns:
        A copy with the values in it. None where it held none, and where such a copy is refused: then whoever reads the handle
        loads, and is told why, as with a handle that was not loaded before. And what interrupted it.
    """
    if settings is None:
        return None, None
    load = Load(type(settings), layers=())
    made, stop = caught(load, partial(_judged, load, settings, layer.values))
    if stop is not None:
        return None, stop
    problems = tuple(load.all_problems())
    load.forget()
    return None if any(problem.severity == "error" for problem in problems) else made, None


def _judged(load: Load, settings: Any, values: Mapping[str, object]) -> Any:
    """The settings with other values in them; what rules and conditions say of it is noted in the load."""
    made = replaced(settings, values)
    schema = load.schema
    before = known.of(settings)
    if before is not None:
        known.remember(made, _Origins(before, frozenset(values)))
    if len(vars(made)) >= len(schema.nodes) and (schema.rules or schema.conditional or schema.computed):
        for node in schema.nodes:
            if node.name in made.model_fields_set and node.output is not None:
                place(load.state, load.state, (node,), getattr(made, node.name))
        load.problems += judge(load, made)
    return made


class _Origins(Mapping[str, Origin]):
    """The origins of settings with other values in them; told when somebody asks, as those of a load are."""

    def __init__(self, before: Mapping[str, Origin], overridden: frozenset[str]) -> None:
        self._before, self._overridden = before, overridden

    def __getitem__(self, path: str) -> Origin:
        before = self._before[path]
        if not any(f"{path}.".startswith(f"{name}.") for name in self._overridden):
            return before
        passed_over = () if before.source in (NAME, "default") else (replace(before, shadowed=()),)
        return Origin(NAME, path, shadowed=(*passed_over, *before.shadowed))

    def __iter__(self) -> Iterator[str]:
        return iter(self._before)

    def __len__(self) -> int:
        return len(self._before)
