"""Expressions of one shape over columns: `u1/LT > 4.5 m` of a thousand units in one comparison.

A shape is what an expression is without its tags and numbers. Its function gives for each lane the truth value that
the bound expression gives, if every tag is a finite number that one may act on; what else there may be (a bad input, a
division by 0) is left to the bound expression.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tags.expression.binding import generate
from tags.expression.syntax import Expression
from tags.types import BOOL, FLOATS, INT64, STRING, UINT64

Columns = Sequence[npt.NDArray[np.float64]] | npt.NDArray[np.float64]
_EXACT: Final = frozenset({INT64, UINT64, STRING})  # float64 does not hold these
_BITWISE: Final[dict[type[ast.boolop], type[ast.operator]]] = {ast.And: ast.BitAnd, ast.Or: ast.BitOr}


@dataclass(frozen=True, slots=True)
class Shape:
    """An expression as a shape and what stands in it.

    Attributes:
        key: Equal for expressions of one shape.
        tags: Paths, in the order of the shape; one that stands twice is there twice.
        numbers: Constants, in the order of the shape.
    """

    key: str
    tags: tuple[str, ...]
    numbers: tuple[float, ...]


class _UnsuitedError(Exception):
    """No shape can say this."""


def shape(
    expression: Expression, unit_of_path: Mapping[str, str | None], type_of_path: Mapping[str, str]
) -> Shape | None:
    """The shape of a checked expression that is a truth value; None when columns cannot compute it.

    Args:
        expression: One that `check` found no fault with.
        unit_of_path: Unit symbol of each path, or None.
        type_of_path: Data type of each path.
    """
    if any(type_of_path[path] in _EXACT for path in expression.paths):
        return None
    paths = expression.paths
    code, is_bool = generate(expression, {path: n for n, path in enumerate(paths)}, unit_of_path)
    writer = _Writer(paths, type_of_path)
    if not is_bool and not (isinstance(code, ast.Subscript) and type_of_path[paths[_position(code)]] == BOOL):
        return None
    try:
        text = ast.unparse(writer.truth(code))
    except _UnsuitedError:
        return None
    return Shape(text, tuple(writer.tags), tuple(writer.numbers))


def function(key: str) -> Callable[[Columns, Columns], npt.NDArray[np.bool_]]:
    """The function of a shape: `f(values of the tags, constants) -> truth`, each of shape (lanes,)."""
    code = compile(f"lambda t, c: {key}", "<shape>", "eval")
    found: Callable[[Columns, Columns], npt.NDArray[np.bool_]] = eval(code, {"__builtins__": {}, "abs": abs})  # noqa: S307 - made by `_Writer`; no text of the user is in it
    return found


def _position(code: ast.Subscript) -> int:
    assert isinstance(code.slice, ast.Constant)
    return int(code.slice.value)  # type: ignore[arg-type]


class _Writer:
    """Rewrites the Python tree of one expression to one over columns."""

    def __init__(self, paths: Sequence[str], type_of_path: Mapping[str, str]) -> None:
        self._paths, self._types = paths, type_of_path
        self.tags: list[str] = []
        self.numbers: list[float] = []

    def truth(self, code: ast.expr) -> ast.expr:
        """Code that yields a truth value for each lane."""
        match code:
            case ast.Compare(left, [operator], [right]):
                return ast.Compare(self.number(left), [operator], [self.number(right)])
            case ast.BoolOp(operator, items):
                joined = self.truth(items[0])
                for item in items[1:]:
                    joined = ast.BinOp(joined, _BITWISE[type(operator)](), self.truth(item))
                return joined
            case ast.UnaryOp(ast.Not(), item):
                return ast.UnaryOp(ast.Invert(), self.truth(item))
            case ast.Call(ast.Name("bool"), [item]):
                return self.truth(item)
            case ast.Subscript() if self._types[self._paths[_position(code)]] == BOOL:
                return ast.Compare(self.leaf(code), [ast.NotEq()], [ast.Constant(0.0)])
        raise _UnsuitedError

    def number(self, code: ast.expr, *, exact: bool = False) -> ast.expr:
        """Code that yields a number for each lane; `exact`: from floats only, so that no sum of integers is rounded."""
        match code:
            case ast.Subscript():
                if exact and self._types[self._paths[_position(code)]] not in FLOATS:
                    raise _UnsuitedError
                return self.leaf(code)
            case ast.Constant(float() as value):
                self.numbers.append(value)
                return _item("c", len(self.numbers) - 1)
            case ast.BinOp(left, (ast.Add() | ast.Sub() | ast.Mult()) as operator, right):
                return ast.BinOp(self.number(left, exact=True), operator, self.number(right, exact=True))
            case ast.UnaryOp(ast.USub(), item):
                return ast.UnaryOp(ast.USub(), self.number(item, exact=True))
            case ast.Call(ast.Name("abs"), [item]):
                return ast.Call(ast.Name("abs", ast.Load()), [self.number(item, exact=True)], [])
        raise _UnsuitedError

    def leaf(self, code: ast.Subscript) -> ast.expr:
        """A tag."""
        self.tags.append(self._paths[_position(code)])
        return _item("t", len(self.tags) - 1)


def _item(name: str, at: int) -> ast.expr:
    return ast.Subscript(ast.Name(name, ast.Load()), ast.Constant(at), ast.Load())
