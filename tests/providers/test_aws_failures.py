"""Every line of the tables, and that each error of AWS and of its SDK arrives as what it is."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore.exceptions
import botocore.parsers
import botocore.session
import pytest
from botocore.config import Config

from confguard.provider import Failure, FailureKind
from confguard.testing._aws import Answer, AwsDouble, error
from confguard_aws import AWS
from confguard_aws._failures import clock_skew, refusal_of, retry_seconds, safe_request_id
from confguard_aws._fault import row_of
from confguard_aws._tables import CODES, ERRORS, FAULTS
from confguard_aws._wire import Wire
from tests.providers.aws_fixtures import aws_fixture, double_fixture, keys_fixture  # noqa: F401 - fixtures
from tests.providers.aws_rig import REGION, failure, value

KINDS: dict[FailureKind, str] = {
    "missing": "ResourceNotFound ParameterNotFound ParameterVersionNotFound InvalidRequest",
    "denied": "AccessDenied UnauthorizedOperation NotAuthorized DecryptionFailure InvalidKeyId KMSAccessDenied",
    "unauthenticated": "ExpiredToken RequestExpired UnrecognizedClient InvalidClientTokenId InvalidAccessKeyId AuthFailure"
    " OptInRequired InvalidSignature SignatureDoesNotMatch IncompleteSignature RequestTimeTooSkewed MissingAuthenticationToken"
    " MissingAuthenticationTokenFailure InvalidIdentityToken IDPRejectedClaim Unauthorized",
    "unavailable": "IDPCommunicationError InternalServiceError InternalServerError InternalServer InternalFailure"
    " ServiceUnavailable RequestTimeout InvalidNextToken",
    "throttled": "Throttling Throttled RequestThrottled TooManyRequests RequestLimitExceeded LimitExceeded SlowDown"
    " BandwidthLimitExceeded ProvisionedThroughputExceeded PriorRequestNotComplete",
    "malformed": "UnsupportedParameterType Serialization",
    "unconfigured": "RegionDisabled Validation ValidationError InvalidParameter InvalidParameterValue InvalidFilterKey"
    " UnknownOperation InvalidAction",
}
CODE_KINDS = [(code, kind) for kind, codes in KINDS.items() for code in codes.split()]


def test_the_list_of_codes_is_whole() -> None:
    assert sorted(code for code, _ in CODE_KINDS) == sorted(CODES)


@pytest.mark.parametrize("ending", ["", "Exception"])
@pytest.mark.parametrize(("code", "kind"), CODE_KINDS)
def test_each_code_is_of_its_kind(code: str, kind: FailureKind, ending: str) -> None:
    """With ``Exception`` at its end and without: services do not agree on that."""
    result = refusal_of(code + ending, 400, {}, {}).failure("awssecrets a", "secretsmanager:GetSecretValue", "arn:x")
    assert (result.kind, result.message.startswith(f"awssecrets a: {code + ending}, ")) == (kind, True)
    assert result.tip
    assert "{" not in result.message + result.tip


@pytest.mark.parametrize(
    ("status", "kind"),
    [(301, "unconfigured"), (401, "denied"), (403, "denied"), (404, "malformed"), (429, "throttled")]
    + [(status, "unavailable") for status in (500, 502, 503, 504)],
)
def test_an_answer_without_a_known_code_is_told_by_its_status(
    double: AwsDouble, aws: AWS, monkeypatch: pytest.MonkeyPatch, status: int, kind: FailureKind
) -> None:
    """A page of something that stands before AWS has no code; neither its text nor its code is shown."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    double.answers["GetSecretValue"] = Answer(status, b"<html>hunter22</html>", {"content-type": "text/html"})
    result = failure(aws, "awssecrets://a")
    assert (result.kind, result.message.startswith(f"awssecrets a: {status}, ")) == (kind, True)
    assert "hunter22" not in repr(result)


