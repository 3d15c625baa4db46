"""What is read from Parameter Store, and with which calls."""

import json
import secrets
from typing import Annotated

import pytest
from pydantic import BaseModel, SecretStr

from confguard import BaseSettings, From, SettingsConfigDict, validate
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

NAMES, PATH = "GetParameters", "GetParametersByPath"


def path() -> str:
    return f"/app-{secrets.token_hex(4)}"


def test_fifty_parameters_take_five_calls(double: AwsDouble, aws: AWS) -> None:
    names = [f"/app/{number}" for number in range(50)]
    for one in names:
        double.put_parameter(one, f"the value of {one}")
    results = run(aws, *(f"awsssm://{one}" for one in names))
    assert [result.value for result in results.values() if isinstance(result, Found)] == [f"the value of {one}" for one in names]
    assert double.operations() == [NAMES] * 5


def test_the_three_ways_to_write_a_name(store: Moto, real: AWS) -> None:
    """``awsssm:///x`` is /x, ``awsssm://a/b`` is /a/b, ``awsssm://x`` is x."""
    root = path()
    plain = root.removeprefix("/")
    store.parameters.put_parameter(Name=plain, Value="plain", Type="String")
    store.parameters.put_parameter(Name=f"{root}/b", Value="deep", Type="SecureString")
    store.parameters.put_parameter(Name=f"/other{plain}", Value="rooted", Type="SecureString")
    wanted = [f"awsssm://{plain}", f"awsssm://{plain}/b", f"awsssm://{root}/b", f"awsssm:///other{plain}"]
    assert [result.value for result in run(real, *wanted).values() if isinstance(result, Found)] == [
        "plain",
        "deep",
        "deep",
        "rooted",
    ]


def test_versions_and_labels(store: Moto, real: AWS) -> None:
    """A version is written behind a colon or as a parameter, a label behind a colon."""
    name = f"{path()}/key"
    for text in ("one", "two", "three"):
        store.parameters.put_parameter(Name=name, Value=text, Type="SecureString", Overwrite=True)
    store.parameters.label_parameter_version(Name=name, ParameterVersion=2, Labels=["blue"])
    wanted = [f"awsssm://{name}{end}" for end in ("", ":1", "?version=1", ":blue")]
    results = run(real, *wanted)
    assert [result.value for result in results.values() if isinstance(result, Found)] == ["three", "one", "one", "two"]
    assert [result.version for result in results.values() if isinstance(result, Found)] == ["3", "1", "1", "2"]


@pytest.mark.parametrize("end", ["", ":9", ":green"])
def test_what_is_not_there_is_missing(store: Moto, real: AWS, end: str) -> None:
    """A name, a version and a label that are not there are each told as missing, beside one that is."""
    name = f"{path()}/key"
    store.parameters.put_parameter(Name=name, Value="value", Type="SecureString")
    store.parameters.put_parameter(Name=f"{name}2", Value="value", Type="SecureString")
    wanted = f"awsssm://{name}{end}" if end else f"awsssm://{name}3"
    results = run(real, wanted, f"awsssm://{name}2")
    assert [result.kind if isinstance(result, Failure) else result.value for result in results.values()] == ["missing", "value"]


def test_one_name_and_two_versions_of_it_are_not_asked_for_in_one_call(double: AwsDouble, aws: AWS) -> None:
    for text in ("one", "two"):
        double.put_parameter("/app/key", text)
    double.put_parameter("/app/other", "other")
    results = run(aws, "awsssm:///app/key", "awsssm:///app/key:1", "awsssm:///app/key:2", "awsssm:///app/other")
    assert [result.value for result in results.values() if isinstance(result, Found)] == ["two", "one", "two", "other"]
    assert double.operations() == [NAMES] * 3


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException"])
def test_one_name_that_is_refused_does_not_spoil_its_call(double: AwsDouble, aws: AWS, code: str) -> None:
    """AWS refuses a call for one name in it; each of the others is read nevertheless."""
    for one in ("a", "b", "c"):
        double.put_parameter(f"/app/{one}", one)
    double.errors["/app/b"] = code
    results = list(run(aws, *(f"awsssm:///app/{one}" for one in "abc")).values())
    assert [result.value for result in results if isinstance(result, Found)] == ["a", "c"]
    assert [result.kind for result in results if isinstance(result, Failure)] == [
        "denied" if code == "AccessDeniedException" else "unconfigured"
    ]
    assert double.operations() == [NAMES] * 4


