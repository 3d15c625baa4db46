"""The server for ``gcpsecrets://``: our double of Secret Manager."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from confguard.testing._gcp import SecretManager
from confguard.testing._server import Server, Value, bytes_of

if TYPE_CHECKING:
    from confguard._reference import Reference


class GcpServer(Server):
    """A double of Google Cloud Secret Manager, which speaks gRPC as the real one does, without TLS and without credentials."""

    schemes: ClassVar[frozenset[str]] = frozenset({"gcpsecrets"})
    _parameters: ClassVar[frozenset[str]] = frozenset({"location"})

    def __init__(self, double: SecretManager, project: str) -> None:
        environ = {"CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER": double.address, "GOOGLE_CLOUD_PROJECT": project}
        super().__init__(double.address, double.port, environ)
        self._double = double
        self._project = project

    def clear(self) -> None:
        self._double.clear()

    def _put(self, reference: "Reference", value: Value) -> None:
        name, project, location = self._places(reference)
        self._double.put(name, bytes_of(value), project, location)

    def _delete(self, reference: "Reference") -> None:
        self._double.delete(*self._places(reference))

    def _deny(self, reference: "Reference") -> None:
        self._double.deny(*self._places(reference))

    def _places(self, reference: "Reference") -> tuple[str, str, str | None]:
        location = reference.param("location")
        match reference.path.strip("/").split("/"):
            case [name]:
                project = self._project
            case [project, name] | ["projects", project, "secrets", name]:
                pass
            case _:
                raise ValueError(f"'{reference}': not of the form gcpsecrets://[PROJECT/]SECRET")
        return name, project, None if location == "global" else location


@contextmanager
def serve(project: str) -> Generator[GcpServer]:
    """A server of its own."""
    with SecretManager() as double:
        yield GcpServer(double, project)
