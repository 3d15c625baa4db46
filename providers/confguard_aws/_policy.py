"""The least privilege that a set of references needs, as a policy of IAM in JSON."""

import json
import re
from collections.abc import Mapping, Sequence

from confguard.provider import Failure, Reference
from confguard_aws import _secrets
from confguard_aws._names import Ask, Secret, ask_of

FACTS: Mapping[str, str] = {
    "account": "[0-9]{12}",
    "region": "[a-z0-9-]+",
    "partition": "aws[a-z-]*",
    "key": "none|[A-Za-z0-9-]+|arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+",
}
"""What no plan can know, and how it is written: ``key`` is that of KMS, or ``none`` where values have none of their own."""


def policy_of(refs: Sequence[Reference], facts: Mapping[str, str], region: str | None) -> str:
    """A policy with one statement an action. What is not known stands in angle brackets, for a person to replace.

    Args:
        refs: What will be read.
        facts: See `FACTS`.
        region: The region that code gives.

    Raises:
        ValueError: A fact is none of these. It says what to do.
    """
    for name, value in facts.items():
        if not re.fullmatch(FACTS.get(name, ""), value):
            raise ValueError(f"{name}={value} says nothing here; write account=123456789012, region=…, partition=… or key=…")
    known = {"account": "<account>", "region": region or "<region>", "partition": "aws", "key": "<key>", **facts}
    asks = list(dict.fromkeys(ask for ask in map(ask_of, refs) if not isinstance(ask, Failure)))
    actions: dict[str, dict[str, None]] = {}
    for ask in asks:
        actions.setdefault(f"{ask.service}:{ask.action}", {})[_resource(ask, known)] = None
    secrets = [ask for ask in asks if isinstance(ask, Secret)]
    if any(job.operation == _secrets.MANY for job in _secrets.jobs_of(secrets, known["region"])):
        actions["secretsmanager:BatchGetSecretValue"] = {"*": None}  # which AWS ties to no resource
    if known["key"] != "none" and asks:
        key = known["key"]
        whole = key if key.startswith("arn:") else f"arn:{known['partition']}:kms:{known['region']}:{known['account']}:key/{key}"
        actions["kms:Decrypt"] = {whole: None}
    statements = [{"Effect": "Allow", "Action": action, "Resource": list(resources)} for action, resources in actions.items()]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2, ensure_ascii=False) if asks else ""


def _resource(ask: Ask, known: Mapping[str, str]) -> str:
    resource = ask.resource_in(known["partition"], known["region"])
    return resource if ask.is_by_arn else resource.replace(":*:", f":{known['account']}:", 1)
