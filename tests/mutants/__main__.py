"""``python -m tests.mutants [PLACE…]`` tries every mutant of four modules, or of the places that begin so (``_plan._joined``).

Prints those that no test kills and that docs/mutants.md does not explain; with one, the exit code is 1. See that page.
"""

import ast
import os
import re
import sys
from collections.abc import Mapping
from time import perf_counter

from tests.mutants.child import ROOT, Copy
from tests.mutants.variants import Mutant, mutants_of

MODULES = ("_plan", "_resolver", "_schema", "_redaction")
PAGE = ROOT / "docs" / "mutants.md"

Key = tuple[str, tuple[str, ...]]
"""What a mutant is told by: its place, and the lines that it changes."""


def explained() -> set[Key]:
    """The mutants in the page: indented, a line with the place, then those with ``-`` and ``+``."""
    found = re.findall(r"^    (\S+)\n((?:    [-+] .*\n)+)", PAGE.read_text("utf-8"), re.MULTILINE)
    return {(place, tuple(line.strip() for line in lines.splitlines())) for place, lines in found}


def files_of(mutant: Mutant, lines: Mapping[str, list[str]]) -> set[str]:
    """The files with a test that runs a line of the mutant; of the whole module where it runs at import.

    Not the tests alone: what is worked out once for a class, in the first test that wants it, is there for those after it.
    """
    statement = mutant.statement
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if isinstance(body, list) else statement.end_lineno or 0
    numbers = range(statement.lineno, max(last, statement.lineno) + 1)
    touched = {test for number in numbers for test in lines.get(str(number), ())}
    if "" in touched:
        touched |= {test for tests in lines.values() for test in tests}
    return {test.partition("::")[0] for test in touched - {""}}


def main(wanted: tuple[str, ...]) -> int:
    """Try the mutants of the places that begin so, or all."""
    os.nice(19)
    known, seen = explained(), set[Key]()
    counts = dict.fromkeys(("killed", "timed out", "survived", "not explained"), 0)
    copy, began = Copy(), perf_counter()
    seconds, lines = copy.cover(MODULES)
    print(f"{len(seconds)} tests pass without a mutant, in {perf_counter() - began:.0f} s", flush=True)
    for module in MODULES:
        text = copy.file(module).read_text("utf-8")
        tree = ast.parse(text)
        for mutant in mutants_of(tree):
            key = f"{module}.{mutant.place}".rstrip("."), mutant.lines()
            if wanted and not key[0].startswith(wanted):
                continue
            files = files_of(mutant, lines[module])
            mutant.swap()
            copy.put(module, ast.unparse(tree))
            mutant.swap()
            outcome = copy.outcome({test: took for test, took in seconds.items() if test.partition("::")[0] in files})
            counts[outcome] += 1
            if outcome == "survived":
                seen.add(key)
                if key not in known:
                    counts["not explained"] += 1
                    print("", f"    {key[0]}", *(f"    {line}" for line in key[1]), sep="\n", flush=True)
        copy.put(module, text)
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    print(f"\n{perf_counter() - began:.0f} s: {told}")
    for place, _ in sorted(known - seen) if not wanted else ():
        print(f"explained, and killed or no more: {place}")
    return 1 if counts["not explained"] else 0


if __name__ == "__main__":
    sys.exit(main(tuple(sys.argv[1:])))
