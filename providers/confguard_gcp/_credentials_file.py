"""The file of Application Default Credentials: what can be told of it, and hidden, before google-auth reads it."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from confguard.provider import Failure, hide
from confguard_gcp._setup import SCHEME, SetupError

VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"

_SECRETS = ("private_key", "refresh_token", "client_secret")


@dataclass(frozen=True, slots=True)
class Source:
    """Where credentials are from.

    Attributes:
        origin: What a message calls them: the variable that names their file, gcloud's own file, the metadata server.
        kind: What they are: ``service_account``, ``authorized_user``, ``external_account`` and so on, as the file says itself,
            or ``metadata``; ``""`` where it is not known.
    """

    origin: str
    kind: str = ""


def credentials_file(variables: Mapping[str, str]) -> Source | Failure | None:
    """The file that google-auth will take, after its secrets were told to the redactor.

    Args:
        variables: The environment.

    Returns:
        What it is; None where there is none; or why it is of no use (yet).

    Raises:
        SetupError: It is named and not there, cannot be read, or is no JSON object.
    """
    named, of_gcloud = variables.get(VARIABLE), _of_gcloud(variables)
    if not named and (of_gcloud is None or not of_gcloud.is_file()):
        return None
    origin = VARIABLE if named else "gcloud's application default credentials"
    content = _content(Path(named) if named else of_gcloud or Path(), origin)
    _hide_all(content)
    kind = content.get("type")
    return _not_there_yet(content, origin) or Source(origin, kind if isinstance(kind, str) else "")


def _of_gcloud(variables: Mapping[str, str]) -> Path | None:
    """Where ``gcloud auth application-default login`` keeps its file: users of containers often have no home."""
    folder = variables.get("CLOUDSDK_CONFIG")
    try:
        return Path(folder or Path.home() / ".config" / "gcloud") / "application_default_credentials.json"
    except RuntimeError:
        return None


def _content(path: Path, origin: str) -> Mapping[str, object]:
    """The JSON object in the file. What cannot be read is told outside of the frames that hold it."""
    problem = "is not a JSON object"
    try:
        found = json.loads(path.read_bytes())
        if isinstance(found, dict):
            return found
    except FileNotFoundError:
        problem = "is not there"
    except OSError:
        problem = "cannot be read"
    except ValueError:
        pass
    raise SetupError(f"the file of {origin} {problem}", "name a file of credentials that this user may read, or take it out")


def _hide_all(content: Mapping[str, object]) -> None:
    """Tell the redactor the credentials, those of the account behind an impersonated one too."""
    hide(*(value for name in _SECRETS if isinstance(value := content.get(name), str)))
    if isinstance(source := content.get("source_credentials"), dict):
        _hide_all(source)


def _not_there_yet(content: Mapping[str, object], origin: str) -> Failure | None:
    """The failure of a workload whose token has not been written yet, as happens where a pod has just started."""
    source = content.get("credential_source")
    path = source.get("file") if isinstance(source, dict) else None
    if not isinstance(path, str) or os.path.exists(path):  # noqa: PTH110 - asks for a text that may be no path
        return None
    return Failure(
        "unavailable",
        f"{SCHEME}: the token that the file of {origin} names is not there (yet)",
        "is the file of its credential_source written, and mounted here?",
    )
