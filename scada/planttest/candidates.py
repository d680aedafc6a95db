"""Values worth trying: the ends of a range, and both sides of each threshold that the program compares a tag with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from scada.planttest.cone import strings
from tags import expression, units
from tags.expression import Node
from tags.expression.syntax import COMPARISONS
from tags.model import Site, Tag
from tags.site.plant_tests_compiled import Vary
from tags.types import BOOL, FLOATS, INTEGER_RANGE, STRING, Value

_BESIDE: Final = 0.01  # of the range: so far beside a threshold


def values_of(site: Site, vary: Vary, held: Any, texts: Iterable[str] = ()) -> list[Value]:
    """Values worth trying for a tag, the present one last; at least one.

    Args:
        site: With the blocks that matter.
        vary: What may be tried.
        held: What it is at first.
        texts: Further expressions, such as the invariant.
    """
    if vary.values:
        return list(vary.values)
    tag = site.by_path()[vary.path]
    if tag.type == BOOL:
        return [not held, bool(held)]
    if tag.states:
        return [int(number) for number in tag.states]
    if tag.type == STRING:
        return ["", "x"]
    whole = tag.limits or tag.range or INTEGER_RANGE.get(tag.type) or (0.0, 100.0)
    low, high, span = max(whole[0], vary.low), min(whole[1], vary.high), whole[1] - whole[0]
    around = {held, low, high, (low + high) / 2}
    beside = span * _BESIDE
    for threshold in {*thresholds(site, tag), *_in_expressions(texts, tag)}:
        around |= {threshold - beside, threshold, threshold + beside}
    inside = sorted({_rounded(tag, value, span) for value in around if low <= value <= high})
    return [value for value in inside if value != held] or [held]


def _rounded(tag: Tag, value: float, span: float) -> Value:
    if tag.type not in FLOATS:
        return round(value)
    digits = 0
    while span * 10**digits < 1000 and digits < 9:  # a thousandth of the range is what people read
        digits += 1
    return round(value, digits) + 0.0


def thresholds(site: Site, tag: Tag) -> Iterator[float]:
    """What the blocks of a site compare a tag with, in its unit."""
    for block in site.blocks:
        texts = list(strings(block.config))
        yield from _in_expressions(texts, tag)
        if tag.path in texts:  # a two-point switch has its limits beside its input
            yield from (
                float(number)
                for number in block.config.values()
                if isinstance(number, float) and not isinstance(number, bool)
            )


def _in_expressions(texts: Iterable[str], tag: Tag) -> Iterator[float]:
    for text in texts:
        if tag.path not in text:
            continue
        try:
            tree = expression.parse(text).tree
        except expression.ExpressionError:
            continue  # a description that names the tag
        yield from _compared(tree, tag)


def _compared(node: Node, tag: Tag) -> Iterator[float]:
    for arg in node.args:
        yield from _compared(arg, tag)
    if node.op not in COMPARISONS:
        return
    for one, other in (node.args, node.args[::-1]):
        if one.op == "path" and one.value == tag.path and other.op == "number":
            try:
                yield units.convert(float(other.value), other.unit, tag.unit)
            except units.UnitError:
                return
