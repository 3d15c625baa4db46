"""``python -m tests.benchmarks.azure COUNT``: a vault with so many secrets, until its standard input ends.

A process of its own: what it does for every request would otherwise take turns with the client that is measured.
"""

import json
import secrets
import sys

from confguard.testing._azure import AzureDouble

if __name__ == "__main__":
    with AzureDouble() as double:
        values = {f"app-{number:03}": secrets.token_urlsafe(24) for number in range(int(sys.argv[1]))}
        for name, value in values.items():
            double.put(name, value)
        told = {"port": double.port, "ca_cert": str(double.ca_cert), "token": double.token(), "values": values}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        for _ in sys.stdin:  # a line asks for what was asked since the last one
            paths = double.requests()
            double.asked.clear()
            sys.stdout.write(json.dumps(paths) + "\n")
            sys.stdout.flush()