def test_a_code_that_looks_like_none_is_not_shown(double: AwsDouble, aws: AWS) -> None:
    for code in ("hunter22", "Hunter 22 is the password", "x" * 500):
        double.answers["GetSecretValue"] = error(code)
        assert failure(aws, "awssecrets://a").message == "awssecrets a: 400, an error that is not known here"
    double.answers["GetSecretValue"] = error("BrandNewException")
    assert failure(aws, "awssecrets://a").message == "awssecrets a: BrandNewException, an error that is not known here"


def test_what_is_denied_names_the_action_and_the_resource(double: AwsDouble, aws: AWS) -> None:
    double.errors["prod/db"] = "AccessDeniedException"
    result = failure(aws, "awssecrets://prod/db")
    assert result.tip == (
        f"the policy needs secretsmanager:GetSecretValue on arn:aws:secretsmanager:{REGION}:*:secret:prod/db-??????; "
        "and kms:Decrypt, where the value has a KMS key of its own"
    )
    arn = "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:prod/db-a1b2c3"
    double.answers["GetSecretValue"] = error("AccessDeniedException")
    assert f"on {arn}; " in str(failure(aws, f"awssecrets://{arn}").tip)
    assert f"on {arn[:-7]}-??????; " in str(failure(aws, f"awssecrets://{arn[:-7]}").tip)


def test_the_partition_is_that_of_the_region(double: AwsDouble, keys: tuple[str, str]) -> None:
    double.errors["a"] = "AccessDeniedException"
    result = failure(AWS(region="us-gov-west-1", endpoint_url=double.address), "awssecrets://a")
    assert " on arn:aws-us-gov:secretsmanager:us-gov-west-1:*:secret:a-??????; " in str(result.tip)


def test_the_request_id_is_kept(double: AwsDouble, aws: AWS) -> None:
    double.answers["GetSecretValue"] = error("AccessDeniedException", x_amzn_requestid="3f5a2c11-aaaa")
    assert failure(aws, "awssecrets://a").request_id == "3f5a2c11-aaaa"
    double.answers["GetSecretValue"] = error("AccessDeniedException", x_amzn_requestid="the password is hunter22")
    assert failure(aws, "awssecrets://a").request_id is None


@pytest.mark.parametrize(("seconds", "words"), [(3600, "behind"), (-3600, "ahead of")])
@pytest.mark.parametrize("code", ["InvalidSignatureException", "RequestExpired", "RequestTimeTooSkewed"])
def test_a_wrong_clock_is_said_with_its_size(double: AwsDouble, aws: AWS, seconds: int, words: str, code: str) -> None:
    double.clock = seconds
    double.answers["GetSecretValue"] = error(code)
    result = failure(aws, "awssecrets://a")
    assert (result.kind, result.tip) == ("unauthenticated", "set this machine's clock")
    found = re.fullmatch(rf"awssecrets a: {code}, this machine's clock is (\d+) s {words} that of AWS", result.message)
    assert found
    assert abs(int(found[1]) - 3600) < 5


def test_a_right_clock_is_not_blamed(double: AwsDouble, aws: AWS) -> None:
    double.clock = 200
    double.answers["GetSecretValue"] = error("InvalidSignatureException")
    assert failure(aws, "awssecrets://a").tip == "check the secret key of AWS_ACCESS_KEY_ID, and this machine's clock"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"x-amz-retry-after": "1500"}, 1.5),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "999999999"}, 3600.0),
        ({}, None),
    ],
)
def test_when_to_come_back_is_kept(headers: dict[str, str], seconds: float | None) -> None:
    """``Retry-After`` in seconds, AWS's own in milliseconds, and never more than an hour."""
    assert refusal_of("ThrottlingException", 400, headers, {}).failure("a").retry_after == seconds


def test_the_sdk_tries_again_as_long_as_the_deadline_has_room(double: AwsDouble, aws: AWS) -> None:
    """With room for its longest pauses it makes its three tries; without, one."""
    double.answers["GetSecretValue"] = error("InternalServiceError", 500)
    assert failure(aws, "awssecrets://a", 10).kind == "unavailable"
    assert len(double.operations()) == 3
    assert failure(aws, "awssecrets://a", 0.9).kind == "unavailable"
    assert len(double.operations()) == 1


