from __future__ import annotations

import contextlib
import math
import struct
import zlib

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from historian.chunks import checksum_of, pack, pack_times, summary, unpack, unpack_times
from historian.chunks.sections import COUNT_MAX
from historian.store import StoreDamagedError
from tags.types import BOOL, FLOAT32, FLOAT64, INT64, TYPES, UINT64

Array = npt.NDArray[np.generic]

NAN = 0x7FF8_0000_0000_0000
ODD = [0, 1 << 63, NAN, NAN | 12345, 0x7FF0_0000_0000_0001, 0xFFF0_0000_0000_0000, 1, 2**64 - 1, 2**53 + 1]


def bits_of(values: st.SearchStrategy[float]) -> st.SearchStrategy[int]:
    return values.map(lambda value: struct.unpack("<Q", struct.pack("<d", value))[0])


VALUES = st.one_of(
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=80),
    st.lists(st.sampled_from(ODD), min_size=1, max_size=80),
    st.lists(bits_of(st.floats()), min_size=1, max_size=80),
    st.lists(bits_of(st.floats(width=32)), min_size=1, max_size=80),
    st.lists(bits_of(st.integers(-(10**7), 10**7).map(lambda n: n / 100)), min_size=1, max_size=80),
    st.lists(bits_of(st.integers(0, 30).map(lambda n: n * 5 / 4096)), min_size=1, max_size=300),
    st.lists(st.integers(0, 1), min_size=1, max_size=80),
)
TIMES = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=80),
    st.lists(st.integers(0, 1000).map(lambda n: n * 1_000_000), min_size=1, max_size=80).map(sorted),
)
STATUSES = st.lists(st.sampled_from([0, 0x4000_0000, 0x8031_0000, 2**32 - 1]), min_size=1, max_size=5)


def made(
    values: list[int], type_: str = FLOAT64, statuses: list[int] | None = None
) -> tuple[bytes, bytes, npt.NDArray[np.uint64], npt.NDArray[np.uint32]]:
    bits = np.array(values, np.uint64)
    t = np.arange(len(bits)) * 1_000_000_000
    status = np.resize(np.array(statuses or [0], np.uint32), len(bits))
    times = pack_times(t)
    return pack(7, type_, t, bits, status, checksum_of(times)), times, bits, status


@given(TIMES)
def test_times_come_back_as_they_were(stamps: list[int]) -> None:
    assert unpack_times(pack_times(np.array(stamps, np.int64))).tolist() == stamps


@given(VALUES, st.sampled_from([name for name in TYPES if name != "string"]), STATUSES)
def test_every_bit_comes_back(values: list[int], type_: str, statuses: list[int]) -> None:
    chunk, _, bits, status = made(values, type_, statuses)
    _, found, quality = unpack(chunk)
    assert found.tolist() == bits.tolist()
    assert quality.tolist() == status.tolist()
    assert found.dtype == np.uint64
    assert quality.dtype == np.uint32


@pytest.mark.parametrize("seed", range(3))
def test_long_signals_come_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = COUNT_MAX if seed == 0 else 8192
    walk = np.cumsum(rng.normal(0, 1, n))
    signals = [
        walk,
        walk.astype(np.float32).astype(np.float64),
        np.round(walk, 2),
        np.rint(walk) * (5.0 / 4095) - 0.3,
        np.rint(walk * 1000) * (100.0 / 65535),
        np.where(rng.random(n) < 0.01, -0.0, np.round(walk, 1)),
    ]
    for signal in signals:
        chunk, _, bits, _ = made(signal.view(np.uint64).tolist())
        assert (unpack(chunk)[1] == bits).all()


