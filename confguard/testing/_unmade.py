"""What is said where no valid settings can be made."""

from collections.abc import Collection, Sequence

from confguard._problem import Problem, by_weight
from confguard._report import printable


class CannotMakeError(ValueError):
    """No valid settings can be made of what is given and of the schema.

    A `ValueError`, as what is wrong are the arguments: the fields that it names have to be given. It is no `AssertionError`, for
    nothing is said of the code under test. It holds no value.

    Attributes:
        problems: All that is wrong, most serious first.
        give: The field paths to give.
    """

    def __init__(self, function: str, class_name: str, problems: Sequence[Problem], give: Collection[str]) -> None:
        self.problems = by_weight(problems)
        self.give = tuple(dict.fromkeys(give))
        lines = [f"no valid settings of {class_name} can be made", *(f"    {_line(problem)}" for problem in self.problems)]
        if self.give:
            lines.append(f"give it: {function}({', '.join([class_name, *_arguments(self.give)])})")
        super().__init__("\n".join(lines))


def _line(problem: Problem) -> str:
    head = f"{problem.field:<15}  {problem.kind}" if problem.field else "rule broken" if problem.kind == "rule" else problem.kind
    text = f"{problem.message}{f' ({problem.tip})' if problem.tip else ''}".strip()
    return printable(f"{head}: {text}" if text else head)


def _arguments(paths: Sequence[str]) -> list[str]:
    """The arguments as code: a path into a model is no name, so it stands in a dict."""
    deep = [f'"{path}": …' for path in paths if "." in path]
    return [*(f"{path}=…" for path in paths if "." not in path), *([f"**{{{', '.join(deep)}}}"] if deep else [])]
