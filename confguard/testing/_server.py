"""What the servers of `confguard.testing.servers` have in common."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, TypeAlias

from confguard._reference import InvalidReferenceError, Reference, parse_reference

Value: TypeAlias = str | bytes | Mapping[str, object]


class Server(ABC):
    """A store on 127.0.0.1 that a test fills. It is empty at first, and whoever has its `environ` may read all of it.

    What is put, deleted and denied is named by its reference, as settings classes name it, without a fragment.

    Attributes:
        schemes: The schemes of its references.
        address: Where it is.
        port: Its port on 127.0.0.1, for a `FaultProxy` say.
        environ: The variables of a service that finds it in place of the real store. They stay the same as long as it runs.
        admin_environ: Those of somebody who may write, too, for other clients: the command of a store, its SDK, Terraform.
    """

    schemes: ClassVar[frozenset[str]]
    _parameters: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, address: str, port: int, environ: Mapping[str, str], **of_admin: str) -> None:
        self.address = address
        self.port = port
        self.environ: Mapping[str, str] = dict(environ)
        self.admin_environ: Mapping[str, str] = {**environ, **of_admin}

    def put(self, reference: str, value: Value) -> None:
        """Write a value; over one that is there, as its next version.

        Args:
            reference: Without a fragment: ``vault://secret/shop``.
            value: Text or bytes; a mapping is written as an object, for references with a fragment.

        Raises:
            ValueError: The reference is none of this server's, or has a part that nothing can be put under.
            TypeError: The store holds no values of this type.
            RuntimeError: The store refuses it.
        """
        self._put(self._parsed(reference), value)

    def delete(self, reference: str) -> None:
        """Take a value away; it is *missing* from then on.

        Raises:
            ValueError: As `put`.
        """
        self._delete(self._parsed(reference))

    def deny(self, reference: str) -> None:
        """Keep whoever has `environ` from reading a value, whether it is there or not, until `clear`.

        Raises:
            ValueError: As `put`.
        """
        self._deny(self._parsed(reference))

    @abstractmethod
    def clear(self) -> None:
        """Take all values away, and let all be read again: what a server that tests share needs between them."""

    @abstractmethod
    def _put(self, reference: Reference, value: Value) -> None: ...

    @abstractmethod
    def _delete(self, reference: Reference) -> None: ...

    @abstractmethod
    def _deny(self, reference: Reference) -> None: ...

    def _parsed(self, text: str) -> Reference:
        try:
            reference = parse_reference(text)
        except InvalidReferenceError as exc:
            raise ValueError(f"{text!r}: {exc}") from None
        if reference.scheme not in self.schemes:
            known = " and ".join(f"{scheme}://" for scheme in sorted(self.schemes))
            raise ValueError(f"{text!r}: this server is asked by {known}")
        if reference.fragment:
            raise ValueError(f"{text!r}: leave the fragment out, and put the whole object: {{'key': 'value'}}")
        if unknown := [name for name, _ in reference.params if name not in self._parameters]:
            raise ValueError(f"{text!r}: leave ?{unknown[0]}= out: the store makes versions itself, one each time")
        return reference

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.address}>"


def text_of(value: Value, store: str) -> str:
    """A value as text: an object is its JSON.

    Raises:
        TypeError: It is bytes.
    """
    if isinstance(value, bytes):
        raise TypeError(f"{store} holds text, and no bytes; put base64, and read it with ?decode=base64")
    return value if isinstance(value, str) else json.dumps(value)


def bytes_of(value: Value) -> bytes:
    """A value as bytes: text is UTF-8, an object its JSON."""
    return value if isinstance(value, bytes) else text_of(value, "").encode()
