"""What is written beside a field, or above a method, to say where a value lives and when it has to be there."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal, TypeVar

S = TypeVar("S")

Fact = str | int | Enum
"""What a field that decides something may hold."""


@dataclass(frozen=True, slots=True, init=False)
class When:
    """A condition on other fields: all that it names have one of the values that it lists.

        When(app_env="production")
        When(app_env={"staging", "production"}, **{"db.kind": "postgres"})

    A field that decides must be there before anything is fetched: it has no default, is no secret and is not bound. That its
    name and its values exist is checked with the class.

    Attributes:
        facts: By field path, the values that fulfil the condition.
    """

    facts: Mapping[str, tuple[Fact, ...]]

    def __init__(self, **facts: Fact | Collection[Fact]) -> None:
        given = {name: (fact,) if isinstance(fact, str | int | Enum) else tuple(fact) for name, fact in facts.items()}
        object.__setattr__(self, "facts", given)

    def holds(self, values: Mapping[str, object]) -> bool:
        """Whether the values fulfil it; an enumeration's member and its value are the same."""
        return all(plain(values[name]) in map(plain, wanted) for name, wanted in self.facts.items())

    def __str__(self) -> str:
        return " and ".join(f"{name} is {' or '.join(sorted(map(str, map(plain, w))))}" for name, w in self.facts.items())

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.facts)))


def plain(fact: object) -> object:
    """A fact as a plain value: of an enumeration's member its value."""
    return fact.value if isinstance(fact, Enum) else fact


@dataclass(frozen=True, slots=True, init=False)
class From:
    """Binds a field to one value in a store, asked for when no source has it.

        secret_key: Annotated[SecretStr, From("vault://secret/myservice#/secret_key")]

    On a field that is a model, it fills the model from the JSON object that the store holds.

    Nothing is checked here, so that a module with a wrong reference still imports and `confguard check` can report it with
    everything else.

    Attributes:
        references: ``SCHEME://PATH[?PARAMS][#/FRAGMENT]``; of several, the first that is not missing in its store. ``{app_env}``
            in a path stands for the value of that field; a literal brace is written twice.
        when: Binds only where this condition holds. Always unless told.
        secret: Whether the value is a secret, as what a store holds is unless said otherwise. A field that is bound to a secret
            must have a secret type: `SecretStr`, `SecretBytes` or `Secret[T]`.
        on_outage: What to do where the store is unavailable or throttles: ``"error"``, or ``"default"`` to start with the
            field's default and a warning.
    """

    references: tuple[str, ...]
    when: When | None
    secret: bool
    on_outage: Literal["error", "default"]

    def __init__(
        self,
        *references: str,
        when: When | None = None,
        secret: bool = True,
        on_outage: Literal["error", "default"] = "error",
    ) -> None:
        object.__setattr__(self, "references", references)
        object.__setattr__(self, "when", when)
        object.__setattr__(self, "secret", secret)
        object.__setattr__(self, "on_outage", on_outage)


class FromEach(From):
    """Binds a list or a tuple to several values, one element each: keys that overlap in time, say.

        signing_keys: Annotated[list[SecretStr], FromEach("vault://secret/app?version=2#/key", "vault://secret/app#/key")]

    Every one has to be there, unless the type of the elements allows None: then None stands for what is missing. Takes what
    `From` takes.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Required:
    """Makes an optional field required where a condition holds.

        sentry_dsn: Annotated[Secret[HttpUrl] | None, Required(When(app_env="production"))] = None

    Attributes:
        when: The condition.
    """

    when: When


@dataclass(frozen=True, slots=True)
class FileVariable:
    """Gives the variable that names the file with a secret another name than the field's own variable with ``_FILE`` behind it.

        database_password: Annotated[SecretStr, FileVariable("PGPASSFILE")]

    Attributes:
        name: The variable, as it stands in the environment or an env file: no prefix is put before it.
    """

    name: str


RULE = "__confguard_rule__"


def rule(claim: str) -> Callable[[Callable[[S], bool]], Callable[[S], bool]]:
    """Makes a method of a settings class a rule: it returns whether all is well.

        @rule("debug must be off in production")
        def no_debug_in_production(self) -> bool:
            return not (self.debug and self.app_env == "production")

    It is called once the fields that it reads are valid, even where others are not; one that reads an invalid field is not
    evaluated, and the report says so.

    Args:
        claim: What must be true, as the report tells it where it is not.
    """

    def mark(method: Callable[[S], bool]) -> Callable[[S], bool]:
        setattr(method, RULE, claim)
        return method

    return mark


def rules_of(owner: type) -> Iterable[tuple[str, str]]:
    """The name and the claim of each rule of a class, those of its bases first; one that a subclass overrides is its own."""
    names = dict.fromkeys(name for base in reversed(owner.__mro__) for name, item in vars(base).items() if hasattr(item, RULE))
    return [(name, getattr(getattr(owner, name), RULE)) for name in names if hasattr(getattr(owner, name, None), RULE)]
