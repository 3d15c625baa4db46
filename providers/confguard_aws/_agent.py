"""The AWS Secrets Manager Agent: one request a secret, to this machine, with the token that it wants."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from botocore.awsrequest import AWSRequest

from confguard.provider import USER_AGENT, Failure, hide
from confguard_aws._attempt import attempt
from confguard_aws._config import Agent
from confguard_aws._failures import Refusal, malformed, refusal_of
from confguard_aws._jobs import Answer, Job, Outcome, failure_of
from confguard_aws._names import Secret
from confguard_aws._secrets import parameters_of, value_of
from confguard_aws._tables import Row
from confguard_aws._wire import Wire

# The agent's own, in its order.
VARIABLES = ("AWS_TOKEN", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN")

_QUERY = {"SecretId": "secretId", "VersionStage": "versionStage", "VersionId": "versionId"}
_NOT_TAKEN = Row("unauthenticated", "the agent does not take the token", "is {origin} the one that the agent was started with?")


def token_of(agent: Agent, what: str) -> str | Failure:
    """The token that the agent wants, told to the redactor.

    Args:
        agent: The agent.
        what: What a failure is about.
    """
    text = f"file://{agent.token_file}" if agent.token_file else next(filter(None, map(os.environ.get, VARIABLES)), None)
    if text is None:
        return Failure("unauthenticated", f"{what}: no token for the agent", "set AWS_TOKEN, or say Agent(token_file=…)")
    if text.startswith("file://"):
        path = Path(text.removeprefix("file://"))
        try:
            text = path.read_text().strip()
        except FileNotFoundError:
            return Failure(
                "unavailable", f"{what}: the agent's token file is not there (yet)", f"is {path} written, and mounted here?"
            )
        except (OSError, ValueError):
            return Failure(
                "unconfigured", f"{what}: the agent's token file cannot be read", f"check {path}, its owner and its mode"
            )
    if not text.isascii() or not text.isprintable() or not text:
        return Failure("unconfigured", f"{what}: the agent's token is no text that a header can hold", "write the token anew")
    hide(text)
    return text


def read_agent(job: Job, agent: Agent, wire: Wire) -> Outcome:
    """Ask the agent for one secret."""
    return Outcome({secret: _read(secret, agent, wire) for secret in job.asks if isinstance(secret, Secret)})


def _read(secret: Secret, agent: Agent, wire: Wire) -> Answer:
    words = {"address": agent.address, "region": "that of the agent", "origin": "the token", "partition": "aws"}
    token = token_of(agent, str(secret))
    if isinstance(token, Failure):
        return token
    reply = attempt(lambda: _get(agent, wire, secret, token), words)
    if isinstance(reply, Refusal):
        return failure_of(reply, secret)
    status, headers, body = reply
    entry = _object(body)
    if status == 200:
        return value_of(entry, secret) if entry else malformed(str(secret), "the answer is no JSON object")
    code = str(entry.get("__type", "")).rpartition("#")[2]
    if status == 403 and not code:
        return failure_of(Refusal(_NOT_TAKEN, "403", words), secret)
    return failure_of(refusal_of(code, status, headers, words), secret)


def _get(agent: Agent, wire: Wire, secret: Secret, token: str) -> tuple[int, Mapping[str, str], bytes]:
    query = urlencode({_QUERY[name]: value for name, value in parameters_of(secret).items()})
    url = f"{agent.address.rstrip('/')}/secretsmanager/get?{query}"
    headers = {"X-AWS-Parameters-Secrets-Token": token, "User-Agent": USER_AGENT}
    response = wire.send(AWSRequest(method="GET", url=url, headers=headers).prepare())
    return response.status_code, {str(name).lower(): str(value) for name, value in response.headers.items()}, response.content


def _object(body: bytes) -> dict[str, Any]:
    """The object that a body holds; empty where it holds something else."""
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
