"""Hiding the secrets that this process has loaded, wherever it writes.

One call, at the start of a service::

    import confguard.redaction

    confguard.redaction.install()

From then on logs, warnings and tracebacks show ``[redacted:FIELD]`` in place of a known secret, those of other libraries too.
What is known was told by each load; `redactor` hides it in texts, bytes and streams, `scrub` in structures, for whatever else a
service writes.
"""

from confguard._copied import RedactedError
from confguard._hooks import install, uninstall
from confguard._redaction import Redactor, redactor
from confguard._structlog import structlog_processor
from confguard._walk import KEYS, clean_exception, scrub

__all__ = [
    "KEYS",
    "RedactedError",
    "Redactor",
    "clean_exception",
    "install",
    "redactor",
    "scrub",
    "structlog_processor",
    "uninstall",
]