def test_what_is_asked_to_wait_long_is_not_waited_for(double: AwsDouble, aws: AWS) -> None:
    """A pause that AWS asks for, and that would end after the deadline, is not begun."""
    double.answers["GetSecretValue"] = error("ThrottlingException", x_amz_retry_after="5000")
    result = failure(aws, "awssecrets://a", 4)
    assert (result.kind, result.retry_after, len(double.operations())) == ("throttled", 5.0, 1)


ERROR_KINDS: dict[FailureKind, str] = {
    "unauthenticated": "NoCredentialsError PartialCredentialsError UnauthorizedSSOTokenError SSOTokenLoadError SSOError"
    " TokenRetrievalError LoginError NoAuthTokenError RefreshWithMFAUnsupportedError CredentialRetrievalError",
    "unavailable": "ContainerCredentialsError MetadataRetrievalError FileNotFoundError IncompleteReadError",
    "unconfigured": "PermissionError ProfileNotFound ConfigParseError ConfigNotFound InvalidConfigError UnknownCredentialError"
    " NoRegionError InvalidRegionError BaseEndpointResolverError EndpointProviderError InvalidEndpointConfigurationError"
    " InvalidProxiesConfigError InvalidRetryConfigurationError MissingDependencyException InvalidIMDSEndpointError BotoCoreError",
    "malformed": "ResponseParserError UnicodeDecodeError ValueError LookupError RecursionError",
}
FAULT_KINDS: dict[FailureKind, str] = {
    "unavailable": "refused unresolved unreachable timeout reset truncated out_of_date proxy",
    "malformed": "garbled",
    "unconfigured": "untrusted wrong_host not_tls tls ca_bundle other",
}


@pytest.mark.parametrize(("table", "kinds"), [(ERRORS, ERROR_KINDS), (FAULTS, FAULT_KINDS)])
def test_each_line_of_the_other_tables_is_of_its_kind(table: dict[str, object], kinds: dict[FailureKind, str]) -> None:
    listed = {name: kind for kind, names in kinds.items() for name in names.split()}
    assert listed == {name: getattr(row, "kind", None) for name, row in table.items()}


def test_every_exception_of_the_sdk_is_in_a_table() -> None:
    """Whatever the SDK raises has a line, its own or that of a type that it comes from; none is a defect."""
    types = [
        one
        for module in (botocore.exceptions, botocore.parsers)
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Exception) and one.__module__.startswith("botocore")
    ]
    told_otherwise = {
        "ClientError",
        "EventStreamError",
        "UndefinedModelAttributeError",
        "MissingServiceIdError",
        "NoInitialResponseError",
    }
    warnings = {one.__name__ for one in types if issubclass(one, Warning)}
    assert len(types) > 80
    unknown = {one.__name__ for one in types if row_of(one.__new__(one)) is None}
    assert unknown <= told_otherwise | warnings


def test_the_most_specific_line_wins() -> None:
    row = row_of(botocore.exceptions.UnauthorizedSSOTokenError())
    assert row is ERRORS["UnauthorizedSSOTokenError"]
    assert (
        row_of(botocore.exceptions.InfiniteLoopConfigError(source_profile="a", visited_profiles=[]))
        is ERRORS["InvalidConfigError"]
    )


def test_what_only_looks_like_a_value_is_none() -> None:
    now = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
    assert [clock_skew(text, now) for text in (None, "", "tomorrow", "Wed, 99 Nov 2026 12:00:00 GMT")] == [None] * 4
    assert clock_skew("Wed, 25 Nov 2026 11:59:00 -0000", now) == 60.0
    assert [retry_seconds(text) for text in (None, "-1", "1e9", "")] == [None] * 4
    assert [safe_request_id(text) for text in (None, 1, "short", "a b c d e f")] == [None] * 4


