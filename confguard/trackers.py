"""Error trackers: one call each, after which an event that is sent holds no secret.

No SDK is imported before its function is called. What is sent is searched last, after the user's own hooks. Values under names
like ``password``, ``authorization`` and ``cookie`` are masked too. Where a hook of ours fails, the event is dropped, not sent.
"""

import copy
import logging
import sys
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from confguard._cuts import hide_halves
from confguard._known import REDACTED
from confguard._redaction import Redactor, redactor
from confguard._walk import KEYS, scrub

if TYPE_CHECKING:
    from bugsnag import Client as BugsnagClient

T = TypeVar("T")

__all__ = ["protect_bugsnag", "protect_rollbar", "protect_sentry"]

_KEYS = KEYS | {"cookies"}
# What Sentry's SDK calls with an event, a part of one or a record of its own before it is sent, as far as a version has it.
_SENTRY_HOOKS = (
    "before_send",
    "before_send_transaction",
    "before_breadcrumb",
    "before_send_log",
    "before_send_metric",
)
_SPAN_HOOK = "before_send_span"  # where spans are sent one by one

_DROPPED = "an event for an error tracker was dropped, since redacting it failed"

logger = logging.getLogger("confguard")


def protect_sentry(own: Redactor = redactor) -> None:
    """Let Sentry's SDK send no secret: in events, transactions with their spans, breadcrumbs, logs and attachments.

    Call it after ``sentry_sdk.init(…)``, once for each ``init``. Hooks that were given to ``init`` run first.

    Args:
        own: Knows the secrets; the process's redactor unless told.

    Raises:
        RuntimeError: ``sentry_sdk.init`` was not called yet.
    """
    import sentry_sdk

    client = sentry_sdk.get_client()
    if not client.is_active():
        raise RuntimeError("call sentry_sdk.init(...) before protect_sentry(): it would forget the hooks")
    options: MutableMapping[str, Any] = client.options
    experiments: MutableMapping[str, Any] = options.setdefault("_experiments", {})
    for name in _SENTRY_HOOKS:
        if name in options:
            options[name] = _sentry_hook(options[name] or experiments.get(name), own)
    if _SPAN_HOOK in options:
        options[_SPAN_HOOK] = _span_hook(options[_SPAN_HOOK] or experiments.get(_SPAN_HOOK), own)


def _sentry_hook(before: Callable[..., Any] | None, own: Redactor) -> Callable[[Any, Any], Any]:
    def hook(event: Any, hint: Any) -> Any:
        if before is not None:
            event = before(event, hint)
        return _or_dropped(lambda: _cleaned_event(event, hint, own), None)

    return hook


def _span_hook(before: Callable[..., Any] | None, own: Redactor) -> Callable[[Any, Any], Any]:
    """The SDK drops no span: where its hook fails or gives none it sends the span as it was. So ours always gives one."""

    def given(span: Any, hint: Any) -> Any:
        made = before(span, hint) if before else span
        return made if isinstance(made, dict) and "name" in made else span

    def hook(span: Any, hint: Any) -> Any:
        made: Any = _or_dropped(lambda: given(span, hint), span, "before_send_span failed")
        return _or_dropped(lambda: _clean(made, own), {"name": REDACTED, "attributes": {}})

    return hook


def _cleaned_event(event: Any, hint: Any, own: Redactor) -> Any:
    if isinstance(hint, MutableMapping) and hint.get("attachments"):
        hint["attachments"] = [clean for one in hint["attachments"] if (clean := _attachment(one, own)) is not None]
    return _clean(event, own)


def _attachment(attachment: Any, own: Redactor) -> Any:
    """A copy of an attachment without secrets; None where it cannot be read."""
    content: Any = attachment.bytes
    if content is None:
        try:
            content = Path(attachment.path).read_bytes()
        except OSError:
            return None
    made = copy.copy(attachment)
    made.bytes = own.redact_bytes(cast("bytes", content() if callable(content) else content))
    made.filename = own.redact(attachment.filename)
    return made


def protect_rollbar(own: Redactor = redactor) -> None:
    """Let Rollbar's SDK send no secret: in messages, variables of frames, requests and whatever else it was given.

    Call it after ``rollbar.init(…)``, and after other payload handlers were added: they run in this order.

    Args:
        own: Knows the secrets; the process's redactor unless told.
    """
    from rollbar.lib import events

    def hook(payload: Any, **_: object) -> Any:
        return _or_dropped(lambda: {**payload, "data": _clean(payload["data"], own)}, False)

    events.add_payload_handler(hook, pos=sys.maxsize)  # the SDK would put it before the last one


def protect_bugsnag(client: "BugsnagClient | None" = None, own: Redactor = redactor) -> None:
    """Let Bugsnag's SDK send no secret: in messages, code, metadata, users, requests, breadcrumbs and flags.

    Call it after ``bugsnag.configure(…)``, and after other callbacks and integrations were added: they run in this order.

    Args:
        client: The client; the SDK's own one unless told.
        own: Knows the secrets; the process's redactor unless told.
    """
    import bugsnag

    configuration = bugsnag.configuration if client is None else client.configuration
    configuration.middleware.before_notify(lambda event: _or_dropped(lambda: _clean_bugsnag(event, own), False))


def _clean_bugsnag(event: Any, own: Redactor) -> bool:
    for name in ("metadata", "user", "context", "session", "grouping_hash", "hostname"):
        setattr(event, name, _clean(getattr(event, name), own))
    for error in event.errors:
        error.error_message = _clean(error.error_message, own)
        error.stacktrace = _clean(error.stacktrace, own)
    for crumb in event.breadcrumbs:
        crumb.message = _clean(crumb.message, own)
        crumb.metadata = _clean(crumb.metadata, own)
    flags = [(flag.name, flag.variant) for flag in event.feature_flags]
    event.clear_feature_flags()
    for name, variant in flags:
        event.add_feature_flag(_clean(name, own), _clean(variant, own))
    return True


def _clean(value: T, own: Redactor) -> T:
    return hide_halves(scrub(value, own, _KEYS), own)  # type: ignore[no-any-return]


def _or_dropped(clean: Callable[[], Any], dropped: Any, told: str = _DROPPED) -> Any:
    """What is to be sent; nothing where it cannot be made safe."""
    try:
        return clean()
    except Exception as error:  # noqa: BLE001 - whatever fails here, what was not searched must not be sent
        kind = type(error).__name__
    logger.error("%s: %s", told, kind)
    return dropped
