"""Expressions: what prints parses, evaluation agrees with Python, units convert, faults have a column."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tags import quality, units
from tags.expression import Expression, ExpressionError, Node, bind, check, parse, problems, type_of, unit_of
from tags.model import Tag


def tag(path: str, unit: str | None = None, type_: str = "float64") -> Tag:
    return Tag(id=1, path=path, type=type_, kind="device", writer="field", row=0, unit=unit)


TAGS = {
    t.path: t
    for t in (
        tag("a/level", "m"),
        tag("a/level_cm", "cm"),
        tag("a/T-1", "°C"),
        tag("a/T-2", "°C"),
        tag("a/T-F", "°F"),
        tag("a/run", None, "bool"),
        tag("a/stop", None, "bool"),
        tag("a/n", None, "int32"),
        tag("a/p.1", "bar"),
        tag("a/name", None, "string"),
    )
}
VALUES = [2.0, 150.0, 20.0, 15.0, 77.0, True, False, 7, 3.0, 0]
INDEX = {path: i for i, path in enumerate(TAGS)}
UNITS = {path: t.unit for path, t in TAGS.items()}


def evaluate(text: str, values: list[object] | None = None) -> tuple[bool | float, int]:
    expression = parse(text)
    assert check(expression, TAGS) == []
    return bind(expression, INDEX, UNITS)(VALUES if values is None else values, [quality.GOOD] * len(VALUES))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a/level > 1.6 m", True),
        ("a/level_cm > 1.6 m", False),
        ("a/level - a/level_cm", 0.5),
        ("a/level > a/level_cm and a/level == 2", True),
        ("not a/run or a/stop == false", True),
        ("not a/run and a/stop", False),
        ("-a/n + 10", 3.0),
        ("2 + 3 * 4 - 1", 13.0),
        ("(2 + 3) * 4 / 8", 2.5),
        ("min(a/level, a/level_cm, 100 cm)", 1.0),
        ("max(a/n, 3)", 7.0),
        ("abs(-3)", 3.0),
        ("sqrt(16)", 4.0),
        ("if(a/run, a/level, a/level_cm)", 2.0),
        ("if(a/stop, a/level, a/level_cm)", 1.5),
        ("if(a/run, a/stop, true)", False),
        ("a/p.1 >= 300 kPa", True),
        ("a/T-1 - a/T-2", 5.0),
        ("a/T-F - a/T-1", 5.0),
        ("a/T-1 + 2 K", 22.0),
        ("a/T-1 - 2 K > 17.5 degC", True),
        ("a/T-1 - a/T-2 > 4 degC", True),
        ("a/T-1 > 60 degF", True),
        ("(a/T-1 + a/T-2) / 2", 17.5),
        ("2 * a/level > 350 cm", True),
        ("a/run implies a/level > 1 m", True),
        ("a/run implies a/level > 3 m", False),
        ("a/stop implies a/level > 3 m", True),
        ("a/n > 3 implies a/run and a/stop", False),
        (
            "a/stop implies a/stop implies a/stop",
            True,
        ),  # from the right: the other way round it would be false
        ("(a/stop implies a/stop) implies a/stop", False),
        ("a/level/2 > 3", None),
    ],
)
def test_values(text: str, expected: object) -> None:
    if expected is None:  # division needs spaces: this is the tag a/level/2
        assert check(parse(text), TAGS) == ["unknown tag a/level/2; did you mean 'a/level'?"]
        return
    value, status = evaluate(text)
    assert value == pytest.approx(expected)
    assert type(value) is (bool if isinstance(expected, bool) else float)
    assert status == quality.GOOD


numbers = st.builds(
    Node,
    op=st.just("number"),
    value=st.floats(0, 1e6, allow_nan=False),
    unit=st.sampled_from((None, "m", "°C", "m³/h", "%", "rpm")),
)
paths = st.builds(Node, op=st.just("path"), value=st.sampled_from(sorted(TAGS)))
bools = st.builds(Node, op=st.just("bool"), value=st.booleans())


def operations(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    binary = st.sampled_from(
        ("+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "and", "or", "implies", "min", "max")
    )
    return st.one_of(
        st.builds(lambda op, a, b: Node(op, (a, b)), binary, inner, inner),
        st.builds(lambda op, a: Node(op, (a,)), st.sampled_from(("not", "abs", "sqrt")), inner),
        st.builds(lambda a, b, c: Node("if", (a, b, c)), inner, inner, inner),
        st.builds(lambda a: Node("neg", (a,)), inner.filter(lambda n: n.op != "number")),
    )


trees = st.recursive(st.one_of(numbers, paths, bools), operations, max_leaves=12)


def without_columns(node: Node) -> Node:
    return Node(node.op, tuple(without_columns(arg) for arg in node.args), node.value, node.unit)


@given(trees)
def test_what_is_printed_parses_to_the_same_tree(tree: Node) -> None:
    text = str(Expression("", tree, ()))
    parsed = parse(text)
    assert without_columns(parsed.tree) == without_columns(tree)
    assert str(parsed) == text


plain = st.recursive(
    st.one_of(
        st.builds(Node, op=st.just("number"), value=st.floats(0, 1e3)),
        st.builds(Node, op=st.just("path"), value=st.sampled_from(("x/a", "x/b", "x/c"))),
    ),
    lambda inner: st.builds(
        lambda op, a, b: Node(op, (a, b)), st.sampled_from(("+", "-", "*", "/", "min", "max")), inner, inner
    ),
    max_leaves=10,
)


def python(node: Node, env: Mapping[str, float]) -> float:
    if node.op == "number":
        return float(node.value)
    if node.op == "path":
        return env[str(node.value)]
    a, b = (python(arg, env) for arg in node.args)
    table = {"+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "/": lambda: a / b}
    table |= {"min": lambda: min(a, b), "max": lambda: max(a, b)}
    return table[node.op]()


@given(plain, st.tuples(*[st.floats(-1e3, 1e3)] * 3))
def test_evaluation_agrees_with_python(tree: Node, values: tuple[float, float, float]) -> None:
    expression = parse(str(Expression("", tree, ())))
    index = {"x/a": 0, "x/b": 1, "x/c": 2}
    value, status = bind(expression, index, {})(values, (0, 0, 0))
    try:
        expected = python(tree, dict(zip(index, values, strict=True)))
    except ZeroDivisionError:
        expected = math.nan
    if math.isfinite(expected):
        assert (value, status) == (expected, quality.GOOD)
    else:
        assert (value, status) == (0.0, quality.BAD_OUT_OF_RANGE)


@given(st.text(max_size=60))
def test_any_text_parses_or_says_where_it_fails(text: str) -> None:
    failed = None
    try:
        problems(parse(text), TAGS)
    except ExpressionError as error:
        failed = error
    assert failed is None or (1 <= failed.column <= len(text) + 1 and str(failed))


@given(trees)
def test_what_passes_the_check_binds_and_never_raises(tree: Node) -> None:
    expression = parse(str(Expression("", tree, ())))
    if check(expression, TAGS):
        return
    value, _ = bind(expression, INDEX, UNITS)(VALUES, [0] * len(VALUES))
    assert type(value) is (bool if type_of(expression, TAGS) == "bool" else float)


@given(
    st.floats(-100, 100),
    st.floats(-100, 100),
    st.sampled_from(("°C", "°F")),
    st.sampled_from(("°C", "°F")),
)
def test_temperatures_compare_as_in_kelvin(x: float, y: float, unit_x: str, unit_y: str) -> None:
    expression = parse("t/x - t/y")
    value, _ = bind(expression, {"t/x": 0, "t/y": 1}, {"t/x": unit_x, "t/y": unit_y})([x, y], [0, 0])
    expected = units.convert(x, unit_x, "K") - units.convert(y, unit_y, "K")
    unit = unit_of(expression, {"t/x": tag("t/x", unit_x), "t/y": tag("t/y", unit_y)})
    assert units.convert_difference(float(value), unit, "K") == pytest.approx(expected, abs=1e-9)


def test_kelvin_beside_a_temperature_is_a_difference() -> None:
    run = bind(parse("t/x - t/superheat"), {"t/x": 0, "t/superheat": 1}, {"t/x": "°C", "t/superheat": "K"})
    assert run([20.0, 5.0], [0, 0]) == (15.0, quality.GOOD)


def test_the_status_is_the_worst_of_all_inputs() -> None:
    expression = parse("a/level > 1 m or a/run")
    run = bind(expression, INDEX, UNITS)
    statuses = [quality.GOOD] * len(VALUES)
    statuses[INDEX["a/run"]] = quality.UNCERTAIN_INITIAL
    assert run(VALUES, statuses) == (True, quality.UNCERTAIN_INITIAL)
    statuses[INDEX["a/level"]] = quality.BAD_SENSOR_FAILURE
    assert run(VALUES, statuses) == (True, quality.BAD_SENSOR_FAILURE)


@pytest.mark.parametrize("text", ["1 / (a/level - 2)", "sqrt(-1)", "1e308 * 10"])
def test_a_result_that_does_not_exist_is_bad(text: str) -> None:
    assert evaluate(text) == (0.0, quality.BAD_OUT_OF_RANGE)
    assert evaluate(f"{text} > 0")[1] in (quality.BAD_OUT_OF_RANGE, quality.GOOD)


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 1, "the expression is empty"),
        ("a/level >", 10, "a value is missing here"),
        ("a/level > 1.6 mm3", 15, "unknown unit 'mm3'; did you mean 'mm'"),
        ("level > 1", 1, "neither a tag path"),
        ("a/level = 1", 9, "write == to compare"),
        ("1 < 2 < 3", 7, "two comparisons in a row"),
        ("min(1)", 1, "min takes 2 to 20 values, not 1"),
        ("(1 + 2", 7, "')' is missing"),
        ("1 + 2)", 6, "an operator is missing before ')'"),
        ("squrt(4)", 1, "did you mean 'sqrt'"),
        ("a/level ? 2", 9, "does not belong"),
        ("(" * 60 + "1" + ")" * 60, 52, "nested more than 50 deep"),
        ("1" * 3000, 2000, "at most 2000 characters"),
    ],
)
def test_what_does_not_parse(text: str, column: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert caught.value.column == column


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("a/levl > 1 m", 1, "unknown tag a/levl; did you mean 'a/level'?"),
        ("a/level > 2 bar", 9, "bar is a pressure and m is a length"),
        ("a/level and a/run", 1, "'and' needs a condition (true or false); a/level is not"),
        ("a/level + a/run", 11, "'+' needs a number; a/run is not"),
        ("a/run == 1", 1, "'==' needs a number; a/run is not"),
        ("if(a/run, 1, a/stop)", 1, "'if' gives a number in one case"),
        ("a/name == 3", 1, "a/name is a text"),
        ("a/T-1 - a/T-2 > a/T-1", 15, "write a difference in K"),
    ],
)
def test_what_does_not_fit(text: str, column: int, message: str) -> None:
    found = problems(parse(text), TAGS)
    assert [(c, message in m) for c, m in found] == [(column, True)]


def test_every_problem_is_reported_once() -> None:
    assert len(check(parse("a/x > 1 m and a/y and a/level > 2 bar"), TAGS)) == 3
