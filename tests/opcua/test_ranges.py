"""NumericRange: its grammar, and the parts of values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.opcua.ranges import NoDataError, RangeError, cut, parse


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1, max_size=5))
def test_what_is_written_is_read(ranges: list[tuple[int, int]]) -> None:
    wanted = tuple((min(one), max(one)) for one in ranges)
    text = ",".join(str(low) if low == high else f"{low}:{high}" for low, high in wanted)
    assert parse(text) == wanted


@pytest.mark.parametrize(
    "text",
    ["", "a", "-1", "1:", ":1", "2:1", "1:1", "0:1,", "1 :2", "1:2:3", "٣", "9" * 11, ",".join("0" * 17)],
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(RangeError):
        parse(text)


@given(st.lists(st.integers(), max_size=20), st.integers(0, 25), st.integers(0, 25))
def test_a_part_is_what_lies_between(values: list[int], low: int, more: int) -> None:
    inside = [value for at, value in enumerate(values) if low <= at <= low + more]
    if inside:
        assert cut(values, ((low, low + more),)) == inside
    else:
        with pytest.raises(NoDataError):
            cut(values, ((low, low + more),))


def test_texts_have_parts_and_numbers_have_none() -> None:
    assert cut("level", ((1, 2),)) == "ev"
    assert cut(b"level", ((4, 9),)) == b"l"
    assert cut(["abc", "def"], ((0, 1), (1, 2))) == ["bc", "ef"]
    assert cut([[1, 2], [3, 4]], ((1, 1), (0, 0))) == [[3]]
    for value, wanted in (
        (2.5, ((0, 0),)),
        (None, ((0, 0),)),
        ("abc", ((0, 1), (0, 1))),
        (["a"], ((0, 0), (5, 6))),
    ):
        with pytest.raises(NoDataError):
            cut(value, wanted)
