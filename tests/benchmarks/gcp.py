"""``python -m tests.benchmarks.gcp COUNT``: Secret Manager with so many secrets, over TLS, until its standard input ends."""

import secrets
import sys

from confguard.testing._gcp import SecretManager

from ._server import serve

if __name__ == "__main__":
    values = {f"app-{number:03}": secrets.token_urlsafe(24) for number in range(int(sys.argv[1]))}
    with SecretManager(tls=True) as double:
        for name, value in values.items():
            double.put(name, value.encode())
        serve({"port": double.port, "ca_cert": str(double.ca_cert), "values": values}, double.calls, lambda call: call.method)
