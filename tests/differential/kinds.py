"""The types that a field of a generated class may have, and what may be given for each."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Kind:
    """A type of a field.

    Attributes:
        annotation: The type as source.
        good: Texts that it takes.
        bad: Texts that it refuses, or that do not stand for what they look like.
        inner: By what stands behind the delimiter, texts for a part of it.
        objects: What code may give, as source.
        defaults: What may be its default, as source.
    """

    annotation: str
    good: tuple[str, ...]
    bad: tuple[str, ...] = ("",)
    inner: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    objects: tuple[str, ...] = ("None", "Other()", "{}")
    defaults: tuple[str, ...] = ("None",)


NUMBERS = ("1", "-7", " 2 ")
_DB = {
    "host": ("db.internal", ""),
    "port": ("1", "x"),
    "password": ("pw", ""),
    "replicas": ('["a"]', "[a", "a"),
    "REPLICAS": ("[]",),
}
_DB |= {"Host": ("upper",), "unknown": ("u",), "host__x": ("deep",), "": ("empty",), "replicas__0": ("r",)}
_DB_OBJECTS = (
    "Database(host='i')",
    "{'host': 'i'}",
    "{'port': '7', 'password': SecretStr('p')}",
    "Database.model_construct(host='c')",
    "Other()",
    "None",
    "'{}'",
    "Spot(x=1)",
)

PLAIN = (
    Kind("int", NUMBERS, ("x", "", "1.5", "null"), objects=("3", "'4'", "None", "[]"), defaults=("5", "'6'")),
    Kind("float", ("1.5", "1e3", "nan"), ("x",), objects=("3", "0.5"), defaults=("0.25",)),
    Kind("bool", ("1", "off", "TRUE"), ("maybe", ""), objects=("True", "'no'"), defaults=("False",)),
    Kind("str", ("text", "", "a b", "ref+x://y", "null", "3"), objects=("'s'", "3"), defaults=("'d'", "''")),
    Kind("Decimal", ("1.10",), ("x",), objects=("Decimal('2')",), defaults=("Decimal('0.5')",)),
    Kind("Path", ("/a/b", "."), objects=("Path('x')",), defaults=("Path('p')",)),
    Kind("bytes", ("raw",), objects=("b'x'",), defaults=("b'd'",)),
    Kind("Any", ("any", "[1]", ""), objects=("object", "[1]"), defaults=("None", "3")),
    Kind("Literal['a', 'b']", ("a", "b"), ("c", "A"), objects=("'a'", "'c'"), defaults=("'b'",)),
    Kind("Colour", ("red", "RED"), ("green",), objects=("Colour.RED", "'blue'"), defaults=("Colour.BLUE",)),
    Kind("Level", ("1", "HIGH"), ("3",), objects=("Level.LOW", "2"), defaults=("Level.HIGH",)),
    Kind("Port", ("8080",), ("x",), objects=("1",), defaults=("80",)),
    Kind("HttpUrl", ("https://h/x", "https://u:secretpw@h/"), ("h",), objects=("'http://i/'",), defaults=("'http://d/'",)),
    Kind("int | None", ("1", "null"), ("", "x"), objects=("None", "3"), defaults=("None",)),
    Kind("str | int", ("1", "x"), objects=("1", "'1'"), defaults=("2",)),
    Kind("StrictInt", ("1",), ("x",), objects=("1", "'1'"), defaults=("2",)),
    Kind("StrictInt | None", ("1", "null"), ("x",), objects=("1", "'1'"), defaults=("None",)),
    Kind("Annotated[int, Field(ge=1, lt=100)]", ("1", "99"), ("0", "100"), objects=("5", "0"), defaults=("7",)),
    Kind(
        "Annotated[str, Field(min_length=2, pattern='^[a-z]+$')]",
        ("ab",),
        ("a", "AB", ""),
        objects=("'abc'",),
        defaults=("'dd'",),
    ),
)
SECRETS = (
    Kind("SecretStr", ("s3cret", "x"), ("",), objects=("'s'", "SecretStr('s')"), defaults=("SecretStr('d')", "SecretStr('')")),
    Kind("SecretStr | None", ("s3cret",), ("",), objects=("None", "SecretStr('s')"), defaults=("None",)),
    Kind("SecretBytes", ("s3cret",), ("",), objects=("b's'",), defaults=("SecretBytes(b'd')",)),
    Kind("Secret[int]", ("12345",), ("x", ""), objects=("1", "Secret[int](2)"), defaults=("Secret[int](3)",)),
    Kind("Secret[PostgresDsn]", ("postgres://u:pw@h/d",), ("h", ""), objects=("'postgres://i/d'",), defaults=("None",)),
    Kind("list[SecretStr]", ('["a", "b"]', "[]"), ("a,b", '[""]'), objects=("['x']",), defaults=("[]",)),
    Kind("dict[str, SecretStr]", ('{"a": "b"}',), ("{",), {"k": ("v", "")}, objects=("{'x': 'y'}",), defaults=("{}",)),
    Kind(
        "Annotated[SecretStr, Field(min_length=4)]", ("s3cret",), ("x", ""), objects=("'long'",), defaults=("SecretStr('long')",)
    ),
)
_LIST_OBJECTS = ("[1, 2]", "['a']", "('1',)", "'[1]'", "None")
COLLECTIONS = (
    Kind("list[int]", ("[]", "[1, 2]"), ("[1", "1,2", "", "null", '["x"]', "{}"), objects=_LIST_OBJECTS, defaults=("[1]",)),
    Kind("list[str]", ("[]", '["a"]'), ("a", "a,b", ""), {"0": ("x",)}, objects=_LIST_OBJECTS, defaults=("['d']",)),
    Kind("tuple[int, str]", ('[1, "a"]',), ("[1]",), objects=("(1, 'a')",), defaults=("(0, 'd')",)),
    Kind("set[str]", ('["a", "a"]',), ("a",), objects=("{'a'}",), defaults=("{'d'}",)),
    Kind(
        "dict[str, int]",
        ("{}", '{"a": 1}'),
        ("{", "[]", '{"a": "x"}'),
        {"k": ("1", "x"), "k__j": ("2",)},
        ("{'a': 1}",),
        ("{'d': 1}",),
    ),
    Kind("dict[str, list[int]]", ('{"a": [1]}',), ("{",), {"k": ("[1]", "1")}, ("{'a': [1]}",), ("{}",)),
    Kind(
        "dict[str, Database]",
        ('{"a": {"port": 1}}',),
        ('{"a": 1}',),
        {"k__host": ("h",), "k": ('{"port": 2}', "x")},
        ("{'a': Database()}",),
        ("{}",),
    ),
    Kind("list[Database]", ('[{"port": 1}]',), ('[{"port": "x"}]',), objects=("[Database()]", "[{}]"), defaults=("[]",)),
    Kind("list[int] | None", ("[1]", "null"), ("x", ""), objects=("None", "[1]"), defaults=("None",)),
    Kind("list[int] | str", ("[1]", "x", "[1"), objects=("[1]", "'x'"), defaults=("'d'",)),
    Kind("Json[list[int]]", ("[1]",), ("[", ""), objects=("'[1]'", "[1]"), defaults=("None",)),
    Kind("Annotated[list[str], NoDecode]", ("a",), ('["a"]',), objects=("['a']",), defaults=("['d']",)),
    Kind("Annotated[list[str], ForceDecode]", ('["a"]',), ("a",), objects=("['a']",), defaults=("['d']",)),
    Kind("Hosts", ('["a"]',), ("a",), objects=("['a']",), defaults=("['d']",)),
    Kind("Names", ('["a"]',), ("a",), objects=("Names(['a'])", "['a']"), defaults=("Names([])",)),
    Kind("Pair", ('[1, "a"]',), ("{", "[]"), objects=("Pair(1)", "(2, 'b')"), defaults=("Pair(0)",)),
    Kind("Options", ('{"depth": 1}', "{}"), ('{"depth": "x"}',), {"depth": ("1", "x")}, ("{'name': 'n'}",), ("{}",)),
)
MODELS = (
    Kind(
        "Database",
        ("{}", '{"port": 2}', '{"host": "j", "password": "p"}'),
        ("3", '{"port": "y"}', "{", ""),
        _DB,
        _DB_OBJECTS,
        ("Database()", "Database(host='d')", "{'host': 'd'}"),
    ),
    Kind("Database | None", ("{}", '{"port": 2}', "null"), ("3", "{"), _DB, _DB_OBJECTS, ("None", "Database(port=9)")),
    Kind("Annotated[Database, Field(description='d')]", ('{"port": 2}',), ("x",), _DB, _DB_OBJECTS, ("Database()",)),
    Kind(
        "Strict",
        ('{"host": "h", "token": "t"}',),
        ("{}", '{"host": "h", "token": "", "z": 1}'),
        {"host": ("h",), "Port": ("2",), "port": ("3",), "token": ("t", ""), "z": ("1",)},
        ("Strict(host='i', token='t')", "{'host': 'i', 'token': 't'}", "{'host': 'i'}", "Database()"),
        ("Strict(host='d', token='t')",),
    ),
    Kind(
        "Aliased",
        ('{"hostName": "h", "p": 2}', '{"host": "n", "names": ["a"]}'),
        ('{"p": "x"}',),
        {
            "hostName": ("a",),
            "HOSTNAME": ("b",),
            "host": ("c",),
            "p": ("1", "x"),
            "Port": ("2",),
            "names": ('["a"]', "a"),
            "first": ("f",),
        },
        ("Aliased(hostName='i')", "{'host': 'i', 'Port': 3}"),
        ("Aliased()",),
    ),
    Kind(
        "Deep",
        ("{}", '{"inner": {"port": 2}}'),
        ('{"inner": 1}', "x"),
        {
            "inner": ('{"host": "j"}', "{", ""),
            "inner__host": ("n",),
            "inner__port": ("4", "x"),
            "strict__token": ("t",),
            "strict__host": ("h",),
            "level": ("2",),
            "inner__replicas": ('["a"]',),
        },
        ("Deep(level=3)", "{'inner': Database(host='i')}", "{'inner': {'port': 8}}", "{'inner': Other()}"),
        ("Deep()", "Deep(level=8)"),
    ),
    Kind(
        "Deep | None",
        ("{}", "null"),
        ("x",),
        {"inner__host": ("n",), "strict": ('{"host": "a"}',)},
        ("Deep()", "None"),
        ("None",),
    ),
    Kind(
        "Cat | Dog",
        ('{"kind": "cat"}', '{"kind": "dog", "name": "n"}'),
        ('{"kind": "cow"}', "{}", "x"),
        {"kind": ("cat", "dog"), "lives": ("7",), "name": ("rex",)},
        ("Cat(kind='cat')", "{'kind': 'dog', 'name': 'n'}"),
        ("Cat(kind='cat')",),
    ),
    Kind(
        "Annotated[Cat | Dog, Field(discriminator='kind')]",
        ('{"kind": "cat"}', '{"kind": "dog", "name": "n"}'),
        ('{"kind": "cow"}', "{}"),
        {"kind": ("cat", "dog"), "lives": ("7", "x"), "name": ("rex",)},
        ("Cat(kind='cat')", "{'lives': 3}", "{'kind': 'dog', 'name': 'n'}"),
        ("Cat(kind='cat')", "Dog(kind='dog', name='d')"),
    ),
    Kind(
        "Annotated[Annotated[Cat, Tag('cat')] | Annotated[Dog, Tag('dog')], Discriminator(tag_of)]",
        ('{"kind": "cat"}',),
        ("{}",),
        {"kind": ("cat", "dog"), "name": ("rex",)},
        ("Cat(kind='cat')",),
        ("Cat(kind='cat')",),
    ),
    Kind("Database | list[str] | None", ('["a"]', '{"port": 2}'), ("x",), {"port": ("1",)}, ("['a']",), ("None",)),
    Kind("Point", ('{"x": 1}',), ("{}", "x"), {"x": ("1", "z"), "y": ("2",)}, ("Point(1)", "{'x': 2}"), ("Point(0)",)),
    Kind(
        "Spot",
        ('{"x": 1}', '{"x": 1, "key": "k"}'),
        ("{}",),
        {"x": ("1", "z"), "name": ("n",), "key": ("k", "")},
        ("Spot(x=1)", "{'x': 2}", "Point(1)"),
        ("Spot(x=0)",),
    ),
    Kind(
        "Spot | None",
        ('{"x": 1}', "null"),
        ("{}",),
        {"x": ("1",), "name": ("n",)},
        ("Spot(x=1)", "None"),
        ("None", "Spot(x=3, name='d')"),
    ),
    Kind(
        "Tree",
        ("{}", '{"child": {"name": "c"}}'),
        ("x",),
        {"name": ("n",), "child__name": ("m",), "child__child__name": ("o",), "child": ("{}",)},
        ("Tree()",),
        ("Tree()",),
    ),
    Kind(
        "Box[int]",
        ('{"item": 1}',),
        ('{"item": "x"}',),
        {"item": ("1", "x"), "key": ("k", "")},
        ("Box[int](item=1)", "{'item': 2}"),
        ("Box[int](item=0)",),
    ),
    Kind(
        "Box[Database]",
        ('{"item": {}}',),
        ("{}",),
        {"item__host": ("h",), "item": ("{}",), "key": ("k",)},
        ("{'item': Database()}",),
        ("Box[Database](item=Database())",),
    ),
)
INNER = Kind(
    "Inner",
    ("{}", '{"port": 2}'),
    ('{"port": "x"}', "x"),
    {"host": ("h",), "port": ("1", "x"), "token": ("t", "")},
    ("Inner()", "{'port': 3}", "Other()"),
    ("Inner()",),
)
"""A settings class within another; each base has its own."""
GENERIC = Kind("T", NUMBERS, ("x",), objects=("3",), defaults=("4",))
"""What a generic class leaves open; an int once it is parametrised."""
