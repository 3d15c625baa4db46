"""`lazy`: a handle at the top of a module, which loads when it is first asked and passes for its class."""

import asyncio
import copy
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cached_property
from secrets import token_hex
from time import monotonic, sleep
from traceback import TracebackException, walk_tb
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, PrivateAttr, SecretStr, TypeAdapter, ValidationError, computed_field, field_validator

from confguard import BaseSettings, ConfigError, From, SettingsConfigDict, _lazy, _turns, explain, lazy, rule, validate
from confguard.provider import Deadline, Failure, Found, Reference
from tests.doubles import Hanging, Store
from tests.finder import places_of

STORE = Store()


class AppSettings(BaseSettings):
    """The settings of an app."""

    model_config = SettingsConfigDict(env_prefix="APP_", providers=[STORE], extra="ignore")

    port: int = 80
    key: Annotated[SecretStr, From("store://key")]
    _notes: list[str] = PrivateAttr(default_factory=list)

    @computed_field
    def address(self) -> str:
        return f"localhost:{self.port}"

    @cached_property
    def doubled(self) -> int:
        return 2 * self.port

    @property
    def broken(self) -> int:
        return self.nowhere  # type: ignore[attr-defined, no-any-return]

    def describe(self, word: str) -> str:
        return f"{word} {self.port}"

    def __len__(self) -> int:
        return 3

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


@pytest.fixture
def key() -> Iterator[str]:
    value = f"Canary{token_hex(16)}"
    STORE.put("key", value)
    yield value
    STORE.payloads.clear()
    STORE.asked.clear()


@pytest.fixture
def settings(key: str) -> AppSettings:
    return lazy(AppSettings)


def is_loaded() -> bool:
    return bool(STORE.asked)


def until(condition: Callable[[], object]) -> None:
    end = monotonic() + 20
    while not condition():
        assert monotonic() < end
        sleep(0.001)


class Racers:
    """Threads that do the same at once, and what came of it in each."""

    def __init__(self, *works: Callable[[], Any]) -> None:
        self.results: list[Any] = [None] * len(works)
        self.threads = [threading.Thread(target=self._run, args=pair, daemon=True) for pair in enumerate(works)]
        for thread in self.threads:
            thread.start()

    def _run(self, number: int, work: Callable[[], Any]) -> None:
        try:
            self.results[number] = work()
        except BaseException as exc:  # noqa: BLE001 - it is what the test looks at
            self.results[number] = exc

    def join(self) -> list[Any]:
        for thread in self.threads:
            thread.join(20)
            assert not thread.is_alive()
        return self.results


