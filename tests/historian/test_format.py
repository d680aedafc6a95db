"""A second reader, in plain Python, after `docs/reference/history-file.md` and nothing else: the page is enough."""

from __future__ import annotations

import contextlib
import sqlite3
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard

from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch
from tests.historian.contract import LEVEL, RUN, TAGS

WRAP = 2**64


class Bytes:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, layout: str) -> Any:
        found = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return found if len(found) > 1 else found[0]

    def section(self, n: int) -> list[int]:
        width, method, size = self.take("BBI")
        planes = self.data[self.at : self.at + size]
        self.at += size
        if method == 1:
            planes = zstandard.ZstdDecompressor().decompress(planes)
        return [sum(planes[j * n + i] << (8 * j) for j in range(width)) for i in range(n)]


def unfold(n: int) -> int:
    return n // 2 if n % 2 == 0 else -(n + 1) // 2


def signed(n: int) -> int:
    n %= WRAP
    return n - WRAP if n >= WRAP // 2 else n


def sums(first: int, folded: list[int], wrap: int = WRAP) -> list[int]:
    found = [first]
    for n in folded:
        found.append((found[-1] + unfold(n)) % wrap)
    return found


def bits_of(value: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


def read_times(block: bytes) -> list[int]:
    data = Bytes(block)
    layout, checksum = data.take("BI")
    assert (layout, checksum) == (4, zlib.crc32(block[5:]))
    n, first, unit, usual = data.take("Iqqq")
    t = [first]
    for r in data.section(n - 1):
        t.append(signed(t[-1] + (unfold(r) + usual) * unit))
    return t


def read_values(data: Bytes, n: int) -> tuple[int, list[int]]:
    kind = data.take("B")
    if kind == 0:
        return kind, [data.take("Q")] * n
    if kind == 1:
        m, first = data.take("IQ")
        table = [first]
        for step in data.section(m - 1):
            table.append(table[-1] + step)
        return kind, [table[place] for place in sums(0, data.section(n))[1:]]
    if kind == 2:
        d, first = data.take("Bq")
        return kind, [bits_of(signed(k) / 10**d) for k in sums(first % WRAP, data.section(n - 1))]
    if kind == 3:
        patterns = sums(data.take("I"), data.section(n - 1), 2**32)
        return kind, [bits_of(struct.unpack("<f", struct.pack("<I", p))[0]) for p in patterns]
    if kind == 4:
        return kind, data.section(n)
    assert kind == 5
    return kind, sums(data.take("Q"), data.section(n - 1))


def read_chunk(blob: bytes, tag: int, times: bytes) -> tuple[int, list[int], list[int], list[int]]:
    data = Bytes(blob)
    layout, checksum, _, of, block, n, _ = data.take("BIBIIII")
    assert (layout, checksum, of) == (3, zlib.crc32(blob[5:]), tag)
    assert block == struct.unpack_from("<I", times, 1)[0]
    t = read_times(times)
    start, end, *_, first, last, last_status = data.take("qqddddqQQI")
    runs = data.take("I")
    if runs == 1:
        status = [data.take("I")] * n
    else:
        codes, lengths = data.section(runs), data.section(runs)
        status = [code for code, length in zip(codes, lengths, strict=True) for _ in range(length)]
    kind, bits = read_values(data, n)
    assert data.at == len(blob)
    assert (t[0], t[-1], bits[0], bits[-1], status[-1]) == (start, end, first, last, last_status)
    return kind, t, bits, status


def read_hasty_chunk(blob: bytes, tag: int, times: bytes) -> tuple[list[int], list[int], list[int]]:
    data = Bytes(blob)
    layout, checksum, _, of, block, n, start, end = data.take("BIBIIIqq")
    assert (layout, checksum, of) == (6, zlib.crc32(blob[5:]), tag)
    assert block == struct.unpack_from("<I", times, 1)[0]
    t = read_times(times)
    assert (t[0], t[-1], data.take("I")) == (start, end, 3)
    codes, lengths = data.section(3), data.section(3)
    status = [code for code, length in zip(codes, lengths, strict=True) for _ in range(length)]
    bits = data.section(n)
    assert data.at == len(blob)
    return t, bits, status


RNG = np.random.default_rng(5)
WALK = np.cumsum(RNG.normal(0, 1, 500))


def stored(folder: Path) -> tuple[bytes, bytes]:
    """The one chunk, and its times."""
    with contextlib.closing(sqlite3.connect(folder / "days" / "2001-09-09.sqlite")) as db:
        (row,) = db.execute(
            "SELECT samples, block FROM chunk JOIN times ON times.id = chunk.times"
        ).fetchall()
    samples, block = row
    return bytes(samples), bytes(block)


@pytest.mark.parametrize(
    ("kind", "tag", "bits"),
    [
        (0, LEVEL, np.full(500, -0.0).view(np.uint64)),
        (1, LEVEL, (np.rint(WALK * 4) * 5 / 4095 - 3).view(np.uint64)),
        (2, LEVEL, (np.arange(500) * 37 % 10007 / 100).view(np.uint64)),
        (3, LEVEL, WALK.astype(np.float32).astype(np.float64).view(np.uint64)),
        (4, LEVEL, RNG.integers(0, 2**64, 500, np.uint64, endpoint=False)),
        (5, RUN, np.cumsum(RNG.integers(-(2**40), 2**40, 500)).view(np.uint64)),
    ],
)
def test_another_reader_reads_it(tmp_path: Path, kind: int, tag: int, bits: np.ndarray) -> None:
    samples = np.zeros(500, SAMPLE)
    samples["tag"] = tag
    samples["t"] = 10**18 + np.cumsum(RNG.integers(0, 2_000_000, 500) * 1000)
    samples["bits"] = bits
    samples["status"][40:60] = 0x8031_0000
    store = SqliteStore.writer(tmp_path)
    store.declare(TAGS.values())
    store.append(Batch(samples))
    store.fold(force=True)
    hasty = stored(tmp_path)
    store.seal(int(samples["t"][0] // 86_400_000_000_000), 0)
    well = stored(tmp_path)
    store.close()
    assert read_hasty_chunk(hasty[0], tag, hasty[1]) == read_chunk(well[0], tag, well[1])[1:]
    found = read_chunk(well[0], tag, well[1])
    assert found[0] == kind
    assert found[1] == samples["t"].tolist()
    assert found[2] == bits.tolist()
    assert found[3] == samples["status"].tolist()
