"""What operations yield: truth values or numbers, in which unit, and how two units meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tags import units
from tags.expression.syntax import COMPARISONS, Node, print_node

Linear = tuple[float, float]


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


def _affine(unit: str | None) -> bool:
    return unit is not None and units.find(unit).offset != 0


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
        return product(op, *kinds)
    joined = kinds[0]
    for arg, kind in zip(args[1:], kinds[1:], strict=True):
        _, _, joined = join(op, (args[0], joined), (arg, kind))
    return Kind(True) if op in COMPARISONS else joined


def product(op: str, a: Kind, b: Kind) -> Kind:
    """What a product or quotient of two numbers is."""
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
                f"{print_node(node)} is a temperature and the other side a difference of temperatures;"
                " write a difference in K"
            )
    return (1.0, 0.0), (gain, 0.0), Kind(False, a.unit, True)
