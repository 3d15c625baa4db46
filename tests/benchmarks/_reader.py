"""The barest reader of many paths that does what has to be done: one login, one preflight, one read a path, side by side."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import hvac
import requests
from requests.adapters import HTTPAdapter

THREADS = 16


def read(address: str, ca_cert: str, role: tuple[str, str], mount: str, paths: Sequence[str]) -> dict[str, str]:
    """The password at each path. As cold as a load: a new session, so new connections, with the certificate checked."""
    with requests.Session() as session:
        session.verify = ca_cert  # hvac leaves a session that it is given as it is
        session.trust_env = False  # the library does not look through the environment for each request either
        session.mount("https://", HTTPAdapter(pool_connections=1, pool_maxsize=THREADS))
        client = hvac.Client(url=address, session=session)
        client.auth.approle.login(*role)
        client.adapter.get(f"/v1/sys/internal/ui/mounts/{mount}/{paths[0]}")

        def password(path: str) -> str:
            reply: Any = client.secrets.kv.v2.read_secret_version(path, mount_point=mount, raise_on_deleted_version=True)
            return str(reply["data"]["data"]["password"])

        with ThreadPoolExecutor(THREADS) as threads:
            return dict(zip(paths, threads.map(password, paths), strict=True))
