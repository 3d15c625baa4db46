"""Reading settings classes: what pydantic knows of their fields, and what is bound, as a schema."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args
from weakref import WeakKeyDictionary

from pydantic import AliasChoices, AliasPath, BaseModel
from pydantic.fields import FieldInfo

from confguard._bindings import FileVariable, From, FromEach, Required, rules_of
from confguard._mistakes import Fault, stray_rules, wrong_deciders, wrong_prefixes
from confguard._plan import DECODE
from confguard._problem import Problem
from confguard._reference import InvalidReferenceError, Template, parse_template
from confguard._schema import Binding, Each, Key, Node, Schema
from confguard._types import allowed_values, bare_type, infos_of, is_secret, is_structure, nested_model, origin_of, parts
from confguard._values import DECODINGS

_schemas: WeakKeyDictionary[type[BaseModel], Schema] = WeakKeyDictionary()


def schema_of(settings_class: type[BaseModel]) -> Schema:
    """The schema of a settings class, read once."""
    schema = _schemas.get(settings_class)
    if schema is None:
        if not settings_class.__pydantic_complete__:
            settings_class.model_rebuild(raise_errors=False)
        name = f"{settings_class.__module__}:{settings_class.__qualname__}"
        mistakes: list[Problem] = []
        nodes = _nodes(settings_class, "", (settings_class,), mistakes)
        models = frozenset(part for part in parts(settings_class) if isinstance(part, type) and issubclass(part, BaseModel))
        schema = Schema(name, nodes, models - {settings_class}, tuple(rules_of(settings_class)), _secret_computed(settings_class))
        allowed: Sequence[str] = settings_class.model_config.get("allowed_references", ())  # type: ignore[assignment] # our own key
        mistakes += [*wrong_deciders(schema), *stray_rules(schema), *wrong_prefixes(allowed)]
        schema = dataclasses.replace(
            schema, mistakes=tuple(dataclasses.replace(wrong, settings_class=name) for wrong in mistakes)
        )
        if settings_class.__pydantic_complete__:
            _schemas[settings_class] = schema
    return schema


def _secret_computed(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(name for name, info in model.model_computed_fields.items() if is_secret(info.return_type))


def _nodes(model: type, prefix: str, above: tuple[type, ...], mistakes: list[Problem]) -> tuple[Node, ...]:
    config: Mapping[str, Any] = getattr(model, "model_config", None) or getattr(model, "__pydantic_config__", {})
    fields: Mapping[str, FieldInfo] = model.__pydantic_fields__  # type: ignore[attr-defined] # of models and dataclasses alike
    return tuple(_node(name, info, config, prefix, above, mistakes) for name, info in fields.items())


def _node(
    name: str,
    info: FieldInfo,
    config: Mapping[str, Any],
    prefix: str,
    above: tuple[type, ...],
    mistakes: list[Problem],
) -> Node:
    path = f"{prefix}{name}"
    model = nested_model(info.annotation)
    children = _nodes(model, f"{path}.", (*above, model), mistakes) if model and model not in above else ()
    keys, by_name = input_keys(name, info, config)
    secret = is_secret(info.annotation)
    node = Node(
        path=path,
        name=name,
        keys=keys,
        by_name=by_name,
        secret=secret,
        required=info.is_required(),
        optional=info.default is None and info.default_factory is None,
        is_json=bool(children) or is_structure(info.annotation),
        children=children,
        model=model,
        default=info.default if secret and not info.is_required() and info.default_factory is None else None,
        makes_secret=secret and info.default_factory not in (None, model, list, tuple, dict, set, frozenset),
        possible=allowed_values(info.annotation),
        takes_empty=secret and _takes_empty(info),
    )
    binding, faults = _binding(node, info)
    faults += _bound_twice(node) if binding is not None else []
    named, wrong = _file_variable(node, info)
    faults += wrong
    mistakes += [Problem("mistake", path, message, tip=tip) for message, tip in faults]
    conditions = [item.when for item in info.metadata if isinstance(item, Required)]
    return dataclasses.replace(
        node,
        binding=None if faults else binding,
        required_when=conditions[0] if conditions else None,
        file_variable=named,
    )


def _file_variable(node: Node, info: FieldInfo) -> tuple[str | None, list[Fault]]:
    """The variable that names a field's file by a rule of its own, and what is wrong with that."""
    names = [item.name for item in info.metadata if isinstance(item, FileVariable)]
    if not names:
        return None, []
    if len(names) > 1:
        return None, [("it has two file variables", "keep one FileVariable(…)")]
    if not node.secret or node.children:
        return None, [("a variable can name a file for a secret field alone", "make it SecretStr, SecretBytes or Secret[…]")]
    if not names[0] or "=" in names[0] or "\0" in names[0]:
        return None, [(f"no variable can be called {names[0]!r}", "write FileVariable('PGPASSFILE')")]
    return names[0], []


