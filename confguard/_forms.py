"""The forms in which a secret leaks: as it is, and as the encodings on the way to a log or a response leave it.

A leaf: it imports nothing of ours.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote, quote_plus, unquote, unquote_plus

SHORTEST = 4
"""From how many bytes on a form is searched for. Below, a value is as likely a word of the text around it as the secret."""

_FEWEST_DIGITS = 6
# Values that stand in every log. To mask them would hide the log, and no mask would hide that they are the value.
_COMMON = frozenset(
    """
    true false none null undefined nil yes no on off enabled disabled default test tests testing user users admin root guest
    password passwort passwd secret token local localhost postgres postgresql mysql redis sqlite rabbitmq mongodb public private
    production development staging debug info warning error critical http https example
    """.split()  # noqa: SIM905 - a list of words is easier to read so
)
# What encoders leave beside letters, digits and "_.-~": Python's quote, JavaScript's encodeURIComponent and its encodeURI.
_SAFE = ("", "/", "!'()*", "!#$&'()*+,/:;=?@[]")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:([^\s/?#]*)@)?[^\s?#]*(?:\?([^\s#]*))?")
_CREDENTIAL = re.compile(r"pass|pwd|secret|token|key|sig|auth|credential|code", re.IGNORECASE)
# What ends a line, and what else no text has within. (One set of characters beyond Latin-1 takes long to compile.)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85]+|\u2028+|\u2029+")
_ARMOR = "-----"


def is_searchable(text: str) -> bool:
    """Whether a value can be told from ordinary text, so that it makes sense to look for it."""
    folded = text.strip().casefold()
    if len(folded.encode(errors="surrogatepass")) < SHORTEST or folded in _COMMON:
        return False
    return not (folded.isdigit() and len(folded) < _FEWEST_DIGITS)


def forms_of(secret: str | bytes) -> Iterator[bytes]:
    """Every form of a secret that is searched for, in bytes; some are equal.

    Args:
        secret: The value. Of a URL its credentials are secrets of their own; of several lines each line is.
    """
    for group in grouped_forms(secret):
        yield from group


def grouped_forms(secret: str | bytes) -> Iterator[Iterable[bytes]]:
    """The same, the forms of each part of the secret by themselves."""
    if isinstance(secret, bytes):
        yield _raw_forms(secret)
        secret = secret.decode(errors="ignore")
    for part in dict.fromkeys(_parts(secret)):
        if is_searchable(part):
            yield (form for form in _text_forms(part) if len(form) >= SHORTEST)


def _parts(text: str) -> Iterator[str]:
    """The value, its lines, and the credentials of a URL in it."""
    stripped = text.strip()
    yield stripped
    lines = _CONTROL.split(stripped)
    if len(lines) > 1:
        yield from (line.strip() for line in lines if not line.strip().startswith(_ARMOR))
    yield from credentials_of(stripped)


def credentials_of(text: str) -> Iterator[str]:
    """What of the URLs in a text is a credential: password, user and password together, and parameters named like one."""
    for userinfo, _ in _URL.findall(text) if "://" in text else ():
        user, colon, password = userinfo.partition(":")
        if colon and password and user != password:  # "postgres:postgres" would mask every word "postgres"
            yield from (userinfo, password, unquote(password))
    yield from parameters_of(text)


def parameters_of(text: str) -> Iterator[str]:
    """The values of the parameters of the URLs in a text that are named like a credential."""
    for _, query in _URL.findall(text) if "://" in text else ():
        for pair in query.split("&"):
            name, _, value = pair.partition("=")
            if value and _CREDENTIAL.search(name):
                yield from (value, unquote_plus(value))


def _text_forms(text: str) -> Iterator[bytes]:
    yield from map(_encoded, _escaped(text))
    for written in dict.fromkeys(_written(text)):
        yield from map(_encoded, _url_encoded(written))
    for written in dict.fromkeys((text, *_as_json(text))):
        yield from _raw_forms(_encoded(written))


def _escaped(text: str) -> Iterable[str]:
    """As it is, as JSON, Python, HTML and cookies write it, and what two of them make of it: the repr of a JSON text, say."""
    once = dict.fromkeys(_written(text))
    made = once if len(once) == 1 else once | dict.fromkeys(form for each in once for form in _written(each))
    return made if text.isascii() else made | dict.fromkeys(_written(_misread(text)))


def _written(text: str) -> Iterable[str]:
    """By one encoder each."""
    as_json = _as_json(text)
    yield text
    yield from as_json
    yield from (form.replace("/", "\\/") for form in as_json)
    both = f"{text}\"'"  # beside quotes of both kinds one is escaped
    yield from (repr(text)[1:-1], repr(both)[1:-4], ascii(text)[1:-1], ascii(both)[1:-4])
    yield from (repr(_encoded(text))[2:-1], repr(_encoded(both))[2:-4])
    yield from (text.translate(_HTML), text.translate(_HTML_TEXT), text.translate(_HTML_NUMBERS))
    yield text.replace('"', '\\"')  # in logs of access
    yield _COOKIE.sub(_in_cookie, _encoded(text)).decode()


def _as_json(text: str) -> Sequence[str]:
    return json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]


def _misread(text: str) -> str:
    """Its bytes as WSGI and HTTP libraries read those of a header."""
    return _encoded(text).decode("latin-1")


_COOKIE = re.compile(rb'[\x00-\x1f",;\\\x7f-\xff]')


def _in_cookie(char: re.Match[bytes]) -> bytes:
    return b"\\" + char[0] if char[0] in b'"\\' else b"\\%03o" % ord(char[0])


# As `html.escape` writes it, for an attribute and for text, and as MarkupSafe does. That module would bring its table of all
# entities with it, which is half a megabyte; and a redactor that imports later fails where nothing can be imported any more.
_HTML_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_HTML = _HTML_TEXT | str.maketrans({'"': "&quot;", "'": "&#x27;"})
_HTML_NUMBERS = _HTML_TEXT | str.maketrans({'"': "&#34;", "'": "&#39;"})


def _url_encoded(text: str) -> Iterator[str]:
    """URL-encoded by the usual encoders, in both cases of the digits, with a space as ``%20`` or ``+``."""
    made = dict.fromkeys(quote(text, safe, errors="surrogatepass") for safe in _SAFE)
    made |= dict.fromkeys(quote_plus(text, safe, errors="surrogatepass") for safe in _SAFE)
    for form in made:
        yield form
        if "%" in form:
            yield re.sub("%..", lambda found: found[0].lower(), form)


def _raw_forms(raw: bytes) -> Iterator[bytes]:
    """The bytes themselves, in hexadecimal, and within base64 that began up to two bytes before them."""
    if len(raw) < SHORTEST:
        return
    yield raw
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    for before in range(3):
        # The characters at both ends that also hold bits of what stands around it are left out.
        first, last = -(-8 * before // 6), 8 * (before + len(raw)) // 6
        form = base64.b64encode(bytes(before) + raw)[first:last]
        yield form
        yield form.translate(_URL_SAFE)


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
