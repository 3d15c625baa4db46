"""Fifty secrets of Secret Manager's double over TLS: how long a load takes beside a bare reader, and what exactly is asked."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from google.auth.credentials import AnonymousCredentials
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport

from confguard_gcp import GCP

from ._fetched import COUNT, THREADS, bound_to, compared, loaded
from ._measure import Measured
from ._server import longer_way, server

LIMIT = 1.3


def gcp() -> Iterator[Measured]:
    with server("gcp", COUNT) as double, longer_way(double.told["port"]) as port:
        ca_cert = double.told["ca_cert"]
        provider = GCP(endpoint=f"https://127.0.0.1:{port}", ca_cert=ca_cert, credentials=AnonymousCredentials())
        settings_class = bound_to((f"gcpsecrets://shop/{name}" for name in double.values), provider)

        def bare() -> list[str]:
            """As cold as a load: a new channel, with the certificate checked."""
            credentials = grpc.ssl_channel_credentials(root_certificates=Path(ca_cert).read_bytes())
            with grpc.secure_channel(f"127.0.0.1:{port}", credentials) as channel, ThreadPoolExecutor(THREADS) as threads:
                client = SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))

                def read(name: str) -> str:
                    reply = client.access_secret_version(name=f"projects/shop/secrets/{name}/versions/latest")
                    return str(reply.payload.data.decode())

                return list(threads.map(read, double.values))

        yield compared("gcp_50_secrets", double, bare, lambda: loaded(settings_class), limit=LIMIT, requests=COUNT)
