"""``python -m tests.benchmarks.azure COUNT``: a vault with so many secrets, over TLS, until its standard input ends."""

import secrets
import sys

from confguard.testing._azure import AzureDouble

from ._server import serve

if __name__ == "__main__":
    values = {f"app-{number:03}": secrets.token_urlsafe(24) for number in range(int(sys.argv[1]))}
    with AzureDouble() as double:
        for name, value in values.items():
            double.put(name, value)
        told = {"port": double.port, "ca_cert": str(double.ca_cert), "token": double.token(), "values": values}
        serve({**told, "environment": double.environment()}, double.asked, lambda request: request[2])
