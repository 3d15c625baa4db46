"""The small faults that are put into a module, one at a time."""

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_OPERATORS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Mod: (ast.Mult,),
    ast.BitOr: (ast.BitAnd,),
    ast.BitAnd: (ast.BitOr,),
    ast.Break: (ast.Continue,),
    ast.Continue: (ast.Break,),
}
_FUNCTIONS = {"any": "all", "all": "any", "min": "max", "max": "min"}
_MADE = {"bool", "list", "set", "sorted", "str"}
_REMOVABLE = ast.Expr | ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Raise | ast.Assert | ast.Delete
_CHECK = "strict"  # of zip: it does nothing where all is well
# Types are for mypy. Of decorators those of functions are taken away whole; the options of a dataclass forbid, and do nothing.
_PASSED_OVER = {"annotation", "returns", "decorator_list", "bases"}


@dataclass
class Mutant:
    """One fault: a node in place of another.

    Attributes:
        place: The class and the function that it is in, as ``Class.function``.
        statement: The statement that it changes.
        holder: The list or the node in which the changed node stands, under `key`.
        new: What stands there instead.
    """

    place: str
    statement: ast.stmt
    holder: Any
    key: Any
    new: ast.AST

    def swap(self) -> None:
        """Put the fault in; called again, take it out."""
        if isinstance(self.holder, list):
            self.holder[self.key], self.new = self.new, self.holder[self.key]
        else:
            old = getattr(self.holder, self.key)
            setattr(self.holder, self.key, self.new)
            self.new = old

    def lines(self) -> tuple[str, ...]:
        """The lines that it changes, as ``- old`` and ``+ new``."""
        before = ast.unparse(self.statement).splitlines()
        self.swap()
        whole = self.new is self.statement
        after = ast.unparse(self.holder[self.key] if whole else self.statement).splitlines()
        self.swap()
        return tuple(f"{line[0]} {line[2:].strip()}" for line in difflib.ndiff(before, after) if line[0] in "-+")


def mutants_of(tree: ast.Module) -> list[Mutant]:
    """Every fault that is tried in a module."""
    return [mutant for at, statement in enumerate(tree.body) for mutant in _faults(tree.body, at, statement, statement, "", 0)]


def _faults(holder: Any, key: Any, node: ast.AST, statement: ast.stmt, place: str, depth: int) -> Iterator[Mutant]:
    """The faults of a node and of what is in it; `depth` counts the functions around it."""
    match node:
        case ast.Expr(value=ast.Constant()) | ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return  # a docstring, or imports for mypy alone
    if isinstance(node, ast.stmt):
        statement = node
    for new in (*(_other_statements(node) if depth else ()), *_other_nodes(node)):
        yield Mutant(place, statement, holder, key, ast.copy_location(new, node))
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        place, depth = f"{place}.{node.name}".removeprefix("."), depth + isinstance(node, ast.FunctionDef)
    for inner, at, child in _children(node):
        yield from _faults(inner, at, child, statement, place, depth)


def _children(node: ast.AST) -> Iterator[tuple[Any, Any, ast.AST]]:
    """Each node in a node, behind the list or node that holds it and where in that it stands."""
    for field, value in ast.iter_fields(node):
        if field in _PASSED_OVER or (isinstance(node, ast.keyword) and node.arg == _CHECK):
            continue
        inner = enumerate(value) if isinstance(value, list) else [(field, value)]
        yield from ((value if isinstance(value, list) else node, at, child) for at, child in inner if isinstance(child, ast.AST))


def _other_statements(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in a function instead of a statement."""
    match node:
        case ast.Return(value=ast.expr()):
            yield ast.Return(ast.Constant(None))
        case ast.With(items=items, body=body) if not any(item.optional_vars for item in items):
            yield ast.If(ast.Constant(True), body, [])
    if isinstance(node, _REMOVABLE) and not (isinstance(node, ast.AnnAssign) and node.value is None):
        yield ast.Pass()


def _other_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand anywhere instead of a node."""
    for operator in _OPERATORS.get(type(node), ()):
        yield operator()
    match node:
        case ast.Constant(value=value):
            yield from _other_constants(value)
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.BoolOp(op=op, values=values):
            for left_out in values:
                kept = [value for value in values if value is not left_out]
                yield ast.BoolOp(op, kept) if len(kept) > 1 else kept[0]
        case ast.Slice(lower=lower, upper=upper, step=step):
            yield from [ast.Slice(None, upper, step)] if lower else []
            yield from [ast.Slice(lower, None, step)] if upper else []
        case ast.Call():
            yield from _other_calls(node)
        case _:
            yield from _other_ways(node)


def _other_constants(value: object) -> Iterator[ast.AST]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        yield ast.Constant(value + 1)
    elif isinstance(value, str):
        yield ast.Constant("" if value else "x")


def _other_ways(node: ast.AST) -> Iterator[ast.AST]:
    """What changes which way is gone: each branch always, no repetition, a handler that lets go, a function undecorated."""
    match node:
        case ast.If(body=body, orelse=orelse):
            yield from (ast.If(ast.Constant(value), body, orelse) for value in (True, False))
        case ast.IfExp(body=way, orelse=other):
            yield from (way, other)
        case ast.While(body=body, orelse=orelse):
            yield ast.While(ast.Constant(False), body, orelse)
        case ast.comprehension(target=target, iter=source, ifs=[_, *_]):
            yield from (ast.comprehension(target, source, [ast.Constant(value)], 0) for value in (True, False))
        case ast.ExceptHandler(type=kind, name=name):
            yield ast.ExceptHandler(kind, name, [ast.Raise()])
        case ast.FunctionDef(decorator_list=[_, *_]):
            yield ast.FunctionDef(**{**dict(ast.iter_fields(node)), "decorator_list": []})


def _other_calls(node: ast.Call) -> Iterator[ast.AST]:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name in _FUNCTIONS:
        yield ast.Call(ast.Name(_FUNCTIONS[name], ast.Load()), node.args, node.keywords)
    if name in _MADE and len(node.args) == 1 and not node.keywords:
        yield node.args[0]
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            yield ast.Call(node.func, [other for other in node.args if other is not argument], node.keywords)
    for keyword in node.keywords:
        if keyword.arg != _CHECK:
            yield ast.Call(node.func, node.args, [other for other in node.keywords if other is not keyword])
