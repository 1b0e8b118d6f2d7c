"""Expressions over factors, such as `activation == 'relu' and depth > 5`: parsed once, evaluated on many cells.

A small closed part of Python's grammar, read with `ast` and never given to `eval`: comparisons (also chained and
with `in`), `and`, `or`, `not`, names, literals and lists of them.
"""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from trainability.component import suggest

_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}
_LONGEST = 2000
_DEEPEST = 50


class ExpressionError(ValueError):
    """The expression is not one of this language; the message says what is wrong and what is allowed."""


class Expression:
    """A predicate over a mapping of names to values.

    >>> Expression("depth > 3 and init in ['zeros', 'ones']", ["depth", "init"])({"depth": 5, "init": "ones"})
    True
    """

    def __init__(self, text: str, names: Iterable[str]) -> None:
        """Parse `text`; raise ExpressionError unless it is a predicate that uses only `names`."""
        self.text = text
        self._tree = parse(text)
        known = list(names)
        for name in named(self._tree):
            if name not in known:
                raise ExpressionError(
                    f"'{name}' is not a name here: {suggest(name, known)}known are {', '.join(known)}"
                )

    def __call__(self, values: Mapping[str, Any]) -> bool:
        """Whether the predicate holds; values of different types are unequal, and ordering them is an error."""
        try:
            return bool(_evaluate(self._tree, values))
        except TypeError as error:
            raise ExpressionError(f"`{self.text}` cannot be evaluated: {error}") from None


def parse(text: str) -> ast.expr:
    """The tree of a predicate over whatever names; raises ExpressionError if it is none."""
    if len(text) > _LONGEST:
        raise ExpressionError(f"the expression is longer than {_LONGEST} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Python only warns of '\\d'
            tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ExpressionError(f"not an expression: {reason}") from None
    if not isinstance(tree, (ast.Compare, ast.BoolOp, ast.UnaryOp)):
        raise ExpressionError("expected a comparison, such as activation == 'relu'")
    if _deeper(tree, _DEEPEST):
        raise ExpressionError(f"the expression is nested more than {_DEEPEST} deep")
    _check(tree)
    return tree


def named(tree: ast.expr) -> list[str]:
    """The names in an expression, each once."""
    return list(dict.fromkeys(node.id for node in ast.walk(tree) if isinstance(node, ast.Name)))


def _deeper(tree: ast.AST, levels: int) -> bool:
    """Whether a tree has more than so many levels; found level by level, for there may be more than Python recurses."""
    level: list[ast.AST] = [tree]
    for _ in range(levels):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return bool(level)


def _check(node: ast.expr) -> None:
    if isinstance(node, ast.Name):
        return
    if isinstance(node, ast.Constant):
        if not isinstance(node.value, (str, int, float, bool, type(None))):
            raise ExpressionError(f"{node.value!r} is not allowed: use text, numbers, True, False or None")
    elif isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        for item in node.elts:
            _check(item)
    elif isinstance(node, ast.BoolOp):
        for item in node.values:
            _check(item)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        _check(node.operand)
    elif isinstance(node, ast.Compare) and all(type(op) in _COMPARISONS for op in node.ops):
        for item in (node.left, *node.comparators):
            _check(item)
    else:
        raise ExpressionError(
            f"`{ast.unparse(node)}` is not allowed: use ==, !=, <, <=, >, >=, in, not in, and, or, not"
        )


def _evaluate(node: ast.expr, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Name(id=name):
            return values[name]
        case ast.Constant(value=value):
            return value
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return [_evaluate(item, values) for item in items]
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(_evaluate(part, values) for part in parts)
        case ast.BoolOp(values=parts):
            return any(_evaluate(part, values) for part in parts)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _evaluate(operand, values)
        case ast.UnaryOp(operand=operand):
            return -_evaluate(operand, values)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [_evaluate(item, values) for item in (left, *comparators)]
            steps = zip(ops, sides[:-1], sides[1:], strict=True)
            return all(_COMPARISONS[type(op)](a, b) for op, a, b in steps)
    raise AssertionError(ast.dump(node))
