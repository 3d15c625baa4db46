"""Secrets Manager: which calls some secrets need, and what an answer holds. The calls themselves are somebody else's."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from confguard.provider import FailureKind, Found
from confguard_aws._failures import Refusal, malformed, refusal_of
from confguard_aws._jobs import Answer, Caller, Job, Outcome, failure_of, items_of, request_id_of
from confguard_aws._names import Secret, batches

# AWS takes no more ids in one call.
BATCH = 20

ONE, MANY = "get_secret_value", "batch_get_secret_value"
"""The operations."""

# Where a batch is refused like this, each secret is asked for by itself: that needs another permission, has another quota, and
# tells which of the ids it was. What has no answer, or is not let in at all, would fare no better.
_ONE_BY_ONE: frozenset[FailureKind] = frozenset({"denied", "throttled", "missing", "unconfigured", "malformed"})


def jobs_of(secrets: Sequence[Secret], region: str | None = None) -> Iterator[Job]:
    """The calls that these need: 20 a call, but for what is pinned to a version or stands alone.

    Args:
        secrets: What is wanted.
        region: The region of what does not tell its own, where it is known.
    """
    by_region: dict[str | None, list[Secret]] = {}
    for secret in secrets:
        if secret.batched:
            by_region.setdefault(secret.region or region, []).append(secret)
        else:
            yield _alone(secret)
    for alike in by_region.values():
        for batch in batches(alike, BATCH, lambda secret: secret.plain_name):
            yield Job(MANY, tuple(batch)) if len(batch) > 1 else _alone(batch[0])


def _alone(secret: Secret) -> Job:
    return Job(ONE, (secret,))


def read_batch(job: Job, caller: Caller) -> Outcome:
    """Ask for up to 20 secrets, page by page."""
    outcome = Outcome()
    secrets = [ask for ask in job.asks if isinstance(ask, Secret)]
    token, seen = "", set[str]()
    while token not in seen:
        seen.add(token)
        page = {"NextToken": token} if token else {}
        reply = caller.call(job, SecretIdList=[secret.id for secret in secrets], **page)
        if isinstance(reply, Refusal):
            if reply.kind in _ONE_BY_ONE:
                outcome.again = [_alone(secret) for secret in secrets if secret not in outcome.answers]
            else:
                outcome.refuse(secrets, reply)
            return outcome
        _take(reply, secrets, caller.words(job), outcome)
        token = str(reply.get("NextToken") or "")
    for secret in secrets:
        outcome.answers.setdefault(secret, malformed(str(secret), "neither among the values of the answer nor among its errors"))
    return outcome


def _take(reply: Mapping[str, Any], secrets: Sequence[Secret], words: Mapping[str, str], outcome: Outcome) -> None:
    """Match a page's values and errors with what was asked for."""
    for entry in items_of(reply, "SecretValues"):
        for secret in secrets:
            if secret.is_answered_by(entry.get("Name"), entry.get("ARN")):
                outcome.answers[secret] = value_of(entry, secret)
    for entry in items_of(reply, "Errors"):
        refusal = refusal_of(entry.get("ErrorCode"), None, {}, words, request_id_of(reply))
        for secret in secrets:
            if secret.is_answered_by(entry.get("SecretId"), entry.get("SecretId")):
                outcome.answers.setdefault(secret, failure_of(refusal, secret))


def read_one(job: Job, caller: Caller) -> Outcome:
    """Ask for one secret, or for one version of it."""
    outcome = Outcome()
    for secret in job.asks:
        assert isinstance(secret, Secret)  # noqa: S101 - as these jobs are made
        reply = caller.call(job, **parameters_of(secret))
        outcome.answers[secret] = failure_of(reply, secret) if isinstance(reply, Refusal) else value_of(reply, secret)
    return outcome


def parameters_of(secret: Secret) -> Mapping[str, str]:
    """What names a secret, and the version of it that is wanted."""
    wanted = {"SecretId": secret.id, "VersionStage": secret.stage, "VersionId": secret.version}
    return {name: value for name, value in wanted.items() if value is not None}


def value_of(entry: Mapping[str, Any], secret: Secret) -> Answer:
    """The payload of a secret, checked to be the one that was asked for."""
    version = entry.get("VersionId")
    if not secret.is_answered_by(entry.get("Name"), entry.get("ARN")):
        return malformed(str(secret), "the answer is about another secret, or about none")
    if secret.version is not None and version != secret.version:
        return malformed(str(secret), "the answer is about another version")
    text, binary = entry.get("SecretString"), entry.get("SecretBinary")
    value = text if isinstance(text, str) else _bytes_of(binary)
    if value is None:
        return malformed(str(secret), "the answer holds neither a text nor bytes")
    return Found(value, version=version if isinstance(version, str) else None)


def _bytes_of(binary: object) -> bytes | None:
    """The bytes that base64 stands for; the SDK would pass over what is none, and give fewer."""
    try:
        return base64.b64decode(binary, validate=True) if isinstance(binary, str) else None
    except ValueError:
        return None
