"""What a bad network does: told as what it is, within the deadline, with nothing left behind."""

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import trustme

from confguard.provider import Deadline, Failure, Found, Reference
from confguard.testing._aws import AwsDouble
from confguard.testing._proxy import FaultProxy
from confguard_aws import AWS
from tests.providers.aws_fixtures import double_fixture, keys_fixture  # noqa: F401 - fixtures
from tests.providers.aws_rig import REGION, failure, run, value

# A tenth on top of the deadline is allowed.
SECONDS = 1.0
AT_MOST = SECONDS * 1.1

SCHEMES = ("awssecrets", "awsssm")
pytestmark = pytest.mark.usefixtures("keys")


@pytest.fixture(autouse=True)
def _warm(double: AwsDouble) -> None:
    """The SDK is there, as in a service that has started before: its import is not the network's doing."""
    double.put_secret("a", "value")
    double.put_secret("b", "value")
    double.put_parameter("a", "value")
    run(AWS(region=REGION, endpoint_url=double.address), "awssecrets://a", "awsssm://a")
    double.operations()


def behind(proxy: FaultProxy, scheme: str = "http", ca_bundle: Path | None = None) -> AWS:
    return AWS(region=REGION, endpoint_url=f"{scheme}://127.0.0.1:{proxy.port}", ca_bundle=ca_bundle)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_body_waits_behind_its_headers(double: AwsDouble, scheme: str) -> None:
    """Nagle's algorithm would hold it back until the peer has acknowledged them, for 40 ms or more a request."""

    class Noting(Deadline):
        def watch(self, sock: socket.socket) -> None:
            without_delay.append(bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
            super().watch(sock)

    without_delay: list[bool] = []
    deadline, aws = Noting(10.0), AWS(region=REGION, endpoint_url=double.address)
    aws.fetch([Reference(scheme, "a")], deadline=deadline)
    aws.close()
    deadline.close()
    assert without_delay == [True]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_deadline_is_told_with_where_no_answer_came_from(
    double: AwsDouble, leaves_nothing: Callable[[], None], ends_its_threads: Callable[[], None], scheme: str
) -> None:
    """That it holds, and what other faults are told as, is proved for all providers by test_faults."""
    with FaultProxy(double.port, "blackhole") as proxy:
        began = monotonic()
        result = failure(behind(proxy), f"{scheme}://a", SECONDS)
        assert monotonic() - began < AT_MOST
        address = f"http://127.0.0.1:{proxy.port}"
        assert result == Failure(
            "unavailable",
            f"{scheme} a at {address}: no answer within 1 s",
            "check that the store answers from here, or allow it more time (--timeout)",
        )
        ends_its_threads()
    leaves_nothing()


@pytest.mark.parametrize("keep", [0, 1, 20, 120, 230, 260])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_truncation(double: AwsDouble, leaves_nothing: Callable[[], None], scheme: str, keep: int) -> None:
    """An answer that ends within its status, its headers or its body is unavailable, and never a payload."""
    double.put_secret("a", "x" * 1000)
    double.put_parameter("a", "x" * 1000)
    with FaultProxy(double.port, "truncate", keep=keep) as proxy:
        result = failure(behind(proxy), f"{scheme}://a", SECONDS)
    assert result.kind == "unavailable" or (keep < 20 and result.kind == "malformed")
    assert " at http://127.0.0.1:" in result.message
    leaves_nothing()


def test_delay_is_shared(double: AwsDouble) -> None:
    """Twelve calls go over connections of their own, where one would do for calls that wait for each other."""
    for number in range(12):
        double.put_secret(f"app/{number}", "value")
    with FaultProxy(double.port, "delay", delay=0.1) as proxy:
        results = run(behind(proxy), *(f"awssecrets://app/{number}?stage=AWSCURRENT" for number in range(12)))
        assert 6 < proxy.connections <= 12
    assert all(isinstance(result, Found) for result in results.values())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_refused(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert failure(AWS(region=REGION, endpoint_url=address), f"{scheme}://a", SECONDS) == Failure(
        "unavailable", f"{scheme} a at {address}: connection refused", "check the address, and that it is running"
    )


def test_unresolvable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host name that nobody knows is unavailable: at a start the name service may be late."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert failure(AWS(region="eu-nowhere-1"), "awssecrets://a", SECONDS) == Failure(
        "unavailable",
        "awssecrets a at https://secretsmanager.eu-nowhere-1.amazonaws.com: the host name cannot be resolved",
        "check the region (eu-nowhere-1), and that names can be looked up here",
    )


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, Path]:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    return ca, tmp_path / "ca.pem"


