"""Conditions and calculations in YAML: `tank1/LT-101 > 0.8 m and not tank1/draining`.

Grammar, loosest first; names are tag paths with at least one `/`, so minus and division need spaces around them::

    or | and | not | < <= > >= == != | + - | * / | unary - |
    12.5 m, tank1/LT-101, true, false, (…), min(a, b…), max(a, b…), abs(a), sqrt(a), if(condition, a, b)

An expression is parsed and checked once, then bound to positions in the scan's arrays and compiled, so that the
scan pays for one Python function call. Nothing from the text reaches the Python compiler but numbers.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tags import quality, units
from tags.model import Tag
from tags.types import BOOL, STRING

LENGTH_MAX: Final = 2000
DEPTH_MAX: Final = 50

_FUNCTIONS: Final = {"min": (2, 20), "max": (2, 20), "abs": (1, 1), "sqrt": (1, 1), "if": (3, 3)}
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
_TOKEN: Final = re.compile(
    r"""\s*(?:
    (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<path>[^\W\d][\w.\-]*(?:/[\w.\-]+)+)
    |(?P<word>[^\W\d]\w*)
    |(?P<op><=|>=|==|!=|[-+*/<>(),])
    )""",
    re.VERBOSE,
)
_UNIT: Final = re.compile(r"\s*([^\W\d_][\w·]*(?:/[^\W\d_]\w*)?|[%°‰Ω][\w]*|1/min)")
_BOOLS: Final = (bool, np.bool_)
_NOT_UNITS: Final = frozenset({"and", "or", "not"})


class ExpressionError(ValueError):
    """Text that is not an expression.

    Attributes:
        column: Where in the text, from 1.
    """

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True, slots=True)
class Node:
    """One node of an expression.

    Attributes:
        op: `number`, `path`, `bool`, an operator (`neg` for the unary minus) or a function's name.
        args: Operands.
        value: Number, path or truth value of a leaf.
        unit: Canonical symbol behind a number, or None.
        column: Where it begins (an operator: where it stands), from 1.
    """

    op: str
    args: tuple[Node, ...] = ()
    value: float | str | bool = 0.0
    unit: str | None = None
    column: int = 1


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression; its `str` parses to an equal tree.

    Attributes:
        text: As written.
        tree: Its root.
        paths: Tag paths in order of first use.
    """

    text: str
    tree: Node
    paths: tuple[str, ...]

    def __str__(self) -> str:
        return _print(self.tree)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a node yields.

    Attributes:
        is_bool: Truth value, else a number.
        unit: Canonical symbol, or None: bare, it takes the unit of what it meets.
        delta: A difference of two temperatures: it converts without the zero point.
    """

    is_bool: bool
    unit: str | None = None
    delta: bool = False


def parse(text: str) -> Expression:
    """Parses one expression.

    Raises:
        ExpressionError: With the column of the first thing that is wrong.
    """
    if len(text) > LENGTH_MAX:
        raise ExpressionError(f"an expression has at most {LENGTH_MAX} characters", LENGTH_MAX)
    parser = _Parser(text)
    tree = parser.whole()
    return Expression(text, tree, tuple(dict.fromkeys(parser.paths)))


def problems(expression: Expression, tags: Mapping[str, Tag]) -> list[tuple[int, str]]:
    """All that is wrong with types, units and tags: (column, what is wrong)."""
    checker = _Checker(tags)
    checker.kind(expression.tree)
    return checker.found


def check(expression: Expression, tags: Mapping[str, Tag]) -> list[str]:
    """Like `problems`, as texts."""
    return [message for _, message in problems(expression, tags)]


def type_of(expression: Expression, tags: Mapping[str, Tag]) -> str:
    """`bool` or `number`."""
    return "bool" if _Checker(tags).kind(expression.tree).is_bool else "number"


def unit_of(expression: Expression, tags: Mapping[str, Tag]) -> str | None:
    """Unit of its value, or None when it has none or it is unknown (a product of two quantities)."""
    return _Checker(tags).kind(expression.tree).unit


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
    generator = _Generator(index, unit_of_path)
    body, kind = generator.node(expression.tree)
    arguments = ast.arguments(posonlyargs=[], args=[ast.arg("v")], kwonlyargs=[], kw_defaults=[], defaults=[])
    tree = ast.Expression(ast.Lambda(arguments, body))
    code = compile(ast.fix_missing_locations(tree), "<expression>", "eval")
    functions = {"__builtins__": {}, "min": min, "max": max, "abs": abs, "sqrt": math.sqrt, "bool": bool}
    value_of = eval(code, functions)  # noqa: S307 - made from our own tree; no text of the user is in it
    positions = tuple(index[path] for path in expression.paths)
    return _evaluator(value_of, positions, kind.is_bool)


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


class _Parser:
    """Recursive descent over one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.paths: list[str] = []
        self.depth = 0
        self.kind, self.token, self.column, self.end = "", "", 1, 0
        self.next()

    def error(self, message: str, column: int | None = None) -> ExpressionError:
        return ExpressionError(message, column or self.column)

    def next(self) -> None:
        rest = self.text[self.end :]
        self.column = self.end + len(rest) - len(rest.lstrip()) + 1
        if not rest.strip():
            self.kind, self.token = "end", ""
            return
        match = _TOKEN.match(self.text, self.end)
        if match is None or match.lastgroup is None:
            hint = " (write == to compare)" if rest.lstrip().startswith("=") else ""
            raise self.error(f"{rest.lstrip()[0]!r} does not belong into an expression{hint}")
        self.kind, self.token, self.end = match.lastgroup, match[match.lastgroup], match.end()

    def take(self, *tokens: str) -> str:
        """Takes the next operator or word if it is one of these."""
        if self.kind in ("op", "word") and self.token in tokens:
            taken = self.token
            self.next()
            return taken
        return ""

    def need(self, token: str) -> None:
        if not self.take(token):
            raise self.error(
                f"{token!r} is missing before {self.token!r}" if self.token else f"{token!r} is missing"
            )

    def whole(self) -> Node:
        tree = self.disjunction()
        if self.kind != "end":
            raise self.error(f"an operator is missing before {self.token!r}")
        return tree

    def nested(self) -> Node:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise self.error(f"parentheses are nested more than {DEPTH_MAX} deep")
        tree = self.disjunction()
        self.depth -= 1
        return tree

    def disjunction(self) -> Node:
        return self.chain(("or",), lambda: self.chain(("and",), self.negation))

    def chain(self, operators: tuple[str, ...], operand: Callable[[], Node]) -> Node:
        """Left-associative operators of one precedence."""
        left, column = operand(), self.column
        while operator := self.take(*operators):
            left, column = Node(operator, (left, operand()), column=column), self.column
        return left

    def negation(self) -> Node:
        column = self.column
        if not self.take("not"):
            return self.comparison()
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise self.error("too many 'not'")
        inner = self.negation()
        self.depth -= 1
        return Node("not", (inner,), column=column)

    def comparison(self) -> Node:
        left, column = self.sum(), self.column
        if operator := self.take(*_COMPARE):
            left = Node(operator, (left, self.sum()), column=column)
            if self.kind == "op" and self.token in _COMPARE:
                raise self.error("two comparisons in a row; join them with 'and'")
        return left

    def sum(self) -> Node:
        return self.chain(("+", "-"), lambda: self.chain(("*", "/"), self.unary))

    def unary(self) -> Node:
        column = self.column
        if not self.take("-"):
            return self.primary()
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise self.error("too many '-'")
        inner = self.unary()
        self.depth -= 1
        if inner.op == "number" and float(inner.value) > 0:
            return Node("number", value=-float(inner.value), unit=inner.unit, column=column)
        return Node("neg", (inner,), column=column)

    def primary(self) -> Node:
        kind, token, column = self.kind, self.token, self.column
        if kind == "number":
            return self.number(float(token), column)
        if kind == "path":
            self.next()
            self.paths.append(token)
            return Node("path", value=token, column=column)
        if self.take("("):
            inner = self.nested()
            self.need(")")
            return inner
        if word := self.take("true", "false"):
            return Node("bool", value=word == "true", column=column)
        if kind == "word" and token in _FUNCTIONS:
            return self.call(token, column)
        if kind == "word" and token not in _NOT_UNITS:
            known = units.did_you_mean(token, (*_FUNCTIONS, "true", "false"))
            raise self.error(f"{token!r} is neither a tag path (area/point) nor a function{known}")
        raise self.error("the expression is empty" if not self.text.strip() else "a value is missing here")

    def number(self, value: float, column: int) -> Node:
        unit = None
        match = _UNIT.match(self.text, self.end)
        if match and match[1] not in _NOT_UNITS:
            symbol = match[1]
            try:
                unit = units.find(symbol).symbol
            except units.UnitError as error:
                raise self.error(str(error), match.start(1) + 1) from error
            self.end = match.end()
        if not math.isfinite(value):
            raise self.error("the number is too large")
        self.next()
        return Node("number", value=value, unit=unit, column=column)

    def call(self, name: str, column: int) -> Node:
        self.next()
        if not self.take("("):
            raise self.error(f"'(' is missing after {name!r}")
        args = [self.nested()]
        while self.take(","):
            args.append(self.nested())
        self.need(")")
        least, most = _FUNCTIONS[name]
        if not least <= len(args) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise self.error(f"{name} takes {wanted} values, not {len(args)}", column)
        return Node(name, tuple(args), column=column)


