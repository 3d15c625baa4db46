"""The application: ``uvicorn shop.app:app`` serves it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hmac import compare_digest
from typing import Annotated

from fastapi import FastAPI, Header, HTTPException

from confguard import redaction, validate
from confguard.asgi import LeakGuard
from shop.settings import settings

THINGS = [f"thing {number}" for number in range(100)]


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Load the settings before the first request, or refuse to start.

    Raises:
        ConfigError: They cannot be loaded; it says everything that is wrong with them.
    """
    redaction.install()  # from here on no log, warning or traceback of this process shows a secret
    await asyncio.to_thread(validate, settings, wait=60)
    yield


app = FastAPI(lifespan=lifespan)
app.add_middleware(LeakGuard)


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """How the service is."""
    return {"status": "ok", "stage": settings.stage}


@app.get("/things")
def things() -> list[str]:
    """The first page of things."""
    return THINGS[: settings.page_size]


@app.delete("/things")
async def delete_all(x_api_key: Annotated[str, Header()]) -> dict[str, int]:
    """Delete everything, for who has the key."""
    if not compare_digest(x_api_key.encode(), settings.api_key.get_secret_value().encode()):
        raise HTTPException(403)
    return {"deleted": len(THINGS)}


@app.get("/mistake")
async def mistake() -> str:
    """What no service should do; `LeakGuard` sees to it that no client gets the key."""
    return f"the key is {settings.api_key.get_secret_value()}"
