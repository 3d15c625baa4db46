"""Generated cases, and what at least one of them that loads must have."""

from collections.abc import Sequence

from hypothesis import strategies as st

from tests.differential.blueprint import Case
from tests.differential.classes import CONFIG, EXTRAS, HOOKS, config_of, field_of, source_of
from tests.differential.drawing import pick, seldom, some
from tests.differential.kinds import COLLECTIONS, GENERIC, INNER, MODELS, PLAIN, SECRETS, Kind
from tests.differential.situations import CALLS, situation_of

SITUATIONS = 5
"""In how many environments each class is loaded: making the class costs more than loading it."""

NAMES = ("alpha", "beta", "gamma_delta", "db", "Mixed")
KINDS = (*PLAIN, *SECRETS, *COLLECTIONS, *MODELS, INNER)


@st.composite
def cases(draw: st.DrawFn, kinds: Sequence[Kind] = KINDS) -> Case:
    """A class, whose first field is of one of some types, and its situations."""
    features: set[str] = set()
    names = some(draw, NAMES, pick(draw, (1, 2, 3, 4)))
    generic = seldom(draw, True, common=False)
    fields = [field_of(draw, name, pick(draw, KINDS if at else kinds), features) for at, name in enumerate(names)]
    if generic:
        fields.append(field_of(draw, "opened", GENERIC, features))
    config = config_of(draw, fields, features)
    inherited = pick(draw, range(len(fields) + 1))
    features |= {"inheritance"} if inherited else set()
    features |= {"generics"} if generic else set()
    source = source_of(draw, fields, inherited, generic, config, features)
    situations = [situation_of(draw, fields, config) for _ in range(SITUATIONS)]
    return Case(source, situations, frozenset(features))


def features() -> set[str]:
    """Everything that a generated case may have, and that does not keep it from being loaded."""
    places = {"inheritance", "generics", "init", "alias", "AliasChoices", "AliasPath", "env_file: many", "secrets_dir: many"}
    places |= {"hook in class", "hook in base", "hook in mixin", "cli_parse_args", "_cli_parse_args"}
    hooks = {f"hook: {name}" for name in HOOKS}
    return places | hooks | {kind.annotation for kind in (*KINDS, GENERIC)} | set(CONFIG) | set(EXTRAS) | set(CALLS)