LOOKS: dict[str, Callable[[Any], Any]] = {
    "repr": repr,
    "str": str,
    "format": "{:>50}".format,
    "dir": dir,
    "bool": lambda handle: isinstance(handle, AppSettings) and isinstance(handle, BaseSettings),
    "class": lambda handle: (handle.__class__, handle.__doc__, handle.__module__),
    "what pydantic keeps on the class": lambda handle: (handle.__pydantic_fields__["port"], handle.__get_pydantic_core_schema__),
    "a prompt": lambda handle: hasattr(handle, "_repr_html_") or hasattr(handle, "_ipython_display_"),
    "a pretty printer": lambda handle: any(hasattr(handle, name) for name in ("__rich_repr__", "__pretty__", "__repr_args__")),
    "a wrapper": lambda handle: hasattr(handle, "__wrapped__") or hasattr(handle, "__get__"),
    "pickle": pickle.dumps,
    "a call": callable,
    "a field of a model": lambda handle: TypeAdapter(AppSettings).validate_python(handle),
    "a default": lambda handle: type("Model", (BaseModel,), {"__annotations__": {"s": AppSettings}, "s": handle}),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_nothing_is_read_before_a_name_of_the_settings_is_asked_for(settings: AppSettings, look: Callable[[Any], Any]) -> None:
    """Neither making a handle nor looking at it loads."""
    look(settings)
    assert not is_loaded()
    assert settings.port == 80
    assert is_loaded()


def test_a_handle_that_is_not_loaded_shows_its_class_and_nothing_else(settings: AppSettings) -> None:
    assert repr(settings) == str(settings) == f"{settings}" == "<lazy AppSettings, not loaded>"
    assert {"port", "key", "address", "describe", "model_dump"} <= set(dir(settings))
    assert settings.__class__ is AppSettings
    assert (settings.__doc__, settings.__module__) == ("The settings of an app.", __name__)


def test_a_loaded_handle_passes_for_its_settings(settings: AppSettings, key: str) -> None:
    """Fields, methods, operators and dumps are those of the settings."""
    plain = AppSettings()
    assert settings.key.get_secret_value() == key
    assert (repr(settings), str(settings), f"{settings}") == (repr(plain), str(plain), f"{plain}")
    assert dir(settings) == dir(plain)
    assert [settings.address, settings.describe("port"), settings._notes] == ["localhost:80", "port 80", []]
    assert (len(settings), settings["port"], dict(settings), vars(settings)) == (3, 80, dict(plain), vars(plain))
    assert [settings.doubled, plain.doubled] == [160, 160]
    assert settings.model_dump() == AppSettings.model_dump(settings) == plain.model_dump()
    assert settings.model_dump_json() == plain.model_dump_json()
    assert settings.model_fields_set == plain.model_fields_set
    assert settings == plain
    assert plain == settings
    assert settings == lazy(AppSettings)
    assert settings != AppSettings(port=81)
    with pytest.raises(TypeError, match="unhashable"):
        hash(settings)
    with pytest.raises(AttributeError, match="'AppSettings' object has no attribute 'prot'"):
        settings.prot  # type: ignore[attr-defined] # noqa: B018
    with pytest.raises(AttributeError, match="nowhere"):
        settings.broken  # noqa: B018


class Other(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="OTHER_", validate_assignment=True)

    port: int = 1


class Frozen(BaseSettings):
    model_config = SettingsConfigDict(frozen=True)

    port: int = 1


class Thawed(Frozen):
    __hash__ = None  # type: ignore[assignment]


def test_assignments_are_those_of_the_settings(settings: AppSettings) -> None:
    """What is set, deleted or refused is so as on the settings, whether they were loaded or not."""
    settings.port = 81
    assert is_loaded()
    assert [settings.port, settings.address] == [81, "localhost:81"]
    del settings.port
    with pytest.raises(AttributeError):
        settings.port  # noqa: B018
    with pytest.raises(ValueError, match="no field"):
        settings.prot = 1  # type: ignore[attr-defined]
    with pytest.raises(ValidationError):
        lazy(Other).port = "many"  # type: ignore[assignment]
    frozen = lazy(Frozen)
    with pytest.raises(ValidationError):
        frozen.port = 2  # type: ignore[misc]
    assert hash(frozen) == hash(Frozen())
    with pytest.raises(TypeError, match="unhashable"):
        hash(lazy(Thawed))
    assert {frozen, Frozen()} == {Frozen()}


def test_it_is_serialised_within_other_models(settings: AppSettings) -> None:
    """Pydantic takes a handle for an instance of its class, and writes it as one."""

    class Holder(BaseModel):
        inner: AppSettings

    holder = Holder(inner=settings)
    assert holder.inner is settings
    assert holder.model_dump() == {"inner": AppSettings().model_dump()}
    assert holder.model_dump_json() == f'{{"inner":{AppSettings().model_dump_json()}}}'


def test_a_copy_is_one_of_the_settings(settings: AppSettings) -> None:
    """What is copied stays as it is when the handle is changed."""
    copies = [copy.copy(settings), copy.deepcopy(settings), settings.model_copy()]
    settings.port = 81
    assert [(type(one), one.port) for one in copies] == [(AppSettings, 80)] * 3


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_names_the_class_and_holds_no_value(settings: AppSettings, key: str, protocol: int) -> None:
    """What comes back is a handle that is not loaded, whether the first one was or not."""
    before = pickle.dumps(settings, protocol)
    assert settings.port == 80
    after = pickle.dumps(settings, protocol)
    assert before == after
    assert b"confguard._" not in after  # it names nothing private
    assert key.encode() not in after
    again = pickle.loads(after)
    assert repr(again) == "<lazy AppSettings, not loaded>"
    assert again == settings


class TestValidate:
    """`validate(handle)`."""

    def test_the_handle_holds_what_is_returned(self, settings: AppSettings, monkeypatch: pytest.MonkeyPatch) -> None:
        """It loads anew each time."""
        for number, port in enumerate((81, 82), 1):
            monkeypatch.setenv("APP_PORT", str(port))
            returned = validate(settings)
            assert (type(returned), returned.port, settings.port, len(STORE.asked)) == (AppSettings, port, port, number)
            returned.port = 0
            assert settings.port == 0

    def test_it_takes_handles_and_classes_together(self, settings: AppSettings, monkeypatch: pytest.MonkeyPatch) -> None:
        """One report for all, and no handle holds anything where one is refused."""
        monkeypatch.setenv("OTHER_PORT", "many")
        other = lazy(Other)
        with pytest.raises(ConfigError) as caught:
            validate(settings, other)
        assert [problem.field for problem in caught.value.problems] == ["port"]
        assert [repr(settings), repr(other)] == ["<lazy AppSettings, not loaded>", "<lazy Other, not loaded>"]
        monkeypatch.setenv("OTHER_PORT", "2")
        first, second, third = validate(Frozen, other, settings)
        assert [type(first), type(second), type(third)] == [Frozen, Other, AppSettings]
        assert (other.port, settings.port) == (2, 80)
        third.port = 81
        assert settings.port == 81

    def test_a_refusal_leaves_what_was_held(self, settings: AppSettings, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """And the error does not lead to it."""
        validate(settings)
        monkeypatch.setenv("APP_PORT", "many")
        with pytest.raises(ConfigError) as caught:
            validate(settings)
        assert settings.port == 80
        assert places_of(key, caught.value) == []

    def test_only_some_fields_are_held(self, settings: AppSettings) -> None:
        """After `validate(handle, only=…)` the handle has these fields alone, and does not load the others by itself."""
        validate(settings, only=["port"])
        assert settings.port == 80
        with pytest.raises(AttributeError):
            settings.key  # noqa: B018
        assert not is_loaded()

    @pytest.mark.parametrize("refused", [False, True])
    def test_who_reads_it_meanwhile_waits(self, refused: bool) -> None:
        """A load that `validate` began is the one that a first access in another thread waits for, and fails with."""
        store = Hanging()
        settings = lazy(class_with(store))
        if refused:
            store.fail("key", Failure("denied", "hanging key: 403"))
        racers = Racers(lambda: validate(settings).key)
        until(lambda: store_is_asked(store))
        reader = Racers(lambda: settings.key)
        until(lambda: len(_turns._waiting) == 1)
        store.release.set()
        results = [*reader.join(), *racers.join()]
        assert {type(result) for result in results} == {ConfigError if refused else SecretStr}
        assert len({getattr(result, "problems", id(result)) for result in results}) == 1
        assert len(store.asked) == 1

    @pytest.mark.parametrize("wrong", [int, 3, Other.model_construct(), None])
    def test_it_takes_nothing_else(self, wrong: Any) -> None:
        """Settings that are no handle are no class either, and a handle of a handle is none."""
        with pytest.raises(TypeError, match=r"validate\(\) takes"):
            validate(wrong)
        with pytest.raises(TypeError, match=r"lazy\(\) takes subclasses of confguard.BaseSettings, not "):
            lazy(wrong)
        with pytest.raises(TypeError, match=r"lazy\(\) takes"):
            lazy(lazy(Other))  # type: ignore[arg-type]


def class_with(store: Store) -> Any:
    store.put("key", token_hex())

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(providers=[store])
        key: Annotated[SecretStr, From(f"{next(iter(store.schemes))}://key")]
        port: int = 80

    return Settings


def store_is_asked(_: Store) -> bool:
    return any(thread.name.startswith("confguard-") for thread in threading.enumerate())


class TestThreads:
    """Who loads, and who waits."""

    def test_the_first_access_loads_once_whichever_thread_comes_first(self) -> None:
        """Sixteen threads read a handle at once: one loads, all get what it loaded."""
        store = Hanging()
        settings = lazy(class_with(store))
        racers = Racers(*[lambda: settings.key] * 16)
        until(lambda: len(_turns._waiting) == 15)
        store.release.set()
        keys = racers.join()
        assert len(store.asked) == 1
        assert all(key is keys[0] for key in keys)
        assert isinstance(keys[0], SecretStr)

    def test_those_who_waited_fail_with_the_load_and_the_next_access_tries_again(self) -> None:
        """A store that is out is not asked once more by each thread that waited; whoever comes later asks it."""
        store, canary = Hanging(), f"Canary{token_hex(16)}"
        settings = lazy(class_with(store))
        store.put("key", canary)
        store.fail("key", Failure("unavailable", "hanging key: down"))
        racers = Racers(*[lambda: settings.key] * 8)
        until(lambda: len(_turns._waiting) == 7)
        store.release.set()
        errors = racers.join()
        assert {type(error) for error in errors} == {ConfigError}
        assert {problem.kind for error in errors for problem in error.problems} == {"unavailable"}
        assert [(error.__cause__, error.__context__) for error in errors] == [(None, None)] * 8
        printed = ["".join(TracebackException.from_exception(error, capture_locals=True).format()) for error in errors]
        assert [canary in text for text in printed] == [False] * 8
        assert len({id(error) for error in errors}) == 8
        assert len(store.asked) == 1
        store.put("key", canary)
        assert settings.key.get_secret_value() == canary
        assert len(store.asked) == 2

    def test_an_interrupt_is_for_the_thread_that_loads(self) -> None:
        """Those who waited for a load that was interrupted begin their own."""
        entered, release, first = threading.Event(), threading.Event(), iter([True])

        class Settings(BaseSettings):
            port: int = 80

            @field_validator("port")
            @classmethod
            def check(cls, port: int) -> int:
                if next(first, False):
                    entered.set()
                    release.wait(20)
                    raise KeyboardInterrupt
                return port

        settings = lazy(Settings)
        loader = Racers(lambda: settings.port)
        until(entered.is_set)
        reader = Racers(lambda: settings.port)
        until(lambda: len(_turns._waiting) == 1)
        release.set()
        assert isinstance(loader.join()[0], KeyboardInterrupt)
        assert reader.join() == [80]

    def test_a_validator_may_read_another_handle(self) -> None:
        """So may a provider, from the thread in which it fetches; what is refused there is told in the report."""
        other = lazy(Other)

        class Reading(Store):
            def fetch(self, refs: Any, *, deadline: Deadline) -> dict[Reference, Found | Failure]:
                return {ref: Found(f"key of {other.port}") for ref in refs}

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(providers=[Reading()])
            port: int
            key: Annotated[SecretStr, From("store://key")]

            @field_validator("port", mode="before")
            @classmethod
            def from_other(cls, port: Any) -> Any:
                return other.port + int(port)

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PORT", "80")
            settings = lazy(Settings)
            assert (settings.port, settings.key.get_secret_value()) == (81, "key of 1")

    @pytest.mark.parametrize("through", ["validator", "rule", "event loop"])
    def test_settings_that_read_themselves_are_a_mistake(self, through: str) -> None:
        """No deadlock and no recursion: a report that says what to do, and the handle can be asked again."""
        settings = lazy(SELF_READING[through])
        BEING_LOADED[:] = [settings]
        for _ in range(2):
            [error] = Racers(lambda: settings.port).join()
            [problem] = error.problems
            assert (problem.kind, problem.message) == ("mistake", "it is read while it is being loaded")
            assert problem.settings_class.endswith(SELF_READING[through].__qualname__)
            assert "reads the handle of its own class" in (problem.tip or "")
        with pytest.raises(ConfigError):
            validate(settings)

    def test_two_threads_whose_handles_read_each_other_do_not_wait_for_ever(self) -> None:
        """The one that comes second is told; the first fails with it."""
        meet = threading.Barrier(2, timeout=20)

        class One(BaseSettings):
            port: int

            @field_validator("port", mode="before")
            @classmethod
            def read(cls, port: Any) -> Any:
                meet.wait()
                return two.port

        class Two(BaseSettings):
            port: int

            @field_validator("port", mode="before")
            @classmethod
            def read(cls, port: Any) -> Any:
                meet.wait()
                return one.port

        one, two = lazy(One), lazy(Two)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PORT", "80")
            errors = Racers(lambda: one.port, lambda: two.port).join()
        assert [type(error) for error in errors] == [ConfigError] * 2
        assert {problem.message for error in errors for problem in error.problems} == {"it is read while it is being loaded"}
        assert (_turns._turns, _turns._waiting) == ({}, {})


BEING_LOADED: list[Any] = []


class _Validated(BaseSettings):
    port: int = 80

    @field_validator("port")
    @classmethod
    def check(cls, port: int) -> int:
        return int(BEING_LOADED[0].port)


class _Looped(BaseSettings):
    port: int = 80

    @field_validator("port")
    @classmethod
    def check(cls, port: int) -> int:
        async def read() -> int:
            return int(BEING_LOADED[0].port)

        return asyncio.run(read())


class _Ruled(BaseSettings):
    port: int = 80

    @rule("the port is high")
    def high(self) -> bool:
        return bool(BEING_LOADED[0].port > 1024)


SELF_READING: dict[str, type[Any]] = {
    "validator": _Validated,
    "rule": _Ruled,
    "event loop": _Looped,
}


def test_explain_takes_a_handle(settings: AppSettings, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It tells the origins of what the handle holds, and loads it where it holds nothing."""
    monkeypatch.setenv("APP_PORT", "81")
    told = {one.field: (one.value, str(one.origin)) for one in explain(settings)}
    assert told == {"port": ("81", "env APP_PORT"), "key": ("**********", "store key")}


FORKING = """
import os, threading, time
from confguard import BaseSettings, _turns, lazy
from pydantic import field_validator

entered, release = threading.Event(), threading.Event()
loads = []

class AppSettings(BaseSettings):
    port: int = 80

    @field_validator("port")
    @classmethod
    def check(cls, port):
        loads.append(os.getpid())
        if threading.current_thread() is not threading.main_thread():
            entered.set()
            release.wait(20)
        return port

def in_child(work):
    pid = os.fork()
    if pid == 0:
        os._exit(work())
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

settings = lazy(AppSettings)
thread = threading.Thread(target=lambda: settings.port)
thread.start()
entered.wait(20)
locked, unlock = threading.Event(), threading.Event()
def lock():
    with _turns._lock:
        locked.set()
        unlock.wait(20)
if WHILE_LOCKED:
    locker = threading.Thread(target=lock)
    locker.start()
    locked.wait(20)
during = in_child(lambda: settings.port)
unlock.set()
release.set()
thread.join()
loads.clear()
print(during, in_child(lambda: settings.port + len(loads)), loads)
"""


@pytest.mark.parametrize("while_locked", [False, True])
def test_a_fork_waits_for_nobody(while_locked: bool) -> None:
    """After a fork the child has what was loaded, and loads by itself what a thread of its parent was loading."""
    code = f"WHILE_LOCKED = {while_locked}\n{FORKING}"
    # From Python 3.12 on it warns of a fork in a process with threads, which is what is tried here.
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == ("80 80 []\n", "")


class Account(BaseSettings, frozen=True):
    password: SecretStr
    workers: int = 1

    def __lt__(self, other: object) -> bool:
        raise TypeError


def _assigned(handle: Account, canary: str) -> None:
    handle.workers = {canary: canary}  # type: ignore[assignment,misc] # which is refused


def _deleted(handle: Account, _: str) -> None:
    del handle.workers


def _compared(handle: Account, canary: str) -> None:
    handle < canary  # noqa: B015 # pyright: ignore[reportUnusedExpression]


@pytest.mark.parametrize("use", [_assigned, _deleted, _compared])
def test_no_error_leads_to_what_a_handle_holds(monkeypatch: pytest.MonkeyPatch, use: Callable[[Account, str], None]) -> None:
    """Neither the settings of a loaded handle nor what it is given are among the locals of its frames."""
    canary = token_hex()
    monkeypatch.setenv("PASSWORD", canary)
    handle = lazy(Account)
    assert handle.workers == 1
    with pytest.raises((TypeError, ValidationError)) as caught:
        use(handle, canary)
    frames = [frame for frame, _ in walk_tb(caught.value.__traceback__) if frame.f_code.co_filename == _lazy.__file__]
    assert frames
    assert [name for frame in frames for name in ("self", "value", "args", "kwargs") if name in frame.f_locals] == []


def test_a_name_that_settings_lack_leads_to_no_handle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", token_hex())
    handle = lazy(Account)
    assert handle.workers == 1
    with pytest.raises(AttributeError) as caught:
        handle.nothing  # type: ignore[attr-defined] # noqa: B018 # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    frames = [frame for frame, _ in walk_tb(caught.value.__traceback__) if frame.f_code.co_filename == _lazy.__file__]
    assert ["self" in frame.f_locals for frame in frames] == [False]
