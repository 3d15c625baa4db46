"""The provider of ``awssecrets://`` and ``awsssm://``: AWS Secrets Manager and Parameter Store."""

from confguard_aws._config import Agent
from confguard_aws._provider import AWS

__all__ = ["AWS", "Agent"]
