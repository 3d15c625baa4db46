"""Rich: values are redacted before it lays them out, since it shortens them, wraps them over lines and colours them.

It is imported by nobody here: `install` waits until somebody else does.
"""

from collections.abc import Callable, Sequence
from typing import Any

from confguard._patches import Late, Patch
from confguard._redaction import redactor
from confguard._walk import scrub

Plain = Callable[..., Any]


def _pretty(module: Any) -> Sequence[Patch]:
    """What it shows of values: of local variables in tracebacks, and of all that is printed by it."""

    def around(plain: Plain) -> Plain:
        def traverse(value: Any, *args: Any, **kwargs: Any) -> Any:
            node = plain(scrub(value, keys=frozenset()), *args, **kwargs)
            _redact_node(node)
            return node

        return traverse

    return [Patch(module, "traverse", around)]


def _redact_node(node: Any) -> None:
    """Redact the texts of a value that is taken apart: an object may show more to it than its repr does."""
    nodes = [node]
    while nodes:
        each = nodes.pop()
        each.key_repr, each.value_repr = redactor.redact(each.key_repr), redactor.redact(each.value_repr)
        nodes += each.children or ()


def _traceback(module: Any) -> Sequence[Patch]:
    """What it takes from an exception beside local variables."""

    def around(plain: Plain) -> Plain:
        def extract(*args: Any, **kwargs: Any) -> Any:
            trace = plain(*args, **kwargs)
            for stack in trace.stacks:
                _redact_stack(stack)
            return trace

        return extract

    return [Patch(module.Traceback, "extract", around)]


def _redact_stack(stack: Any) -> None:
    stack.exc_value = redactor.redact(stack.exc_value)
    for holder in (stack, stack.syntax_error):
        if getattr(holder, "notes", None):
            holder.notes = [redactor.redact(str(note)) for note in holder.notes]
    if stack.syntax_error is not None:
        stack.syntax_error.line = redactor.redact(stack.syntax_error.line)
        stack.syntax_error.msg = redactor.redact(stack.syntax_error.msg)


LATE: Sequence[Late] = (Late("rich.pretty", _pretty), Late("rich.traceback", _traceback))
