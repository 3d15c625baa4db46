"""References from outside: a variable, an env file or a mounted file that holds a reference in place of a value.

Off unless the class lists what it allows. Who writes a value may choose among what is listed and no more: not where to ask, and
not as whom.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from confguard._plan import DECODE
from confguard._reference import InvalidReferenceError, Reference, parse_reference
from confguard._values import DECODINGS

MARK = "ref+"
"""How a value from outside begins that is a reference; `vals` writes them so."""

_PARAMS = frozenset({"version", "stage", DECODE})


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a reference from outside is not followed; nothing of it is quoted, since it may be a secret that looks like one."""

    message: str
    tip: str | None = None


def read_reference(value: str, allowed: Sequence[str]) -> Reference | Refused:
    """A reference from outside, if it may be followed.

    Args:
        value: The value, with its mark.
        allowed: Prefixes of whole segments: ``vault://secret/myservice/``.
    """
    try:
        reference = parse_reference(value.removeprefix(MARK))
    except InvalidReferenceError:
        return Refused("begins like a reference and is none", "write ref+vault://secret/app#/password")
    if any(name not in _PARAMS for name, _ in reference.params) or reference.param(DECODE) not in (None, *DECODINGS):
        return Refused("is a reference with other parameters than version, stage and decode=base64", "take them out")
    if not any(_is_below(reference, prefix) for prefix in allowed):
        return Refused(
            "is a reference that allowed_references does not list", "add its prefix to allowed_references in the class"
        )
    return reference


def _is_below(reference: Reference, prefix: str) -> bool:
    scheme, _, path = prefix.partition("://")
    if reference.scheme != scheme:
        return False
    if not path:
        return True
    top = parse_reference(prefix).path.rstrip("/")
    return reference.path == top or reference.path.startswith(f"{top}/")
