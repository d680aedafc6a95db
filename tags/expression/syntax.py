"""Text to tree and back."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tags import units

LENGTH_MAX: Final = 2000
DEPTH_MAX: Final = 50
COMPARISONS: Final = ("<", "<=", ">", ">=", "==", "!=")

_FUNCTIONS: Final = {"min": (2, 20), "max": (2, 20), "abs": (1, 1), "sqrt": (1, 1), "if": (3, 3)}
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
_NOT_UNITS: Final = frozenset({"and", "or", "not", "implies"})


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
        return print_node(self.tree)


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
        tree = self.implication()
        if self.kind != "end":
            raise self.error(f"an operator is missing before {self.token!r}")
        return tree

    def nested(self) -> Node:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise self.error(f"parentheses are nested more than {DEPTH_MAX} deep")
        tree = self.implication()
        self.depth -= 1
        return tree

    def implication(self) -> Node:
        left, column = self.disjunction(), self.column
        if not self.take("implies"):
            return left
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise self.error("too many 'implies'")
        right = self.implication()  # a implies b implies c: a implies (b implies c)
        self.depth -= 1
        return Node("implies", (left, right), column=column)

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
        if operator := self.take(*COMPARISONS):
            left = Node(operator, (left, self.sum()), column=column)
            if self.kind == "op" and self.token in COMPARISONS:
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


def print_node(node: Node) -> str:
    """Text that parses to the same tree, with more parentheses than needed."""
    if node.op == "number":
        number = repr(float(node.value))
        return f"{number} {node.unit}" if node.unit else number
    if node.op == "path":
        return str(node.value)
    if node.op == "bool":
        return "true" if node.value else "false"
    args = [print_node(arg) for arg in node.args]
    if node.op in _FUNCTIONS:
        return f"{node.op}({', '.join(args)})"
    if node.op in ("not", "neg"):
        return f"({'not ' if node.op == 'not' else '-'}{args[0]})"
    return f"({args[0]} {node.op} {args[1]})"
