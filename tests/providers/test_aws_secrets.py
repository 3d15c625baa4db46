"""What is read from Secrets Manager, and with which calls."""

import secrets
from typing import Annotated

import pytest
from pydantic import BaseModel, SecretStr

from confguard import BaseSettings, From, SettingsConfigDict, validate
from confguard._reference import parse_reference
from confguard.provider import Failure, Found
from confguard.testing._aws import Answer, AwsDouble, error
from confguard_aws import AWS
from tests.providers.aws_fixtures import (  # noqa: F401 - fixtures
    Moto,
    aws_fixture,
    double_fixture,
    keys_fixture,
    moto_fixture,
    real_fixture,
    store_fixture,
)
from tests.providers.aws_rig import REGION, failure, run, run_one, value

BATCH, ONE = "BatchGetSecretValue", "GetSecretValue"


def name() -> str:
    return f"app/{secrets.token_hex(4)}"


def test_a_load_reads_the_keys_of_a_secret_and_a_whole_model(double: AwsDouble) -> None:
    """One secret, asked for once, fills a field by its key and a model as a whole."""

    class Database(BaseModel):
        host: str
        password: SecretStr

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[AWS(region=REGION, endpoint_url=double.address)])
        password: Annotated[SecretStr, From("awssecrets://prod/db#/password")]
        database: Annotated[Database, From("awssecrets://prod/db", secret=False)]

    password = secrets.token_urlsafe()
    double.put_secret("prod/db", f'{{"host": "db.test", "password": "{password}"}}')
    settings = validate(Settings)
    assert (settings.password.get_secret_value(), settings.database.password.get_secret_value()) == (password, password)
    assert double.operations() == [ONE]


def test_fifty_secrets_take_three_calls_side_by_side(double: AwsDouble, aws: AWS) -> None:
    names = [f"app/{number}" for number in range(50)]
    for one in names:
        double.put_secret(one, f"the value of {one}")
    results = run(aws, *(f"awssecrets://{one}" for one in names))
    assert [result.value for result in results.values() if isinstance(result, Found)] == [f"the value of {one}" for one in names]
    assert double.operations() == [BATCH] * 3


