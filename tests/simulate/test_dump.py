"""Register dumps: what is written is read back, and what is wrong is told with its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.modbus import dump
from scada.modbus.dump import Header, Range

times = st.floats(0, 1e6).map(lambda t: round(t, 6))


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    table = draw(st.sampled_from(dump.TABLES))
    address = draw(st.integers(0, 65535))
    if draw(st.booleans()):
        count = draw(st.integers(1, 65536 - address))
        return Range(draw(times), table, address, (), count, draw(st.integers(1, 255)))
    most = 1 if table in dump.BIT_TABLES else 65535
    values = tuple(draw(st.lists(st.integers(0, most), min_size=1, max_size=min(8, 65536 - address))))
    return Range(draw(times), table, address, values, len(values))


headers = st.builds(
    Header,
    device=st.text(max_size=8),
    endpoint=st.text(max_size=8),
    unit=st.integers(0, 255),
    utc=st.text(max_size=8),
    every_s=st.floats(0.001, 1e6),
    identification=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
)


@given(headers, st.lists(ranges(), max_size=6))
def test_what_is_written_is_read_back(header: Header, parts: list[Range]) -> None:
    parts.sort(key=lambda part: part.t_s)
    read = dump.parse("".join(dump.lines(header, parts)))
    assert read == dump.Dump(header, tuple(parts))
    assert read.length_s == (parts[-1].t_s if parts else 0.0) + header.every_s


HEAD = '{"modbus_dump": 1}\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1: there is nothing in it"),
        ("[]", "line 1: this is no JSON object"),
        ("{", "line 1: this is not JSON"),
        ('{"a": 1}', "line 1: this is no dump"),
        ('{"modbus_dump": true}', "line 1: this is no dump"),
        ('{"modbus_dump": 1, "unit": 256}', "line 1: unit: 256 is not a whole number in 0 … 255"),
        ('{"modbus_dump": 1, "every": 0}', "line 1: every: it must be above 0 s"),
        ('{"modbus_dump": 1, "device": 3}', "line 1: device: 3 is not a text"),
        ('{"modbus_dump": 1, "identification": [1]}', "line 1: identification: write names and texts"),
        (
            HEAD + '\n{"table": "holdings", "address": 1, "values": [1]}',
            "line 3: table: 'holdings' is not one of",
        ),
        (
            HEAD + '{"table": "coil", "address": 1, "values": [2]}',
            "line 2: values: whole numbers 0 … 1 are needed",
        ),
        (HEAD + '{"table": "input", "address": 1, "values": [true]}', "whole numbers 0 … 65535"),
        (HEAD + '{"table": "input", "address": 1, "values": []}', "line 2: values: a list"),
        (HEAD + '{"table": "input", "address": 65535, "values": [1, 2]}', "they reach beyond address 65535"),
        (
            HEAD + '{"table": "input", "address": 65536, "values": [1]}',
            "address: 65536 is not a whole number",
        ),
        (HEAD + '{"table": "input", "address": 1.0, "values": [1]}', "address: 1.0 is not a whole number"),
        (HEAD + '{"table": "input", "address": 1, "values": [1], "count": 2}', "count: there are 1 values"),
        (HEAD + '{"table": "input", "address": 1, "values": [1], "exception": 2}', "values and an exception"),
        (HEAD + '{"table": "input", "address": 1, "exception": 0}', "exception: 0 is not"),
        (HEAD + '{"table": "input", "address": 1, "value": 1}', "unknown key 'value'"),
        (
            HEAD + '{"t": NaN, "table": "input", "address": 1, "values": [1]}',
            "t: nan is not a number of seconds",
        ),
        (
            HEAD + '{"t": "1", "table": "input", "address": 1, "values": [1]}',
            "t: '1' is not a number of seconds",
        ),
        (
            HEAD + '{"t": 2, "table": "input", "address": 1, "values": [1]}\n'
            '{"t": 1, "table": "input", "address": 1, "values": [1]}',
            "line 3: t is smaller than in the line before",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, says: str) -> None:
    with pytest.raises(ValueError) as error:
        dump.parse(text)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@given(
    st.text()
    | st.binary().map(lambda data: data.decode("latin-1"))
    | st.text(alphabet='{}[]":,0123456789aetmx_')
)
def test_any_text_is_a_dump_or_a_clear_error(text: str) -> None:
    for whole in (text, HEAD + text):
        try:
            dump.parse(whole)
        except ValueError as error:
            assert str(error).startswith("line ")  # noqa: PT017 - no error is right too


def test_further_keys_of_the_first_line_are_for_people() -> None:
    assert dump.parse('{"modbus_dump": 1, "note": "before the repair"}').header == Header()


def test_times_are_kept_to_the_microsecond() -> None:
    read = dump.parse(HEAD + '{"t": 0.10000000005, "table": "coil", "address": 0, "values": [0]}')
    assert dump.parse("".join(dump.lines(read.header, read.ranges))) == read
    assert read.ranges[0].t_s == 0.1
