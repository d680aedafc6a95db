"""Types, units and tags of an expression, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tags import units
from tags.expression.kinds import Kind, result_kind
from tags.expression.syntax import COMPARISONS, Expression, Node, print_node
from tags.model import Tag
from tags.types import BOOL, STRING


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
        if node.op in ("and", "or", "not", "implies"):
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
                self.found.append((arg.column, f"'{op}' needs {wanted}; {print_node(arg)} is not"))

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
            return Kind(node.op in COMPARISONS)