def test_a_call_that_is_throttled_is_not_made_ten_times(double: AwsDouble, aws: AWS) -> None:
    double.answers[NAMES] = error("ThrottlingException", retry_after="7")
    results = run(aws, "awsssm:///a", "awsssm:///b", seconds=0.9)
    assert [(one.kind, one.retry_after) for one in results.values() if isinstance(one, Failure)] == [("throttled", 7.0)] * 2
    assert double.operations() == [NAMES]


def test_a_name_that_the_answer_does_not_speak_of_is_malformed(double: AwsDouble, aws: AWS) -> None:
    double.answers[NAMES] = Answer(200, b'{"Parameters": [{"Name": "/b", "Value": "x"}], "InvalidParameters": []}')
    result = failure(aws, "awsssm:///a")
    assert (result.kind, result.message) == (
        "malformed",
        "awsssm /a: neither among the parameters of the answer nor among the invalid ones",
    )


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"Name": "/a", "Version": 1}, "the answer holds no value"),
        ({"Name": "/a", "Value": "x", "Version": 2}, "another version"),
    ],
)
def test_a_parameter_of_the_wrong_shape_is_malformed(double: AwsDouble, aws: AWS, entry: dict[str, object], message: str) -> None:
    double.answers[NAMES] = Answer(200, json.dumps({"Parameters": [entry]}).encode())
    result = failure(aws, "awsssm:///a:1")
    assert (result.kind, result.message.endswith(message)) == ("malformed", True)


def test_a_list_is_a_list(store: Moto, real: AWS) -> None:
    """A ``StringList`` is handed over as the JSON list that it is, so that a list field and a fragment can take it."""
    name = f"{path()}/hosts"
    store.parameters.put_parameter(Name=name, Value="a.test,b.test", Type="StringList")

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[real])
        hosts: Annotated[list[SecretStr], From(f"awsssm://{name}")]
        second: Annotated[SecretStr, From(f"awsssm://{name}#/1")]

    settings = validate(Settings)
    assert [host.get_secret_value() for host in settings.hosts] == ["a.test", "b.test"]
    assert settings.second.get_secret_value() == "b.test"


def test_a_path_fills_a_model(store: Moto, real: AWS) -> None:
    """Each segment below the path is a key; types are pydantic's business; all pages are read."""
    root = path()

    class Pool(BaseModel):
        size: int
        hosts: list[str]

    class Database(BaseModel):
        user: str
        password: SecretStr
        pool: Pool
        extra: dict[str, str]

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[real])
        database: Annotated[Database, From(f"awsssm://{root}/db/", secret=False)]

    password = secrets.token_urlsafe()
    values = {"user": "shop", "password": password, "pool/size": "7", **{f"extra/k{n}": str(n) for n in range(25)}}
    for name, text in values.items():
        store.parameters.put_parameter(Name=f"{root}/db/{name}", Value=text, Type="SecureString")
    store.parameters.put_parameter(Name=f"{root}/db/pool/hosts", Value="a,b", Type="StringList")
    store.parameters.put_parameter(Name=f"{root}/dbs/none", Value="not below", Type="String")
    database = validate(Settings).database
    assert (database.user, database.password.get_secret_value(), database.pool) == (
        "shop",
        password,
        Pool(size=7, hosts=["a", "b"]),
    )
    assert database.extra == {f"k{n}": str(n) for n in range(25)}


def test_a_path_is_asked_for_once_and_page_by_page(double: AwsDouble, aws: AWS) -> None:
    for number in range(21):
        double.put_parameter(f"/app/{number:02}", str(number))
    assert json.loads(value(aws, "awsssm://app/")) == {f"{number:02}": str(number) for number in range(21)}
    assert double.operations() == [PATH] * 3
    assert run_one(aws, "awsssm:///app/") == run_one(aws, "awsssm://app/")