@pytest.mark.parametrize("scheme", ["awssecrets", "awsssm"])
def test_no_region_is_unconfigured_and_asks_nobody(keys: tuple[str, str], double: AwsDouble, scheme: str) -> None:
    assert failure(AWS(endpoint_url=double.address), f"{scheme}://a") == Failure(
        "unconfigured", f"{scheme} a: no region is set", "set AWS_DEFAULT_REGION or AWS_REGION, or say AWS(region=…)"
    )
    assert double.calls == []


@pytest.mark.parametrize("variable", ["AWS_DEFAULT_REGION", "AWS_REGION"])
def test_the_region_comes_from_the_environment(
    keys: tuple[str, str], double: AwsDouble, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "ap-south-1")
    failure(AWS(endpoint_url=double.address), "awssecrets://a")
    assert [call.region for call in double.calls] == ["ap-south-1"]


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("AWS_PROFILE", "nobody", "there is no such profile"),
        ("AWS_DEFAULT_REGION", "not a region!", "the region is none"),
        ("AWS_MAX_ATTEMPTS", "many", "the request cannot be made"),
        ("AWS_MAX_ATTEMPTS", "0", "AWS_MAX_ATTEMPTS cannot work"),
        ("AWS_ENDPOINT_URL", "not-a-url", "the request cannot be made"),
    ],
)
def test_what_is_configured_and_cannot_work(
    keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch, variable: str, text: str, message: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv(variable, text)
    result = failure(AWS(), "awssecrets://a", 2)
    assert (result.kind, result.message) == ("unconfigured", f"awssecrets a: {message}")


def test_a_configuration_file_that_cannot_be_read(keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("no ini file")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    assert failure(AWS(region=REGION), "awssecrets://a") == Failure(
        "unconfigured", "awssecrets a: the configuration file cannot be read", "mend ~/.aws/config and ~/.aws/credentials"
    )


def test_plain_http_to_another_machine_is_refused(keys: tuple[str, str]) -> None:
    """Unless code says that it may be, which every load warns of."""
    result = failure(AWS(region=REGION, endpoint_url="http://aws.test"), "awssecrets://a")
    assert (result.kind, "plain http to another machine" in result.message) == ("unconfigured", True)
    allowed = AWS(region=REGION, endpoint_url="http://aws.invalid", allow_http=True)
    assert "plain http" not in failure(allowed, "awssecrets://a", 2).message
    assert [len(one.warnings()) for one in (allowed, AWS(region=REGION, endpoint_url="http://127.0.0.1:1", allow_http=True))] == [
        1,
        0,
    ]


@pytest.mark.parametrize(
    ("region", "variables", "host"),
    [
        ("eu-west-1", {}, "secretsmanager.eu-west-1.amazonaws.com"),
        ("cn-north-1", {}, "secretsmanager.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", {}, "secretsmanager.us-gov-west-1.amazonaws.com"),
        ("us-east-1", {"AWS_USE_FIPS_ENDPOINT": "true"}, "secretsmanager-fips.us-east-1.amazonaws.com"),
        ("us-east-1", {"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "secretsmanager.us-east-1.amazonaws.com"),
    ],
)
def test_endpoints_are_those_of_the_sdk(
    keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch, region: str, variables: dict[str, str], host: str
) -> None:
    """With the small model of the services, the address that a request goes to is the one that the SDK's own model gives."""
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    asked: list[str] = []

    def sent(*_: object, request: Any) -> None:
        asked.append(request.url)
        raise botocore.exceptions.EndpointConnectionError(endpoint_url=request.url)

    monkeypatch.setattr(Wire, "send", lambda wire, request: sent(wire, request=request))
    failure(AWS(region=region), "awssecrets://a")
    own: Any = botocore.session.Session().create_client("secretsmanager", region_name=region, config=Config())
    own.meta.events.register("before-send", lambda request, **_: sent(request=request))
    with pytest.raises(botocore.exceptions.EndpointConnectionError):
        own.get_secret_value(SecretId="a")
    own.close()
    assert asked == [f"https://{host}/"] * 2


def test_a_fetch_outlives_its_provider_being_closed(double: AwsDouble, aws: AWS) -> None:
    double.put_secret("a", "value")
    aws.close()
    assert value(aws, "awssecrets://a") == "value"
