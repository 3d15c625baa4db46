"""A small Flask service that starts with good settings, or not at all, and shows no secret.

``gunicorn 'myservice:create_app()'`` serves it.
"""

from flask import Flask

from confguard import redaction, validate
from myservice.integrations import connect
from myservice.settings import AppSettings


def create_app(wait: float = 0.0) -> Flask:
    """Make the application.

    Args:
        wait: For how many seconds to go on trying while a store is out: ``gunicorn 'myservice:create_app(wait=60)'``.

    Raises:
        ConfigError: The settings cannot be loaded; it says everything that is wrong with them.
    """
    redaction.install()  # from here on no log, warning or traceback of this process shows a secret
    settings = validate(AppSettings, wait=wait)

    app = Flask(__name__)
    app.config["SECRET_KEY"] = settings.secret_key.get_secret_value()
    connect(app, settings)

    @app.get("/")
    def index() -> dict[str, str | int]:
        return {"url": str(settings.public_url), "page_size": settings.page_size}

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok", "environment": settings.app_env}

    return app