def test_a_path_with_nothing_below_is_missing(double: AwsDouble, aws: AWS) -> None:
    double.put_parameter("/app", "a parameter, and no path")
    assert failure(aws, "awsssm:///app/") == Failure(
        "missing", "awsssm /app/: there is no parameter below this path", "check the path and the region"
    )


@pytest.mark.parametrize("names", [("db", "db/host"), ("db-a", "db", "db/host"), ("db/host/port", "db/host")])
def test_a_parameter_with_others_below_it_fills_no_model(double: AwsDouble, aws: AWS, names: tuple[str, ...]) -> None:
    """It would have to be a value and an object; neither is quietly dropped."""
    for name in names:
        double.put_parameter(f"/app/{name}", "value")
    result = failure(aws, "awsssm:///app/")
    assert (result.kind, "has others below it" in result.message) == ("malformed", True)


def test_the_order_of_a_page_decides_nothing(double: AwsDouble, aws: AWS) -> None:
    """What is below a parameter may come before it, and is not quietly dropped either."""
    entries = [{"Name": name, "Value": "value"} for name in ("/app/db/host", "/app/db")]
    double.answers[PATH] = Answer(200, json.dumps({"Parameters": entries}).encode())
    assert failure(aws, "awsssm:///app/").kind == "malformed"


def test_a_page_that_names_itself_as_the_next_ends(double: AwsDouble, aws: AWS) -> None:
    double.answers[PATH] = Answer(200, b'{"Parameters": [], "NextToken": "1"}')
    assert failure(aws, "awsssm:///app/").kind == "missing"
    assert double.operations() == [PATH] * 2


@pytest.mark.parametrize("entry", [{"Name": "/other/x", "Value": "x"}, {"Name": "/app/x"}, {"Value": "x"}])
def test_a_page_with_what_is_not_below_the_path_is_malformed(double: AwsDouble, aws: AWS, entry: dict[str, str]) -> None:
    double.answers[PATH] = Answer(200, json.dumps({"Parameters": [entry]}).encode())
    assert failure(aws, "awsssm:///app/").kind == "malformed"


def test_a_denied_path_names_the_action(double: AwsDouble, aws: AWS) -> None:
    double.errors["/app"] = "AccessDeniedException"
    result = failure(aws, "awsssm:///app/")
    assert result.kind == "denied"
    assert str(result.tip).startswith(f"the policy needs ssm:GetParametersByPath on arn:aws:ssm:{REGION}:*:parameter/app; ")


def test_a_shared_parameter_is_asked_for_by_its_arn(double: AwsDouble, aws: AWS) -> None:
    """In its own region, by the whole ARN; the answer is matched by that too."""
    arn = "arn:aws:ssm:us-east-1:210987654321:parameter/shared/key"
    double.answers[NAMES] = Answer(
        200, json.dumps({"Parameters": [{"Name": "/shared/key", "ARN": arn, "Value": "v", "Version": 3}]}).encode()
    )
    assert value(aws, f"awsssm://{arn}:3") == "v"
    assert [(call.region, call.body["Names"]) for call in double.calls] == [("us-east-1", [f"{arn}:3"])]


@pytest.mark.parametrize(
    "reference",
    [
        "awsssm:///a?stage=AWSCURRENT",
        "awsssm:///a?version=blue",
        "awsssm:///a:1?version=1",
        "awsssm:///a:",
        "awsssm:///a/?version=1",
        "awsssm:///a/:1",
        "awsssm://arn:aws:ssm:us-east-1:210987654321:secret/a",
        "awsssm://arn:aws:ssm:us-east-1:210987654321:parameter/a/",
        "awsssm://arn:aws:ssm",
    ],
)
def test_a_reference_that_cannot_be_meant_is_asked_of_nobody(double: AwsDouble, aws: AWS, reference: str) -> None:
    result = failure(aws, reference)
    assert (result.kind, double.calls) == ("unconfigured", [])
    assert result.tip
