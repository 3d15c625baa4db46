"""The provider of ``gcpsecrets://``: Google Cloud Secret Manager."""

from confguard_gcp._provider import GCP

__all__ = ["GCP"]
