"""Chunks and blocks of time stamps: of a day's file, or of a history of layout 1 or 2."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from historian import chunks, codec
from historian.store import StoreDamagedError
from historian.transfer.check.found import Damage, Report
from historian.transfer.check.reading import columns, has, rows

_CACHED: Final = 256

Times = npt.NDArray[np.int64]


def check_samples(
    db: sqlite3.Connection,
    name: str,
    paths: Mapping[int, str],
    report: Report,
    start_ns: int = -(2**63),
    end_ns: int = 2**63 - 1,
) -> None:
    """Unpacks every block of time stamps and every chunk and compares them with what stands beside them.

    Args:
        db: In a read transaction.
        name: Of the file.
        paths: Of tags, by id.
        report: Is told.
        start_ns: No sample may be earlier, UTC, ns.
        end_ns: Nor this late.
    """
    if not has(db, "chunk"):
        return
    stamps = _Stamps(db)
    if has(db, "times"):
        for number, digest, t1, block in rows(db, name, "times", "id", ("digest", "t1", "block"), report):
            wrong = stamps.look(number, digest, t1, block)
            report.blocks += 1
            if wrong:
                report.add(Damage(name, f"times {number}", wrong))
    names = columns(db, "chunk")
    wanted = ["tag", "t0", "t1", "n", "samples"]
    wanted += [column if column in names else f"NULL AS {column}" for column in ("times", "summary")]
    for number, tag, t0, t1, n, blob, times, brief in rows(db, name, "chunk", "id", wanted, report):
        report.blocks += 1
        report.samples += n if isinstance(n, int) else 0
        path = paths.get(tag, f"tag {tag}")
        for wrong in _wrong(stamps, tag, t0, t1, n, blob, times, brief, (start_ns, end_ns)):
            report.add(Damage(name, f"chunk {number}", wrong, path, t0, t1, n))
        if tag not in paths:
            report.add(Damage(name, f"chunk {number}", "no tag has that number", path, t0, t1, n))


def _wrong(
    stamps: _Stamps,
    tag: int,
    t0: int,
    t1: int,
    n: int,
    blob: bytes,
    times: int | None,
    brief: bytes | None,
    bounds: tuple[int, int],
) -> list[str]:
    """What is wrong with a chunk."""
    try:
        if times is None:
            old = codec.unpack_chunk(blob, tag)
            t, bits = old["t"], old["bits"]
        else:
            head, bits, _ = chunks.unpack(blob)
            if head.tag != tag:
                return [f"it is a chunk of tag {head.tag}"]
            t = stamps.of(times, head.times)
            if len(t) != len(bits):
                return [f"{len(bits)} samples have {len(t)} time stamps"]
    except StoreDamagedError as error:
        return [str(error).removeprefix("a chunk is damaged: ")]
    found = []
    if (int(t[0]), int(t[-1]), len(t)) != (t0, t1, n):
        found.append("its row gives other times or another count than the chunk")
    if (t[1:] < t[:-1]).any():
        found.append("its samples are not in order of time")
    if t.min() < bounds[0] or t.max() >= bounds[1]:
        found.append("it has samples of another day")
    if brief is not None:
        wrong = _brief(brief, tag, t, bits)
        if wrong:
            found.append(wrong)
    return found


def _brief(blob: bytes, tag: int, t: Times, bits: npt.NDArray[np.uint64]) -> str:
    try:
        record = chunks.unpack_summary(blob)
    except StoreDamagedError:
        return "its summary is damaged; the samples are read instead"
    said = tuple(int(record[name]) for name in ("tag", "n", "t0", "t1", "first", "last"))
    if said != (tag, len(t), int(t[0]), int(t[-1]), int(bits[0]), int(bits[-1])):
        return "its summary is that of other samples"
    return ""


class _Stamps:
    """Blocks of time stamps, the last few unpacked."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._kept: OrderedDict[int, tuple[int, Times]] = OrderedDict()

    def look(self, number: int, digest: bytes, t1: int, block: bytes) -> str:
        """What is wrong with a block; "" for nothing."""
        try:
            t = self._unpacked(number, block)
        except StoreDamagedError as error:
            return str(error).removeprefix("a block of time stamps is damaged: ")
        if hashlib.blake2b(t.tobytes(), digest_size=16).digest() != digest:
            return "its digest is that of other stamps"
        return "" if int(t[-1]) == t1 else "its row gives another time than the block"

    def of(self, number: int, checksum: int) -> Times:
        """The stamps of a chunk.

        Raises:
            StoreDamagedError: They are missing or damaged, or those of another chunk.
        """
        if number not in self._kept:
            try:
                row: tuple[Any, ...] | None = self._db.execute(
                    "SELECT block FROM times WHERE id = ?", (number,)
                ).fetchone()
            except sqlite3.DatabaseError as error:
                raise StoreDamagedError(f"its time stamps ({number}) cannot be read: {error}") from None
            if row is None:
                raise StoreDamagedError(f"its time stamps ({number}) are missing")
            try:
                self._unpacked(number, row[0])
            except StoreDamagedError as error:
                raise StoreDamagedError(f"its time stamps ({number}): {error}") from None
        found, t = self._kept[number]
        if found != checksum:
            raise StoreDamagedError(f"it has the time stamps ({number}) of another")
        return t

    def _unpacked(self, number: int, block: bytes) -> Times:
        t = chunks.unpack_times(block)
        self._kept[number] = chunks.checksum_of(block), t
        if len(self._kept) > _CACHED:
            self._kept.popitem(last=False)
        return t
