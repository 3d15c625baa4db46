"""The local places that settings are read from, as a test wants them: the environment, a mounted directory, an env file."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import ContextDecorator, contextmanager
from functools import wraps
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])
Content = str | bytes

# What a process, and the tools that run it, need whatever they are set to; none of it configures a service.
_KEPT = frozenset(
    {"HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "TZ", "VIRTUAL_ENV"}
)
_KEPT_BEGINNINGS = ("COVERAGE_", "COV_CORE_", "LC_", "PYTEST_", "PYTHON")


class Environment(ContextDecorator):
    """What `environment` makes."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        for name, value in variables.items():
            check_variable(name, value)
        self._variables = dict(variables)
        self._before: list[dict[str, str]] = []

    def __enter__(self) -> None:
        self._before.append({name: value for name, value in os.environ.items() if self._decides(name)})
        self._put(self._variables)

    def __exit__(self, *_: object) -> None:
        self._put(self._before.pop())

    def __call__(self, func: F) -> F:
        if not iscoroutinefunction(func):
            return super().__call__(func)

        @wraps(func)
        async def inside(*args: Any, **kwargs: Any) -> Any:
            with Environment(self._variables):
                return await func(*args, **kwargs)

        return cast("F", inside)

    def _decides(self, name: str) -> bool:
        return name in self._variables or not (name in _KEPT or name.startswith(_KEPT_BEGINNINGS))

    def _put(self, variables: Mapping[str, str]) -> None:
        for name in [name for name in os.environ if self._decides(name) and name not in variables]:
            del os.environ[name]
        os.environ.update(variables)

    def __repr__(self) -> str:
        return f"<environment of {', '.join(self._variables) or 'nothing'}>"


def check_variable(name: str, value: object) -> None:
    """Refuse what `os.environ` would refuse when half of the others are set."""
    if not name or "=" in name or "\0" in name:
        raise ValueError(f"{name!r} is no name of a variable")
    if not isinstance(value, str):
        raise TypeError(f"the value of {name} is of the type {type(value).__name__}, and variables hold text alone")
    if "\0" in value:
        raise ValueError(f"the value of {name} has a NUL in it, which no variable can hold")


def environment(variables: Mapping[str, str]) -> Environment:
    """Have exactly these variables, of all that could configure a service; what was there before comes back.

        with environment({"SHOP_STAGE": "development"}):
            settings = validate(ShopSettings)

    A context manager, and a decorator of functions and coroutine functions. For the whole process, as an environment is. What a
    process itself needs stays as it is, unless it is given: ``PATH``, ``HOME``, ``TMPDIR``, ``TEMP``, ``TMP``, ``TZ``, ``LANG``,
    ``LANGUAGE``, ``LC_…``, ``LD_LIBRARY_PATH``, ``SYSTEMROOT``, ``VIRTUAL_ENV``, ``PYTHON…``, ``PYTEST_…``, ``COVERAGE_…``.

    Args:
        variables: Names and values.

    Raises:
        TypeError: A value is no text. Nothing has been changed.
        ValueError: A name or a value that no environment can hold. Nothing has been changed.
    """
    return Environment(variables)


