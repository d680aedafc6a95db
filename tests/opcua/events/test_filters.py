"""Event filters, clause by clause and against an independent evaluator."""

from __future__ import annotations

import itertools
import operator
import re
import time
from typing import Any

import pytest
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st

from scada.opcua.events import operators as ops
from scada.opcua.events.event import Event, at
from scada.opcua.events.filters import LIKE_WEIGHT, LITERALS_MAX, build
from scada.opcua.events.types import BASE, EventTypes

F = ua.FilterOperator
V = ua.VariantType
S = ua.StatusCodes
LEVEL = ua.NodeId(ua.ObjectIds.NonExclusiveLevelAlarmType)
CONDITION = ua.NodeId(ua.ObjectIds.ConditionType)


def event(**fields: ua.Variant) -> Event:
    named = {at(*name.split("__")): value for name, value in fields.items()}
    named.setdefault(at("Severity"), ua.Variant(700, V.UInt16))
    named.setdefault(at("SourceName"), ua.Variant("tank1/LT-101", V.String))
    named.setdefault(at("Message"), ua.Variant(ua.LocalizedText("Level is high"), V.LocalizedText))
    return Event(LEVEL, named, path="tank1/LT-101", condition=ua.NodeId("tank1/LT-101/HH#condition", 2))


def field(*names: str, type_: ua.NodeId = BASE, **more: Any) -> ua.SimpleAttributeOperand:
    return ua.SimpleAttributeOperand(
        TypeDefinitionId=type_,
        BrowsePath=[ua.QualifiedName(name, 0) for name in names],
        AttributeId=more.get("attribute", ua.AttributeIds.Value),
        IndexRange=more.get("range_"),
    )


def literal(value: Any, kind: ua.VariantType | None = None) -> ua.LiteralOperand:
    return ua.LiteralOperand(Value=ua.Variant(value, kind) if kind is not None else ua.Variant(value))


def element(kind: Any, *operands: Any) -> ua.ContentFilterElement:
    return ua.ContentFilterElement(FilterOperator=kind, FilterOperands=list(operands))


def wanted(*elements: ua.ContentFilterElement, select: Any = None) -> ua.EventFilter:
    return ua.EventFilter(
        SelectClauses=[field("Severity")] if select is None else select,
        WhereClause=ua.ContentFilter(Elements=list(elements)),
    )


def passes(types: EventTypes, one: Event, *elements: ua.ContentFilterElement) -> bool:
    made, result, code = build(wanted(*elements), types)
    assert code == S.Good, result
    assert made is not None
    return made.where(one)


SEVERITY = field("Severity")


@pytest.mark.parametrize(
    ("expected", "one"),
    [
        (True, element(F.Equals, SEVERITY, literal(700, V.UInt16))),
        (True, element(F.Equals, SEVERITY, literal(700.0, V.Double))),
        (True, element(F.Equals, SEVERITY, literal("700"))),
        (False, element(F.Equals, SEVERITY, literal("seven"))),
        (False, element(F.Equals, SEVERITY, literal(b"700", V.ByteString))),
        (True, element(F.Equals, field("Message"), literal("Level is high"))),
        (True, element(F.IsNull, field("LocalTime"))),
        (False, element(F.IsNull, SEVERITY)),
        (True, element(F.GreaterThan, SEVERITY, literal(699, V.Int32))),
        (False, element(F.GreaterThan, SEVERITY, literal(700, V.Int32))),
        (True, element(F.GreaterThanOrEqual, SEVERITY, literal(700, V.Int32))),
        (True, element(F.LessThan, SEVERITY, literal(700.5))),
        (False, element(F.LessThan, SEVERITY, literal(700, V.Int32))),
        (True, element(F.LessThanOrEqual, SEVERITY, literal(700, V.Int32))),
        (False, element(F.LessThan, field("LocalTime"), literal(5, V.Int32))),  # null is not less
        (True, element(F.Like, field("SourceName"), literal("tank_/LT-%"))),
        (True, element(F.Like, field("Message"), literal("%high"))),
        (False, element(F.Like, field("SourceName"), literal("tank"))),
        (True, element(F.Not, field("Retain"))),
        (True, element(F.Between, SEVERITY, literal(700, V.Int32), literal(800, V.Int32))),
        (True, element(F.Between, SEVERITY, literal(600, V.Int32), literal(700, V.Int32))),
        (False, element(F.Between, SEVERITY, literal(701, V.Int32), literal(800, V.Int32))),
        (True, element(F.InList, SEVERITY, literal(1, V.Int32), literal(700, V.Int32))),
        (False, element(F.InList, SEVERITY, literal(1, V.Int32), literal(2, V.Int32))),
        (True, element(F.OfType, literal(ua.NodeId(ua.ObjectIds.AlarmConditionType)))),
        (True, element(F.OfType, literal(BASE))),
        (False, element(F.OfType, literal(ua.NodeId(ua.ObjectIds.AuditEventType)))),
        (True, element(F.And, literal(True), literal(True))),
        (False, element(F.And, literal(True), field("LocalTime"))),
        (True, element(F.Or, field("LocalTime"), literal(True))),
        (False, element(F.Or, field("LocalTime"), literal(False))),
    ],
)
def test_each_operator(types: EventTypes, expected: bool, one: ua.ContentFilterElement) -> None:
    assert passes(types, event(Retain=ua.Variant(False, V.Boolean)), one) is expected


