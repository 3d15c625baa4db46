"""What a report is made of: problems, and the origins they point to. Plain data; text and JSON are made of it last."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from confguard.provider import FailureKind

Kind = (
    FailureKind
    | Literal[
        "invalid",  # a value is there, and pydantic refuses it
        "conflicting",  # two values for one field stand in one place, and nothing says which counts
        "rule",  # a rule of the class is broken
        "mistake",  # the settings class itself is wrong
        "unknown",  # a variable that no field takes
        "degraded",  # it works, and not as it should
    ]
)
Severity = Literal["error", "warning"]

# What an operator has to see first: a wrong class hides everything else, then what waiting does not mend.
_ORDER: tuple[Kind, ...] = (
    "defect",
    "mistake",
    "unconfigured",
    "unauthenticated",
    "denied",
    "malformed",
    "missing",
    "invalid",
    "conflicting",
    "rule",
    "unavailable",
    "throttled",
    "unknown",
    "degraded",
)

# Exit codes of sysexits.h, by what helps: mending the configuration, a permission, or trying again.
EX_OK, EX_USAGE, EX_SOFTWARE, EX_TEMPFAIL, EX_NOPERM, EX_CONFIG = 0, 64, 70, 75, 77, 78
_EXIT: dict[Kind, int] = {
    "defect": EX_SOFTWARE,
    "denied": EX_NOPERM,
    "unauthenticated": EX_NOPERM,
    "unavailable": EX_TEMPFAIL,
    "throttled": EX_TEMPFAIL,
}


LOCAL = frozenset({"init", "env", "dotenv", "named", "mounted", "default"})
"""What the usual sources are called in an origin; anything else is a scheme or the class name of a source."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from.

    Attributes:
        source: ``init``, ``env``, ``dotenv``, ``named`` (a file that a variable names), ``mounted``, ``default``, a provider's
            scheme, or the class name of a source.
        name: The native name there: the variable as it is spelled, the path of the file, the path in the store.
        place: The file that a variable stands in, for ``dotenv``; the variable that names the file, for ``named``.
        version: The version that a store gave.
        shadowed: Other places that had a value too and were passed over, nearest first.
    """

    source: str
    name: str = ""
    place: str | None = None
    version: str | None = None
    shadowed: "tuple[Origin, ...]" = ()

    def __str__(self) -> str:
        words = [self.source, self.place or "", self.name, f"(version {self.version})" if self.version else ""]
        return " ".join(word for word in words if word)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. Never holds a secret.

    Attributes:
        kind: What sort of thing.
        field: The field path (``db.password``), ``""`` where it concerns no one field.
        message: What is wrong, in a few words.
        tip: What to do about it.
        origin: Where the value at fault came from.
        looked_in: The places that were looked in, in order, where a value is missing.
        settings_class: ``module:Class`` of the settings class.
        severity: ``error``, or ``warning`` for what does not keep a service from starting.
        retry_after: After how many seconds a store wants to be asked again.
        request_id: What the store's own log knows the request by.
    """

    kind: Kind
    field: str
    message: str
    tip: str | None = None
    origin: Origin | None = None
    looked_in: tuple[str, ...] = ()
    settings_class: str = ""
    severity: Severity = "error"
    retry_after: float | None = None
    request_id: str | None = None


def by_weight(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems, most serious first, otherwise in the order they came in."""
    return tuple(sorted(problems, key=lambda p: (p.severity == "warning", _ORDER.index(p.kind))))


def exit_code(problems: Iterable[Problem]) -> int:
    """What a command that found these problems exits with.

    78 where the configuration has to be mended, 77 where a permission or credential is, 75 where trying again may help, 70 for
    a defect. Where several apply, the first of 78, 77, 70, 75: trying again alone mends none of the
    others. Warnings do not count.
    """
    codes = {_EXIT.get(problem.kind, EX_CONFIG) for problem in problems if problem.severity == "error"}
    return next((code for code in (EX_CONFIG, EX_NOPERM, EX_SOFTWARE, EX_TEMPFAIL) if code in codes), EX_OK)
