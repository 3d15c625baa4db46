"""References: the URI of one value in a store, split the way operators write it.

    SCHEME://PATH[?PARAMS][#/FRAGMENT]

`urllib.parse.urlsplit` is of no use here: it lower-cases, takes the first path segment for a host with a port, chokes on ``[``
and reads ``+`` as a space. An ARN or a Kubernetes name goes through this splitter as it is written.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote_to_bytes

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*\Z")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_BAD_POINTER = re.compile(r"~(?![01])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]|\u2028+|\u2029+")  # one set of characters beyond Latin-1 takes long to compile
_BRACE = re.compile(r"\{\{|\}\}|\{[^{}]*\}|\{|\}")
_NAME = re.compile(r"\{([^{}]*)\}")
_FIELD = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*\Z")
_FILLING = re.compile(r"[A-Za-z0-9_.-]+\Z")

PLACEHOLDER = "<{}>"
"""What stands for a field's value where it is not known."""
_STAND_IN = "x"

# What may stand unescaped in each part when a reference is written out; "%" and what would end the part may not.
_PATH_SAFE = "/:@!$&'()*+,;=[]|^~ <>\"`\\"
_PARAM_SAFE = "/:@!$'()*+,;[]|^~?<>\"`\\"
_FRAGMENT_SAFE = _PATH_SAFE + "?#"


class InvalidReferenceError(ValueError):
    """A reference that cannot be read; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The address of one value in a store.

    Attributes:
        scheme: What chooses the provider: ``vault``.
        path: Where in the store, percent-decoded once: ``secret/myservice``.
        params: Name and value of each parameter, decoded, sorted by name: ``(("version", "3"),)``.
        fragment: A JSON Pointer (RFC 6901) into the payload, ``""`` for the whole of it. Providers never see one.
    """

    scheme: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    fragment: str = ""

    def param(self, name: str) -> str | None:
        """The value of a parameter, or None where the reference does not have it."""
        return dict(self.params).get(name)

    def __str__(self) -> str:
        text = f"{self.scheme}://{_escape(self.path, _PATH_SAFE)}"
        if self.params:
            text += "?" + "&".join(f"{_escape(k, _PARAM_SAFE)}={_escape(v, _PARAM_SAFE)}" for k, v in self.params)
        if self.fragment:
            text += "#" + _escape(self.fragment, _FRAGMENT_SAFE)
        return text


