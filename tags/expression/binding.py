"""A checked expression to one Python function over the scan's arrays."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from tags import quality
from tags.expression.kinds import Kind, Linear, join, product
from tags.expression.syntax import Expression, Node

_COMPARE: Final[dict[str, type[ast.cmpop]]] = {
    "<": ast.Lt,
    "<=": ast.LtE,
    ">": ast.Gt,
    ">=": ast.GtE,
    "==": ast.Eq,
    "!=": ast.NotEq,
}
_ARITHMETIC: Final[dict[str, type[ast.operator]]] = {
    "+": ast.Add,
    "-": ast.Sub,
    "*": ast.Mult,
    "/": ast.Div,
}
_BOOLS: Final = (bool, np.bool_)

Bound = Callable[[Sequence[Any], Sequence[int]], tuple[bool | float, int]]


def bind(expression: Expression, index: Mapping[str, int], unit_of_path: Mapping[str, str | None]) -> Bound:
    """Compiles a checked expression against positions.

    Args:
        expression: One that `check` found no fault with.
        index: Position of each of its paths in the values and statuses.
        unit_of_path: Unit symbol of each path, or None.

    Returns:
        `f(values, statuses) -> (value, status)`: a bool (bool tags must come as bool) or float, and the worst status of all inputs. A result
        that does not exist (division by 0, root of a negative number, not finite) is 0.0 or False with
        BadOutOfRange, or with the worse status of an input.

    Raises:
        KeyError: A path without a position.
        tags.units.UnitError: Units that do not fit.
    """
    body, is_bool = generate(expression, index, unit_of_path)
    arguments = ast.arguments(posonlyargs=[], args=[ast.arg("v")], kwonlyargs=[], kw_defaults=[], defaults=[])
    tree = ast.Expression(ast.Lambda(arguments, body))
    code = compile(ast.fix_missing_locations(tree), "<expression>", "eval")
    functions = {"__builtins__": {}, "min": min, "max": max, "abs": abs, "sqrt": math.sqrt, "bool": bool}
    value_of = eval(code, functions)  # noqa: S307 - made from our own tree; no text of the user is in it
    positions = tuple(index[path] for path in expression.paths)
    return _evaluator(value_of, positions, is_bool)


def generate(
    expression: Expression, index: Mapping[str, int], unit_of_path: Mapping[str, str | None]
) -> tuple[ast.expr, bool]:
    """The Python tree of a checked expression over `v[position]`, and whether it is known to be a truth value.

    Raises:
        KeyError: A path without a position.
        tags.units.UnitError: Units that do not fit.
    """
    code, kind = _Generator(index, unit_of_path).node(expression.tree)
    return code, kind.is_bool


def _evaluator(value_of: Callable[[Sequence[Any]], Any], positions: tuple[int, ...], is_bool: bool) -> Bound:
    def evaluate(values: Sequence[Any], statuses: Sequence[int]) -> tuple[bool | float, int]:
        status = quality.GOOD
        for position in positions:
            if statuses[position] >> 30 > status >> 30:
                status = int(statuses[position])
        try:
            value = value_of(values)
            if is_bool or isinstance(value, _BOOLS):
                return bool(value), status
            value = float(value)
            if math.isfinite(value):
                return value, status
        except (ArithmeticError, ValueError):
            pass
        return (False if is_bool else 0.0), quality.worst(quality.BAD_OUT_OF_RANGE, status)

    return evaluate


class _Generator:
    """Python syntax tree of a checked expression."""

    def __init__(self, index: Mapping[str, int], unit_of_path: Mapping[str, str | None]) -> None:
        self.index = index
        self.unit_of_path = unit_of_path

    def node(self, node: Node) -> tuple[ast.expr, Kind]:
        if node.op in ("number", "bool"):
            return ast.Constant(node.value), Kind(node.op == "bool", node.unit)
        if node.op == "path":
            path = str(node.value)
            value = ast.Subscript(ast.Name("v", ast.Load()), ast.Constant(self.index[path]), ast.Load())
            return value, Kind(False, self.unit_of_path.get(path))
        made = [self.node(arg) for arg in node.args]
        code, kinds = [item[0] for item in made], [item[1] for item in made]
        if node.op == "not":
            return ast.UnaryOp(ast.Not(), code[0]), Kind(True)
        if node.op == "implies":
            negated = ast.UnaryOp(ast.Not(), code[0])
            return ast.BoolOp(ast.Or(), [negated, _call("bool", code[1])]), Kind(True)
        if node.op in ("and", "or"):
            operator: ast.boolop = ast.And() if node.op == "and" else ast.Or()
            return ast.BoolOp(operator, [_call("bool", item) for item in code]), Kind(True)
        if node.op == "if":
            (a, b), kind = self.unified(node.op, node.args[1:], code[1:], kinds[1:])
            return ast.IfExp(code[0], a, b), Kind(kinds[1].is_bool, kind.unit, kind.delta)
        if node.op == "neg":
            return ast.UnaryOp(ast.USub(), code[0]), kinds[0]
        if node.op in ("*", "/"):
            return ast.BinOp(code[0], _ARITHMETIC[node.op](), code[1]), product(node.op, *kinds)
        if node.op == "sqrt":
            return _call("sqrt", code[0]), Kind(False)
        code, kind = self.unified(node.op, node.args, code, kinds)
        if node.op in _COMPARE:
            return ast.Compare(code[0], [_COMPARE[node.op]()], [code[1]]), Kind(True)
        if node.op in _ARITHMETIC:
            return ast.BinOp(code[0], _ARITHMETIC[node.op](), code[1]), kind
        return _call(node.op, *code), kind

    def unified(
        self, op: str, args: Sequence[Node], code: list[ast.expr], kinds: list[Kind]
    ) -> tuple[list[ast.expr], Kind]:
        """Operands in one unit."""
        kind, out = kinds[0], [code[0]]
        for arg, item, other in zip(args[1:], code[1:], kinds[1:], strict=True):
            left, right, kind = join(op, (args[0], kind), (arg, other))
            out = [*(_converted(done, left) for done in out), _converted(item, right)]
        return out, kind


def _call(name: str, *args: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(name, ast.Load()), list(args), [])


def _converted(code: ast.expr, conversion: Linear) -> ast.expr:
    gain, offset = conversion
    if isinstance(code, ast.Constant) and isinstance(code.value, float):
        return ast.Constant(code.value * gain + offset)
    if gain != 1.0:
        code = ast.BinOp(code, ast.Mult(), ast.Constant(gain))
    return ast.BinOp(code, ast.Add(), ast.Constant(offset)) if offset else code
