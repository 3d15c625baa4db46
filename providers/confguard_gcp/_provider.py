"""The provider: what code can set, and one load for each fetch."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from confguard.provider import Deadline, Failure, Found, Reference
from confguard_gcp._load import Options, load
from confguard_gcp._loggers import LOGGERS
from confguard_gcp._setup import SCHEME

if TYPE_CHECKING:
    from google.auth.credentials import Credentials


class GCP:
    """Secrets of Google Cloud Secret Manager: ``gcpsecrets://shop/api-key``.

    What is not given is taken from the environment, as Google's own libraries take it: Application Default Credentials
    (``GOOGLE_APPLICATION_CREDENTIALS``, the login of gcloud, the metadata server) and ``GOOGLE_CLOUD_PROJECT``.

    Args:
        project: The project of references that name none: its id or number.
        location: The location of regional secrets, for references that name none: ``europe-west3``. None is for secrets that
            are not regional.
        credentials: Credentials of google-auth, in place of the default ones.
        endpoint: Where to ask in place of Google's own host: a host, with a port or not, or a URL. Plain http is for this
            machine alone, and gets no credentials.
        ca_cert: A PEM file of the authorities to trust in place of gRPC's.

    Raises:
        TypeError: ``credentials`` are none of google-auth, such as a bare token.
    """

    schemes: ClassVar[frozenset[str]] = frozenset({SCHEME})
    # A location decides which host is asked. As a parameter it is refused in a reference from outside.
    parameters: ClassVar[frozenset[str]] = frozenset({"version", "location"})
    loggers: ClassVar[tuple[str, ...]] = LOGGERS

    def __init__(
        self,
        *,
        project: str | None = None,
        location: str | None = None,
        credentials: "Credentials | None" = None,
        endpoint: str | None = None,
        ca_cert: str | os.PathLike[str] | None = None,
    ) -> None:
        if credentials is not None and not callable(getattr(credentials, "refresh", None)):
            raise TypeError(f"credentials takes those of google-auth, not a bare {type(credentials).__name__}")
        self._options = Options(project, location, credentials, endpoint, None if ca_cert is None else os.fspath(ca_cert))

    def __repr__(self) -> str:
        return f"GCP(project={self._options.project!r}, location={self._options.location!r})"

    def fetch(self, refs: Sequence[Reference], *, deadline: Deadline) -> Mapping[Reference, Found | Failure]:
        """Fetch references: one token, one channel for each location, one call for each version. All is closed again.

        Raises:
            ImportError: The SDK is not installed.
        """
        return load(refs, self._options, deadline)

    def requests(self, refs: Sequence[Reference]) -> int:
        """At most how many requests a fetch of these makes: one for each version, and one for a token.

        What a machine's own metadata server is asked counts as that one.
        """
        return 1 + len({(ref.path, ref.params) for ref in refs})