@pytest.mark.parametrize("page", [1, 2, 3])
def test_every_page_of_a_batch_is_read(double: AwsDouble, aws: AWS, page: int) -> None:
    double.page = page
    for number in range(5):
        double.put_secret(f"app/{number}", str(number))
    results = run(aws, *(f"awssecrets://app/{number}" for number in range(5)), "awssecrets://none")
    assert [result.value for result in results.values() if isinstance(result, Found)] == list("01234")
    assert double.operations() == [BATCH] * (6 // page)


def test_a_page_that_names_itself_as_the_next_ends(double: AwsDouble, aws: AWS) -> None:
    """An answer that goes round in a circle is not asked for until the deadline."""
    double.answers[BATCH] = Answer(200, b'{"SecretValues": [], "Errors": [], "NextToken": "1"}')
    assert failure(aws, "awssecrets://a").kind == "missing"  # one alone has no pages
    results = run(aws, "awssecrets://a", "awssecrets://b")
    assert [result.kind for result in results.values() if isinstance(result, Failure)] == ["malformed"] * 2


def test_a_name_and_its_arn_are_not_asked_for_in_one_call(double: AwsDouble, aws: AWS) -> None:
    """AWS may refuse a call that asks for one secret twice; the double does."""
    for number in range(3):
        double.put_secret(f"app/{number}", str(number))
    wanted = [f"awssecrets://{form}" for number in range(3) for form in (f"app/{number}", double.arn(f"app/{number}"))]
    results = run(aws, *wanted)
    assert [result.value for result in results.values() if isinstance(result, Found)] == list("001122")
    assert double.operations() == [BATCH] * 2


def test_what_cannot_be_read_in_a_batch_fails_alone(double: AwsDouble, aws: AWS) -> None:
    """Each secret of a batch has its own answer: a value, or the kind of its own error."""
    double.put_secret("good", "value")
    codes = {"denied": "AccessDeniedException", "deleted": "InvalidRequestException", "locked": "DecryptionFailure"}
    for one, code in codes.items():
        double.put_secret(one, "value")
        double.errors[one] = code
    results = run(aws, *(f"awssecrets://{one}" for one in ("good", "none", *codes)))
    kinds = [result.kind if isinstance(result, Failure) else "found" for result in results.values()]
    assert kinds == ["found", "missing", "denied", "missing", "denied"]
    assert double.operations() == [BATCH]


@pytest.mark.parametrize(
    "refusal", [error("AccessDeniedException"), error("ThrottlingException"), error("InvalidParameterException")]
)
def test_a_batch_that_is_refused_as_a_whole_is_read_one_by_one(double: AwsDouble, aws: AWS, refusal: Answer) -> None:
    """Who may not batch, or not now, still gets each secret that may be read."""
    for one in ("a", "b", "c"):
        double.put_secret(one, f"the value of {one}")
    double.errors["b"] = "AccessDeniedException"
    double.answers[BATCH] = refusal
    results = run(aws, "awssecrets://a", "awssecrets://b", "awssecrets://c", seconds=3.5)
    kinds = [result.kind if isinstance(result, Failure) else result.value for result in results.values()]
    assert kinds == ["the value of a", "denied", "the value of c"]
    assert sorted(set(double.operations())) == [BATCH, ONE]


def test_a_batch_without_an_answer_is_not_read_one_by_one(double: AwsDouble, aws: AWS) -> None:
    """Where AWS itself is at fault fifty more requests do not help."""
    double.answers[BATCH] = error("InternalServiceError", 500)
    results = run(aws, "awssecrets://a", "awssecrets://b", seconds=0.9)
    assert [result.kind for result in results.values() if isinstance(result, Failure)] == ["unavailable"] * 2
    assert double.operations() == [BATCH]


def test_who_is_not_known_is_told_so_at_once(double: AwsDouble, aws: AWS) -> None:
    double.answers[BATCH] = error("ExpiredTokenException")
    results = run(aws, "awssecrets://a", "awssecrets://b")
    assert [result.kind for result in results.values() if isinstance(result, Failure)] == ["unauthenticated"] * 2
    assert double.operations() == [BATCH]


def test_an_id_that_the_answer_does_not_speak_of_is_malformed(double: AwsDouble, aws: AWS) -> None:
    double.answers[BATCH] = Answer(200, b'{"SecretValues": [{"Name": "other", "SecretString": "x"}], "Errors": []}')
    results = run(aws, "awssecrets://a", "awssecrets://b")
    assert [result.message for result in results.values() if isinstance(result, Failure)] == [
        f"awssecrets {one}: neither among the values of the answer nor among its errors" for one in "ab"
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"Name": "b", "SecretString": "x"}', "the answer is about another secret, or about none"),
        (b"{}", "the answer is about another secret, or about none"),
        (b"<html>", "the answer is about another secret, or about none"),
        (b"[]", "the answer is not that of AWS"),
        (b'{"Name": "a"}', "the answer holds neither a text nor bytes"),
        (b'{"Name": "a", "SecretString": null}', "the answer holds neither a text nor bytes"),
        (b'{"Name": "a", "SecretBinary": "AAAA%"}', "the answer holds neither a text nor bytes"),
        (b'{"Name": "a", "SecretString": "\xff"}', "the answer is no text"),
    ],
)
def test_an_answer_of_the_wrong_shape_is_malformed(double: AwsDouble, aws: AWS, body: bytes, message: str) -> None:
    double.answers[ONE] = Answer(200, body)
    result = failure(aws, "awssecrets://a")
    assert (result.kind, result.message) == ("malformed", f"awssecrets a: {message}")


