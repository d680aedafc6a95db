"""Event filters: which events a client gets, and which fields of them (OPC 10000-4 §7.22.3, §7.7). Pure.

A filter is checked once, with a result for each clause, and made into functions. All elements of the where clause are
looked at once for each event, from the last to the first: an element may only refer to later ones, so nothing loops and
nothing is looked at twice, whatever a client sends.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from asyncua import ua

from scada.opcua import limits
from scada.opcua.events import operators as ops
from scada.opcua.events.event import NULL, Event
from scada.opcua.events.types import BASE, CONDITION, EventTypes, path_of

OPERANDS_MAX: Final = 1000  # of all elements of one filter
LITERALS_MAX: Final = 65_536  # characters and bytes of all literals of one filter, which are kept with it
LIKE_WEIGHT: Final = 100  # of the other operators, which cost a microsecond or so
S = ua.StatusCodes
F = ua.FilterOperator
Value = Callable[[Event, Sequence[ua.Variant]], ua.Variant]
"""(event, results of later elements) -> an operand's value."""

_COUNTS: Final[dict[int, tuple[int, int]]] = {
    F.Equals: (2, 2), F.IsNull: (1, 1), F.GreaterThan: (2, 2), F.LessThan: (2, 2), F.GreaterThanOrEqual: (2, 2),
    F.LessThanOrEqual: (2, 2), F.Like: (2, 2), F.Not: (1, 1), F.Between: (3, 3), F.InList: (2, OPERANDS_MAX),
    F.And: (2, 2), F.Or: (2, 2), F.Cast: (2, 2), F.OfType: (1, 1), F.BitwiseAnd: (2, 2), F.BitwiseOr: (2, 2),
}  # fmt: skip
_UNSUPPORTED: Final = frozenset({F.InView, F.RelatedTo})  # not for events (OPC 10000-4 §7.22.3)
_RANGE: Final = re.compile(r"(\d{1,9})(?::(\d{1,9}))?")


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter that was checked.

    Attributes:
        select: Gives the fields, one function each.
        where: Whether an event passes.
        weight: What one event costs: clauses and operands.
    """

    select: tuple[Callable[[Event], ua.Variant], ...]
    where: Callable[[Event], bool]
    weight: int = 1

    def fields(self, event: Event) -> list[ua.Variant]:
        """What the client gets of an event, in the order of its select clauses."""
        return [one(event) for one in self.select]


def build(wanted: Any, types: EventTypes) -> tuple[Filter | None, ua.EventFilterResult | None, int]:
    """Checks an event filter and makes it work.

    Args:
        wanted: `ua.EventFilter`, as the client sent it.
        types: Event types of the server.

    Returns:
        The filter, None when it cannot be used; results for each clause, None when all are good; StatusCode. A select
        clause that is bad gives Null and does not spoil the others unless all are.
    """
    # By name: asyncua decodes into another class of that name than the one it shows.
    if type(wanted).__name__ != "EventFilter":
        return None, None, S.BadEventFilterInvalid if wanted is None else S.BadMonitoredItemFilterInvalid
    clauses = list(wanted.SelectClauses or ())
    elements = list((wanted.WhereClause.Elements if wanted.WhereClause is not None else None) or ())
    if not clauses or len(clauses) > limits.SELECT_CLAUSES or len(elements) > limits.WHERE_ELEMENTS:
        return None, None, S.BadEventFilterInvalid if not clauses else S.BadTooManyOperations
    operands = [operand for element in elements for operand in element.FilterOperands or ()]
    literals = sum(_size(operand.Value) for operand in operands if type(operand).__name__ == "LiteralOperand")
    if len(operands) > OPERANDS_MAX or literals > LITERALS_MAX:
        return None, None, S.BadTooManyOperations
    selected = [_clause(clause, types) for clause in clauses]
    where, results = _where(elements, types)
    bad_select = [code for _, code in selected if code]
    result = None
    if bad_select or where is None:
        result = ua.EventFilterResult()
        result.SelectClauseResults = [ua.StatusCode(code) for _, code in selected]
        result.WhereClauseResult = ua.ContentFilterResult(ElementResults=results)
    if where is None or len(bad_select) == len(selected):
        return None, result, S.BadEventFilterInvalid
    likes = sum(element.FilterOperator == F.Like for element in elements)
    weight = len(selected) + len(operands) + LIKE_WEIGHT * likes
    return Filter(tuple(give for give, _ in selected), where, weight), result, S.Good


def _size(value: Any) -> int:
    """Characters and bytes of a literal; of a structure, which no operator takes, too many."""
    match value:
        case ua.Variant():
            return _size(value.Value)
        case str() | bytes():
            return len(value)
        case list():
            return 8 * len(value) + sum(map(_size, value))
        case ua.LocalizedText():
            return len(value.Text or "") + len(value.Locale or "")
        case ua.QualifiedName():
            return len(value.Name or "")
        case ua.NodeId():
            return 16 if isinstance(value.Identifier, int | UUID) else len(value.Identifier or "")
        case None | bool() | int() | float() | datetime() | UUID() | ua.StatusCode():
            return 16
    return LITERALS_MAX + 1


# Select clauses and operands that name a field


def _clause(clause: Any, types: EventTypes) -> tuple[Callable[[Event], ua.Variant], int]:
    """A function that gives a field, and why it gives nothing."""
    kind = clause.TypeDefinitionId or BASE
    path = path_of(clause.BrowsePath)
    if not types.knows(kind):
        return _nothing, S.BadTypeDefinitionInvalid
    if clause.AttributeId == ua.AttributeIds.NodeId and not path and types.is_of(kind, CONDITION):
        return _condition_id, S.Good
    if clause.AttributeId not in (ua.AttributeIds.Value, ua.AttributeIds.NodeId):
        known = 1 <= int(clause.AttributeId) <= max(ua.AttributeIds)
        return _nothing, S.BadAttributeIdInvalid if not known else S.Good
    if not path or not types.has(kind, path):
        return _nothing, S.BadBrowseNameInvalid if path else S.BadAttributeIdInvalid
    if clause.AttributeId == ua.AttributeIds.NodeId:
        return _nothing, S.Good  # fields of events are no nodes
    cut = _cut(clause.IndexRange)
    if cut is None:
        return _nothing, S.BadIndexRangeInvalid

    def give(event: Event) -> ua.Variant:
        if kind != BASE and not types.is_of(event.type, kind):
            return NULL
        return cut(event.value(path))

    return give, S.Good


def _nothing(event: Event) -> ua.Variant:
    del event
    return NULL


def _condition_id(event: Event) -> ua.Variant:
    return NULL if event.condition is None else ua.Variant(event.condition, ua.VariantType.NodeId)


def _cut(text: str | None) -> Callable[[ua.Variant], ua.Variant] | None:
    """Takes a NumericRange of one dimension out of a value; None for what is no range."""
    if not text:
        return lambda value: value
    found = _RANGE.fullmatch(text)
    if found is None:
        return None
    first = int(found[1])
    last = first if found[2] is None else int(found[2])
    if found[2] is not None and first >= last:
        return None

    def cut(value: ua.Variant) -> ua.Variant:
        if value.Value is None:
            return value
        if not isinstance(value.Value, list | str | bytes) or first >= len(value.Value):
            return ua.Variant(ua.StatusCode(S.BadIndexRangeNoData), ua.VariantType.StatusCode)
        return ua.Variant(value.Value[first : last + 1], value.VariantType)

    return cut


# Where clause


def _where(
    elements: Sequence[Any], types: EventTypes
) -> tuple[Callable[[Event], bool] | None, list[ua.ContentFilterElementResult]]:
    if not elements:
        return lambda _: True, []
    built = [_element(element, place, len(elements), types) for place, element in enumerate(elements)]
    results = [result for _, _, result in built]
    if any(
        result.StatusCode.value or any(code.value for code in result.OperandStatusCodes) for result in results
    ):
        return None, results
    plan = [(compute, values) for compute, values, _ in built]

    def passes(event: Event) -> bool:
        found = [NULL] * len(plan)
        for place in range(len(plan) - 1, -1, -1):
            compute, values = plan[place]
            found[place] = compute(event, [value(event, found) for value in values])
        return ops.truth(found[0]) is True

    return passes, results


Compute = Callable[[Event, list[ua.Variant]], ua.Variant]


def _element(
    element: Any, place: int, count: int, types: EventTypes
) -> tuple[Compute, list[Value], ua.ContentFilterElementResult]:
    result = ua.ContentFilterElementResult(StatusCode=ua.StatusCode(S.Good), OperandStatusCodes=[])
    sent = list(element.FilterOperands or ())
    made = [_operand(operand, place, count, types) for operand in sent]
    codes = [code for _, code in made]
    kind = element.FilterOperator
    if kind in _UNSUPPORTED:
        result.StatusCode = ua.StatusCode(S.BadFilterOperatorUnsupported)
    elif kind not in _COUNTS:
        result.StatusCode = ua.StatusCode(S.BadFilterOperatorInvalid)
    elif not _COUNTS[kind][0] <= len(sent) <= _COUNTS[kind][1]:
        result.StatusCode = ua.StatusCode(S.BadFilterOperandCountMismatch)
    else:
        codes = [code or _fits(kind, at, sent[at], types) for at, code in enumerate(codes)]
    if any(codes) and result.StatusCode.is_good():
        result.StatusCode = ua.StatusCode(S.BadFilterOperandInvalid)
    result.OperandStatusCodes = [ua.StatusCode(code) for code in codes]
    compute = _of_type(types) if kind == F.OfType else _OPERATORS.get(kind, _null)
    return compute, [value for value, _ in made], result


def _operand(operand: Any, place: int, count: int, types: EventTypes) -> tuple[Value, int]:
    name = type(operand).__name__
    if name == "ElementOperand":
        index = int(operand.Index)
        if not place < index < count:  # OPC 10000-4 §7.7.4.2: only later ones
            return _null_operand, S.BadFilterOperandInvalid
        return lambda _, found: found[index], S.Good
    if name == "LiteralOperand":
        literal = operand.Value if operand.Value is not None else NULL
        return lambda _event, _found: literal, S.Good
    if name == "SimpleAttributeOperand":
        give, code = _clause(operand, types)
        return lambda event, _: give(event), code
    # AttributeOperand is not for event filters (OPC 10000-4 §7.22.3).
    return _null_operand, S.BadFilterOperandInvalid


def _fits(kind: int, at: int, operand: Any, types: EventTypes) -> int:
    """Why an operand does not fit its operator."""
    if kind == F.OfType or (kind == F.Cast and at == 1):
        node = getattr(getattr(operand, "Value", None), "Value", None)
        if type(operand).__name__ != "LiteralOperand" or not isinstance(node, ua.NodeId):
            return S.BadFilterOperandInvalid
        if kind == F.OfType and not types.knows(node):
            return S.BadTypeDefinitionInvalid
        if kind == F.Cast and _built_in(node) is None:
            return S.BadFilterLiteralInvalid
    return S.Good


def _built_in(node: ua.NodeId) -> ua.VariantType | None:
    if node.NamespaceIndex or not isinstance(node.Identifier, int):
        return None
    try:
        return ua.VariantType(node.Identifier)
    except ValueError:
        return None


def _null_operand(event: Event, found: Sequence[ua.Variant]) -> ua.Variant:
    del event, found
    return NULL


def _null(event: Event, values: list[ua.Variant]) -> ua.Variant:
    del event, values
    return NULL


def _logic(value: ops.Truth) -> ua.Variant:
    return NULL if value is None else ua.Variant(value, ua.VariantType.Boolean)


def _of_type(types: EventTypes) -> Compute:
    return lambda event, values: _logic(types.is_of(event.type, values[0].Value))


def _order(holds: Callable[[Any, Any], bool]) -> Compute:
    return lambda _, values: _logic(ops.compare(values[0], values[1], holds))


def _between(event: Event, values: list[ua.Variant]) -> ua.Variant:
    del event
    low = ops.compare(values[0], values[1], operator.ge)
    return _logic(ops.both(low, ops.compare(values[0], values[2], operator.le)))


def _in_list(event: Event, values: list[ua.Variant]) -> ua.Variant:
    del event
    found: ops.Truth = False
    for value in values[1:]:
        found = ops.either(found, ops.equals(values[0], value))
    return _logic(found)


def _cast(event: Event, values: list[ua.Variant]) -> ua.Variant:
    del event
    kind = _built_in(values[1].Value)
    return NULL if kind is None else ops.cast(values[0], kind)


_OPERATORS: Final[dict[int, Compute]] = {
    F.Equals: lambda _, values: _logic(ops.equals(values[0], values[1])),
    F.IsNull: lambda _, values: _logic(ops.is_null(values[0])),
    F.GreaterThan: _order(operator.gt),
    F.LessThan: _order(operator.lt),
    F.GreaterThanOrEqual: _order(operator.ge),
    F.LessThanOrEqual: _order(operator.le),
    F.Like: lambda _, values: _logic(ops.like(values[0], values[1])),
    F.Not: lambda _, values: _logic(ops.opposite(ops.truth(values[0]))),
    F.Between: _between,
    F.InList: _in_list,
    F.And: lambda _, values: _logic(ops.both(ops.truth(values[0]), ops.truth(values[1]))),
    F.Or: lambda _, values: _logic(ops.either(ops.truth(values[0]), ops.truth(values[1]))),
    F.Cast: _cast,
    F.BitwiseAnd: lambda _, values: ops.bitwise(values[0], values[1], operator.and_),
    F.BitwiseOr: lambda _, values: ops.bitwise(values[0], values[1], operator.or_),
}  # fmt: skip
