"""The provider of ``file://``."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from confguard.provider import (
    FILE_LIMIT,
    Deadline,
    Failure,
    FileFault,
    Found,
    Reference,
    read_file,
    without_line_ending,
)


class Files:
    """Gives the content of local files: ``file:///etc/myservice/token``; ``file://conf/token`` is below the working directory.

    A value is text without the one line ending at its end, or, of a file that is not UTF-8 or holds a NUL byte, all its bytes.
    Only regular files are read.

    Args:
        roots: The directories that files must lie in once links are resolved. Unless told, each file in the directory that its
            reference names: what code names is declared, and a link in there cannot lead out of it.
        limit: How many bytes a file may have; 1 MiB unless told.

    Raises:
        ValueError: The list of roots is empty.
    """

    schemes: ClassVar[frozenset[str]] = frozenset({"file"})
    local: ClassVar[bool] = True

    def __init__(self, roots: Sequence[str | os.PathLike[str]] | None = None, *, limit: int = FILE_LIMIT) -> None:
        if roots is not None and not roots:
            raise ValueError("Files(roots=[]) would allow no file; name a directory, or leave roots out")
        self._roots = [Path(root).expanduser() for root in roots or ()]
        self._limit = limit

    def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | Failure]:
        """The contents of files; why there is none in the words of `read_file`."""
        return {ref: self._content(ref.path) for ref in refs}

    def requests(self, refs: Sequence[Reference]) -> int:
        """None: nothing leaves the machine."""
        return 0

    def _content(self, path: str) -> Found | Failure:
        content = read_file(path, roots=self._roots, limit=self._limit)
        if isinstance(content, FileFault):
            tip = self._advice if content.kind == "unconfigured" else content.tip
            return Failure(content.kind, f"file {path} {content.message}", tip=tip)
        if b"\0" in content.data:
            return Found(content.data)
        try:
            return Found(without_line_ending(content.data.decode()))
        except UnicodeDecodeError:
            return Found(content.data)

    @property
    def _advice(self) -> str:
        return "name its directory in Files(roots=[…]), in providers of model_config" if self._roots else "bind the file itself"

    def __repr__(self) -> str:
        return f"Files(roots={[str(root) for root in self._roots]})"