@pytest.fixture
def tls(authority: tuple[trustme.CA, Path]) -> Iterator[Callable[..., AwsDouble]]:
    """Makes doubles that speak TLS with a certificate for these names."""
    made: list[AwsDouble] = []

    def make(*names: str) -> AwsDouble:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority[0].issue_cert(*names).configure_cert(context)
        made.append(AwsDouble(context).__enter__())
        made[-1].put_secret("a", "value")
        return made[-1]

    yield make
    for double in made:
        double.__exit__(None, None, None)


def test_tls(tls: Callable[..., AwsDouble], authority: tuple[trustme.CA, Path]) -> None:
    """A certificate of an authority that is named is taken; of another one, or for another name, it is not."""
    good, bad = tls("127.0.0.1"), tls("other.test")
    trusting = AWS(region=REGION, endpoint_url=f"https://127.0.0.1:{good.port}", ca_bundle=authority[1])
    assert value(trusting, "awssecrets://a") == "value"
    assert failure(AWS(region=REGION, endpoint_url=f"https://127.0.0.1:{good.port}"), "awssecrets://a", 10.0) == Failure(
        "unconfigured",
        f"awssecrets a at https://127.0.0.1:{good.port}: its certificate is not signed by an authority that is trusted here",
        "set AWS_CA_BUNDLE to the file of the authority's certificate",
    )
    wrong = AWS(region=REGION, endpoint_url=f"https://127.0.0.1:{bad.port}", ca_bundle=authority[1])
    result = failure(wrong, "awssecrets://a", 10.0)
    assert (result.kind, result.message.endswith("its certificate is for another host name")) == ("unconfigured", True)
    assert not bad.calls


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_the_authority_may_come_from_the_environment(
    tls: Callable[..., AwsDouble], authority: tuple[trustme.CA, Path], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    aws = AWS(region=REGION, endpoint_url=f"https://127.0.0.1:{tls('127.0.0.1').port}")
    monkeypatch.setenv(name, str(authority[1]))
    assert value(aws, "awssecrets://a") == "value"
    monkeypatch.setenv(name, f"{authority[1]}-none")
    result = failure(aws, "awssecrets://a", 10.0)
    assert (result.kind, result.message.endswith("the authorities to trust cannot be read")) == ("unconfigured", True)


def test_plain_http_where_tls_is_meant(double: AwsDouble) -> None:
    result = failure(AWS(region=REGION, endpoint_url=double.address.replace("http:", "https:")), "awssecrets://a", 10.0)
    assert (result.kind, result.message.endswith("it does not speak TLS")) == ("unconfigured", True)


def test_a_proxy_that_does_not_let_us_through(double: AwsDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told as the proxy, and the proxy's password is told to the redactor."""
    from confguard._redaction import redactor

    with FaultProxy(double.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:hunter22@127.0.0.1:{proxy.port}")
        result = failure(AWS(region=REGION), "awssecrets://a", 10.0)
    assert (result.kind, result.message.endswith("the proxy did not let us through")) == ("unavailable", True)
    assert "hunter22" not in repr(result)
    assert redactor.holds_secret("hunter22")


def test_success_leaves_nothing(double: AwsDouble, leaves_nothing: Callable[[], None]) -> None:
    aws = AWS(region=REGION, endpoint_url=double.address)
    deadline = Deadline(10)
    refs = [Reference(scheme, f"app/{number}") for number in range(30) for scheme in SCHEMES]
    assert len(aws.fetch(refs, deadline=deadline)) == 60
    deadline.close()
    leaves_nothing()


def test_the_deadline_of_a_load_is_that_of_its_own_connections(double: AwsDouble) -> None:
    """Two loads of one provider at once: each is held to its own deadline, and its connections are its own."""
    import threading

    aws = AWS(region=REGION, endpoint_url=double.address)
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(value(aws, "awssecrets://a"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["value"] * 8