def test_a_version_other_than_the_one_asked_for_is_malformed(double: AwsDouble, aws: AWS) -> None:
    double.answers[ONE] = Answer(200, b'{"Name": "a", "VersionId": "2", "SecretString": "x"}')
    result = failure(aws, "awssecrets://a?version=1")
    assert (result.kind, result.message) == ("malformed", "awssecrets a?version=1: the answer is about another version")


def test_versions_and_stages(store: Moto, real: AWS) -> None:
    """A version is read by its id, and by its stage."""
    own = name()
    first = store.secrets.create_secret(Name=own, SecretString="old")["VersionId"]
    second = store.secrets.put_secret_value(SecretId=own, SecretString="new")["VersionId"]
    results = run(
        real,
        f"awssecrets://{own}?stage=AWSCURRENT",
        f"awssecrets://{own}?stage=AWSPREVIOUS",
        f"awssecrets://{own}?version={first}",
        f"awssecrets://{own}?stage=AWSCURRENT&version={second}",
        f"awssecrets://{own}?stage=AWSPENDING",
    )
    assert [result.value if isinstance(result, Found) else result.kind for result in results.values()] == [
        "new",
        "old",
        "old",
        "new",
        "missing",
    ]
    assert [result.version for result in results.values() if isinstance(result, Found)] == [second, first, first, second]


def test_names_whole_arns_and_partial_arns_are_one_secret(store: Moto, real: AWS) -> None:
    own = name()
    arn = store.secrets.create_secret(Name=own, SecretString="value")["ARN"]
    forms = [own, arn, arn[:-7]]
    assert [value(real, f"awssecrets://{form}") for form in forms] == ["value"] * 3
    assert [one for one in run(real, *(f"awssecrets://{form}" for form in forms)).values() if isinstance(one, Failure)] == []


@pytest.mark.parametrize("payload", [b"\x00\xff\x80", b"", b"x" * 65536], ids=["bytes", "empty", "64 KB"])
def test_binary_payloads(double: AwsDouble, aws: AWS, payload: bytes) -> None:
    """Bytes are bytes, alone and in a batch."""
    double.put_secret("a", payload)
    double.put_secret("b", payload)
    assert value(aws, "awssecrets://a") == payload
    assert [one.value for one in run(aws, "awssecrets://a", "awssecrets://b").values() if isinstance(one, Found)] == [payload] * 2


def test_text_is_read_as_it_was_written(store: Moto, real: AWS) -> None:
    own, text = name(), 'Zoë \u2028 "quoted" \\ 日本 \U0001f511 line\nline'
    store.secrets.create_secret(Name=own, SecretString=text)
    assert value(real, f"awssecrets://{own}") == text


def test_a_secret_that_is_scheduled_for_deletion_is_missing_with_its_state(store: Moto, real: AWS) -> None:
    own = name()
    store.secrets.create_secret(Name=own, SecretString="value")
    store.secrets.delete_secret(SecretId=own)
    result = failure(real, f"awssecrets://{own}")
    assert result.kind == "missing"
    assert "it is scheduled for deletion" in result.message


def test_a_secret_without_a_value_is_missing_also_where_it_spoils_its_batch(store: Moto, real: AWS) -> None:
    """Moto fails a whole batch for one; each of the others is read nevertheless."""
    empty, full = name(), name()
    store.secrets.create_secret(Name=empty)
    store.secrets.create_secret(Name=full, SecretString="value")
    results = list(run(real, f"awssecrets://{empty}", f"awssecrets://{full}").values())
    assert [result.value if isinstance(result, Found) else result.kind for result in results] == ["missing", "value"]


def test_an_arn_is_asked_for_in_its_own_region(double: AwsDouble, aws: AWS) -> None:
    """A client for each region, and one batch for each."""
    for one in ("a", "b", "c", "d"):
        double.put_secret(one, one)
    arns = [double.arn("a", "us-east-1"), double.arn("b", "us-east-1"), double.arn("c", REGION)]
    results = run(aws, *(f"awssecrets://{arn}" for arn in arns), "awssecrets://d")
    assert [result.value for result in results.values() if isinstance(result, Found)] == list("abcd")
    assert sorted((call.operation, call.region) for call in double.calls) == [(BATCH, REGION), (BATCH, "us-east-1")]


