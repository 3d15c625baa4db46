"""Everything that this library raises on purpose.

Exception
├── ConfigError            the settings cannot be loaded; .problems says all that is wrong
└── ResponseBlockedError        a response was cut before a secret in it was sent; .incident is in the log
"""

from collections.abc import Iterable

from confguard._blocked import ResponseBlockedError
from confguard._problem import Problem, by_weight
from confguard._report import BUDGET, headline, render_text

__all__ = ["ConfigError", "ResponseBlockedError"]


class ConfigError(Exception):
    """The settings cannot be loaded.

    Its text is the first problem in a line, and the report for a person; code and tests read `problems`. It holds no secret, no
    input and no other exception.

    Attributes:
        problems: All that is wrong, most serious first.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = by_weight(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        # Lists of failed tests and of errors show the first line alone. The report stands below it, as the command prints it.
        first = headline(self.problems)
        return f"{first}\n\n{render_text(self.problems, budget=BUDGET - len(first.encode()) - 2)}"
