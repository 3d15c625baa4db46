"""Generated settings classes as source, with the environments that they are loaded in. A failing example prints as code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pydantic_settings
from hypothesis import strategies as st

from tests.differential.kinds import COLLECTIONS, GENERIC, INNER, MODELS, PLAIN, SECRETS, Kind

# What not every supported version of pydantic-settings has is generated where it is there.
HAS_NESTED_SECRETS = hasattr(pydantic_settings, "NestedSecretsSettingsSource")

SITUATIONS = 5
"""In how many environments each class is loaded: making the class costs more than loading it."""

NAMES = ("alpha", "beta", "gamma_delta", "db", "Mixed")
USUAL = "init_settings, env_settings, dotenv_settings, file_secret_settings"
SUPER = f"super().settings_customise_sources(settings_cls, {USUAL})"


@dataclass(frozen=True)
class Field:
    """A field of a generated class: its source, and what it is called from outside."""

    name: str
    kind: Kind
    source: str
    aliases: tuple[str, ...]
    default: str | None


@dataclass(frozen=True)
class Situation:
    """What a class is loaded from.

    Attributes:
        variables: The environment.
        files: Env files, mounted files and others by path.
        init: Init arguments as the source of a dict.
        call: Arguments with an underscore as the source of a dict.
    """

    variables: Mapping[str, str]
    files: Mapping[str, str]
    init: str
    call: str


@dataclass(frozen=True)
class Case:
    """A settings class and the situations in which it is loaded."""

    source: str
    situations: Sequence[Situation]
    features: frozenset[str]

    def __repr__(self) -> str:
        lines = [self.source]
        for situation in self.situations:
            lines += [f"# variables: {dict(situation.variables)}", f"# files: {dict(situation.files)}"]
            lines += [f"# call: Settings(**{situation.init}, **{situation.call})"]
        return "\n".join(lines)


def seldom(draw: st.DrawFn, *options: Any, common: Any = None, weight: int = 4) -> Any:
    """One of some options, but mostly the common one."""
    return pick(draw, (*[common] * weight, *options))


def pick(draw: st.DrawFn, options: Sequence[Any]) -> Any:
    """One of some options, the first of which is the simplest."""
    return options[draw(_index(len(options)))]


def _some(draw: st.DrawFn, options: Sequence[Any], count: int) -> list[Any]:
    """So many different options, or all of them."""
    left = list(options)
    return [left.pop(draw(_index(len(left)))) for _ in range(min(count, len(left)))]


@cache
def _index(size: int) -> st.SearchStrategy[int]:
    return st.integers(0, size - 1)


KINDS = (*PLAIN, *SECRETS, *COLLECTIONS, *MODELS, INNER)


@st.composite
def cases(draw: st.DrawFn, kinds: Sequence[Kind] = KINDS) -> Case:
    """A class, whose first field is of one of some types, and its situations."""
    features: set[str] = set()
    names = _some(draw, NAMES, pick(draw, (1, 2, 3, 4)))
    generic = seldom(draw, True, common=False)
    fields = [_field(draw, name, pick(draw, KINDS if at else kinds), features) for at, name in enumerate(names)]
    if generic:
        fields.append(_field(draw, "opened", GENERIC, features))
    config = _config(draw, fields, features)
    inherited = pick(draw, range(len(fields) + 1))
    features |= {"inheritance"} if inherited else set()
    features |= {"generics"} if generic else set()
    source = _source(draw, fields, inherited, generic, config, features)
    situations = [_situation(draw, fields, config, features) for _ in range(SITUATIONS)]
    return Case(source, situations, frozenset(features))


# What a class may be configured with, and how many times as often not.
_CONFIG: dict[str, tuple[int, tuple[Any, ...]]] = {
    "env_prefix": (1, ("APP_", "app_", "ß_", "A__")),
    "env_nested_delimiter": (1, ("__", "__", "__", "_", ".")),
    "env_nested_max_split": (4, (1, 2)),
    "case_sensitive": (4, (True,)),
    "env_ignore_empty": (4, (True,)),
    "env_parse_none_str": (4, ("null", "None")),
    "env_parse_enums": (4, (True,)),
    "extra": (1, ("forbid", "ignore", "ignore", "allow")),
    "env_file": (1, (".env", ".env", (".env", "b.env"), ["absent.env", "b.env"], "~/.env")),
    "env_file_encoding": (4, ("latin-1", "utf-8")),
    "secrets_dir": (4, ("s1", ["s1", "s2"], ("s1", "absent"), "absent", "b.env")),
    "populate_by_name": (4, (True,)),
    "nested_model_default_partial_update": (2, (True,)),
    "enable_decoding": (9, (False,)),
    "validate_default": (4, (False,)),
    "frozen": (4, (True,)),
    "strict": (19, (True,)),
    "str_strip_whitespace": (4, (True,)),
    "validate_by_alias": (19, (False,)),
    "cli_kebab_case": (9, (True,)),
    "cli_avoid_json": (9, (True,)),
    "cli_prefix": (9, ("cli",)),
    "cli_exit_on_error": (9, (False,)),
    "cli_ignore_unknown_args": (9, (True,)),
}
if "env_prefix_target" in pydantic_settings.BaseSettings.model_config:
    _CONFIG["env_prefix_target"] = (4, ("alias", "all"))
if "env_file_depth" in pydantic_settings.BaseSettings.model_config:
    _CONFIG["env_file_depth"] = (4, (2,))


def _config(draw: st.DrawFn, fields: Sequence[Field], features: set[str]) -> dict[str, Any]:
    config = {name: seldom(draw, *options, weight=weight * len(options)) for name, (weight, options) in _CONFIG.items()}
    config = {name: value for name, value in config.items() if value is not None}
    if "validate_by_alias" in config:  # pydantic wants the other with it
        config["validate_by_name"] = True
        config.pop("populate_by_name", None)
    if seldom(draw, True, weight=9):
        config["cli_parse_args"] = _command_line(draw, fields)
    features |= set(config)
    features |= {f"{name}: many" for name in ("env_file", "secrets_dir") if isinstance(config.get(name), list | tuple)}
    return config


def _command_line(draw: st.DrawFn, fields: Sequence[Field]) -> list[str]:
    """Arguments for some of the fields, seldom wrong ones."""
    line: list[str] = []
    for field in fields[:2]:
        name, text = pick(draw, (*field.aliases, field.name)), pick(draw, (*field.kind.good, *field.kind.good, *field.kind.bad))
        line += pick(draw, ((), (f"--{name}={text}",), (f"--{name}", text)))
        if len(field.kind.inner) and draw(st.booleans()):
            part = pick(draw, tuple(field.kind.inner))
            line.append(f"--{name}.{part.replace('__', '.')}={pick(draw, field.kind.inner[part])}")
    return line + list(seldom(draw, ("--nothing",), ("--help",), common=(), weight=20))


def _field(draw: st.DrawFn, name: str, kind: Kind, features: set[str]) -> Field:
    default = pick(draw, kind.defaults) if draw(st.booleans()) or draw(st.booleans()) else None
    aliases: tuple[str, ...] = ()
    arguments = [default] if default is not None else []
    match pick(draw, ("none", "none", "none", "alias", "validation", "choices", "path")):
        case "alias":
            aliases = (f"{name}Alias",)
            arguments.append(f"alias={aliases[0]!r}")
        case "validation":
            aliases = (pick(draw, (f"{name}_alias", name.upper(), f"{name}__x")),)
            arguments.append(f"validation_alias={aliases[0]!r}")
        case "choices":
            aliases = (f"{name}_one", f"{name}_two")
            path = f", AliasPath('{name}_list', {pick(draw, (0, -1))})" if draw(st.booleans()) else ""
            arguments.append(f"validation_alias=AliasChoices('{name}_one', '{name}_two'{path})")
            aliases += (f"{name}_list",) if path else ()
        case "path":
            aliases = (f"{name}_path",)
            arguments.append(f"validation_alias=AliasPath('{name}_path', {pick(draw, (0, chr(39) + 'key' + chr(39)))})")
    features |= {"alias"} if aliases else set()
    features |= {part for part in ("AliasChoices", "AliasPath") if any(part in argument for argument in arguments)}
    features.add(kind.annotation)
    value = f" = Field({', '.join(arguments)})" if arguments else ""
    if default is not None and not aliases and draw(st.booleans()):
        value = f" = Field(default_factory=lambda: {default})"
    return Field(name, kind, f"{name}: {kind.annotation}{value}", aliases, default)


_INNER = """class Inner(base):
    model_config = SettingsConfigDict(extra='ignore')
    host: str = 'inner'
    port: int = Field(1, validation_alias=AliasChoices('port', 'INNER_PORT'))
    token: SecretStr = SecretStr('t')"""


def _source(
    draw: st.DrawFn, fields: Sequence[Field], inherited: int, generic: bool, config: Mapping[str, Any], features: set[str]
) -> str:
    hooks = {
        place: _hook(draw, fields, features)
        for place in pick(draw, ((), (), (), ("mixin",), ("base",), ("class",), ("base", "class"), ("mixin", "base")))
    }
    features |= {f"hook in {place}" for place in hooks}
    lines = [_INNER]
    if "mixin" in hooks:
        lines += ["class Mixin:", *hooks["mixin"]]
    # A base may have a configuration of its own, which the class overrides in part.
    shared = {name: value for at, (name, value) in enumerate(config.items()) if at % 2 and inherited} if inherited else {}
    parent = "Mixin, base" if "mixin" in hooks and inherited % 2 else "base"
    bases = "Mixin, Parent" if "mixin" in hooks and not inherited % 2 else "Parent"
    open_above = generic and inherited
    lines += [
        f"class Parent({parent}{', Generic[T]' if open_above else ''}):",
        f"    model_config = SettingsConfigDict(**{shared!r})",
    ]
    lines += [f"    {field.source}" for field in fields[:inherited]]
    lines += hooks.get("base", [])
    bases = bases.replace("Parent", "Parent[int]") if open_above else bases
    lines += [
        f"class Settings({bases}{', Generic[T]' if generic and not open_above else ''}):",
        f"    model_config = SettingsConfigDict(**{dict(config)!r})",
    ]
    lines += [f"    {field.source}" for field in fields[inherited:]]
    lines += hooks.get("class", [])
    lines += _extras(draw, fields, features)
    if generic and not open_above:
        lines.append("Settings = Settings[int]")
    return "\n".join(lines)


# What a hook for sources returns: it reorders them, leaves some out, or adds some. GIVEN and FIELD are a field's.
_HOOKS = {
    "usual": USUAL,
    "reordered": "env_settings, init_settings, file_secret_settings, dotenv_settings",
    "file first": "file_secret_settings, dotenv_settings, env_settings, init_settings",
    "only env": "env_settings,",
    "none": "()",
    "function": "init_settings, (lambda: GIVEN), env_settings",
    "super reversed": f"{SUPER}[::-1]",
    "super and more": f"*{SUPER}, Fixed(settings_cls, GIVEN)",
    "own first": f"Fixed(settings_cls, GIVEN), {USUAL}",
    "own last": f"{USUAL}, Fixed(settings_cls, GIVEN)",
    "init twice": f"InitSettingsSource(settings_cls, GIVEN), {USUAL}",
    "other prefix": "init_settings, env_settings, EnvSettingsSource(settings_cls, env_prefix='OTHER_'), dotenv_settings",
    "json file": "init_settings, env_settings, JsonConfigSettingsSource(settings_cls, 'extra.json')",
    "toml file": "init_settings, env_settings, TomlConfigSettingsSource(settings_cls, 'extra.toml')",
    "commas": "init_settings, Commas(settings_cls), dotenv_settings",
    "seeing": "init_settings, env_settings, Seeing(settings_cls)",
    "more secrets": "init_settings, env_settings, SecretsSettingsSource(settings_cls, 's2')",
    "command line": f"CliSettingsSource(settings_cls, cli_parse_args=['--FIELD']), {USUAL}",
}
_RAISING = {"raises": "1 / 0,"}
if hasattr(pydantic_settings, "NestedSecretsSettingsSource"):
    _NESTED = "init_settings, env_settings, NestedSecretsSettingsSource(file_secret_settings, secrets_dir="
    _HOOKS["nested secrets by directory"] = f"{_NESTED}'s1', secrets_nested_subdir=True)"
    _HOOKS["nested secrets by name"] = f"{_NESTED}['s1', 's2'], secrets_nested_delimiter='__')"


def _hook(draw: st.DrawFn, fields: Sequence[Field], features: set[str]) -> list[str]:
    given = [f"{field.name!r}: {pick(draw, (*field.kind.objects, *map(repr, field.kind.good)))}" for field in fields[:2]]
    field = pick(draw, fields)
    argument = f"{pick(draw, (*field.aliases, field.name))}={pick(draw, field.kind.good)}"
    options = {**_HOOKS, **_RAISING}
    name = pick(draw, tuple(options))
    features.add(f"hook: {name}")
    returned = options[name].replace("GIVEN", f"{{{', '.join(given)}}}").replace("'--FIELD'", repr(f"--{argument}"))
    arguments = "cls, settings_cls, init_settings, env_settings, dotenv_settings, file_secret_settings"
    return ["    @classmethod", f"    def settings_customise_sources({arguments}):", f"        return {returned}"]


# Validators, computed fields, private attributes; NAME is a field's.
_EXTRAS = {
    "before": """
    @field_validator('NAME', mode='before')
    @classmethod
    def _before(cls, value): return value.strip() if isinstance(value, str) else value""",
    "after": """
    @field_validator('NAME')
    @classmethod
    def _after(cls, value):
        if value == 'a b': raise ValueError('no blank in it')
        return value""",
    "every": """
    @field_validator('*', mode='wrap')
    @classmethod
    def _wrap(cls, value, handler): return handler(value)""",
    "model before": """
    @model_validator(mode='before')
    @classmethod
    def _model_before(cls, data): return {key: value for key, value in data.items() if value != 'maybe'}""",
    "model after": """
    @model_validator(mode='after')
    def _model_after(self):
        if self.NAME == 3: raise ValueError('not three')
        return self""",
    "model wrap": """
    @model_validator(mode='wrap')
    @classmethod
    def _model_wrap(cls, data, handler): return handler(data)""",
    "computed": """
    @computed_field
    @property
    def shown(self) -> str: return repr(self.NAME)""",
    "computed secret": """
    @computed_field
    @property
    def hidden(self) -> SecretStr: return SecretStr(repr(self.NAME))""",
    "private": """
    _seen: int = PrivateAttr(0)
    def model_post_init(self, context): self._seen = 1""",
    "default from data": """
    after: int = Field(default_factory=lambda data: len(data))""",
}


def _extras(draw: st.DrawFn, fields: Sequence[Field], features: set[str]) -> list[str]:
    chosen = _some(draw, tuple(_EXTRAS), pick(draw, (0, 0, 1, 2)))
    features |= set(chosen)
    return [_EXTRAS[name].replace("NAME", pick(draw, fields).name).strip("\n") for name in chosen]


def _situation(draw: st.DrawFn, fields: Sequence[Field], config: Mapping[str, Any], features: set[str]) -> Situation:
    variables: dict[str, str] = {}
    dotenv: dict[str, str] = {}
    other: dict[str, str] = {}
    files: dict[str, str] = {}
    init: list[str] = []
    for field in fields:
        if field.default is None or draw(st.booleans()):
            _give(draw, field, config, variables, dotenv, other, files, init)
    if seldom(draw, True, common=False, weight=9):
        pick(draw, (variables, dotenv)).update({f"{config.get('env_prefix', '')}stray": "1"})
    for path, entries in ((".env", dotenv), ("b.env", other)):
        if entries or seldom(draw, True, common=False):
            files[path] = "".join(f"{name}={_quoted(value)}\n" for name, value in entries.items())
            files[path] += seldom(
                draw, "broken line\n", "export x\n", "É=é\n", "X=\udcff\n", "Y='open\n", "Z=${HOME}$\n", common="", weight=20
            )
    call = _call(draw, fields, features)
    features |= {"init"} if init else set()
    return Situation(variables, files, "{" + ", ".join(init) + "}", call)


def _quoted(value: str) -> str:
    return f"'{value}'"


def _give(
    draw: st.DrawFn,
    field: Field,
    config: Mapping[str, Any],
    variables: dict[str, str],
    dotenv: dict[str, str],
    other: dict[str, str],
    files: dict[str, str],
    init: list[str],
) -> None:
    """Give a field something in one place or in several."""
    prefix = config.get("env_prefix", "")
    usual = field.aliases or (f"{prefix}{field.name}",)
    names = (
        *usual * 3,
        *usual,
        f"{prefix}{field.name}",
        *(f"{prefix}{alias}" for alias in field.aliases),
        usual[0].upper(),
        f"OTHER_{field.name}",
    )
    delimiter = config.get("env_nested_delimiter", "__")
    places = pick(
        draw,
        (
            "env",
            "env",
            "env",
            "dotenv",
            "mounted",
            "init",
            "env dotenv",
            "env init",
            "dotenv mounted",
            "env dotenv mounted init",
            "file",
            "",
        ),
    )
    for place in places.split():
        name = pick(draw, names)
        text = pick(draw, (*field.kind.good * 4, *field.kind.bad))
        if "_path" in name or "_list" in name:
            text = pick(draw, (f"[{text}]", f'["{text}"]', f'{{"key": {text}}}', f'{{"key": "{text}"}}', text))
        entries = {name: text}
        if len(field.kind.inner) and draw(st.booleans()):
            for part in _some(draw, tuple(field.kind.inner), pick(draw, (1, 2))):
                entries[f"{name}{delimiter}{part.replace('__', delimiter)}"] = pick(draw, field.kind.inner[part])
            if draw(st.booleans()):
                del entries[name]
        match place:
            case "env":
                variables |= entries
            case "dotenv":
                pick(draw, (dotenv, other)).update(entries)
            case "mounted":
                directory = pick(draw, ("s1", "s1", "s2"))
                files |= {f"{directory}/{key}{pick(draw, ('', '', '/port'))}": value for key, value in entries.items()}
            case "file":
                files["extra.json"] = f'{{"{field.name}": {text if text[:1] in tuple("[{") else chr(34) + text + chr(34)}}}'
                files["extra.toml"] = f'{field.name} = "{text}"\n'.replace('"{', "'{").replace('}"', "}'")
            case _:
                key = pick(draw, (*field.aliases, field.name, field.name))
                init.append(f"{key!r}: {pick(draw, (*field.kind.objects, *field.kind.defaults, *map(repr, field.kind.good)))}")


_CALLS = {
    "_env_file": ("'b.env'", "None", "('.env', 'b.env')"),
    "_env_file_encoding": ("'utf-8'",),
    "_env_prefix": ("'OTHER_'", "''"),
    "_env_nested_delimiter": ("'__'",),
    "_env_nested_max_split": ("1",),
    "_env_ignore_empty": ("True",),
    "_env_parse_none_str": ("'null'",),
    "_env_parse_enums": ("True",),
    "_secrets_dir": ("'s1'", "['s2', 's1']"),
    "_case_sensitive": ("True", "False"),
    "_nested_model_default_partial_update": ("True",),
}


def _call(draw: st.DrawFn, fields: Sequence[Field], features: set[str]) -> str:
    chosen = {name: pick(draw, _CALLS[name]) for name in _some(draw, tuple(_CALLS), pick(draw, (0, 0, 0, 1, 2)))}
    if seldom(draw, True, weight=9):
        chosen["_cli_parse_args"] = repr(_command_line(draw, fields))
    features |= set(chosen)
    return "{" + ", ".join(f"{name!r}: {source}" for name, source in chosen.items()) + "}"


def features() -> set[str]:
    """Everything that a generated case may have, and that does not keep it from being loaded."""
    places = {"inheritance", "generics", "init", "alias", "AliasChoices", "AliasPath", "env_file: many", "secrets_dir: many"}
    places |= {"hook in class", "hook in base", "hook in mixin", "cli_parse_args", "_cli_parse_args"}
    hooks = {f"hook: {name}" for name in _HOOKS}
    return places | hooks | {kind.annotation for kind in (*KINDS, GENERIC)} | set(_CONFIG) | set(_EXTRAS) | set(_CALLS)
