from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from historian.sinks.lines import Encoder
from historian.store import BAD_DATA_LOST, SAMPLE, Text
from tags.model import Sink, Tag
from tags.types import to_bits

SINK = Sink(
    name="db", type="influxdb", url="http://127.0.0.1:1", api="v1", org="", bucket="b", measurement="my plant",
    keys={"id": "path", "area": "area", "unit": "unit"},
)  # fmt: skip


def tag(number: int, type_: str, unit: str | None = None) -> Tag:
    return Tag(
        id=number, path=f"tank1/T-{number}", type=type_, kind="device", writer="field", row=0, unit=unit
    )


TAGS = (
    tag(1, "float64", "m"),
    tag(2, "int32"),
    tag(3, "bool"),
    tag(4, "string"),
    tag(5, "uint64"),
    tag(6, "float32", "m/s"),
)


def encoded(rows: list[tuple[int, int, int, int]]) -> list[str]:
    lines = Encoder(SINK, TAGS, "small").samples(np.array(rows, SAMPLE))
    return lines.body(0, len(lines)).decode().splitlines()


def test_each_type_has_its_field_and_every_line_its_quality_and_source_time() -> None:
    rows = [
        (1, 0, 1_750_000_000_000_000_001, to_bits("float64", 1.25)),
        (2, 0x4000_0000, 2, to_bits("int32", -7)),
        (3, 0, 3, 1),
        (5, 0, 4, 7),
        (6, 0, 5, to_bits("float32", 0.5)),
    ]
    assert encoded(rows) == [
        r"my\ plant,area=tank1,id=tank1/T-1,unit=m v=1.25,q=0i 1750000000000000001",
        r"my\ plant,area=tank1,id=tank1/T-2 i=-7i,q=1073741824i 2",
        r"my\ plant,area=tank1,id=tank1/T-3 b=t,q=0i 3",
        r"my\ plant,area=tank1,id=tank1/T-5 i=7i,q=0i 4",
        r"my\ plant,area=tank1,id=tank1/T-6,unit=m/s v=0.5,q=0i 5",
    ]


def test_bad_samples_gaps_and_what_is_no_number_have_no_value() -> None:
    nan = to_bits("float64", float("nan"))
    rows = [(1, BAD_DATA_LOST, 1, to_bits("float64", 3.0)), (1, 0, 2, nan), (2, 0x8000_0000, 3, 5)]
    assert [line.partition(" q=")[2] for line in (text.replace("\\ ", "_") for text in encoded(rows))] == [
        f"{BAD_DATA_LOST}i 1",
        "0i 2",
        f"{0x8000_0000}i 3",
    ]


def test_good_samples_may_go_without_a_quality_and_no_others() -> None:
    encoder = Encoder(dataclasses.replace(SINK, quality="exceptions"), TAGS, "small")
    rows = [
        (1, 0, 1, to_bits("float64", 2.5)),
        (2, 0, 2, 7),
        (3, 0, 3, 1),
        (2, 0x4000_0000, 4, 7),
        (1, 0x8000_0000, 5, 0),
        (1, 0, 6, to_bits("float64", float("nan"))),
    ]
    lines = encoder.samples(np.array(rows, SAMPLE))
    ends = [line.rpartition(b" ")[0].rpartition(b" ")[2] for line in lines.body(0, len(lines)).splitlines()]
    assert ends == [b"v=2.5", b"q=2147483648i", b"q=0i", b"i=7i", b"i=7i,q=1073741824i", b"b=t"]
    always = encoder.samples(np.array(rows, SAMPLE), always=True)
    assert b"v=2.5,q=0i 1\n" in always.body(0, 6)
    texts = encoder.texts([Text(4, 9, 0, "x"), Text(4, 10, 1, "y")])
    assert texts.body(0, 2).decode().splitlines()[0].endswith(' s="x" 9')
    assert texts.body(1, 2).endswith(b' s="y",q=1i 10\n')


def test_texts_are_quoted() -> None:
    lines = Encoder(SINK, TAGS, "small").texts(
        [Text(4, 9, 0, 'say "hi" \\ ñ'), Text(4, 10, 0x8000_0000, "x"), Text(99, 1, 0, "x")]
    )
    assert lines.body(0, len(lines)).decode().splitlines() == [
        'my\\ plant,area=tank1,id=tank1/T-4 s="say \\"hi\\" \\\\ ñ",q=0i 9',
        f"my\\ plant,area=tank1,id=tank1/T-4 q={0x8000_0000}i 10",
    ]


def test_only_tags_that_fit_a_pattern_are_sent_and_unknown_ones_are_not() -> None:
    only = Encoder(dataclasses.replace(SINK, tags=("*/T-2",)), TAGS, "small")
    rows = np.array([(1, 0, 1, 0), (2, 0, 2, 3), (77, 0, 3, 0), (4, 0, 4, 0)], SAMPLE)
    assert len(only.samples(rows)) == 1


def test_victoriametrics_gets_no_texts() -> None:
    encoder = Encoder(dataclasses.replace(SINK, type="victoriametrics"), TAGS, "small")
    assert len(encoder.texts([Text(4, 9, 0, "x")])) == 0


@given(st.lists(st.tuples(st.sampled_from([1, 2, 3, 5, 6]), st.sampled_from([0, 0x4000_0000, 0x8000_0000]),
                          st.integers(0, 2**62), st.integers(0, 2**31 - 1)), max_size=40))  # fmt: skip
def test_every_row_is_one_line_wherever_it_is_cut(rows: list[tuple[int, int, int, int]]) -> None:
    lines = Encoder(SINK, TAGS, "small").samples(np.array(rows, SAMPLE))
    assert len(lines) == len(rows)
    whole = lines.body(0, len(lines))
    assert b"".join(lines.body(at, at + 1) for at in range(len(lines))) == whole
    times = [int(line.rpartition(b" ")[2]) for line in whole.splitlines()]
    assert times == [row[2] for row in sorted(rows, key=lambda row: row[0])]


@given(st.lists(st.sampled_from([1, 2, 3, 5, 6]), max_size=60), st.integers(1, 6))
def test_lanes_hold_every_line_once_and_no_series_is_in_two(tags: list[int], most: int) -> None:
    rows = np.array([(tag, 0, at, 0) for at, tag in enumerate(tags)], SAMPLE)
    lines = Encoder(SINK, TAGS, "small").samples(rows)
    lanes = lines.lanes(most)
    assert len(lanes) <= most
    assert [row for start, end in lanes for row in range(start, end)] == list(range(len(tags)))
    held = [
        {line.partition(b",id=")[2].split()[0] for line in lines.body(*lane).splitlines()} for lane in lanes
    ]
    assert sum(map(len, held)) == len(set(tags))


def test_texts_are_one_lane() -> None:
    texts = [Text(4, at, 0, "two\nlines") for at in range(50)]
    lines = Encoder(SINK, TAGS, "small").texts(texts)
    assert lines.lanes(4) == [(0, 50)]
    assert lines.body(1, 2) == b'my\\ plant,area=tank1,id=tank1/T-4 s="two\nlines",q=0i 1\n'


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_numbers_come_back_exactly(values: list[float]) -> None:
    texts = encoded([(1, 0, at, to_bits("float64", value)) for at, value in enumerate(values)])
    assert [float(text.partition("v=")[2].partition(",q=")[0]) for text in texts] == values