def _binding(node: Node, info: FieldInfo) -> tuple[Binding | None, list[Fault]]:
    """What a field is bound to, and what is wrong with the way it is bound."""
    bindings = [item for item in info.metadata if isinstance(item, From)]
    if not bindings:
        return None, _misplaced(node, info)
    binding, faults = bindings[0], list[Fault]()
    if len(bindings) > 1:
        faults.append(("it is bound twice", "keep one From(…)"))
    if node.output is None:
        faults.append(("it is bound, and only an alias path into a list leads to it", "give it an alias that is a name"))
    if binding.secret and not node.secret:
        tip = "make it SecretStr, SecretBytes or Secret[…], or say From(…, secret=False)"
        faults.append(("what a store holds is a secret, and its type would show it", tip))
    if binding.on_outage == "default" and node.required:
        faults.append(("on_outage='default' wants a default, and it has none", "give it one, or take on_outage out"))
    if not binding.references:
        faults.append(("its From() names no reference", "write From('vault://secret/app#/password')"))
    element = _element(info.annotation) if isinstance(binding, FromEach) else None
    if isinstance(binding, FromEach) and element is None:
        faults.append(("FromEach(…) binds a list or a tuple, which it is not", "write From(…) for one value"))
    choices: list[Template] = []
    for text in binding.references:
        try:
            choices.append(parse_template(text))
        except InvalidReferenceError as exc:
            faults.append((f"the reference {text!r} cannot be read: {exc}", None))
    faults += [fault for choice in choices if (fault := _wrong_decoding(choice)) is not None]
    each = Each(type(None) in element, any(map(is_structure, element))) if element is not None else None
    return Binding(tuple(choices), each, binding.when, binding.secret, binding.on_outage == "default"), faults


def _wrong_decoding(choice: Template) -> Fault | None:
    how = choice.rest.param(DECODE)
    return (f"decode={how} is not known", f"write decode={DECODINGS[0]}") if how not in (None, *DECODINGS) else None


def _element(annotation: object) -> tuple[object, ...] | None:
    """The types that an element of a list or tuple may have; None for any other type."""
    bare = bare_type(annotation)
    members = [bare_type(arg) for arg in get_args(bare)] if origin_of(bare) not in (list, tuple) else [bare]
    found = next((member for member in members if origin_of(member) in (list, tuple)), None)
    return tuple(part for arg in get_args(found) for part in (arg, *get_args(bare_type(arg)))) if found is not None else None


def _bound_twice(node: Node) -> list[Fault]:
    bound = [child.path for child in _all_nodes(node.children) if child.binding is not None]
    return [(f"it is bound as a whole, and so is {bound[0]} within it", "keep one of the two")] if bound else []


def _all_nodes(nodes: tuple[Node, ...]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from _all_nodes(node.children)


def _misplaced(node: Node, info: FieldInfo) -> list[tuple[str, str | None]]:
    """A binding as a default, without its call, in a union or in a model of a list binds nothing, and pydantic says nothing."""
    inside = [item for part in parts(info.annotation) for item in get_args(part)[1:]] if not node.children else []
    if not node.children:
        inside += [item for part in parts(info.annotation) for field in infos_of(part) for item in field.metadata]
    if isinstance(info.default, From) or any(item is From for item in info.metadata):
        return [("its From(…) binds nothing where it stands", "write Annotated[the type, From(…)]")]
    if any(isinstance(item, From) for item in inside):
        return [("its From(…) stands inside of the type and binds nothing", "write Annotated[the whole type, From(…)]")]
    return []


def _takes_empty(info: FieldInfo) -> bool:
    """Whether the class says that a secret may be empty: its own default is, or its shortest length is 0."""
    default = info.default
    reveal = getattr(default, "get_secret_value", None)
    return any(getattr(item, "min_length", None) == 0 for item in info.metadata) or (callable(reveal) and reveal() in ("", b""))


def input_keys(name: str, info: FieldInfo, config: Mapping[str, Any]) -> tuple[tuple[Key, ...], bool]:
    """The ways in which an input may spell a field, by pydantic's rules on aliases, and whether the last is its name."""
    by_alias = config.get("validate_by_alias") is not False
    by_name = config.get("validate_by_name")
    if by_name is None:
        by_name = config.get("populate_by_name")
    if by_name is None:
        by_name = not by_alias
    alias = info.validation_alias if by_alias else None
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias] if alias is not None else []
    keys: list[Key] = [tuple(choice.path) if isinstance(choice, AliasPath) else (choice,) for choice in choices]
    by_name = bool(by_name) or not keys
    return (*keys, (name,)) if by_name else tuple(keys), by_name
