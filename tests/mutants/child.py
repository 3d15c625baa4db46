"""Runs of the tests in a forked child, on a copy of the package in which one module may hold a mutant.

What is slow to import is loaded before the fork, and nothing of ours, so that each child gets our modules anew. A process that a
test starts finds the same copy, by PYTHONPATH.
"""

import compileall
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Collection, Mapping
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import wait
from pathlib import Path

import hypothesis
import pydantic_settings  # noqa: F401 - loaded for the children
import pytest
from coverage import Coverage

ROOT = Path(__file__).parent.parent.parent
# What runs these modules without a server, quickly and in its own process: which lines another one runs is not known.
TESTS = [
    f"tests/test_{name}.py"
    for name in """
    bindings conflicts fuzz given lazy merging misnamed mistakes outside override plain plan precedence redaction resolver rules
    together unknown validate
    """.split()  # noqa: SIM905 - a list of words is easier to read so
]
_PATIENCE = 3, 10.0
"""A run may take so many times what it takes without a mutant, and so many seconds more."""


class Copy:
    """A copy of the package in a directory that goes away, and runs of the tests on it."""

    def __init__(self) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="confguard-mutants-")
        self.folder = Path(self._temporary.name)
        shutil.copytree(ROOT / "confguard", self.folder / "confguard", ignore=shutil.ignore_patterns("__pycache__"))
        compileall.compile_dir(self.folder, quiet=1)

    def file(self, module: str) -> Path:
        """The file of a module."""
        return self.folder / "confguard" / f"{module}.py"

    def put(self, module: str, text: str) -> None:
        """Let a module have another text. Python takes one of the same length and second for the one that it has compiled."""
        self.file(module).write_text(text, "utf-8")
        for compiled in (self.folder / "confguard" / "__pycache__").glob(f"{module}.*"):
            compiled.unlink()

    def cover(self, modules: Collection[str]) -> tuple[dict[str, float], dict[str, dict[str, list[str]]]]:
        """Run all tests as they are: the seconds of each, and by module and line the tests that run it ("" is the import)."""
        plugin = _Covering(self, modules)
        if self._run(TESTS, plugin, None) != 0:
            output = (self.folder / "output").read_text("utf-8", "replace")
            raise SystemExit(f"the tests fail without a mutant:\n{output}")
        return json.loads((self.folder / "covered").read_text("utf-8"))  # type: ignore[no-any-return]

    def outcome(self, seconds: Mapping[str, float]) -> str:
        """What becomes of the mutant that was put in, in the tests that are named with their seconds."""
        for tests in _stages(seconds):
            times, more = _PATIENCE
            files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
            code = self._run(files, _Chosen(tests), times * sum(seconds[test] for test in tests) + more)
            if code is None:
                return "timed out"
            if code == pytest.ExitCode.NO_TESTS_COLLECTED:
                raise SystemExit("no test was found; the list of tests is not what it was")
            if code != pytest.ExitCode.OK:
                return "killed"
        return "survived"

    def _run(self, files: list[str], plugin: object, seconds: float | None) -> int | None:
        """The exit code of pytest, or None where it took longer."""
        process = multiprocessing.get_context("fork").Process(target=self._child, args=(files, plugin))
        process.start()
        assert process.pid is not None
        ended = wait([process.sentinel], seconds)
        with suppress(ProcessLookupError):  # before it is joined, so that nobody else has its number: it, and what its tests left
            os.killpg(process.pid, signal.SIGKILL)
        process.join()
        shutil.rmtree(self.folder / "base", ignore_errors=True)
        return process.exitcode if ended else None

    def _child(self, files: list[str], plugin: object) -> None:
        os.setsid()
        output = os.open(self.folder / "output", os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(output, stream)
        os.chdir(ROOT)
        os.environ["PYTHONPATH"] = f"{self.folder}{os.pathsep}{ROOT / 'providers'}"
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        sys.path.insert(0, str(self.folder))
        code: int = pytest.ExitCode.INTERNAL_ERROR
        try:
            if isinstance(plugin, _Covering):
                plugin.start()
            import_module("confguard")  # before pytest puts the directory of the tests first
            plugins = ["-pno:cacheprovider", "-pconfguard.testing._pytest_plugin"]
            options = ["-xq", *plugins, "--tb=no", "--assert=plain", f"--basetemp={self.folder / 'base'}"]
            code = pytest.main([*options, *files], plugins=[_Steady(), plugin])
        except BaseException:  # noqa: BLE001 - a mutant may raise anything where it is imported
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(code)


class _Steady:
    """Hypothesis tries the same examples each time, and does not spend time on making one small."""

    def pytest_configure(self) -> None:
        phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
        hypothesis.settings.register_profile("mutants", derandomize=True, database=None, deadline=None, phases=phases)
        hypothesis.settings.load_profile("mutants")


class _Chosen:
    """Only these tests, in this order."""

    def __init__(self, tests: list[str]) -> None:
        self._order = {test: number for number, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted((item for item in items if item.nodeid in self._order), key=lambda item: self._order[item.nodeid])


class _Covering:
    """Notes how long each test takes and which lines it runs."""

    def __init__(self, copy: Copy, modules: Collection[str]) -> None:
        self._copy = copy
        self._modules = modules
        self._coverage = Coverage(data_file=None, include=[str(copy.file(module)) for module in modules], config_file=False)
        self._seconds: dict[str, float] = {}

    def start(self) -> None:
        self._coverage.start()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._coverage.switch_context(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0) + report.duration

    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        data = self._coverage.get_data()
        lines = {module: data.contexts_by_lineno(str(self._copy.file(module))) for module in self._modules}
        (self._copy.folder / "covered").write_text(json.dumps((self._seconds, lines)), "utf-8")


def _stages(seconds: Mapping[str, float]) -> list[list[str]]:
    """The tests in two parts, fast ones first: those of the file that tries most in a second, and all others."""
    files: dict[str, list[str]] = {}
    for test in sorted(seconds, key=seconds.__getitem__):
        files.setdefault(test.partition("::")[0], []).append(test)
    if not files:
        return []
    first = max(files, key=lambda file: len(files[file]) / (1 + sum(seconds[test] for test in files[file])))
    rest = sorted((test for file in files if file != first for test in files[file]), key=seconds.__getitem__)
    return [part for part in (files[first], rest) if part]