def parse_reference(text: str) -> Reference:
    """Split a reference as it is written in code.

    Args:
        text: ``SCHEME://PATH[?PARAMS][#/FRAGMENT]``. Each part is percent-decoded once; ``#password`` means ``#/password``.

    Raises:
        InvalidReferenceError: It has no scheme or path, a broken escape, a control character, an empty, ``.`` or ``..`` segment,
            a parameter without a name or value or given twice, or a fragment that is no JSON Pointer.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise InvalidReferenceError("no '://' in it; a reference looks like vault://secret/app#/password")
    if not _SCHEME.match(scheme):
        raise InvalidReferenceError("the scheme before '://' must be lower-case letters, digits, '+', '.' or '-'")
    rest, _, raw_fragment = rest.partition("#")
    raw_path, _, raw_params = rest.partition("?")
    path = _decode(raw_path)
    _check_segments(path)
    return Reference(scheme, path, _params(raw_params), _pointer(_decode(raw_fragment)))


@dataclass(frozen=True, slots=True)
class Template:
    """A reference as it is written in code, in whose path other fields' values may stand.

    Attributes:
        text: As it was written.
        pieces: The path, decoded: literal text and names of fields in turn, literal text first and last.
        rest: The reference, whose path is only good where nothing has to be filled in.
    """

    text: str
    pieces: tuple[str, ...]
    rest: Reference

    @property
    def names(self) -> tuple[str, ...]:
        """The fields whose values it needs."""
        return self.pieces[1::2]

    def fill(self, values: Mapping[str, str]) -> Reference:
        """The reference with these values in it.

        Raises:
            InvalidReferenceError: A value is not made of letters, digits, ``_``, ``.`` and ``-``, or makes a ``.`` or ``..``
                segment. The message names the field and not the value.
        """
        if not self.names:
            return self.rest
        bad = next((name for name in self.names if not _FILLING.match(values[name])), None)
        if bad is not None:
            raise InvalidReferenceError(f"the value of {bad} has other characters than A-Z, a-z, 0-9, '_', '.' and '-'")
        path = "".join(values[piece] if at % 2 else piece for at, piece in enumerate(self.pieces))
        _check_segments(path)
        return replace(self.rest, path=path)

    def fill_roughly(self, values: Mapping[str, str]) -> Reference:
        """The same where some values are placeholders for what is not known; no such reference can be fetched.

        Raises:
            InvalidReferenceError: As `fill`.
        """
        unknown = {name: text for name, text in values.items() if text == PLACEHOLDER.format(name)}
        filled = self.fill({**values, **dict.fromkeys(unknown, _STAND_IN)})
        if not unknown:
            return filled
        path = "".join(values[piece] if at % 2 else piece for at, piece in enumerate(self.pieces))
        return replace(filled, path=path)

    def __str__(self) -> str:
        path = "".join(f"{{{piece}}}" if at % 2 else _escape(piece, _PATH_SAFE) for at, piece in enumerate(self.pieces))
        return str(replace(self.rest, path="")).replace("://", f"://{path}", 1)


def parse_template(text: str) -> Template:
    """Split a reference in code: ``{name}`` in its path stands for a field's value, a literal brace is written twice.

    Raises:
        InvalidReferenceError: As `parse_reference`; or a brace stands alone, or a name stands elsewhere than in the path.
    """
    raw = _BRACE.sub(_escaped_brace, text)
    scheme, separator, behind = raw.partition("://")
    path, _, _ = behind.partition("#")[0].partition("?")
    elsewhere = scheme + behind[len(path) :] if separator else raw
    split = _NAME.split(path)
    # A pair of braces may stand around the end of the path as well: {name?version=3}.
    if _NAME.search(elsewhere) or any("{" in piece or "}" in piece for piece in split[::2]):
        raise InvalidReferenceError("a field's {name} can only stand in the path; a literal brace is written twice")
    pieces = tuple(piece if at % 2 else _decode(piece) for at, piece in enumerate(split))
    if not all(_FIELD.match(name) for name in pieces[1::2]):
        raise InvalidReferenceError("what stands in braces must be the name of a field; a literal brace is written twice")
    return Template(text, pieces, parse_reference(_NAME.sub("x", raw)))


def _escaped_brace(match: re.Match[str]) -> str:
    """A doubled brace as a percent-escape, which is literal; a name in braces as it stands."""
    found = match[0]
    if len(found) == 1:
        raise InvalidReferenceError("a literal brace is written twice: '{{' or '}}'")
    return {"{{": "%7B", "}}": "%7D"}.get(found, found)


def _decode(part: str) -> str:
    if _BAD_ESCAPE.search(part):
        raise InvalidReferenceError("a '%' that is not followed by two hexadecimal digits; write a literal one as %25")
    try:
        decoded = unquote_to_bytes(part).decode()
    except UnicodeError:
        raise InvalidReferenceError("its percent-escapes are not UTF-8") from None
    if _CONTROL.search(decoded):
        raise InvalidReferenceError("a control character in it")
    return decoded


def _check_segments(path: str) -> None:
    if not path.strip("/"):
        raise InvalidReferenceError("nothing behind '://'; name the value's path in the store")
    segments = path.removeprefix("/").removesuffix("/").split("/")
    if "" in segments:
        raise InvalidReferenceError("an empty segment ('//') in the path")
    if "." in segments or ".." in segments:
        raise InvalidReferenceError("a '.' or '..' segment in the path; write the path itself")


def _params(raw: str) -> tuple[tuple[str, str], ...]:
    params: dict[str, str] = {}
    for pair in raw.split("&") if raw else ():
        raw_name, _, raw_value = pair.partition("=")
        name, value = _decode(raw_name), _decode(raw_value)
        if not name or not value:
            raise InvalidReferenceError("a parameter without a name or a value; write ?name=value")
        if name in params:
            raise InvalidReferenceError(f"the parameter {name!r} stands twice")
        params[name] = value
    return tuple(sorted(params.items()))


def _pointer(fragment: str) -> str:
    if _BAD_POINTER.search(fragment):
        raise InvalidReferenceError("a '~' in the fragment must be written ~0, and a '/' inside a key ~1 (RFC 6901)")
    return fragment if not fragment or fragment.startswith("/") else f"/{fragment}"


def _escape(part: str, safe: str) -> str:
    return quote(part, safe=safe)
