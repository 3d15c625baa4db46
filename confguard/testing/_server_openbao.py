"""The server for ``vault://`` and ``openbao://``: a real OpenBao."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from confguard.testing._openbao import OpenBao
from confguard.testing._server import Server, Value

if TYPE_CHECKING:
    from confguard._reference import Reference

_POLICY = "reader-of-all"
_ALL = 'path "*" { capabilities = ["read"] }'


class OpenBaoServer(Server):
    """OpenBao, over TLS. The first segment of a path is a mount of KV v2; ``secret`` is there from the start."""

    schemes: ClassVar[frozenset[str]] = frozenset({"vault", "openbao"})

    def __init__(self, bao: OpenBao) -> None:
        self._bao = bao
        self._mounts: set[str] = set()
        self._denied: set[str] = set()
        self._write_policy()
        environ = {"VAULT_ADDR": bao.address, "VAULT_CACERT": str(bao.ca_cert), "VAULT_TOKEN": bao.token(_POLICY)}
        super().__init__(bao.address, bao.port, environ, VAULT_TOKEN=bao.root_token)
        self._mount("secret")

    def clear(self) -> None:
        for mount in self._mounts:
            self._bao.call("DELETE", f"sys/mounts/{mount}")
            self._bao.mount_kv(mount)
        self._denied.clear()
        self._write_policy()

    def _put(self, reference: "Reference", value: Value) -> None:
        if not isinstance(value, Mapping):
            raise TypeError(f"'{reference}': OpenBao holds objects; put {{'key': …}}, and read it with the fragment #/key")
        mount, path = _places(reference)
        self._mount(mount)
        self._bao.put(mount, path, dict(value))

    def _delete(self, reference: "Reference") -> None:
        mount, path = _places(reference)
        self._mount(mount)
        self._bao.call("DELETE", f"{mount}/data/{path}")

    def _deny(self, reference: "Reference") -> None:
        self._denied.add("/data/".join(_places(reference)))
        self._write_policy()

    def _mount(self, mount: str) -> None:
        if mount not in self._mounts:
            self._bao.mount_kv(mount)
            self._mounts.add(mount)

    def _write_policy(self) -> None:
        denied = [f'path "{path}" {{ capabilities = ["deny"] }}' for path in sorted(self._denied)]
        self._bao.policy(_POLICY, "\n".join([_ALL, *denied]))


def _places(reference: "Reference") -> tuple[str, str]:
    mount, _, path = reference.path.strip("/").partition("/")
    if not path:
        raise ValueError(f"'{reference}': not of the form {reference.scheme}://MOUNT/PATH")
    return mount, path


@contextmanager
def serve() -> Generator[OpenBaoServer]:
    """A server of its own."""
    with OpenBao() as bao:
        yield OpenBaoServer(bao)
