"""Putting functions around those of other modules, for as long as somebody wants, and taking exactly these away again.

A leaf: it imports nothing of ours.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import update_wrapper
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

Around = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Makes of a function the one to call in its place."""


class Patch:
    """A function put around one that an object has as an attribute."""

    def __init__(self, owner: Any, name: str, around: Around) -> None:
        """Put it there.

        Args:
            owner: A module or a class.
            name: The attribute.
            around: Makes what is put there of what was.
        """
        self._owner, self._name = owner, name
        self._own = name in vars(owner)  # else it is inherited, and is again when the patch is gone
        self._plain = vars(owner)[name] if self._own else getattr(owner, name)
        self._on = True
        is_method = isinstance(self._plain, classmethod)
        plain = self._plain.__func__ if is_method else self._plain
        around_it = around(plain)

        def patched(*args: Any, **kwargs: Any) -> Any:
            return (around_it if self._on else plain)(*args, **kwargs)

        function = update_wrapper(patched, plain)
        self._put: Any = classmethod(function) if is_method else function
        setattr(owner, name, self._put)

    def undo(self) -> None:
        """Restore what was there. Where others have put something around ours since, ours stays in it and does nothing more."""
        self._on = False
        if vars(self._owner).get(self._name) is not self._put:
            return
        if self._own:
            setattr(self._owner, self._name, self._plain)
        else:
            delattr(self._owner, self._name)


@dataclass(frozen=True, slots=True)
class Late:
    """What to do with a module when it is imported; it is not imported for that.

    Attributes:
        module: Its name.
        patch: Makes the patches.
    """

    module: str
    patch: Callable[[Any], Sequence[Patch]]


class Watch:
    """Waits for modules. One that is there already is done at once."""

    def __init__(self, awaited: Sequence[Late]) -> None:
        self._patches: list[Patch] = []
        self._awaited = {late.module: late for late in awaited}
        for late in awaited:
            if late.module in sys.modules:
                self._do(sys.modules[late.module])
        if self._awaited:
            sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find a module as others do; when it has run, it is patched. A finder's method, called by Python."""
        if name not in self._awaited:
            return None
        others = (finder for finder in list(sys.meta_path) if finder is not self)
        spec = next((spec for finder in others if (spec := finder.find_spec(name, path, target)) is not None), None)
        if spec is None or spec.loader is None or isinstance(spec.loader, type):  # a class loads what is built in or frozen
            return spec
        run = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            run(module)
            if module.__name__ == name:  # a loader may serve many
                self._do(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign] # of this one loader
        return spec

    def undo(self) -> None:
        """Wait no longer, and take back what was done."""
        self._awaited.clear()
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for patch in reversed(self._patches):
            patch.undo()

    def _do(self, module: ModuleType) -> None:
        late = self._awaited.pop(module.__name__, None)
        if late is not None:
            self._patches += late.patch(module)