class Mount:
    """A directory of files as the kubelet mounts it: each name is a link into ``..data``, a link to the generation that holds.

    Attributes:
        path: The directory.
    """

    def __init__(self, path: Path, files: Mapping[str, Content]) -> None:
        self.path = path
        self.swap(files)

    def swap(self, files: Mapping[str, Content]) -> None:
        """Replace all files at once, as the kubelet does when a secret has changed: who reads sees the old ones or the new ones.

        Args:
            files: Names, which may have directories in them, and contents.

        Raises:
            TypeError: A content is neither text nor bytes. Nothing has been changed.
            ValueError: A name leads out of the directory, or begins with ``..``. Nothing has been changed.
        """
        kinds: dict[str, type] = {name: type(content) for name, content in files.items()}
        for name, kind in kinds.items():
            if any(part in ("", ".") or part.startswith("..") for part in name.split("/")):
                files = {}  # the error is not to lead to the contents
                raise ValueError(f"{name!r} is no name of a file in a mounted directory")
            if not issubclass(kind, Content):
                files = {}
                raise TypeError(f"the content of {name} is of the type {kind.__name__}, and files hold text or bytes")
        data = self.path / "..data"
        before = data.resolve() if data.is_symlink() else None
        generation = Path(tempfile.mkdtemp(prefix="..generation_", dir=self.path))
        for name, content in files.items():
            (generation / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(generation / name, content)
        following = self.path / "..data_tmp"
        following.symlink_to(generation.name)
        following.rename(data)
        names = {name.partition("/")[0] for name in files}
        there = {entry.name for entry in self.path.iterdir() if not entry.name.startswith("..")}
        for name in names - there:
            (self.path / name).symlink_to(f"..data/{name}")
        for name in there - names:
            (self.path / name).unlink()
        if before is not None:
            shutil.rmtree(before)

    def __repr__(self) -> str:
        return f"<Mount {self.path}>"


@contextmanager
def mounted(files: Mapping[str, Content], path: str | os.PathLike[str] | None = None) -> Generator[Mount]:
    """Have a directory of files as Kubernetes mounts a secret, for ``secrets_dir``.

        with mounted({"shop_api_key": "fake"}, "run") as mount:
            settings = validate(ShopSettings)
            mount.swap({"shop_api_key": "another"})

    Args:
        files: Names and contents. Each file is written as it is given, with the mode 0600.
        path: Where to make the directory, which must not be there yet; in a temporary place unless told. It is removed
            afterwards.

    Raises:
        FileExistsError: There is something at the path.
        TypeError, ValueError: As `Mount.swap`.
    """
    with tempfile.TemporaryDirectory(prefix="confguard-") as folder:
        root = Path(path) if path is not None else Path(folder).resolve() / "mounted"
        root.mkdir(mode=0o700)
        try:
            yield Mount(root, files)
        finally:
            shutil.rmtree(root)


@contextmanager
def dotenv(content: Mapping[str, str] | str, path: str | os.PathLike[str] | None = None) -> Generator[Path]:
    """Have an env file, for ``env_file``.

    Args:
        content: Names and values, which are quoted so that each is read back as it is, ``$`` included; or the text of the file.
        path: Where to write it, which must not be there yet; in a temporary place unless told. It is removed afterwards.

    Returns:
        The path of the file, which has the mode 0600.

    Raises:
        FileExistsError: There is something at the path.
        TypeError: A value is no text.
        ValueError: A name that no env file can hold.
    """
    text = content if isinstance(content, str) else "".join(map(_assignment, content.items()))
    with tempfile.TemporaryDirectory(prefix="confguard-") as folder:
        file = Path(path) if path is not None else Path(folder).resolve() / ".env"
        _write(file, text)
        try:
            yield file
        finally:
            file.unlink(missing_ok=True)


_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]+")
_TOLD = re.compile(r"\\|\$(?=\{)|[\"\r\n]")
# An escaped backslash before a quote is misread by older versions of python-dotenv, and a "$" before a brace has no escape at
# all: both are written as the default of a variable without a name.
_TOLD_AS = {"\\": r"${:-\}", "$": "${:-$}", '"': r"\"", "\r": r"\r", "\n": r"\n"}


def _assignment(variable: tuple[str, object]) -> str:
    name, value = variable
    if not re.fullmatch(r"[^\s=#'\"\ufeff][^\s=#]*", name):
        raise ValueError(f"{name!r} cannot be a name in an env file")
    if not isinstance(value, str):
        raise TypeError(f"the value of {name} is of the type {type(value).__name__}, and env files hold text alone")
    quoted = value if _PLAIN.fullmatch(value) else '"' + _TOLD.sub(lambda found: _TOLD_AS[found[0]], value) + '"'
    return f"{name}={quoted}\n"


def _write(path: Path, content: Content) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - it is open already
        file.write(content.encode() if isinstance(content, str) else content)
