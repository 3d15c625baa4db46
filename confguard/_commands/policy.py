"""``confguard policy``: the least privilege that the plan of settings classes needs, as policies of their stores."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

import click

from confguard._commands.options import make_call
from confguard._commands.output import report
from confguard._commands.targets import import_classes

if TYPE_CHECKING:
    from confguard._call import Call
    from confguard._load import Load
    from confguard._problem import Problem
    from confguard._schema import Schema
    from confguard.provider import Provider, Reference

EXAMPLES = """
\b
Examples:
  confguard policy myservice.settings:AppSettings
  confguard policy myservice.settings:AppSettings --set app_env=production | bao policy write myservice -
  confguard policy myservice.settings:AppSettings --fact secret=kv1 --fact database=other
  confguard policy myservice.settings:AppSettings --store awssecrets --fact account=123456789012 > policy.json

\b
Exit codes:
   0  printed
  64  the command was used wrongly
  70  the module that holds the class cannot be imported
  78  a class is wrong, or the SDK of a store is not installed
"""


@click.command(epilog=EXAMPLES, short_help="Print the least privilege that settings need.")
@click.argument("targets", metavar="MODULE:CLASS...", nargs=-1, required=True)
@click.option("--only", multiple=True, metavar="FIELD", help="What this field needs alone; may be given several times.")
@click.option("--set", "given", multiple=True, metavar="FIELD=VALUE", help="This value of a field in a path, and no other.")
@click.option("--fact", "facts", multiple=True, metavar="NAME=VALUE", help="What no plan can know: an engine, an account, a key.")
@click.option("--store", metavar="SCHEME", help="The policy of this store alone.")
def policy(
    targets: tuple[str, ...], only: tuple[str, ...], given: tuple[str, ...], facts: tuple[str, ...], store: str | None
) -> NoReturn:
    """Print what the stores have to allow, so that MODULE:CLASS can be loaded, and nothing more.

    For Vault and OpenBao it is a policy in HCL, for AWS one of IAM in JSON. Uses no network and no environment. Alternatives are
    included, and what conditions may ask for. Of a field in a path whose type lists its values each value is included; where it
    lists none, the path has <field> in its place, for you to replace.

    Where several stores have a policy, a line with their schemes stands before each.
    """
    call = make_call(import_classes(targets, "text"), 1.0, (), only)
    sys.exit(_policy(call, _pairs(given, "--set"), _pairs(facts, "--fact"), store))


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """What an option says, by name.

    Raises:
        click.UsageError: One has no name or no value.
    """
    pairs = {name: value for name, _, value in (text.partition("=") for text in texts)}
    if not all(name and value for name, value in pairs.items()):
        raise click.UsageError(f"{option} takes NAME=VALUE")
    return pairs


def _policy(call: "Call", given: Mapping[str, str], facts: Mapping[str, str], store: str | None) -> int:
    from confguard._classes import schema_of
    from confguard._problem import by_weight, exit_code

    schemas = [schema_of(settings_class) for settings_class in call.settings_classes]
    problems = [mistake for schema in schemas for mistake in schema.mistakes]
    wanted: list[tuple[Provider, list[Reference]]] = []
    if not problems:
        _check_given(schemas, given)
        wanted, problems = _by_provider(_references(call, given, store))
    if problems:
        report(by_weight(problems), [schema.name for schema in schemas], "text", err=True)
        return exit_code(problems)
    if facts and len(wanted) > 1:
        raise click.UsageError("--fact is about one store; name it with --store")
    texts = [(_schemes(references), text) for provider, references in wanted if (text := _text(provider, references, facts))]
    for schemes, text in texts:
        click.echo(f"# {schemes}\n{text}\n" if len(texts) > 1 else text)
    if not wanted:
        click.echo("nothing is fetched from a store, so no policy is needed", err=True)
    return 0


def _check_given(schemas: "Sequence[Schema]", given: Mapping[str, str]) -> None:
    """Raise where a field that is given decides nothing, or cannot have its value.

    Raises:
        click.UsageError: See above.
    """
    from confguard._bindings import plain
    from confguard._values import closest

    deciding = {
        name: schema.trails[name][-1].possible
        for schema in schemas
        for trail in schema.bound
        if (binding := trail[-1].binding) is not None
        for name in binding.deciding
    }
    for name, value in given.items():
        if name not in deciding:
            meant = closest(name, deciding)
            raise click.UsageError(f"no reference depends on {name!r}" + (f"; did you mean {meant!r}?" if meant else ""))
        possible = [str(plain(each)) for each in deciding[name] or ()]
        if possible and value not in possible:
            raise click.UsageError(f"{name} cannot be {value!r}; it is one of {', '.join(possible)}")


def _references(call: "Call", given: Mapping[str, str], store: str | None) -> "list[tuple[Reference, Load]]":
    """Every payload that the classes may ask for, of one store or of all, with the load that would.

    Raises:
        click.UsageError: A value that is given cannot stand in a path, or no class asks that store.
    """
    from confguard._load import Load
    from confguard._plan import references_of
    from confguard._reference import InvalidReferenceError

    loads = [Load(settings_class, only=call.only) for settings_class in call.settings_classes]
    try:
        found = [(reference, load) for load in loads for reference in references_of(load.schema, given, load.wanted)]
    except InvalidReferenceError as exc:
        message = str(exc)
    else:
        schemes = dict.fromkeys(reference.scheme for reference, _ in found)
        if store is None or store in schemes:
            return [pair for pair in found if store in (None, pair[0].scheme)]
        message = f"nothing is asked of {store}://; the classes ask {', '.join(schemes) or 'no store'}"
    raise click.UsageError(message)


def _by_provider(
    references: "Iterable[tuple[Reference, Load]]",
) -> "tuple[list[tuple[Provider, list[Reference]]], list[Problem]]":
    """The references of each provider, and why some have none."""
    from confguard._problem import Problem
    from confguard._registry import find_provider
    from confguard.provider import Failure

    wanted: dict[int, tuple[Provider, list[Reference]]] = {}
    made: list[Provider] = []
    problems: dict[str, Problem] = {}
    for reference, load in references:
        provider = find_provider(reference.scheme, load.configured, made)
        if isinstance(provider, Failure):
            why = Problem(provider.kind, "", provider.message, provider.tip, settings_class=load.schema.name)
            problems[reference.scheme] = why
            continue
        if provider not in made:
            made.append(provider)
        wanted.setdefault(id(provider), (provider, []))[1].append(reference)
    return list(wanted.values()), list(problems.values())


def _schemes(references: "Iterable[Reference]") -> str:
    return ", ".join(dict.fromkeys(f"{reference.scheme}://" for reference in references))


def _text(provider: "Provider", references: "Sequence[Reference]", facts: Mapping[str, str]) -> str:
    """The policy that a provider writes; empty, with a note on standard error, where it cannot.

    Raises:
        click.UsageError: The facts are wrong.
    """
    write = getattr(provider, "policy", None)
    if not callable(write):
        click.echo(f"note: of {_schemes(references)} it is not known what has to be allowed", err=True)
        return ""
    try:
        return str(write(list(dict.fromkeys(references)), facts))
    except ValueError as exc:
        message = str(exc)
    raise click.UsageError(message)
