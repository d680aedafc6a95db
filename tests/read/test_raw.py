from __future__ import annotations

import numpy as np
import pytest

from historian.read import Cursor, bounded
from historian.store import Samples

FIRST, LAST = "FIRST", "LAST"


def samples(*times: int) -> Samples:
    t = np.array(times, np.int64)
    return Samples(t, np.arange(1, len(t) + 1, dtype=np.uint64), np.zeros(len(t), np.uint32))


@pytest.mark.parametrize(
    ("start", "end", "limit", "bounds", "wanted"),
    [  # The first rows are those of OPC 10000-11 v1.04 §4.4 Table 1, the others follow its rules.
        (500, 505, 0, True, [500, 502, 503, 505]),
        (500, 505, 0, False, [500, 502, 503]),
        (501, 504, 0, True, [500, 502, 503, 505]),
        (501, 504, 0, False, [502, 503]),
        (505, 500, 0, True, [505, 503, 502, 500]),
        (505, 500, 0, False, [505, 503, 502]),
        (504, 501, 0, True, [505, 503, 502, 500]),
        (504, 501, 0, False, [503, 502]),
        (504, 501, 3, True, [505, 503, 502]),
        (500, 505, 3, True, [500, 502, 503]),
        (459, 505, 0, True, [FIRST, 500, 502, 503, 505]),
        (459, 507, 0, True, [FIRST, 500, 502, 503, 505, 506, LAST]),
        (459, 507, 0, False, [500, 502, 503, 505, 506]),
        (501, 507, 0, True, [500, 502, 503, 505, 506, LAST]),
        (507, 501, 0, True, [LAST, 506, 505, 503, 502, 500]),
        (500, 500, 0, True, [500]),
        (500, 500, 0, False, [500]),
        (501, 501, 0, True, [500, 502]),
        (501, 501, 0, False, []),
        (508, 509, 0, True, [506, LAST]),
        (508, 509, 0, False, []),
    ],
)
def test_bounds_are_as_the_table_says(
    start: int, end: int, limit: int, bounds: bool, wanted: list[int | str]
) -> None:
    found = bounded(samples(500, 502, 503, 505, 506), start, end, limit, bounds=bounds)
    moments = [
        min(start, end) if mark == FIRST else max(start, end) if mark == LAST else mark for mark in wanted
    ]
    assert found.t.tolist() == moments
    missing = [mark in (FIRST, LAST) for mark in wanted]
    assert [code == 0x80D7_0000 for code in found.status.tolist()] == missing
    assert [bits == 0 for bits in found.bits.tolist()] == missing


def test_an_empty_store_has_no_bounds() -> None:
    found = bounded(samples(), 5, 9)
    assert found.t.tolist() == [5, 9]
    assert found.status.tolist() == [0x80D7_0000] * 2
    assert len(bounded(samples(), 5, 9, bounds=False)) == 0


def test_equal_times_stay_in_order() -> None:
    assert bounded(samples(1, 2, 2, 2, 3), 2, 3).bits.tolist() == [2, 3, 4, 5]
    assert bounded(samples(1, 2, 2, 2, 3), 3, 1).bits.tolist() == [5, 4, 3, 2, 1]
    assert bounded(samples(1, 2, 2, 2, 3), 1, 9, 2, bounds=False).more


def test_a_place_is_a_time_and_how_many_of_it_were_read() -> None:
    first = Cursor.after(np.array([1, 2, 2]), None)
    assert first == Cursor(2, 2)
    assert Cursor.after(np.array([2]), first) == Cursor(2, 3)
    assert Cursor.after(np.array([2, 3]), first) == Cursor(3, 1)
    assert Cursor.after(np.empty(0, np.int64), first) == first
    assert Cursor.parse(str(first)) == first
    for text in ("", "1", "a:b", "1:-1"):
        with pytest.raises(ValueError):
            Cursor.parse(text)