def test_elements_refer_to_later_elements(types: EventTypes) -> None:
    elements = [
        element(F.And, ua.ElementOperand(Index=1), ua.ElementOperand(Index=2)),
        element(F.GreaterThan, SEVERITY, literal(500, V.Int32)),
        element(F.Equals, ua.ElementOperand(Index=3), literal(188, V.Int32)),
        element(F.BitwiseAnd, SEVERITY, literal(0b1111_1111, V.UInt16)),
    ]
    assert passes(types, event(), *elements)
    assert not passes(types, event(Severity=ua.Variant(701, V.UInt16)), *elements)


def test_cast(types: EventTypes) -> None:
    cast = element(F.Cast, SEVERITY, literal(ua.NodeId(ua.ObjectIds.String)))
    assert passes(types, event(), element(F.Equals, ua.ElementOperand(Index=1), literal("700")), cast)
    too_big = element(F.Cast, SEVERITY, literal(ua.NodeId(ua.ObjectIds.Byte)))
    assert passes(types, event(), element(F.IsNull, ua.ElementOperand(Index=1)), too_big)


@pytest.mark.parametrize(
    ("code", "operand_code", "one"),
    [
        (S.BadFilterOperandCountMismatch, 0, element(F.Equals, SEVERITY)),
        (S.BadFilterOperandCountMismatch, 0, element(F.Not, SEVERITY, SEVERITY)),  # extra ones are an error
        (S.BadFilterOperatorUnsupported, 0, element(F.InView, literal(BASE))),
        (S.BadFilterOperatorUnsupported, 0, element(F.RelatedTo, *[literal(BASE)] * 6)),
        (S.BadFilterOperatorInvalid, 0, element(99, SEVERITY)),
        (S.BadFilterOperandInvalid, S.BadFilterOperandInvalid, element(F.Not, ua.ElementOperand(Index=0))),
        (S.BadFilterOperandInvalid, S.BadFilterOperandInvalid, element(F.Not, ua.ElementOperand(Index=7))),
        (S.BadFilterOperandInvalid, S.BadFilterOperandInvalid, element(F.Not, ua.AttributeOperand())),
        (S.BadFilterOperandInvalid, S.BadBrowseNameInvalid, element(F.IsNull, field("Nonsense"))),
        (S.BadFilterOperandInvalid, S.BadFilterOperandInvalid, element(F.OfType, SEVERITY)),
        (S.BadFilterOperandInvalid, S.BadTypeDefinitionInvalid, element(F.OfType, literal(ua.NodeId(61)))),
        (
            S.BadFilterOperandInvalid,
            S.BadFilterLiteralInvalid,
            element(F.Cast, SEVERITY, literal(ua.NodeId("x", 2))),
        ),
    ],
)
def test_errors_are_told_for_each_element_and_operand(
    types: EventTypes, code: int, operand_code: int, one: ua.ContentFilterElement
) -> None:
    good = element(F.IsNull, SEVERITY)
    made, result, overall = build(wanted(good, one), types)
    if one.FilterOperands and getattr(one.FilterOperands[0], "Index", None) == 0:
        made, result, overall = build(wanted(one), types)
    assert made is None
    assert overall == S.BadEventFilterInvalid
    assert result is not None
    told = result.WhereClauseResult.ElementResults
    assert told[-1].StatusCode.value == code
    if operand_code:
        assert operand_code in [status.value for status in told[-1].OperandStatusCodes]
    if len(told) > 1:
        assert told[0].StatusCode.is_good()


