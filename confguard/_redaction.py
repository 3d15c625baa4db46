"""What hides secrets: knows every secret value of this process and replaces it in text.

A leaf: it imports nothing of ours, so that the core and the provider contract can both tell it what they learn.
"""

import json
import threading
from urllib.parse import quote, quote_plus

# Below this a value is as likely to be a word of the text around it as the secret itself.
SHORTEST = 4


class Redactor:
    """Knows secret values and replaces them in text, in the plain forms that messages and reports hold them in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._new: dict[str, str] = {}
        self._labels: dict[str, str] = {}

    def learn(self, value: str | bytes, label: str) -> None:
        """Know a secret from now on.

        Args:
            value: The secret. Values of fewer than 4 characters cannot be told from other text and are passed over.
            label: What the mask calls it: a field path, or ``credential``.
        """
        text = value.decode(errors="ignore") if isinstance(value, bytes) else value
        with self._lock:
            self._new.setdefault(text, label)

    def redact(self, text: str) -> str:
        """The text with every known secret replaced by ``[redacted:LABEL]``; overlapping secrets are united."""
        spans = sorted((start, start + len(form), label) for form, label in self._known() for start in _occurrences(form, text))
        if not spans:
            return text
        pieces: list[str] = []
        end = 0
        for start, stop, label in spans:
            if start >= end:
                pieces += [text[end:start], f"[redacted:{label}]"]
            end = max(end, stop)
        return "".join([*pieces, text[end:]])

    def holds_secret(self, text: str) -> bool:
        """Whether a known secret stands in the text."""
        return any(form in text for form, _ in self._known())

    def _known(self) -> list[tuple[str, str]]:
        """Every form with its label. Forms are worked out when a text is first looked at, since most loads never look."""
        with self._lock:
            for text, label in self._new.items():
                for part in {text, *text.splitlines()}:
                    for form in _forms(part.strip()):
                        if len(form) >= SHORTEST:
                            self._labels.setdefault(form, label)
            self._new.clear()
            return list(self._labels.items())

    def __repr__(self) -> str:
        return "<Redactor>"

    def __reduce__(self) -> str:
        raise TypeError("a Redactor holds secrets and cannot be pickled")


def _forms(text: str) -> set[str]:
    """The value as it is, URL-encoded, and escaped by JSON and by Python."""
    return {
        text,
        quote(text, safe="", errors="ignore"),
        quote_plus(text, errors="ignore"),
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        repr(text)[1:-1],
    }


def _occurrences(form: str, text: str) -> list[int]:
    found: list[int] = []
    start = text.find(form)
    while start != -1:
        found.append(start)
        start = text.find(form, start + 1)
    return found


redactor = Redactor()
"""The one of this process."""
