"""Payloads that are not what a field wants: each is told by its kind, quotes nothing, and costs no other field its report."""

import base64
import json
import secrets
from typing import Annotated

import pytest
from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from confguard import BaseSettings, ConfigError, From, SettingsConfigDict, explain, validate
from confguard._redaction import redactor
from tests.doubles import Store

BIG = 5_000_000
"""Characters of a value that is larger than any store of today gives."""


class Login(BaseModel):
    user: SecretStr
    password: SecretStr


class Settings(BaseSettings):
    port: int = 1
    key: Annotated[SecretStr, From("store://key#/key")] = SecretStr("default")
    login: Annotated[Login, From("store://login")]


def refusal(store: Store, monkeypatch: pytest.MonkeyPatch) -> ConfigError:
    """How the settings are refused, one field of which has a wrong variable."""

    class Asking(Settings):
        model_config = SettingsConfigDict(providers=[store])

    monkeypatch.setenv("PORT", "many")
    with pytest.raises(ConfigError) as caught:
        validate(Asking)
    return caught.value


def told(error: ConfigError) -> dict[str, tuple[str, str]]:
    return {problem.field: (problem.kind, problem.message) for problem in error.problems if problem.severity == "error"}


@pytest.mark.parametrize(
    ("payload", "of_key", "of_login"),
    [
        ("SECRET", "store key: the payload is not JSON, so #/key picks nothing", "the payload is not JSON"),
        ("", "store key: the payload is not JSON, so #/key picks nothing", "the payload is not JSON"),
        (b"\xff\xfe\x00", "store key: the payload is not JSON, so #/key picks nothing", "the payload is not JSON"),
        ('{"key": "SECRET"', "store key: the payload is not JSON, so #/key picks nothing", "the payload is not JSON"),
        ('"SECRET"', "store key: no object or list where 'key' is looked for", "the payload is JSON, and no object"),
        ("12345678", "store key: no object or list where 'key' is looked for", "the payload is JSON, and no object"),
        ("null", "store key: no object or list where 'key' is looked for", "the payload is JSON, and no object"),
        ("[" * 200_000, "store key: the payload is not JSON, so #/key picks nothing", "the payload is not JSON"),
        (
            '{"key": "SECRET", "key": "SECRET2", "user": "SECRET", "password": "SECRET"}',
            "store key: a key stands twice in an object of the payload, so #/key picks nothing",
            "a key stands twice in an object of the payload",
        ),
        (
            '{"key": "a", "user": "SECRET", "password": "SECRET", "deep": [{"a": 1, "a": 2}]}',
            "store key: a key stands twice in an object of the payload, so #/key picks nothing",
            "a key stands twice in an object of the payload",
        ),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_payload_of_the_wrong_shape_is_malformed(
    store: Store, monkeypatch: pytest.MonkeyPatch, payload: str | bytes, of_key: str, of_login: str
) -> None:
    """Not JSON, no object, a key twice, nested too deep: no default stands in, and what else is wrong is told as well."""
    secret = secrets.token_urlsafe()
    if isinstance(payload, str):
        payload = payload.replace("SECRET", secret)
    store.put("key", payload)
    store.put("login", payload)
    error = refusal(store, monkeypatch)
    assert secret not in f"{error}{error!r}"
    problems = told(error)
    assert problems.pop("port")[0] == "invalid"
    assert problems == {"key": ("malformed", of_key), "login": ("malformed", of_login)}


def test_a_key_of_the_payload_with_a_wrong_value_is_told_of_its_field(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number or a null for a text, and a field that the object does not have."""
    store.put("key", '{"key": null}')
    store.put("login", '{"user": [1], "other": "x"}')
    problems = told(refusal(store, monkeypatch))
    assert {field: kind for field, (kind, _) in problems.items()} == {
        "port": "invalid",
        "login.user": "invalid",
        "login.password": "missing",
    }


def test_a_value_of_5_mb_is_loaded_whole_and_known_to_the_redactor(store: Store) -> None:
    """As it stands, picked from an object, within a model, decoded, and as bytes."""

    class Big(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        plain: Annotated[SecretStr, From("store://plain")]
        picked: Annotated[SecretStr, From("store://object#/user")]
        login: Annotated[Login, From("store://object")]
        decoded: Annotated[SecretBytes, From("store://encoded?decode=base64")]

    value = secrets.token_hex(BIG // 2)
    store.put("plain", value)
    store.put("object", json.dumps({"user": value, "password": "p"}))
    store.put("encoded", base64.b64encode(value.encode()))
    loaded = validate(Big)
    assert loaded.plain.get_secret_value() == loaded.picked.get_secret_value() == loaded.login.user.get_secret_value() == value
    assert loaded.decoded.get_secret_value() == value.encode()
    assert len(redactor.redact(f"it is {value}, then")) < 100
    assert all(len(repr(one)) < 1000 for one in explain(loaded))


def test_a_value_of_5_mb_that_is_refused_fills_no_report(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the type refuses it, and where a payload of this size is no JSON: the report stays small and quotes no part."""

    class Big(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        number: Annotated[Secret[int], From("store://number")]
        picked: Annotated[SecretStr, From("store://number#/key")]

    value = secrets.token_hex(BIG // 2)
    store.put("number", value)
    with pytest.raises(ConfigError) as caught:
        validate(Big)
    assert [(problem.field, problem.kind) for problem in caught.value.problems] == [
        ("picked", "malformed"),
        ("number", "invalid"),
    ]
    report = f"{caught.value}{caught.value!r}"
    assert len(report) < 4096
    assert value[:12] not in report
