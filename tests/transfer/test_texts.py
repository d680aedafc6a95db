"""Times, values and qualities as texts and back, whatever they are."""

from __future__ import annotations

import csv
import datetime as dt
import io
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from historian.transfer import texts
from historian.transfer.csv_in import plain
from tags.types import BOOL, FLOAT32, FLOAT64, INTEGER_RANGE, to_bits

UTC = ZoneInfo("UTC")
NS = st.integers(40_000_000 * 10**9, 9_190_000_000 * 10**9)


@given(st.lists(NS, min_size=1, max_size=20))
def test_times_come_back(times: list[int]) -> None:
    written = [text.decode() for text in texts.utc_texts(np.array(times))]
    assert texts.utcs_of(written, UTC).tolist() == times
    assert [texts.utc_of(text, UTC) for text in written] == times


@given(NS, st.integers(0, 9), st.sampled_from(["Z", "+00:00", "+05:30", "-08:00", ""]))
def test_times_of_any_form_are_what_they_say(t: int, digits: int, zone: str) -> None:
    seconds, rest = divmod(t, 10**9)
    place = (
        ZoneInfo("America/New_York")
        if not zone
        else dt.datetime.fromisoformat(f"2000-01-01T00:00:00{zone}").tzinfo
    )
    stamp = dt.datetime.fromtimestamp(seconds, place)
    fraction = f".{rest:09d}"[: digits + 1] if digits else ""
    text = f"{stamp:%Y-%m-%dT%H:%M:%S}{fraction}{zone}"
    meant = seconds * 10**9 + (int(f"{rest:09d}"[:digits].ljust(9, "0")) if digits else 0)
    found = texts.utcs_of([text, text], ZoneInfo("America/New_York")).tolist()
    assert found[0] == found[1]
    if not zone and stamp.fold:
        assert found[0] == meant - 3600 * 10**9  # the first of two
    else:
        assert found[0] == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.1234567891Z",
        "1969-01-01T00:00:00Z",
        "2300-01-01T00:00:00Z",
        "2026-01-01T00:00:00.12x456789Z",
        "\uff12026-01-01T00:00:00Z",
        "2026-01-01T00:00:00ZZ",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no time|the year"):
        texts.utcs_of([text, text], UTC)


@given(st.lists(st.floats(), min_size=1, max_size=20))
def test_floats_come_back(values: list[float]) -> None:
    bits = np.array(values).view(np.uint64)
    back = texts.many_bits(FLOAT64, [text.decode() for text in texts.value_texts(FLOAT64, bits)])
    nan = np.isnan(values)
    assert (back[~nan] == bits[~nan]).all()
    assert np.isnan(back[nan].view(np.float64)).all()


@given(st.lists(st.floats(width=32), min_size=1, max_size=20))
def test_short_floats_come_back(values: list[float]) -> None:
    bits = np.array(values).view(np.uint64)
    back = texts.many_bits(FLOAT32, [text.decode() for text in texts.value_texts(FLOAT32, bits)])
    nan = np.isnan(values)
    assert (back[~nan] == bits[~nan]).all()


@given(st.sampled_from(sorted(INTEGER_RANGE)), st.data())
def test_whole_numbers_come_back_and_others_are_refused(type_: str, data: st.DataObject) -> None:
    low, high = INTEGER_RANGE[type_]
    values = data.draw(st.lists(st.integers(low, high), min_size=1, max_size=20))
    bits = np.array([to_bits(type_, value) for value in values], np.uint64)
    written = [text.decode() for text in texts.value_texts(type_, bits)]
    assert texts.many_bits(type_, written).tolist() == bits.tolist()
    outside = data.draw(st.integers().filter(lambda value: not low <= value <= high))
    for wrong in (str(outside), "0.5", "nan", "1e400", "", "x"):
        with pytest.raises(ValueError, match=r"whole number|true or false"):
            texts.bits_of(type_, wrong)
        if type_ != BOOL:
            with pytest.raises(ValueError):
                texts.many_bits(type_, [*written, wrong])


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20))
def test_qualities_come_back(codes: list[int]) -> None:
    written = texts.quality_texts(np.array(codes, np.uint32))
    assert [texts.quality_of(text.decode()) for text in written] == codes


CELLS = st.text("ab 0\t;é", max_size=4)


@given(st.integers(1, 4), st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=6), st.booleans())
def test_the_fast_way_through_a_csv_file_gives_what_the_slow_one_gives(
    width: int, rows: list[list[str]], carriage: bool
) -> None:
    end = "\r\n" if carriage else "\n"
    text = "".join(",".join(row) + end for row in rows)
    slow = list(csv.reader(io.StringIO(text, newline="")))
    found = plain(text.encode(), ",", width) if text else None
    if found is None:
        assert not slow or [] in slow or any(len(row) != width for row in slow)
    else:
        assert [list(row) for row in zip(*found.columns, strict=True)] == slow
        assert (found.rows, found.lines) == (len(slow), len(slow))
