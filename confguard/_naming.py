"""What fields are called where variables are read: by a class's prefix, delimiter and case."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from confguard._classes import schema_of
from confguard._schema import Node, Schema, Trail


class Naming(NamedTuple):
    """How names are made.

    Attributes:
        prefix: What names begin with.
        prefixed: Which of them do: ``variable`` for fields' own names, ``alias``, or ``all``.
        delimiter: What stands between a model's name and that of a field in it; None where variables cannot say that.
        case_sensitive: Whether case counts.
    """

    prefix: str = ""
    prefixed: str = "variable"
    delimiter: str | None = None
    case_sensitive: bool = False

    def names(self, trail: Trail) -> list[str]:
        """What a variable or a file of the field alone is called, before case is folded."""
        for_alias, for_name = (self.prefix if self.prefixed in (kind, "all") else "" for kind in ("alias", "variable"))
        top = trail[0]
        last = len(top.keys) - 1 if top.by_name else -1
        names = [(for_name if at == last else for_alias) + str(key[0]) for at, key in enumerate(top.keys)]
        for node in trail[1:]:
            delimiter = self.delimiter
            names = [f"{name}{delimiter}{key[0]}" for name in names for key in node.keys] if delimiter else []
        return names

    def file_variables(self, trail: Trail) -> list[str]:
        """What a variable is called that names a file with the field's value, before case is folded."""
        if (custom := trail[-1].file_variable) is not None:
            return [custom]
        plain = tuple(replace(node, keys=tuple(key for key in node.keys if len(key) == 1)) for node in trail)
        return [f"{name}_FILE" for name in self.names(plain)] if all(node.keys for node in plain) else []

    def folded(self, name: str) -> str:
        """A name as a source keeps it."""
        return name if self.case_sensitive else name.lower()

    def shown(self, name: str) -> str:
        """How a name is written for an operator."""
        upper = name.upper()  # which is another name for "größe": its small letters are not the ones that were written
        return name if self.case_sensitive or upper.lower() != name.lower() else upper


def naming_of(source: object) -> Naming:
    """How a source makes names."""
    return Naming(
        getattr(source, "env_prefix", "") or "",
        getattr(source, "env_prefix_target", "variable"),
        getattr(source, "env_nested_delimiter", None),
        bool(getattr(source, "case_sensitive", False)),
    )


def naming_in(config: Mapping[str, Any]) -> Naming:
    """How a class's configuration wants names to be made."""
    return Naming(
        config.get("env_prefix") or "",
        config.get("env_prefix_target") or "variable",
        config.get("env_nested_delimiter"),
        bool(config.get("case_sensitive")),
    )


@dataclass(frozen=True, slots=True)
class Taken:
    """Which variables a settings class takes, folded.

    Attributes:
        names: Those of its fields, and the ``NAME_FILE`` of its secrets.
        open: What others begin with, which are keys of a mapping, or are in a model that takes any key.
        strict: What those begin with that are in a model which refuses a key that it does not know.
    """

    names: frozenset[str]
    open: tuple[str, ...]
    strict: tuple[str, ...]

    def takes(self, name: str) -> bool:
        """Whether a field takes a variable, by its folded name."""
        return name in self.names or name.startswith(self.open)


_taken: WeakKeyDictionary[type, dict[Naming, Taken]] = WeakKeyDictionary()


def taken(settings_class: Any, naming: Naming) -> Taken:
    """Which variables a settings class takes; worked out once."""
    known = _taken.get(settings_class)
    if known is None:
        known = _taken[settings_class] = {}
    if naming not in known:
        known[naming] = _work_out(schema_of(settings_class), naming)
    return known[naming]


def _work_out(schema: Schema, naming: Naming) -> Taken:
    names: set[str] = set()
    starts: dict[str, list[str]] = {"allow": [], "forbid": []}
    for trail in schema.trails.values():
        node = trail[-1]
        called = [naming.folded(name) for name in naming.names(trail)]
        names.update(called)
        if node.secret:
            names.update(map(naming.folded, naming.file_variables(trail)))
        extra = _extra(node)
        if extra in starts and naming.delimiter:
            starts[extra] += [f"{name}{naming.folded(naming.delimiter)}" for name in called]
    return Taken(frozenset(names), tuple(starts["allow"]), tuple(starts["forbid"]))


def _extra(node: Node) -> str:
    """What becomes of a key that is the name of no field in a field's value; of what is no model, any key is taken."""
    if not node.children:
        return "allow" if node.is_json else "ignore"
    config: Mapping[str, Any] = getattr(node.model, "model_config", None) or getattr(node.model, "__pydantic_config__", {})
    return config.get("extra") or "ignore"
