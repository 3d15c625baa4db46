"""One call of `validate`, or one run of a command: its settings classes are loaded together, with one report."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsError

from confguard._classes import schema_of
from confguard._conflicts import conflicts
from confguard._envfiles import look_at_env_files
from confguard._explain import known
from confguard._fetch import Together
from confguard._invalid import faulty_code, invalid, unmade_source
from confguard._load import Load, StopLoad, loading
from confguard._only import make_only
from confguard._problem import Problem
from confguard._resolver import Watcher, unwatched
from confguard._rules import judge
from confguard._unknown import Finding, Stray, strays, tell
from confguard._values import closest
from confguard._warnings import warnings
from confguard.exceptions import ConfigError

logger = logging.getLogger("confguard")

T = TypeVar("T")

Onlooker = Callable[[Load, Any], None]
"""Called with a load that still has its values, and with the settings, which are None where they could not be made. Nothing that
it keeps may hold a secret."""


def unseen(_: Load, __: Any) -> None:
    """Nobody looks on."""


@dataclass(frozen=True, slots=True)
class Call:
    """What is to be loaded.

    Attributes:
        settings_classes: The settings classes.
        timeout: Seconds until the deadline of what is fetched.
        only: The paths of the only fields that are wanted; empty where all are.
        arguments: Arguments for the classes: ``_env_file``, say.
        watcher: Told what providers are doing.
        onlooker: Shown each load before it forgets its values.
    """

    settings_classes: Sequence[type[BaseSettings]]
    timeout: float
    only: frozenset[str] = frozenset()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    watcher: Watcher = unwatched
    onlooker: Onlooker = unseen

    def check(self) -> None:
        """Raise where it cannot be carried out.

        Raises:
            ValueError: The timeout is not above 0, or no class has a field that is wanted.
        """
        if not self.timeout > 0:
            raise ValueError(f"timeout must be above 0 seconds, not {self.timeout!r}")
        paths = {path for owner in self.settings_classes for path in schema_of(owner).trails} if self.only else set()
        for name in sorted(self.only - paths):
            meant = closest(name, paths)
            raise ValueError(f"there is no field {name!r}{f'; did you mean {meant!r}?' if meant else ''}")


@dataclass(slots=True)
class Loaded:
    """What came of one settings class.

    Attributes:
        load: The load, without any value.
        settings: The settings; None where an error keeps them from being used.
        problems: All that is wrong with them.
        strays: The variables that no field takes.
    """

    load: Load
    settings: Any
    problems: tuple[Problem, ...]
    strays: Sequence[Stray] = ()


def load_settings(call: Call) -> tuple[Loaded, ...]:
    """Load all settings classes of a call.

    Raises:
        KeyboardInterrupt, SystemExit, asyncio.CancelledError: As they were raised meanwhile, made anew.
        ValueError: See `Call.check`.
    """
    call.check()
    began = perf_counter()
    together = Together(call.timeout, call.watcher)
    done: dict[int, Loaded] = {}
    stops: list[BaseException] = []

    def begin(number: int, settings_class: type[BaseSettings]) -> None:
        done[number] = _load_one(settings_class, call, together, stops)

    together.run(partial(begin, number, settings_class) for number, settings_class in enumerate(call.settings_classes))
    loaded = tuple(done[number] for number in range(len(call.settings_classes)))
    if stops:
        done, loaded = {}, ()  # settings of the other classes are not to be reached from a frame that this leaves by
        raise stops[0]
    if any(one.strays for one in loaded):
        _tell_strays(loaded)
    facts = _facts(loaded, together, perf_counter() - began) if logger.isEnabledFor(logging.INFO) else {}
    try:
        _log(facts)
    except BaseException:  # of a handler, which is not to lead to the settings
        done, loaded = {}, ()
        raise
    return loaded


def _tell_strays(loaded: Sequence[Loaded]) -> None:
    findings = [Finding(one.load.schema.name, one.problems, one.strays) for one in loaded]
    for one, problems in zip(loaded, tell(findings), strict=True):
        one.problems = problems


def _load_one(settings_class: type[BaseSettings], call: Call, together: Together, stops: list[BaseException]) -> Loaded:
    arguments, wrong_files = look_at_env_files(settings_class, call.arguments)
    load = Load(settings_class, only=call.only, together=together)
    settings, stop = caught(load, partial(_construct, load, arguments))
    load.problems += wrong_files
    unknown: Sequence[Stray] | None = ()
    if stop is None:
        unknown, stop = caught(load, partial(_judge, load, settings, call.onlooker))
    if stop is not None:
        stops.append(stop)
    problems = tuple(load.all_problems())
    load.forget()
    if any(problem.severity == "error" for problem in problems) or stop is not None:
        settings = None
    if settings is not None:
        known.remember(settings, load.origins)
    return Loaded(load, settings, problems, unknown or ())


def _construct(load: Load, arguments: Mapping[str, Any]) -> Any:
    """The settings; of those that are wanted in part, that part."""
    with suppress(StopLoad), loading(load):
        return load.settings_class(**arguments)
    return make_only(load)


def _judge(load: Load, settings: Any, onlooker: Onlooker) -> Sequence[Stray]:
    """Note what is wrong beside what pydantic refuses, and show the load, which still has its values, to the onlooker."""
    if load.ran:
        load.problems += [*judge(load, settings), *conflicts(load), *warnings(load)]
    onlooker(load, settings)
    return strays(load, tuple(load.all_problems()))


def caught(load: Load, step: Callable[[], T]) -> tuple[T | None, BaseException | None]:
    """What a step of a load gives, or problems noted in the load. Exceptions end here, since they and their frames hold values.

    What is no `Exception` comes back made anew, to be raised where no frame holds a value.
    """
    try:
        return step(), None
    except ValidationError as exc:
        load.problems += invalid(exc, load)
    except ConfigError as exc:
        load.problems += exc.problems  # of another settings class, which this one makes
    except SettingsError as exc:
        load.problems.append(unmade_source(exc, load))
    except Exception as exc:  # noqa: BLE001 - becomes a problem
        load.problems.append(faulty_code(exc))
    except KeyboardInterrupt:
        return None, KeyboardInterrupt()
    except SystemExit as exc:
        return None, SystemExit(exc.code if isinstance(exc.code, int) else 1)
    except BaseException as exc:  # noqa: BLE001 - a task that is cancelled, say
        return None, _anew(exc)
    return None, None


def _anew(exc: BaseException) -> BaseException:
    """An exception of the same type, with nothing in it; where its type wants an argument, a plain interrupt."""
    try:
        return type(exc)()
    except TypeError:
        return KeyboardInterrupt()


def _facts(loaded: Sequence[Loaded], together: Together, seconds: float) -> Mapping[str, Any]:
    """Counts, durations and kinds of a call, and nothing that was read."""
    problems = [problem for one in loaded for problem in one.problems]
    return {
        "settings_classes": [one.load.schema.name for one in loaded],
        "valid": all(one.settings is not None for one in loaded),
        "fields": sum(len(one.load.schema.leaves) for one in loaded),
        "fetched": together.asked,
        "seconds": round(seconds, 6),
        "providers": {scheme: round(took, 6) for scheme, took in together.seconds.items()},
        "problems": dict(Counter(problem.kind for problem in problems)),
    }


def _log(facts: Mapping[str, Any]) -> None:
    """One structured record for each call."""
    if facts:
        shown = ", ".join(name.partition(":")[2] for name in facts["settings_classes"])
        state = "valid" if facts["valid"] else "refused"
        text = "%s: %s in %.3f s, %d fetched"
        logger.info(text, shown, state, facts["seconds"], facts["fetched"], extra={"confguard": facts})