def test_an_arn_needs_no_region_of_ours(double: AwsDouble, keys: tuple[str, str]) -> None:
    double.put_secret("a", "value")
    provider = AWS(endpoint_url=double.address)
    results = run(provider, f"awssecrets://{double.arn('a')}", "awssecrets://a")
    assert [result.value if isinstance(result, Found) else result.kind for result in results.values()] == [
        "value",
        "unconfigured",
    ]


@pytest.mark.parametrize("path", ["arn:aws:ssm:eu-west-1:123456789012:secret:a", "arn:aws:secretsmanager:x:1:secret:a", "arn:a"])
def test_an_arn_that_is_none_is_asked_of_nobody(double: AwsDouble, aws: AWS, path: str) -> None:
    result = failure(aws, f"awssecrets://{path}")
    assert (result.kind, double.calls) == ("unconfigured", [])
    assert result.message == f"awssecrets {path}: this is not the ARN of a secret"


@pytest.mark.parametrize("path", ["a%2F..%2Fb", "a%2f%2e%2fb", "a%2F%2Fb"])
@pytest.mark.parametrize("scheme", ["awssecrets", "awsssm"])
def test_dot_segments_are_refused_by_the_provider_too(aws: AWS, double: AwsDouble, scheme: str, path: str) -> None:
    from confguard.provider import Deadline, Reference  # built by hand: the core's own splitter would refuse it first

    reference = Reference(scheme, path.replace("%2F", "/").replace("%2f", "/").replace("%2e", "."))
    result = aws.fetch([reference], deadline=Deadline(5))[reference]
    assert isinstance(result, Failure)
    assert (result.kind, double.calls) == ("unconfigured", [])


def test_references_that_mean_one_secret_are_asked_for_once(double: AwsDouble, aws: AWS) -> None:
    double.put_secret("a", "value")
    assert [run_one(aws, "awssecrets://a")] == [run_one(aws, "awssecrets://%61")]
    assert double.operations() == [ONE, ONE]


def test_a_client_is_made_once_for_each_service_and_region(double: AwsDouble, aws: AWS, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients outlive loads, and are made anew when what they were made from has changed."""
    from botocore.session import Session

    made: list[tuple[str, str]] = []
    create = Session.create_client

    def counted(session: Session, service: str, **given: str) -> object:
        made.append((service, given["region_name"]))
        return create(session, service, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(Session, "create_client", counted)
    double.put_secret("a", "value")
    wanted = ["awssecrets://a", "awssecrets://a?stage=AWSCURRENT", f"awssecrets://{double.arn('a', 'us-east-1')}"]
    for _ in range(3):
        run(aws, *wanted)
    assert sorted(made) == [("secretsmanager", REGION), ("secretsmanager", "us-east-1")]
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secrets.token_hex(20))
    run(aws, *wanted)
    assert len(made) == 4


def test_the_user_agent_tells_who_asked(double: AwsDouble, aws: AWS) -> None:
    run(aws, "awssecrets://a", "awsssm://a")
    assert all("confguard-settings/" in call.headers["user-agent"] for call in double.calls)
    assert len(double.calls) == 2


@pytest.mark.parametrize(
    ("references", "expected"),
    [
        ([f"awssecrets://{number}" for number in range(50)], 3),
        (["awssecrets://a", "awssecrets://b?stage=AWSPREVIOUS", "awssecrets://b?version=1"], 3),
        ([f"awsssm:///{number}" for number in range(50)], 5),
        (["awsssm://a/b/", "awsssm://a/b", "awsssm:///a/b", "awssecrets://arn:none"], 2),
    ],
)
def test_requests_are_told_without_a_network(double: AwsDouble, aws: AWS, references: list[str], expected: int) -> None:
    assert aws.requests([parse_reference(text) for text in references]) == expected
    assert double.calls == []
    run(aws, *references)
    assert len(double.calls) <= expected
