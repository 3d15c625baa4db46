"""Generated environments: variables, files, arguments of a call and of a command line."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.differential.blueprint import Field, Situation
from tests.differential.drawing import pick, seldom, some

# Where a field is given something, in one place or in several.
PLACES = (*["env"] * 3, "dotenv", "mounted", "init", "file", "")
SEVERAL = ("env dotenv", "env init", "dotenv mounted", "env dotenv mounted init")
ODD_LINES = ("broken line\n", "export x\n", "É=é\n", "X=\udcff\n", "Y='open\n", "Z=${HOME}$\n")


@dataclass
class _Laid:
    """What is given, place by place."""

    variables: dict[str, str] = dataclasses.field(default_factory=dict)
    dotenv: dict[str, str] = dataclasses.field(default_factory=dict)
    other: dict[str, str] = dataclasses.field(default_factory=dict)
    files: dict[str, str] = dataclasses.field(default_factory=dict)
    init: list[str] = dataclasses.field(default_factory=list)


def situation_of(draw: st.DrawFn, fields: Sequence[Field], config: Mapping[str, Any]) -> Situation:
    laid = _Laid()
    for one in fields:
        if one.default is None or draw(st.booleans()):
            for place in pick(draw, (*PLACES, *SEVERAL)).split():
                _give(draw, one, place, config, laid)
    if seldom(draw, True, common=False, weight=9):
        pick(draw, (laid.variables, laid.dotenv)).update({f"{config.get('env_prefix', '')}stray": "1"})
    for path, entries in ((".env", laid.dotenv), ("b.env", laid.other)):
        if entries or seldom(draw, True, common=False):
            text = "".join(f"{name}='{value}'\n" for name, value in entries.items())
            laid.files[path] = text + str(seldom(draw, *ODD_LINES, common="", weight=20))
    chosen = _call(draw, fields)
    call = "{" + ", ".join(f"{name!r}: {source}" for name, source in chosen.items()) + "}"
    features = {*chosen, *(["init"] if laid.init else [])}
    return Situation(laid.variables, laid.files, "{" + ", ".join(laid.init) + "}", call, frozenset(features))


def _give(draw: st.DrawFn, one: Field, place: str, config: Mapping[str, Any], laid: _Laid) -> None:
    """Give a field something in one place."""
    name, text, entries = _entries(draw, one, config)
    match place:
        case "env":
            laid.variables |= entries
        case "dotenv":
            pick(draw, (laid.dotenv, laid.other)).update(entries)
        case "mounted":
            directory = pick(draw, ("s1", "s1", "s2"))
            laid.files |= {f"{directory}/{key}{pick(draw, ('', '', '/port'))}": value for key, value in entries.items()}
        case "file":
            laid.files["extra.json"] = f'{{"{one.name}": {text if text[:1] in tuple("[{") else json.dumps(text)}}}'
            laid.files["extra.toml"] = f"{one.name} = '{text}'\n"
        case _:
            name = pick(draw, (*one.aliases, one.name, one.name))
            laid.init.append(f"{name!r}: {pick(draw, (*one.kind.objects, *one.kind.defaults, *map(repr, one.kind.good)))}")


def _entries(draw: st.DrawFn, one: Field, config: Mapping[str, Any]) -> tuple[str, str, dict[str, str]]:
    """A name of a field, a text for it, and the variables that say so or say parts of it."""
    prefix, delimiter = config.get("env_prefix", ""), config.get("env_nested_delimiter", "__")
    usual = one.aliases or (f"{prefix}{one.name}",)
    wrong = (f"{prefix}{one.name}", *(f"{prefix}{alias}" for alias in one.aliases), usual[0].upper(), f"OTHER_{one.name}")
    name = pick(draw, (*usual * 4, *wrong))
    text = pick(draw, (*one.kind.good * 4, *one.kind.bad))
    if "_path" in name or "_list" in name:
        text = pick(draw, (f"[{text}]", f'["{text}"]', f'{{"key": {text}}}', f'{{"key": "{text}"}}', text))
    entries = {name: text}
    if len(one.kind.inner) and draw(st.booleans()):
        for part in some(draw, tuple(one.kind.inner), pick(draw, (1, 2))):
            entries[f"{name}{delimiter}{part.replace('__', delimiter)}"] = pick(draw, one.kind.inner[part])
        if draw(st.booleans()):
            del entries[name]
    return name, text, entries


CALLS = {
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


def _call(draw: st.DrawFn, fields: Sequence[Field]) -> dict[str, str]:
    chosen = {name: pick(draw, CALLS[name]) for name in some(draw, tuple(CALLS), pick(draw, (0, 0, 0, 1, 2)))}
    if seldom(draw, True, weight=9):
        chosen["_cli_parse_args"] = repr(command_line(draw, fields))
    return chosen


def command_line(draw: st.DrawFn, fields: Sequence[Field]) -> list[str]:
    """Arguments for some of the fields, seldom wrong ones."""
    line: list[str] = []
    for field in fields[:2]:
        name, text = pick(draw, (*field.aliases, field.name)), pick(draw, (*field.kind.good, *field.kind.good, *field.kind.bad))
        line += pick(draw, ((), (f"--{name}={text}",), (f"--{name}", text)))
        if len(field.kind.inner) and draw(st.booleans()):
            part = pick(draw, tuple(field.kind.inner))
            line.append(f"--{name}.{part.replace('__', '.')}={pick(draw, field.kind.inner[part])}")
    return line + list(seldom(draw, ("--nothing",), ("--help",), common=(), weight=20))
