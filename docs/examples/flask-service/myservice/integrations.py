"""What keeps secrets out of all that the service writes: its logs, its responses, and what an error tracker is sent."""

import json
import logging
import sys

from flask import Flask

from confguard.wsgi import LeakGuard
from myservice.settings import AppSettings

_STANDARD = vars(logging.makeLogRecord({})).keys() | {"message", "asctime"}


class JsonFormatter(logging.Formatter):
    """One line of JSON for each record, with its exception and what came by ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": self.formatTime(record), "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def connect(app: Flask, settings: AppSettings) -> None:
    """Let the application log, report its errors, and answer without secrets."""
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout)]
    if settings.log_file:
        handlers.append(logging.FileHandler(settings.log_file))
    for handler in handlers:
        handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)  # nothing in it knows of secrets: see create_app

    if settings.sentry_dsn:
        import sentry_sdk

        from confguard.trackers import protect_sentry

        sentry_sdk.init(str(settings.sentry_dsn.get_secret_value()), environment=settings.app_env)
        protect_sentry()

    app.wsgi_app = LeakGuard(app.wsgi_app)  # type: ignore[method-assign]
