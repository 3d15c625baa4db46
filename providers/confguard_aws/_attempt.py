"""Where the SDK's exceptions end: their frames hold what was sent, and their text what was answered."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from confguard_aws._failures import Refusal, refusal_of
from confguard_aws._fault import row_of
from confguard_aws._tables import ERRORS

R = TypeVar("R")


def attempt(work: Callable[[], R], words: Mapping[str, str], *, setting_up: bool = False) -> R | Refusal:
    """What some work of the SDK gives, or why it gives nothing. What no table knows is raised: it is a fault of ours.

    Args:
        work: The work.
        words: What is known for the tips.
        setting_up: Whether nothing is asked yet, so that what cannot be read is a setting and no answer.
    """
    try:
        return work()
    except ClientError as exc:
        refusal = _answered(exc.response, words)
    except (BotoCoreError, ResponseParserError, OSError, ValueError, LookupError, RecursionError) as exc:
        row = ERRORS["BotoCoreError"] if setting_up and _is_of_a_setting(exc) else row_of(exc)
        if row is None:
            raise
        refusal = Refusal(row, words=words)
    return refusal


def _is_of_a_setting(exc: Exception) -> bool:
    """Whether it is a mere ValueError: the SDK's own are typed, and tell more."""
    return isinstance(exc, ValueError) and not isinstance(exc, BotoCoreError)


def _answered(response: Mapping[str, Any], words: Mapping[str, str]) -> Refusal:
    told = response.get("ResponseMetadata", {})
    code = response.get("Error", {}).get("Code")
    return refusal_of(code, told.get("HTTPStatusCode"), told.get("HTTPHeaders", {}), words, told.get("RequestId"))