def test_select_clauses_give_fields_in_order_and_null_for_what_is_not_there(types: EventTypes) -> None:
    clauses = [
        field("SourceName"),
        field("LocalTime"),
        field(type_=CONDITION, attribute=ua.AttributeIds.NodeId),
        field("SourceName", range_="0:4"),
        field("AckedState", "Id", type_=ua.NodeId(ua.ObjectIds.AcknowledgeableConditionType)),
        field("ActionTimeStamp", type_=ua.NodeId(ua.ObjectIds.AuditEventType)),
    ]
    made, result, code = build(wanted(select=clauses), types)
    assert (code, result) == (S.Good, None)
    assert made is not None
    fields = [value.Value for value in made.fields(event(AckedState__Id=ua.Variant(True, V.Boolean)))]
    assert fields == [
        "tank1/LT-101", None, ua.NodeId("tank1/LT-101/HH#condition", 2), "tank1", True, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "clause"),
    [
        (S.BadBrowseNameInvalid, field("Nonsense")),
        (S.BadBrowseNameInvalid, field("AckedState", type_=BASE.__class__(ua.ObjectIds.AuditEventType))),
        (S.BadTypeDefinitionInvalid, field("Severity", type_=ua.NodeId(4711, 2))),
        (S.BadAttributeIdInvalid, field("Severity", attribute=4711)),
        (S.BadIndexRangeInvalid, field("SourceName", range_="5:2")),
        (S.BadIndexRangeInvalid, field("SourceName", range_="x")),
    ],
)
def test_a_bad_select_clause_is_told_and_gives_null(
    types: EventTypes, code: int, clause: ua.SimpleAttributeOperand
) -> None:
    made, result, overall = build(wanted(select=[SEVERITY, clause]), types)
    assert overall == S.Good
    assert made is not None
    assert result is not None
    assert [status.value for status in result.SelectClauseResults] == [S.Good, code]
    assert [value.Value for value in made.fields(event())] == [700, None]
    assert build(wanted(select=[clause]), types)[2] == S.BadEventFilterInvalid


def test_what_is_no_event_filter_is_refused(types: EventTypes) -> None:
    assert build(None, types)[2] == S.BadEventFilterInvalid
    assert build(ua.DataChangeFilter(), types)[2] == S.BadMonitoredItemFilterInvalid
    assert build(wanted(select=[]), types)[2] == S.BadEventFilterInvalid
    assert build(wanted(select=[SEVERITY] * 501), types)[2] == S.BadTooManyOperations
    assert build(wanted(*[element(F.IsNull, SEVERITY)] * 101), types)[2] == S.BadTooManyOperations


def test_a_filter_that_refers_to_each_element_twice_is_quick(types: EventTypes) -> None:
    chain = [
        element(F.And, ua.ElementOperand(Index=at_ + 1), ua.ElementOperand(Index=at_ + 1))
        for at_ in range(99)
    ]
    made, _, code = build(wanted(*chain, element(F.IsNull, field("LocalTime"))), types)
    assert code == S.Good
    assert made is not None
    begun = time.perf_counter()
    assert made.where(event())
    assert time.perf_counter() - begun < 0.5  # 2**99 looks otherwise


# Like

_LETTERS = "ab%_\\[]^-"


@given(st.text("abc", max_size=8), st.text("ab%_", max_size=8))
def test_like_agrees_with_a_regular_expression(text: str, pattern: str) -> None:
    parts = {"%": ".*", "_": "."}
    expression = "".join(parts.get(sign, re.escape(sign)) for sign in pattern)
    assert ops.matches(text, pattern) == (re.fullmatch(expression, text, re.DOTALL) is not None)


@given(st.text(max_size=30), st.text(_LETTERS, max_size=30))
def test_no_pattern_is_an_error(text: str, pattern: str) -> None:
    ops.matches(text, pattern)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("Th[ia][ts]%", "That is fine", "The end"),
        ("[^A-C]at", "rat", "Bat"),
        ("100\\%", "100%", "1000"),
        ("a\\_b", "a_b", "axb"),
        ("%es%", "best", "bet"),
    ],
)
def test_like_as_in_the_specification(pattern: str, yes: str, no: str) -> None:
    assert ops.matches(yes, pattern)
    assert not ops.matches(no, pattern)


@pytest.mark.parametrize(
    "pattern", ["%" + "a" * 99 + "b%", "%a_" * 49 + "b", "%[ab]" * 39 + "c", "%a" * 20 + "%b"]
)
def test_an_evil_pattern_is_quick(pattern: str) -> None:
    begun = time.perf_counter()
    for _ in range(10):
        assert not ops.matches("a" * ops.TEXT_MAX, pattern)
    assert time.perf_counter() - begun < 0.5


def test_long_texts_and_patterns_match_nothing() -> None:
    long = literal("a" * (ops.TEXT_MAX + 1)).Value
    assert ops.like(long, literal("%").Value) is False
    assert ops.like(literal("a").Value, literal("%" * (ops.PATTERN_MAX + 1)).Value) is False