@given(VALUES, STATUSES, st.data())
def test_a_changed_byte_is_an_error_and_never_a_value(
    values: list[int], statuses: list[int], data: st.DataObject
) -> None:
    chunk, times, _, _ = made(values, statuses=statuses)
    for blob, work in (
        (chunk, unpack),
        (chunk, summary),
        (times, unpack_times),
    ):
        damaged = bytearray(blob)
        damaged[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))
        with pytest.raises(StoreDamagedError):
            work(bytes(damaged))
        with pytest.raises(StoreDamagedError):
            work(blob[: data.draw(st.integers(0, len(blob) - 1))])


@given(st.one_of(st.binary(max_size=200), st.just(b"")), VALUES, st.data())
def test_garbage_with_a_right_checksum_is_refused_or_bounded(
    noise: bytes, values: list[int], data: st.DataObject
) -> None:
    """Whoever can write a checksum can write anything; even so nothing large is made of it and nothing breaks."""
    chunk, times, _, _ = made(values)
    at = data.draw(st.integers(5, len(chunk)))
    body = chunk[5:at] + noise + chunk[at + len(noise) :]
    forged = chunk[:1] + struct.pack("<I", zlib.crc32(body)) + body
    with contextlib.suppress(StoreDamagedError):
        _, bits, status = unpack(forged)
        assert len(bits) == len(status) <= COUNT_MAX
    body = times[5 : min(at, len(times))] + noise
    with contextlib.suppress(StoreDamagedError):
        assert len(unpack_times(times[:1] + struct.pack("<I", zlib.crc32(body)) + body)) <= COUNT_MAX


def test_a_chunk_knows_its_tag_and_its_times() -> None:
    chunk, times, _, _ = made([1, 2, 3], INT64)
    found = summary(chunk)
    assert (found.tag, found.times, found.start, found.end) == (7, checksum_of(times), 0, 2_000_000_000)
    assert unpack(chunk)[0] == found


def test_what_is_too_long_or_empty_is_not_packed() -> None:
    for n in (0, COUNT_MAX + 1):
        with pytest.raises(ValueError, match="time stamps"):
            pack_times(np.zeros(n, np.int64))
    t = np.zeros(2, np.int64)
    with pytest.raises(ValueError, match="1 values"):
        pack(1, FLOAT64, t, np.zeros(1, np.uint64), np.zeros(2, np.uint32), 0)


def test_the_summary_counts_the_good_samples() -> None:
    values = np.array([1.0, 2.0, 100.0, np.nan, 4.0])
    chunk, _, _, _ = made(values.view(np.uint64).tolist(), FLOAT64, [0, 0, 0x8000_0000, 0, 0])
    found = summary(chunk)
    assert (found.tag, found.samples, found.good) == (7, 5, 3)
    assert (found.low, found.high, found.total) == (1.0, 4.0, 7.0)
    assert found.integral == pytest.approx(3.0)
    assert found.good_ns == 2_000_000_000
    assert found.last == int(np.float64(4.0).view(np.uint64))
    assert found.last_status == 0


def test_the_summary_knows_types() -> None:
    big = 2**64 - 1
    assert summary(made([big, 1], INT64)[0]).low == -1.0
    assert summary(made([big, 1], UINT64)[0]).high == 2.0**64
    assert summary(made([0, 1, 1], BOOL)[0]).total == 2.0
    nothing = summary(made([NAN], FLOAT32)[0])
    assert math.isnan(nothing.low)
    assert (nothing.good, nothing.total) == (0, 0.0)


@pytest.mark.parametrize(
    ("signal", "most"),
    [
        (np.full(4000, 3.5), 0.05),
        (np.repeat([0.0, 1.0], 2000), 0.1),
        (np.arange(4000) * 0.01 // 0.01 / 100, 0.2),
        ((2048 + np.sin(np.arange(4000) / 300) * 1000).round() * (5 / 4096), 1.5),
    ],
)
def test_signals_become_short(signal: npt.NDArray[np.float64], most: float) -> None:
    chunk, times, _, _ = made(signal.view(np.uint64).tolist())
    assert len(chunk) / len(signal) < most
    assert len(times) < 50
