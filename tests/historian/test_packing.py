"""Packed scans come back as they were."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from historian.packing import Scales, _Reader, _Writer, pack, unpack
from scada.scan.record import Raw
from tests.support.examples import examples

PERIOD = 100_000_000
SCALES = Scales(np.array([0.0, 0.1, 0.00018084490740740740, 1.0]), np.array([0.0, -20.0, 0.0, 0.0]))

bits = (
    st.integers(0, 2**64 - 1)
    | st.floats().map(lambda x: int(np.float64(x).view(np.uint64)))
    | st.integers(-700, 30_000).map(
        lambda n: int(np.float64(n * 0.00018084490740740740 + 0.0).view(np.uint64))
    )
)
pairs = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 2**64 - 1)), max_size=4, unique_by=lambda p: p[0]
)


@st.composite
def raws(draw: st.DrawFn) -> list[Raw]:
    number, utc = draw(st.integers(1, 2**40)), draw(st.integers(0, 2 * 10**18))
    found = []
    for _ in range(draw(st.integers(1, 6))):
        slots = draw(st.lists(st.integers(0, 6), max_size=7))
        count = len(slots)
        columns: list[list[int]] = [
            draw(st.lists(strategy, min_size=count, max_size=count))
            for strategy in (st.integers(0, 2**32 - 1), st.integers(-(2**62), 2**62), bits)
        ]
        acted, versions = draw(pairs), draw(pairs)
        found.append(
            Raw(
                number,
                draw(st.integers(1, 2**32 - 1)),
                utc,
                np.array(slots, np.uint32),
                np.array(columns[0], np.uint32),
                np.array(columns[1], np.int64),
                np.array(columns[2], np.uint64),
                np.array(acted, np.uint64).reshape(-1, 2),
                np.array(versions, np.uint64).reshape(-1, 2),
                draw(st.binary(max_size=5)),
                draw(st.binary(max_size=5)),
            )
        )
        number += draw(st.integers(0, 3))
        utc += draw(st.integers(-(10**9), 10**9))
    return found


def told(one: Raw) -> Any:
    """All of it; the order of different tags in a scan means nothing."""
    columns = zip(
        one.slots.tolist(), one.statuses.tolist(), one.times.tolist(), one.bits.tolist(), strict=True
    )
    return (
        one.number, one.periods, one.utc_ns, sorted(columns, key=lambda row: row[0]),
        sorted(one.acted.tolist(), key=lambda row: row[0]), sorted(one.versions.tolist(), key=lambda row: row[0]),
        one.told, one.extra,
    )  # fmt: skip


@examples(100)
@given(raws())
def test_what_is_packed_comes_back(scans: list[Raw]) -> None:
    back = unpack(pack(scans, PERIOD, SCALES))
    assert [told(one) for one in back] == [told(one) for one in scans]
    for one, other in zip(back, scans, strict=True):
        assert [getattr(one, name).dtype for name in ("slots", "statuses", "times", "bits")] == [
            getattr(other, name).dtype for name in ("slots", "statuses", "times", "bits")
        ]


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_columns_come_back(column: list[int]) -> None:
    out = _Writer()
    out.ints(np.array(column, np.int64))
    assert _Reader(b"".join(out.parts)).ints().tolist() == column


@examples(60)
@given(raws(), st.data())
def test_damage_is_an_error_and_nothing_worse(scans: list[Raw], data: st.DataObject) -> None:
    packed = bytearray(pack(scans, PERIOD, SCALES))
    for _ in range(data.draw(st.integers(1, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(ValueError):
        unpack(bytes(packed[: data.draw(st.integers(0, len(packed)))]))


def test_a_plant_takes_few_bytes() -> None:
    """Ten minutes of a noisy level and valve with jitter in every time: what a recording of a day is made of."""
    chance = random.Random(7)
    counts, scans = 12_000, []
    for n in range(6000):
        counts += chance.choice((-2, -1, -1, 0, 0, 0, 1, 1, 2))
        utc = 1_750_000_000_000_000_000 + n * PERIOD + chance.randrange(50, 150) * 1000
        value = counts * 0.00018084490740740740 + 0.0
        aged = utc // PERIOD * PERIOD - chance.randrange(400, 410) * 100_000
        scans.append(
            Raw(
                n + 1,
                1,
                utc,
                np.array([2, 3], np.uint32),
                np.zeros(2, np.uint32),
                np.array([aged, aged]),
                np.array([value, 1.0]).view(np.uint64),
                np.zeros((0, 2), np.uint64),
                np.zeros((0, 2), np.uint64),
                b"",
                b"",
            )
        )
    packed = pack(scans, PERIOD, SCALES)
    assert [told(one) for one in unpack(packed)] == [told(one) for one in scans]
    assert len(zstandard.compress(packed, 19)) / len(scans) < 2.6


@pytest.mark.parametrize("data", [b"", b"x", b"\x00" * 28, b"\xff" * 200])
def test_what_is_no_packing_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        unpack(data)
