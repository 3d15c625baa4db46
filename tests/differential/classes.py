"""Generated settings classes as source: fields, configurations, bases, hooks for sources, validators."""

from collections.abc import Mapping, Sequence
from typing import Any

import pydantic_settings
from hypothesis import strategies as st

from tests.differential.blueprint import Field
from tests.differential.drawing import pick, seldom, some
from tests.differential.kinds import Kind
from tests.differential.situations import command_line

USUAL = "init_settings, env_settings, dotenv_settings, file_secret_settings"
SUPER = f"super().settings_customise_sources(settings_cls, {USUAL})"

# What a class may be configured with, and how many times as often not.
CONFIG: dict[str, tuple[int, tuple[Any, ...]]] = {
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
    CONFIG["env_prefix_target"] = (4, ("alias", "all"))
if "env_file_depth" in pydantic_settings.BaseSettings.model_config:
    CONFIG["env_file_depth"] = (4, (2,))


def config_of(draw: st.DrawFn, fields: Sequence[Field], features: set[str]) -> dict[str, Any]:
    config = {name: seldom(draw, *options, weight=weight * len(options)) for name, (weight, options) in CONFIG.items()}
    config = {name: value for name, value in config.items() if value is not None}
    if "validate_by_alias" in config:  # pydantic wants the other with it
        config["validate_by_name"] = True
        config.pop("populate_by_name", None)
    if seldom(draw, True, weight=9):
        config["cli_parse_args"] = command_line(draw, fields)
    features |= set(config)
    features |= {f"{name}: many" for name in ("env_file", "secrets_dir") if isinstance(config.get(name), list | tuple)}
    return config


def field_of(draw: st.DrawFn, name: str, kind: Kind, features: set[str]) -> Field:
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


def source_of(
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
HOOKS = {
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
    HOOKS["nested secrets by directory"] = f"{_NESTED}'s1', secrets_nested_subdir=True)"
    HOOKS["nested secrets by name"] = f"{_NESTED}['s1', 's2'], secrets_nested_delimiter='__')"


def _hook(draw: st.DrawFn, fields: Sequence[Field], features: set[str]) -> list[str]:
    given = [f"{field.name!r}: {pick(draw, (*field.kind.objects, *map(repr, field.kind.good)))}" for field in fields[:2]]
    field = pick(draw, fields)
    argument = f"{pick(draw, (*field.aliases, field.name))}={pick(draw, field.kind.good)}"
    options = {**HOOKS, **_RAISING}
    name = pick(draw, tuple(options))
    features.add(f"hook: {name}")
    returned = options[name].replace("GIVEN", f"{{{', '.join(given)}}}").replace("'--FIELD'", repr(f"--{argument}"))
    arguments = "cls, settings_cls, init_settings, env_settings, dotenv_settings, file_secret_settings"
    return ["    @classmethod", f"    def settings_customise_sources({arguments}):", f"        return {returned}"]


# Validators, computed fields, private attributes; NAME is a field's.
EXTRAS = {
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
    chosen = some(draw, tuple(EXTRAS), pick(draw, (0, 0, 1, 2)))
    features |= set(chosen)
    return [EXTRAS[name].replace("NAME", pick(draw, fields).name).strip("\n") for name in chosen]
