"""``python -m tests.fuzz NAME [OPTION…] CORPUS…`` fuzzes one harness by atheris, which has to be installed; see `make fuzz`."""

import sys

import atheris

with atheris.instrument_imports(include=["confguard"]):
    from tests.fuzz.harnesses import HARNESSES

if __name__ == "__main__":
    harness = HARNESSES[sys.argv.pop(1)]
    atheris.Setup(sys.argv, harness)
    atheris.Fuzz()
