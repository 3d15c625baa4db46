"""``python -m tests.benchmarks.delay PORT SECONDS``: a longer way to a server, until its standard input ends.

A process of its own: what it does for every byte would otherwise take turns with the client that is measured.
"""

import sys

from confguard.testing._proxy import FaultProxy

if __name__ == "__main__":
    with FaultProxy(int(sys.argv[1]), "delay", delay=float(sys.argv[2])) as proxy:
        sys.stdout.write(f"{proxy.port}\n")
        sys.stdout.flush()
        sys.stdin.read()
