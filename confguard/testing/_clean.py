"""A clean place to run a test in: no variable, file or home directory of whoever runs it."""

import os
import tempfile
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import ExitStack, chdir
from pathlib import Path
from typing import Self

from confguard.testing._handles import handles_anew
from confguard.testing._places import Content, Mount, check_variable, dotenv, environment, mounted


class CleanEnvironment(MutableMapping[str, str]):
    """The environment of the process, which begins empty, and an empty directory to stand in, which is also the home.

    Used as a context manager; everything comes back afterwards. What a process needs is there, as `environment` tells. Handles
    that `lazy` made load anew in it, and hold afterwards what they held before.

        with CleanEnvironment() as env:
            env["SHOP_STAGE"] = "development"
            env.dotenv({"SHOP_PAGE_SIZE": "50"})
            settings = validate(ShopSettings)

    Attributes:
        path: The directory.
    """

    def __init__(self) -> None:
        self.path = Path()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="confguard-"))
            self.path = Path(folder).resolve()
            stack.enter_context(environment({"HOME": str(self.path)}))
            stack.enter_context(chdir(self.path))
            stack.enter_context(handles_anew())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __getitem__(self, name: str) -> str:
        return os.environ[name]

    def __setitem__(self, name: str, value: str) -> None:
        check_variable(name, value)
        os.environ[name] = value

    def __delitem__(self, name: str) -> None:
        del os.environ[name]

    def __iter__(self) -> Iterator[str]:
        return iter(os.environ)

    def __len__(self) -> int:
        return len(os.environ)

    def mounted(self, files: Mapping[str, Content], name: str | None = None) -> Mount:
        """Mount a directory of files, until the end of the test.

        Args:
            files: Names and contents.
            name: Where, below the directory; in a temporary place unless told.
        """
        return self._stack.enter_context(mounted(files, None if name is None else self.path / name))

    def dotenv(self, content: Mapping[str, str] | str, name: str = ".env") -> Path:
        """Write an env file below the directory, in the place of one that was written there before.

        Args:
            content: Names and values, or the text of the file.
            name: Where; ``.env`` unless told.
        """
        file = self.path / name
        file.unlink(missing_ok=True)
        return self._stack.enter_context(dotenv(content, file))

    def __repr__(self) -> str:
        return f"<CleanEnvironment {self.path}>"