def _print(node: Node) -> str:
    """Text that parses to the same tree, with more parentheses than needed."""
    if node.op == "number":
        number = repr(float(node.value))
        return f"{number} {node.unit}" if node.unit else number
    if node.op == "path":
        return str(node.value)
    if node.op == "bool":
        return "true" if node.value else "false"
    args = [_print(arg) for arg in node.args]
    if node.op in _FUNCTIONS:
        return f"{node.op}({', '.join(args)})"
    if node.op in ("not", "neg"):
        return f"({'not ' if node.op == 'not' else '-'}{args[0]})"
    return f"({args[0]} {node.op} {args[1]})"


def _affine(unit: str | None) -> bool:
    return unit is not None and units.find(unit).offset != 0


class _Checker:
    """Types and units, bottom up; collects every problem."""

    def __init__(self, tags: Mapping[str, Tag]) -> None:
        self.tags = tags
        self.found: list[tuple[int, str]] = []

    def kind(self, node: Node) -> Kind:
        if node.op == "number":
            return Kind(False, node.unit)
        if node.op == "bool":
            return Kind(True)
        if node.op == "path":
            return self.path(node)
        kinds = [self.kind(arg) for arg in node.args]
        if node.op in ("and", "or", "not"):
            self.want(True, node.args, kinds, node.op)
            return Kind(True)
        if node.op in ("==", "!=") and kinds[0].is_bool and kinds[1].is_bool:
            return Kind(True)
        if node.op == "if":
            self.want(True, node.args[:1], kinds[:1], "if")
            return self.branches(node, kinds[1], kinds[2])
        self.want(False, node.args, kinds, "-" if node.op == "neg" else node.op)
        return self.arithmetic(node, kinds)

    def path(self, node: Node) -> Kind:
        tag = self.tags.get(str(node.value))
        if tag is None:
            hint = units.did_you_mean(str(node.value), self.tags)
            self.found.append((node.column, f"unknown tag {node.value}{hint}"))
            return Kind(False)
        if tag.type == STRING:
            self.found.append((node.column, f"{tag.path} is a text; expressions take numbers and true/false"))
        return Kind(tag.type == BOOL, tag.unit)

    def want(self, is_bool: bool, args: Sequence[Node], kinds: Sequence[Kind], op: str) -> None:
        for arg, kind in zip(args, kinds, strict=True):
            if kind.is_bool != is_bool and not self.unknown(arg):
                wanted = "a condition (true or false)" if is_bool else "a number"
                self.found.append((arg.column, f"'{op}' needs {wanted}; {_print(arg)} is not"))

    def unknown(self, node: Node) -> bool:
        """A tag that was already reported must not be reported twice."""
        return node.op == "path" and str(node.value) not in self.tags

    def branches(self, node: Node, a: Kind, b: Kind) -> Kind:
        if a.is_bool != b.is_bool:
            self.found.append((node.column, "'if' gives a number in one case and true/false in the other"))
            return a
        return a if a.is_bool else self.arithmetic(node, [a, b])

    def arithmetic(self, node: Node, kinds: Sequence[Kind]) -> Kind:
        values = node.args[1:] if node.op == "if" else node.args
        try:
            return result_kind(node.op, values, kinds)
        except units.UnitError as error:
            self.found.append((node.column, str(error)))
            return Kind(node.op in _COMPARE)


