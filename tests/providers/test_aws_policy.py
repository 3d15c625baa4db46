"""The least privilege, as a policy of IAM."""

import json
from collections.abc import Sequence

import pytest

from confguard._reference import parse_reference
from confguard_aws import AWS, Agent

SECRET = "arn:aws:secretsmanager:<region>:<account>:secret"
PARAMETER = "arn:aws:ssm:<region>:<account>:parameter"
KEY = ["arn:aws:kms:<region>:<account>:key/<key>"]


def policy(provider: AWS, references: Sequence[str], **facts: str) -> dict[str, list[str]]:
    """The resources of each action."""
    text = provider.policy([parse_reference(one) for one in references], facts)
    told = json.loads(text)
    assert told["Version"] == "2012-10-17"
    assert {statement["Effect"] for statement in told["Statement"]} == {"Allow"}
    return {statement["Action"]: statement["Resource"] for statement in told["Statement"]}


def test_each_action_has_what_it_is_called_for_and_nothing_else() -> None:
    """What is asked for twice stands once; placeholders stand in angle brackets."""
    wanted = [
        "awssecrets://prod/db",
        "awssecrets://prod/db?stage=AWSPREVIOUS",
        "awssecrets://b",
        "awsssm:///a/b:3",
        "awsssm://a/",
    ]
    assert policy(AWS(), wanted) == {
        "secretsmanager:GetSecretValue": [f"{SECRET}:prod/db-??????", f"{SECRET}:b-??????"],
        "secretsmanager:BatchGetSecretValue": ["*"],
        "ssm:GetParameters": [f"{PARAMETER}/a/b"],
        "ssm:GetParametersByPath": [f"{PARAMETER}/a"],
        "kms:Decrypt": KEY,
    }


def test_one_secret_needs_no_batch() -> None:
    assert set(policy(AWS(), ["awssecrets://a", "awssecrets://b?stage=AWSPREVIOUS"], key="none")) == {
        "secretsmanager:GetSecretValue"
    }


def test_facts_take_the_place_of_placeholders() -> None:
    """ARNs are what they are; a region of code counts as known."""
    arn = "arn:aws:secretsmanager:us-east-1:210987654321:secret:a-a1b2c3"
    told = policy(
        AWS(region="cn-north-1"), [f"awssecrets://{arn}", "awsssm://x"], account="123456789012", partition="aws-cn", key="k-1"
    )
    assert told == {
        "secretsmanager:GetSecretValue": [arn],
        "ssm:GetParameters": ["arn:aws-cn:ssm:cn-north-1:123456789012:parameter/x"],
        "kms:Decrypt": ["arn:aws-cn:kms:cn-north-1:123456789012:key/k-1"],
    }


@pytest.mark.parametrize("facts", [{"acount": "123456789012"}, {"account": "12"}, {"region": "a b"}, {"key": "a/b"}])
def test_facts_that_say_nothing_are_refused(facts: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="write account=123456789012, region=…, partition=… or key=…"):
        policy(AWS(), ["awssecrets://a"], **facts)


def test_what_the_agent_reads_needs_nothing_of_ours() -> None:
    assert AWS(agent=Agent()).policy([parse_reference("awssecrets://a")], {}) == ""
