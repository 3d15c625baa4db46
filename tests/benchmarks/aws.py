"""``python -m tests.benchmarks.aws COUNT``: AWS with so many secrets and parameters, over TLS, until its standard input ends."""

import secrets
import ssl
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme

from confguard.testing._aws import AwsDouble

from ._server import serve

if __name__ == "__main__":
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    values = {f"app-{number:03}": secrets.token_urlsafe(24) for number in range(int(sys.argv[1]))}
    with TemporaryDirectory() as folder, AwsDouble(context) as double:
        ca_cert = Path(folder, "ca.pem")
        authority.cert_pem.write_to_path(ca_cert)
        for name, value in values.items():
            double.put_secret(name, value)
            double.put_parameter(f"/{name}", value)
        serve({"port": double.port, "ca_cert": str(ca_cert), "values": values}, double.calls, lambda call: call.operation)