def result_kind(op: str, args: Sequence[Node], kinds: Sequence[Kind]) -> Kind:
    """What an operation on numbers yields.

    Raises:
        units.UnitError: The units do not fit; the message says which.
    """
    if op in ("neg", "abs"):
        return kinds[0]
    if op == "sqrt":
        return Kind(False)
    if op in ("*", "/"):
        return _product(op, *kinds)
    joined = kinds[0]
    for arg, kind in zip(args[1:], kinds[1:], strict=True):
        _, _, joined = join(op, (args[0], joined), (arg, kind))
    return Kind(True) if op in _COMPARE else joined


def _product(op: str, a: Kind, b: Kind) -> Kind:
    if b.unit is None:
        return Kind(False, a.unit, a.delta)
    if a.unit is None and op == "*":
        return Kind(False, b.unit, b.delta)
    return Kind(False)  # a new quantity: its unit is not followed further


def join(op: str, a: tuple[Node, Kind], b: tuple[Node, Kind]) -> tuple[Linear, Linear, Kind]:
    """How two numbers meet in one unit: the conversions (gain, offset) of both, and what results.

    Raises:
        units.UnitError: They do not fit.
    """
    (node_a, kind_a), (node_b, kind_b) = a, b
    if kind_a.unit is None or kind_b.unit is None:
        known = kind_a if kind_a.unit is not None else kind_b
        return (1.0, 0.0), (1.0, 0.0), known
    gain, offset = units.linear(kind_b.unit, kind_a.unit)
    if not (_affine(kind_a.unit) or _affine(kind_b.unit) or kind_a.delta or kind_b.delta):
        return (1.0, 0.0), (gain, offset), kind_a
    return _join_temperatures(op, node_a, kind_a, node_b, kind_b)


