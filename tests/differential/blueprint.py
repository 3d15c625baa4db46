"""What a generated case is made of. A failing one prints as code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.differential.kinds import Kind


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
        features: What of it a run of all cases must have.
    """

    variables: Mapping[str, str]
    files: Mapping[str, str]
    init: str
    call: str
    features: frozenset[str] = frozenset()


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
