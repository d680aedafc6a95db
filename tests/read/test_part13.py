"""The worked examples of OPC 10000-13 v1.04, Annex A: A.1 (data), A.2, A.4, A.5, A.10, A.11, A.13, A.20, A.21, A.29.

Left out are rows that contradict the text of the specification: A.29 for Historian 1 (good regions counted as not good).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from historian.read import Signal, aggregate, at, fixed
from tags import quality

S = 1_000_000_000
NOON = 1_325_500_800 * S
NOTHING, BAD, SURE, UNSURE = 0x809B_0000, quality.BAD, quality.GOOD, quality.UNCERTAIN
SUB = 0x40A4_0000
NAN = math.nan

ONE = [
    (0, NAN, NOTHING), (10, 10, SURE), (20, 20, SURE), (30, 30, SURE), (40, 40, BAD), (50, 50, SURE), (60, 60, SURE),
    (70, 70, UNSURE), (80, 80, SURE), (90, 90, SURE),
]  # fmt: skip
TWO = [
    (0, NAN, NOTHING), (2, 10, SURE), (25, 20, SURE), (28, 25, SURE), (39, 30, SURE), (42, NAN, BAD), (48, 40, SURE),
    (52, 50, SURE), (72, 60, SURE), (77, 70, UNSURE), (83, 70, SURE), (86, 80, SURE), (90, 90, SURE),
]  # fmt: skip
FOUR = [
    (0, NAN, NOTHING), (2, 1, SURE), (25, 0, SURE), (28, 1, SURE), (39, 1, SURE), (42, NAN, BAD), (48, 1, SURE),
    (52, 0, SURE), (72, 0, SURE), (77, 1, UNSURE), (83, 1, SURE), (86, 0, SURE), (90, 1, SURE),
]  # fmt: skip


def historian(
    samples: Sequence[tuple[float, float, int]], *, stepped: bool = False, hold: int | None = 1
) -> Signal:
    t, v, status = zip(*samples, strict=True)
    return Signal(
        np.array(t, np.int64) * S + NOON,
        np.array(v, np.float64),
        np.array(status, np.uint32),
        stepped=stepped,
        hold_ns=hold,
    )


H1, H2 = historian(ONE), historian(TWO)
H3, H4 = historian(TWO, stepped=True), historian(FOUR, stepped=True)
END = NOON + 100 * S

BRIDGED_1 = [NAN, NAN, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 90]
SURE_1 = [2, 3, 4, 5, 6, 10, 11, 12, 16, 17, 18]
BRIDGED_2 = [NAN, 11.304, 13.478, 15.652, 17.826, 20, 25.909, 28.182, 31.111, 36.667, 45, 51.5, 54, 56.5, 59, 62.727,
             67.273, 76.667, 90]  # fmt: skip


def test_a2_interpolative() -> None:
    times = NOON + np.arange(20) * 5 * S
    for signal, uncertain, wanted in ((ONE, True, BRIDGED_1), (TWO, False, BRIDGED_2)):
        found, codes = at(historian(signal, hold=None), times, END, uncertain=uncertain, bridge=True)
        np.testing.assert_allclose(found[: len(wanted)], wanted, atol=5e-4)
        assert codes[0] == NOTHING
        if signal is ONE:
            sure = [i for i, code in enumerate(codes.tolist()) if code >> 30 == 0]
            assert sure == SURE_1
            assert codes[14] == UNSURE  # the sample itself
            assert [codes[i] & 0xFFFF_0000 for i in (7, 8, 9, 13, 15, 19)] == [SUB] * 6
    found_ = aggregate(
        historian(ONE, hold=None), fixed(NOON, END, 5 * S), "Interpolative", END, uncertain=True
    )
    np.testing.assert_allclose(found_.value, BRIDGED_1)
    assert [i for i, code in enumerate(found_.status.tolist()) if code >> 30 == 0] == SURE_1


def test_a4_time_average_over_gaps_of_quality() -> None:
    found = aggregate(historian(ONE, hold=None), fixed(NOON, END, 5 * S), "TimeAverage", END, uncertain=True)
    wanted = [NAN, NAN, *(12.5 + 5 * i for i in range(16)), 90, 90]
    np.testing.assert_allclose(found.value, wanted)
    sure = [i for i, code in enumerate(found.status.tolist()) if code >> 30 == 0]
    assert sure == [2, 3, 4, 5, 10, 11, 16, 17]
    two = aggregate(historian(TWO, hold=None), fixed(NOON, END, 5 * S), "TimeAverage", END)
    assert two.value[0] == pytest.approx(10.652, abs=5e-4)
    assert two.value[9] == pytest.approx(40)
    assert [two.partial[i] for i in (0, 1)] == [True, False]


def test_a5_time_average_with_gaps() -> None:
    one = aggregate(H1, fixed(NOON, END, 5 * S), "TimeAverage2", END, uncertain=True)
    wanted = [
        NAN,
        NAN,
        12.5,
        17.5,
        22.5,
        27.5,
        30,
        30,
        NAN,
        NAN,
        52.5,
        57.5,
        62.5,
        67.5,
        72.5,
        77.5,
        82.5,
        87.5,
        90,
        NAN,
    ]
    np.testing.assert_allclose(one.value, wanted)
    assert [i for i, code in enumerate(one.status.tolist()) if code >> 30 == 0] == [
        2,
        3,
        4,
        5,
        10,
        11,
        16,
        17,
    ]
    assert [i for i, code in enumerate(one.status.tolist()) if code >> 30 == 1] == [6, 7, 12, 13, 14, 15, 18]
    assert one.partial[18]
    two = aggregate(H2, fixed(NOON, END, 5 * S), "TimeAverage2", END)
    wanted = [
        10.652,
        12.391,
        14.565,
        16.739,
        18.913,
        23.682,
        27.046,
        29.273,
        30,
        42.5,
        49.45,
        52.75,
        55.25,
        57.75,
        59.8,
    ]
    np.testing.assert_allclose(two.value[:15], wanted, atol=6e-4)
    assert [i for i, code in enumerate(two.status[:14].tolist()) if code >> 30 == 1] == [0, 7, 8, 9]
    assert two.partial[:14].tolist() == [True, *[False] * 13]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("Minimum", {1: [10, 20, NAN, 50, NAN, 80, NAN], 2: [10, 20, 30, 40, 60, 70, NAN]}),  # A.10
        ("Maximum", {1: [10, 30, NAN, 60, NAN, 90, NAN], 2: [10, 25, 30, 50, 60, 90, NAN]}),  # A.11
    ],
)
def test_a10_a11_lowest_and_highest_sample(name: str, wanted: dict[int, list[float]]) -> None:
    for number, signal in ((1, H1), (2, H2), (2, H3)):
        found = aggregate(signal, fixed(NOON, END, 16 * S), name, END)
        np.testing.assert_allclose(found.value, wanted[number])
        assert found.partial.tolist() == [True, *[False] * 4, True, True]
        if signal is H2:
            assert [code >> 30 for code in found.status.tolist()] == [0, 0, 1, 0, 1, 0, 2]


def test_a13_minimum_with_bounds() -> None:
    for signal, uncertain, wanted, unsure in (
        (H1, True, [10, 16, 30, 50, 64, 80, NAN], [0, 1, 2, 3, 4, 5]),
        (H2, False, [10, 16.087, 26.818, 40, 56, 70, NAN], [0, 2, 4, 5]),
        (H3, False, [10, 10, 25, 40, 50, 70, NAN], None),
    ):
        found = aggregate(signal, fixed(NOON, END, 16 * S), "Minimum2", END, uncertain=uncertain)
        np.testing.assert_allclose(found.value, wanted, atol=5e-4)
        if unsure is not None:
            assert [i for i, code in enumerate(found.status.tolist()) if code >> 30 == 1] == unsure
        assert found.status[6] & 0xFFFF_0000 == NOTHING


def test_a20_a21_durations_in_state() -> None:
    zero = aggregate(H4, fixed(NOON, END, 16 * S), "DurationInStateZero", END)
    np.testing.assert_allclose(zero.value, [0, 3, 0, 12, 13, 4, NAN], atol=1e-8)
    other = aggregate(H4, fixed(NOON, END, 16 * S), "DurationInStateNonZero", END)
    np.testing.assert_allclose(other.value, [14, 13, 10, 4, 0, 3, NAN], atol=1e-8)
    for found in (zero, other):
        assert [code >> 30 for code in found.status.tolist()] == [1, 0, 1, 0, 1, 1, 2]
        assert found.partial.tolist()[:6] == [True, *[False] * 4, True]


def test_a29_duration_good() -> None:
    for signal in (H2, H3, H4):
        found = aggregate(signal, fixed(NOON, END, 16 * S), "DurationGood", END)
        np.testing.assert_allclose(found.value, [14, 16, 10, 16, 13, 7, NAN], atol=1e-8)
        assert [code >> 30 for code in found.status.tolist()] == [0] * 6 + [2]