Linear = tuple[float, float]


def _join_temperatures(op: str, node_a: Node, a: Kind, node_b: Node, b: Kind) -> tuple[Linear, Linear, Kind]:
    """Temperatures have a zero point: 20 °C - 15 °C is 5 K, 20 °C + 5 K is 25 °C."""
    unit_a, unit_b = str(a.unit), str(b.unit)
    gain, offset = units.linear(unit_b, unit_a)
    scale = units.linear(unit_a, "K")[0]
    absolute_a, absolute_b = not a.delta, not b.delta
    if op in ("+", "-") and absolute_a and _affine(unit_a) and (b.delta or unit_b == "K"):
        return (1.0, 0.0), (gain, 0.0), a
    if op == "+" and a.delta and _affine(unit_b):
        return (units.linear(unit_a, unit_b)[0], 0.0), (1.0, 0.0), b
    if op == "-" and absolute_a and absolute_b:
        return (scale, 0.0), (units.linear(unit_b, "K")[0], offset * scale), Kind(False, "K", True)
    if absolute_a and absolute_b:
        return (1.0, 0.0), (gain, offset), a
    for node, kind in ((node_a, a), (node_b, b)):
        if not kind.delta and _affine(kind.unit) and node.op != "number":
            raise units.UnitError(
                f"{_print(node)} is a temperature and the other side a difference of temperatures;"
                " write a difference in K"
            )
    return (1.0, 0.0), (gain, 0.0), Kind(False, a.unit, True)


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
        if node.op in ("and", "or"):
            operator: ast.boolop = ast.And() if node.op == "and" else ast.Or()
            return ast.BoolOp(operator, [_call("bool", item) for item in code]), Kind(True)
        if node.op == "if":
            (a, b), kind = self.unified(node.op, node.args[1:], code[1:], kinds[1:])
            return ast.IfExp(code[0], a, b), Kind(kinds[1].is_bool, kind.unit, kind.delta)
        if node.op == "neg":
            return ast.UnaryOp(ast.USub(), code[0]), kinds[0]
        if node.op in ("*", "/"):
            return ast.BinOp(code[0], _ARITHMETIC[node.op](), code[1]), _product(node.op, *kinds)
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