@pytest.mark.parametrize(
    "value",
    [
        "x" * LITERALS_MAX,
        b"x" * LITERALS_MAX,
        ua.LocalizedText("x" * LITERALS_MAX),
        ua.NodeId("x" * LITERALS_MAX, 2),
        [0] * LITERALS_MAX,
        ua.EUInformation(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_literals_of_a_filter_are_bounded(types: EventTypes, value: Any) -> None:
    few = element(F.Equals, field("SourceName"), literal("a short one"))
    many = element(F.Equals, field("SourceName"), ua.LiteralOperand(Value=ua.Variant(value)))
    both = element(F.And, ua.ElementOperand(1), ua.ElementOperand(2))
    assert build(wanted(both, few, few), types)[2] == S.Good
    assert build(wanted(both, few, many), types) == (None, None, S.BadTooManyOperations)


def test_a_filter_weighs_what_an_event_costs(types: EventTypes) -> None:
    light, _, _ = build(wanted(), types)
    heavy, _, _ = build(wanted(element(F.Like, field("SourceName"), literal("a%"))), types)
    assert light is not None
    assert heavy is not None
    assert (light.weight, heavy.weight) == (1, 1 + 2 + LIKE_WEIGHT)


# Three-valued logic and conversions

_TRUTHS = (True, False, None)


@pytest.mark.parametrize(("left", "right"), list(itertools.product(_TRUTHS, repeat=2)))
def test_logic_is_kleene_s(left: ops.Truth, right: ops.Truth) -> None:
    rank = {False: 0, None: 1, True: 2}
    names = {0: False, 1: None, 2: True}
    assert ops.both(left, right) is names[min(rank[left], rank[right])]
    assert ops.either(left, right) is names[max(rank[left], rank[right])]
    assert ops.opposite(left) is names[2 - rank[left]]


_KINDS = [kind for kind in ops.INTEGERS if kind != V.StatusCode]


@given(st.sampled_from(_KINDS), st.sampled_from(_KINDS), st.data())
def test_integers_of_all_widths_compare_as_numbers(
    one: ua.VariantType, other: ua.VariantType, data: st.DataObject
) -> None:
    left = data.draw(st.integers(*ops.INTEGERS[one]))
    right = data.draw(st.integers(*ops.INTEGERS[other]))
    for holds in (operator.lt, operator.ge):
        answer = ops.compare(ua.Variant(left, one), ua.Variant(right, other), holds)
        fits = min(one, other, key=ops.PRECEDENCE.index)
        low, high = ops.INTEGERS[fits]
        if one == other or (low <= left <= high and low <= right <= high):
            assert answer is holds(left, right)
        else:
            assert answer is False  # the conversion fails


@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from(list(ops.INTEGERS)))
def test_a_cast_keeps_the_number_or_is_null(number: int, kind: ua.VariantType) -> None:
    made = ops.cast(ua.Variant(number, V.Int64), kind).Value
    low, high = ops.INTEGERS[kind]
    plain = made.value if isinstance(made, ua.StatusCode) else made
    assert plain == (number if low <= number <= high else None)


_ANY = (
    st.tuples(st.just(V.Boolean), st.booleans())
    | st.tuples(st.just(V.Double), st.floats())
    | st.tuples(st.just(V.Int64), st.integers(-(2**63), 2**63 - 1))
    | st.tuples(st.just(V.String), st.text(max_size=20))
    | st.tuples(st.just(V.ByteString), st.binary(max_size=20))
    | st.tuples(st.just(V.Guid), st.uuids())
    | st.tuples(st.just(V.LocalizedText), st.builds(ua.LocalizedText, st.text(max_size=9)))
    | st.tuples(st.just(V.NodeId), st.builds(ua.NodeId, st.integers(0, 9), st.integers(0, 3)))
    | st.tuples(st.just(V.DateTime), st.datetimes())
    | st.tuples(st.just(V.Double), st.lists(st.floats(), max_size=3))
    | st.just((V.Null, None))
)


@given(_ANY, _ANY, st.sampled_from(list(V)))
def test_nothing_that_is_compared_or_cast_is_an_error(one: Any, other: Any, kind: ua.VariantType) -> None:
    left, right = ua.Variant(one[1], one[0]), ua.Variant(other[1], other[0])
    assert ops.equals(left, right) == ops.equals(right, left)
    ops.compare(left, right, operator.lt)
    ops.cast(left, kind)
    ops.like(left, right)
    ops.bitwise(left, right, operator.and_)
    ops.truth(left)
