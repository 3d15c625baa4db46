"""A store in memory, spoken to through the provider contract alone."""

import threading
from collections.abc import Mapping, Sequence
from typing import ClassVar

from confguard.provider import Deadline, Failure, Found, Reference


class Store:
    """A provider of ``store://`` that knows what it was given, and notes what it was asked."""

    schemes: ClassVar[frozenset[str]] = frozenset({"store"})
    parameters: ClassVar[frozenset[str]] = frozenset({"version"})

    def __init__(self) -> None:
        self.payloads: dict[str, Found | Failure | BaseException] = {}
        self.asked: list[Reference] = []
        self.threads: list[threading.Thread] = []
        self.closed = 0

    def put(self, path: str, value: str | bytes, version: str | None = None) -> None:
        self.payloads[path] = Found(value, version)

    def fail(self, path: str, failure: Failure | BaseException) -> None:
        self.payloads[path] = failure

    def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | Failure]:
        self.asked += refs
        self.threads.append(threading.current_thread())
        return {ref: self._answer(ref) for ref in refs}

    def close(self) -> None:
        self.closed += 1

    def _answer(self, ref: Reference) -> Found | Failure:
        answer = self.payloads.get(ref.path, Failure("missing", f"store {ref.path}: there is no such value"))
        if isinstance(answer, BaseException):
            raise answer
        return answer


class Hanging(Store):
    """A store that answers when it is released, and not before."""

    schemes: ClassVar[frozenset[str]] = frozenset({"hanging"})

    def __init__(self) -> None:
        super().__init__()
        self.release = threading.Event()

    def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | Failure]:
        self.release.wait(30)
        return super().fetch(refs, deadline=deadline)
