"""What a failure says: a row of the tables, and what is known of the one case.

Everything that others wrote is looked at before it is shown: codes and request ids are shown if they look like one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from confguard.provider import Failure, FailureKind
from confguard_aws._tables import CODES, DENIED, FAULTS, REDIRECT, SERVER_ERROR, SKEW, SKEWED, THROTTLED, UNKNOWN, Row

# A wait beyond this is no advice to somebody who starts a service.
LONGEST_WAIT = 3600.0

# AWS takes a signature that is up to five minutes off.
CLOCK_TOLERANCE = 240.0

_REQUEST_ID = re.compile(r"[0-9A-Za-z-]{8,64}")
_CODE = re.compile(r"[A-Z][A-Za-z]{2,48}(?:\.[A-Z][A-Za-z]{2,48})?|[1-5][0-9]{2}")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call gave nothing, whatever it was asked for. `failure` tells it of one name.

    Attributes:
        row: What it means.
        code: What AWS calls it, where that is not a mere status.
        words: What stands in the tip's braces.
        retry_after: After how many seconds AWS wants to be asked again.
        request_id: What AWS knows the request by.
    """

    row: Row
    code: str = ""
    words: Mapping[str, str] = field(default_factory=dict[str, str])
    retry_after: float | None = None
    request_id: str | None = None

    @property
    def kind(self) -> FailureKind:
        """The kind of the failure."""
        return self.row.kind

    def failure(self, name: str, action: str = "", resource: str = "") -> Failure:
        """The failure of one name, which needs this action of IAM on this resource."""
        words = {"address": "the endpoint", "region": "the region", "origin": "this workload", **self.words, "action": action}
        words["resource"] = resource
        code = f"{self.code}, " if self.code else ""
        where = f" at {self.words['address']}" if self.row in FAULTS.values() and "address" in self.words else ""
        tip = self.row.tip.format_map(words) if self.row.tip else None
        return Failure(
            self.kind, f"{name}{where}: {code}{self.row.message.format_map(words)}", tip, self.retry_after, self.request_id
        )


def refusal_of(
    code: object,
    status: int | None,
    headers: Mapping[str, str],
    words: Mapping[str, str],
    request_id: object = None,
    now: datetime | None = None,
) -> Refusal:
    """What an error that AWS answered means.

    Args:
        code: ``Error.Code`` of the answer: a name, or the status where the answer had none.
        status: The HTTP status; None where the error stands inside of an answer.
        headers: The answer's headers, names in lower case.
        words: What is known for tips.
        request_id: What AWS knows the request by.
        now: This machine's time.
    """
    known = code if isinstance(code, str) and _CODE.fullmatch(code) else ""
    row = CODES.get(known.removesuffix("Exception")) or _by_status(status)
    skew = clock_skew(headers.get("date"), now)
    if known.removesuffix("Exception") in SKEWED and skew is not None and abs(skew) >= CLOCK_TOLERANCE:
        row, words = SKEW, {**words, "skew": f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'}"}
    wait = retry_seconds(headers.get("x-amz-retry-after"), 1000.0) or retry_seconds(headers.get("retry-after"))
    return Refusal(row, known or str(status or ""), words, wait, safe_request_id(request_id))


def malformed(name: str, message: str) -> Failure:
    """The failure of an answer that does not hold what it should."""
    return Failure("malformed", f"{name}: {message}", "check that the endpoint is that of AWS, and not of something before it")


def retry_seconds(header: str | None, unit: float = 1.0) -> float | None:
    """Seconds that a header asks to wait for; None for what is no number."""
    text = (header or "").strip()
    return min(float(text) / unit, LONGEST_WAIT) if re.fullmatch(r"[0-9]{1,9}", text) else None


def clock_skew(date: str | None, now: datetime | None = None) -> float | None:
    """By how many seconds our clock is ahead of a date of HTTP; below 0 it is behind, and None is no date."""
    try:
        moment = parsedate_to_datetime(date or "")
    except (ValueError, TypeError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return ((now or datetime.now(UTC)) - moment).total_seconds()


def safe_request_id(text: object) -> str | None:
    """A request id that looks like one: the store wrote it, and it goes into a report."""
    return text if isinstance(text, str) and _REQUEST_ID.fullmatch(text) else None


def _by_status(status: int | None) -> Row:
    if status == 429:
        return THROTTLED
    if status in (401, 403):
        return DENIED
    if status is not None and 300 <= status < 400:
        return REDIRECT
    return SERVER_ERROR if status is not None and status >= 500 else UNKNOWN
