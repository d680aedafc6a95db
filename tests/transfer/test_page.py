"""A second reader of the whole folder, after `docs/reference/history-file.md` and nothing else: the page is enough."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import struct
import zlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

from historian import rollups
from historian.days import Days
from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch
from historian.transfer.backup import backup
from scada.datadir import DataDir
from tests.historian.test_format import Bytes, read_chunk, read_times, read_values
from tests.transfer.plant import SECOND, empty, tag

DAY_NS = 86_400 * SECOND
START = 20_000 * DAY_NS - 3 * 3600 * SECOND
LEVEL, RUN = 1, 2
TAGS = [tag(LEVEL, "a/level", "float64"), tag(RUN, "a/run", "int32")]
TYPES = ["bool", "int16", "int32", "int64", "uint16", "uint32", "uint64", "float32", "float64", "string"]
FIELDS = [
    "t0",
    "t1",
    "known",
    "good_t0",
    "good_t1",
    "gap",
    "covered",
    "zero",
    "doubt",
    "ramp",
    "first",
    "last",
    "good_first",
    "good_last",
    "low",
    "high",
    "total",
    "squares",
    "held",
    "line",
    "rise",
    "fall",
    "anew",
    "n",
    "good",
    "unsure",
    "off",
    "falls",
    "changes",
    "first_status",
    "last_status",
    "tag",
    "form",
]


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(
        sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
    ) as db:
        db.execute("BEGIN")
        yield db


def name_of(day: int) -> str:
    return f"{date.fromordinal(date(1970, 1, 1).toordinal() + day).isoformat()}.sqlite"


def read_journal_row(row: Any) -> tuple[list[Any], dict[int, str]]:
    seq, t0, t1, n, samples, utc_ns, positions, crc = row
    assert crc == zlib.crc32(samples + struct.pack("<qqqqq", seq, t0, t1, n, utc_ns) + positions.encode())
    layout, count = struct.unpack_from("<BI", samples)
    assert (layout, count) == (5, n)
    data = Bytes(zstandard.ZstdDecompressor().decompressobj().decompress(samples[5:]))
    columns = [[data.take(kind) for _ in range(n)] for kind in "IqQI"]
    types = {}
    while data.at < len(data.data):
        number, type_ = data.take("IB")
        types[number] = TYPES[type_]
    assert (min(columns[1]), max(columns[1])) == (t0, t1)
    return list(zip(*columns, strict=True)), types


def read_hasty(blob: bytes, of: int, times: bytes) -> tuple[list[int], list[int], list[int]]:
    data = Bytes(blob)
    layout, checksum, _, number, block, n, start, end = data.take("BIBIIIqq")
    assert (layout, checksum, number) == (6, zlib.crc32(blob[5:]), of)
    assert block == struct.unpack_from("<I", times, 1)[0]
    t = read_times(times)
    assert (t[0], t[-1]) == (start, end)
    runs = data.take("I")
    if runs == 1:
        status = [data.take("I")] * n
    else:
        codes, lengths = data.section(runs), data.section(runs)
        status = [code for code, length in zip(codes, lengths, strict=True) for _ in range(length)]
    return t, data.section(n), status


def read_tag(folder: Path, number: int) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int, int, int]] = []  # time, source, order, bits, status
    with contextlib.ExitStack() as stack:
        main = stack.enter_context(opened(folder / "history.sqlite"))
        (store,) = main.execute("SELECT value FROM meta WHERE key = 'store'").fetchone()
        rolled = {}
        for day, key in main.execute("SELECT day, key FROM day").fetchall():
            db = stack.enter_context(opened(folder / "days" / name_of(day)))
            meta = dict(db.execute("SELECT key, value FROM meta").fetchall())
            assert meta["key"] == key
            owner, mark = str(meta["rolled"]).split()
            rolled[day] = int(mark) if owner == store else 0
            for chunk, blob, block in db.execute(
                "SELECT chunk.id, samples, block FROM chunk JOIN times ON times.id = chunk.times WHERE tag = ?",
                (number,),
            ):
                t, bits, status = (
                    read_hasty(blob, number, block) if blob[0] == 6 else read_chunk(blob, number, block)[1:]
                )
                found += [(*row[:1], 0, chunk, *row[1:]) for row in zip(t, bits, status, strict=True)]
        query = "SELECT seq, t0, t1, n, samples, utc_ns, positions, crc FROM journal ORDER BY seq"
        for row in main.execute(query):
            for of, t, value, code in read_journal_row(row)[0]:
                if of == number and row[0] > rolled.get(t // DAY_NS, 0):
                    found.append((t, 1, row[0], value, code))
    found.sort(key=lambda one: one[:3])
    return [(t, value, code) for t, _, _, value, code in found]


def coded(value: Any) -> bytes:
    if value is None:
        return b"n"
    if isinstance(value, int):
        return b"i" + struct.pack("<q", value)
    if isinstance(value, float):
        return b"r" + struct.pack("<d", value)
    kind, raw = (b"t", value.encode()) if isinstance(value, str) else (b"b", bytes(value))
    return kind + struct.pack("<I", len(raw)) + raw


def busy(root: Path) -> DataDir:
    """Folded, joined, late and fresh samples of two tags over midnight."""
    data = empty(root, TAGS)
    store = SqliteStore.writer(data.history)
    chance = np.random.default_rng(3)
    for i in range(30):
        rows = np.zeros(800, SAMPLE)
        rows["tag"] = np.tile([LEVEL, RUN], 400)
        begin = START + i * 800 * SECOND if i % 5 else START + (i // 2) * 700 * SECOND
        rows["t"] = begin + np.repeat(np.arange(400), 2) * 2 * SECOND
        rows["bits"][::2] = np.round(chance.normal(50, 5, 400), 2).view(np.uint64)
        rows["bits"][1::2] = chance.integers(-3, 3, 400).view(np.uint64)
        rows["status"][chance.integers(0, 800, 5)] = 0x80310000
        store.append(Batch(rows, utc_ns=START + i))
        if i % 7 == 6:
            store.fold(force=True)
        if i == 20:
            store.join_short()
            for day in store.days()[:1]:
                store.work().settle(day.day)
    store.close()
    return data


def test_the_samples_of_a_tag_are_read_by_the_page_alone(tmp_path: Path) -> None:
    data = busy(tmp_path / "data")
    store = SqliteStore.reader(data.history)
    for number in (LEVEL, RUN):
        meant = store.raw(number, 0, 2**62, 10**9)
        found = read_tag(data.history, number)
        assert len(found) == 30 * 400
        assert [row[0] for row in found] == meant.t.tolist()
        assert [row[1] for row in found] == meant.bits.tolist()
        assert [row[2] for row in found] == meant.status.tolist()
    store.close()
    with opened(data.history / "history.sqlite") as db:
        row = db.execute("SELECT seq, t0, t1, n, samples, utc_ns, positions, crc FROM journal").fetchone()
    assert read_journal_row(row)[1] == {LEVEL: "float64", RUN: "int32"}


def test_seals_summaries_and_rollups_are_read_by_the_page_alone(tmp_path: Path) -> None:
    data = busy(tmp_path / "data")
    store = SqliteStore.writer(data.history)
    store.fold(force=True)
    day = store.days()[0].day
    digest = store.seal(day, START)
    assert digest is not None
    with opened(data.history / "days" / name_of(day)) as db:
        state = hashlib.blake2b(digest_size=32)
        for table in ("tag", "times", "chunk"):
            state.update(coded(table))
            for row in db.execute(f"SELECT * FROM {table} ORDER BY id"):
                for value in row:
                    state.update(coded(value))
        assert state.digest() == digest
        assert db.execute("SELECT value FROM meta WHERE key = 'seal'").fetchone() == (digest,)
        rows = db.execute("SELECT tag, t0, t1, n, summary, samples FROM chunk").fetchall()
    for number, t0, t1, n, summary, samples in rows:
        assert len(summary) == 228
        assert zlib.crc32(summary[:224]) == struct.unpack("<I", summary[224:])[0]
        fields = struct.unpack("<10q2Q11d9I2HI", summary)
        assert (fields[0], fields[1], fields[23], fields[31]) == (t0, t1, n, number)
        assert fields[-2] == 1
        assert samples[0] == 3
    if not rollups.files(data.history):
        days = Days(data.history, writes=True)
        file = days.get(day)
        assert file is not None
        rollups.write(data.history, file, day, digest)
        days.close()
    counted = 0
    for width, length in (("minutes", 60 * SECOND), ("hours", 3600 * SECOND)):
        path = data.history / "rollups" / f"{name_of(day)[:7]}.{width}.sqlite"
        with opened(path) as db:
            assert db.execute("SELECT day, seal FROM made").fetchall() == [(day, digest)]
            found = db.execute(
                "SELECT n, block FROM rollup WHERE tag = ? AND day = ?", (LEVEL, day)
            ).fetchone()
        columns = read_rollup(found[1])
        assert len(columns["n"]) == found[0]
        for i, t0 in enumerate(columns["t0"]):
            inside = store.raw(LEVEL, t0 // length * length, (t0 // length + 1) * length, 10**6)
            good = inside.bits.view(np.float64)[inside.status >> 30 == 0]
            assert (columns["n"][i], columns["t1"][i]) == (len(inside), int(inside.t[-1]))
            assert struct.unpack("<d", struct.pack("<Q", columns["high"][i]))[0] == good.max()
            counted += 1
    assert counted > 100
    store.close()


def read_rollup(block: bytes) -> dict[str, list[int]]:
    data = Bytes(block)
    layout, checksum, n = data.take("BII")
    assert (layout, checksum) == (2, zlib.crc32(block[5:]))
    sizes = data.take(f"{len(FIELDS)}I")
    found = {}
    for name, size in zip(FIELDS, sizes, strict=True):
        end = data.at + size
        found[name] = read_values(data, n)[1]
        assert data.at == end
    assert data.at == len(block)
    for i, t0 in enumerate(found["t0"]):
        length = found["t1"][i]
        t1 = t0 + length
        found["t1"][i] = t1
        for name, base in (("known", t0), ("good_t0", t0), ("good_t1", t1), ("covered", length)):
            found[name][i] = (found[name][i] + base) % 2**64
        assert found["form"][i] == 0
        found["good_first"][i] ^= found["first"][i]
        found["good_last"][i] ^= found["last"][i]
    return found


def test_the_manifest_of_a_backup_is_read_by_the_page_alone(tmp_path: Path) -> None:
    data = busy(tmp_path / "data")
    backup(data, tmp_path / "backup", 7)
    document = json.loads((tmp_path / "backup" / "manifest.json").read_text())
    digest = document.pop("digest")
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.blake2b(text.encode(), digest_size=32).hexdigest() == digest
    for name, file in document["files"].items():
        content = (tmp_path / "backup" / name).read_bytes()
        assert (len(content), hashlib.blake2b(content, digest_size=32).hexdigest()) == (
            file["size"],
            file["digest"],
        )
