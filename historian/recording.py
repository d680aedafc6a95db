"""Recordings of control: files from which any stretch of plant can be replayed on another machine.

Each file stands alone: it begins with the compiled site and a checkpoint of the complete state, and then has the scans as
packed columns (`historian.packing`). A new one begins at a checkpoint, each hour or when the file is large; the oldest
are deleted. What is not packed yet lies in `tail.wal`: each second what came is written there, compressed a
little; after ten minutes it is packed into the file and the tail is emptied. So a crash costs nothing, a power failure
what the operating system had not written yet, and a recording is small.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import orjson

from historian import frames
from historian.packing import Scales, pack
from scada.clock import Clock
from scada.scan.record import Assembler, Raw, RecordError, raw
from tags.events import EventReader
from tags.mapped import Position
from tags.model import Site, dump
from tags.types import FLOATS

VERSION: Final = 2
TOTAL_MAX: Final = 256 << 20
FILE_NS: Final = 3_600_000_000_000
PACK_NS: Final = 600_000_000_000
PACK_BYTES: Final = 8 << 20
TAIL: Final = "tail.wal"
_LEVEL: Final = 19
_LEVEL_LARGE: Final = 6
_LARGE: Final = 2 << 20
_LENGTH: Final = struct.Struct("<I")
_RANGE: Final = struct.Struct(
    "<QQQI"
)  # epoch, number of the first record, number after the last, records lost before


class Chunk(NamedTuple):
    """Where records stand in the ring.

    Attributes:
        epoch: Of the ring.
        first: Number of the first.
        after: Number after the last.
        lost: Records that were lost before the first.
    """

    epoch: int
    first: int
    after: int
    lost: int

    def within(self, other: Chunk) -> bool:
        """All of it was there by the end of the other."""
        return self.epoch <= other.epoch and self.after <= other.after


def files(folder: Path) -> list[Path]:
    """All recordings, oldest first by name."""
    return sorted(folder.glob("*.rec"))


def stamped(payload: bytes) -> tuple[Chunk, bytes]:
    """Where the records of a frame stand in the ring, and the rest of its payload."""
    if len(payload) < _RANGE.size:
        raise ValueError("a frame cannot be read")
    return Chunk(*_RANGE.unpack_from(payload)), payload[_RANGE.size :]


def joined(records: Sequence[bytes]) -> bytes:
    """Records as one payload."""
    return b"".join(_LENGTH.pack(len(one)) + one for one in records)


def parted(payload: bytes) -> list[bytes]:
    """The records of a payload.

    Raises:
        ValueError: It is damaged.
    """
    found, at = [], 0
    while at < len(payload):
        if len(payload) < at + 4:
            raise ValueError("records cannot be read")
        (length,) = _LENGTH.unpack_from(payload, at)
        found.append(payload[at + 4 : at + 4 + length])
        at += 4 + length
    return found


class Recorder:
    """Copies control's record ring into files, and goes on after a restart where they end.

    Args:
        folder: For the files.
        ring: The record ring.
        clock: UTC names the files.
        site: What is recorded.
        total_max: Bytes of all files together; the oldest are deleted.

    Raises:
        OSError: The folder cannot be read.
    """

    def __init__(
        self, folder: Path, ring: Path, clock: Clock, site: Site, total_max: int = TOTAL_MAX
    ) -> None:
        self._folder, self._clock, self._site, self._total_max = folder, clock, site, total_max
        self._tail = folder / TAIL
        self._fetched: list[tuple[int, bytes]] = []
        self._lost = 0
        self._chunk = _Building(site)
        self._path: Path | None = None
        self._begun_ns, self._digest = 0, ""
        self._of = ""  # the site of the records that come: ours, that of the file, or unknown
        for path in files(folder)[-1:]:
            head = head_of(path)
            if head:
                self._path, self._begun_ns, self._digest = path, int(head["begun"]), str(head["digest"])
                self._of = self._digest
        self._reader = EventReader(ring, self._resume())

    def tick(self) -> int:
        """Writes what is new.

        Returns:
            Bytes written.

        Raises:
            OSError: Disk full or broken. Nothing is lost: the next call tries again; meanwhile the ring is the buffer.
        """
        written = 0
        while self._fetched or self._fetch():
            written += self._take()
        if self._chunk.due(self._clock.monotonic_ns()):
            written += self._pack()
        return written

    def close(self) -> None:
        """Brings everything to the disk and lets go of the ring."""
        try:
            self.tick()
            self._pack()
        finally:
            self._reader.close()

    # ---- from the ring to the tail

    def _fetch(self) -> bool:
        self._fetched, lost = self._reader.read()
        self._lost += lost
        return bool(self._fetched)

    def _take(self) -> int:
        """Takes in what was fetched, up to where a new chunk must begin."""
        count = next(
            (
                n
                for n, (_, one) in enumerate(self._fetched)
                if self._splits(one) and (n or not self._chunk.empty)
            ),
            len(self._fetched),
        )
        if not count:
            return self._pack()
        some, self._fetched = self._fetched[:count], self._fetched[count:]
        if not self._belongs(some[0][1]):
            return 0
        written = 0
        try:
            if self._of == self._site.digest != self._digest:
                written += self._pack()
                self._begin_file(self._clock.utc_ns())
            epoch = self._reader.position.epoch
            where = Chunk(epoch, some[0][0], some[-1][0] + 1, self._lost)
            records = [one for _, one in some]
            payload = _RANGE.pack(*where) + joined(records)
            written += self._append(self._tail, frames.frame(frames.RECORDS, payload, 1))
        except OSError:
            self._fetched = some + self._fetched
            raise
        self._chunk.add(where, records, self._clock)
        self._lost = 0
        return written

    def _belongs(self, record: bytes) -> bool:
        """The ring outlives a change of the site: what came before it belongs to the old file, or nowhere."""
        if self._splits(record):
            begin = record[:300]
            known = (self._site.digest, self._digest)
            self._of = next((one for one in known if one and one.encode() in begin), "")
        return self._of != ""

    @staticmethod
    def _splits(record: bytes) -> bool:
        """The beginning of a start or of the first part of a checkpoint: a file may begin here."""
        begin = record[:300]
        return (
            begin[:1] in b"SKB"
            and begin[1:12] == b'{"version":'
            and (b'"part":' not in begin or b'"part":0,' in begin)
        )

    # ---- from the tail to the file

    def _pack(self) -> int:
        """Packs the chunk into the file, then empties the tail."""
        chunk = self._chunk
        if chunk.empty:
            return 0
        ours = self._digest == self._site.digest  # what is left of another version goes to its own file
        if self._path is None or (ours and chunk.begins and self._is_full(self._path, chunk.utc_ns)):
            self._begin_file(chunk.utc_ns)
        assert self._path is not None
        written = self._append(self._path, chunk.packed(), durable=True)
        self._chunk = _Building(self._site, chunk)
        self._tail.unlink(missing_ok=True)
        return written

    def _is_full(self, path: Path, utc_ns: int) -> bool:
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return True
        return size > self._total_max // 8 or not 0 <= utc_ns - self._begun_ns < FILE_NS

    def _begin_file(self, utc_ns: int) -> None:
        self._make_room()
        self._begun_ns = utc_ns
        name = datetime.fromtimestamp(self._begun_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
        path = self._folder / f"{name}.rec"
        for again in range(2, 1000):
            if not path.exists():
                break
            path = self._folder / f"{name}-{again}.rec"
        data = head_frames(self._site, self._begun_ns)
        self._append(path, data)
        self._path, self._digest = path, self._site.digest

    def _append(self, path: Path, data: bytes, *, durable: bool = False) -> int:
        """Adds to a file; on a full disk it stays as it was."""
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            end = os.fstat(file).st_size
            try:
                done = 0
                while done < len(data):
                    done += os.write(file, data[done:])
                if durable:
                    os.fsync(file)
            except OSError:
                os.ftruncate(file, end)
                raise
        finally:
            os.close(file)
        return len(data)

    def _make_room(self) -> None:
        """Deletes the oldest files while one more of the size of the largest would not fit."""
        kept = files(self._folder)
        sizes = {path: path.stat().st_size for path in kept}
        more = max(sizes.values(), default=0)
        while len(kept) > 1 and sum(sizes[path] for path in kept) + more > self._total_max:
            kept.pop(0).unlink()

    # ---- after a restart

    def _resume(self) -> Position | None:
        """After the last record that is on the disk; what is in the tail only becomes the chunk again."""
        last = self._cut() if self._path is not None else None
        if self._tail.exists():
            for one in frames.read(self._tail):
                if one.kind != frames.RECORDS:
                    continue
                where, payload = stamped(one.payload)
                if last is not None and where.within(last):
                    continue
                records = parted(payload)
                if self._splits(records[0]) and not self._chunk.empty:
                    self._pack_old()
                self._chunk.add(where, records, self._clock)
                last = where
            if self._chunk.empty:
                self._tail.unlink()
        return None if last is None else Position(last.epoch, last.after)

    def _cut(self) -> Chunk | None:
        """Where the file ends; what is torn behind its last whole frame is cut off."""
        assert self._path is not None
        last, end = None, 0
        for one in frames.read(self._path):
            end = one.end if one.kind else end
            if one.kind == frames.CHUNK:
                last, _ = stamped(one.payload)
        if end:
            os.truncate(self._path, end)
        return last

    def _pack_old(self) -> None:
        """What a tail of several chunks holds: the tail itself stays until all of it is packed."""
        if self._path is None:
            self._begin_file(self._chunk.utc_ns)
        assert self._path is not None
        self._append(self._path, self._chunk.packed(), durable=True)
        self._chunk = _Building(self._site, self._chunk)


class _Building:
    """Records that will be packed together.

    Attributes:
        begins: The first is a start or a checkpoint: a file may begin with it.
        utc_ns: When the first came, ns UTC.
    """

    def __init__(self, site: Site, before: _Building | None = None) -> None:
        self._site = site
        self._where: Chunk | None = None
        self._records: list[bytes] = []
        self._bytes, self._since_ns = 0, 0
        self._scales: Scales = before.scales if before else _no_scales()
        self.begins = False
        self.utc_ns = 0

    @property
    def empty(self) -> bool:
        """Nothing came yet."""
        return self._where is None

    @property
    def scales(self) -> Scales:
        """Of the slots, as the last start told."""
        return self._scales

    def add(self, where: Chunk, records: list[bytes], clock: Clock) -> None:
        """Takes records in."""
        if self._where is None:
            self._where, self._since_ns, self.utc_ns = where, clock.monotonic_ns(), clock.utc_ns()
            self.begins = Recorder._splits(records[0]) if records else False  # noqa: SLF001 - one module
        else:
            self._where = Chunk(where.epoch, self._where.first, where.after, self._where.lost + where.lost)
        self._records += records
        self._bytes += sum(map(len, records))

    def due(self, now_ns: int) -> bool:
        """Old or large enough to be packed."""
        return self._where is not None and (self._bytes > PACK_BYTES or now_ns - self._since_ns >= PACK_NS)

    def packed(self) -> bytes:
        """All of it as one frame."""
        assert self._where is not None
        for kind, body in _whole(self._records):
            if kind == b"S":
                try:
                    self._scales = scales_of(self._site, orjson.loads(body)["tags"])
                except (ValueError, KeyError, TypeError):
                    self._scales = _no_scales()
        return chunk_frame(self._where, self._records, self._site.scan_ns, self._scales)


def _whole(records: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    assembler = Assembler()
    for one in records:
        found = assembler.feed(one)
        if found is not None:
            yield found


def head_frames(site: Site, begun_ns: int) -> bytes:
    """What a file begins with, twice: without it the file would be worth nothing, so damage to one place must not cost it."""
    head = {"version": VERSION, "site": site.name, "digest": site.digest, "begun": begun_ns}
    whole = dump(site)
    level = _LEVEL if len(whole) < _LARGE else _LEVEL_LARGE
    return 2 * (frames.frame(frames.HEAD, orjson.dumps(head)) + frames.frame(frames.SITE, whole, level))


def chunk_frame(where: Chunk, records: Sequence[bytes], period_ns: int, scales: Scales) -> bytes:
    """Records as one frame: first those that are no scans, then the scans, packed.

    Args:
        where: Where they stand in the ring.
        records: In order.
        period_ns: Scan period, ns.
        scales: Of the slots.
    """
    others: list[bytes] = []
    scans: list[Raw] = []
    assembler = Assembler()
    kept: list[bytes] = []
    for one in records:
        kept.append(one)
        whole = assembler.feed(one)
        if whole is None:
            continue
        kind, body = whole
        try:
            if kind == b"T":
                scans.append(raw(body))
                kept = []
        except RecordError:
            pass  # kept as it is
        others += kept
        kept = []
    plain = joined([*others, *kept])
    columns = pack(scans, period_ns, scales) if scans else b""
    payload = _RANGE.pack(*where) + _LENGTH.pack(len(plain)) + plain + columns
    # The last tenth takes ten times as long; a large chunk must not keep the historian from its other work.
    return frames.frame(frames.CHUNK, payload, _LEVEL if len(payload) < _LARGE else _LEVEL_LARGE)


def _no_scales() -> Scales:
    return Scales(np.zeros(0), np.zeros(0))


def scales_of(site: Site, ids: Sequence[int]) -> Scales:
    """How values of each slot are made of counts; `ids` are the numbers of the slots' tags."""
    tags = {tag.id: tag for tag in site.tags}
    slots = [tags.get(one) for one in ids]
    return Scales(
        np.array(
            [
                tag.scaling.gain if tag is not None and tag.type in FLOATS and tag.scaling.linear else 0.0
                for tag in slots
            ]
        ),
        np.array([tag.scaling.offset if tag is not None else 0.0 for tag in slots]),
    )


def unstamped(payload: bytes) -> tuple[list[bytes], bytes]:
    """The rest of a chunk's payload: its records that are no scans, and the columns of its scans, maybe empty.

    Raises:
        ValueError: It is damaged.
    """
    if len(payload) < _LENGTH.size:
        raise ValueError("a chunk cannot be read")
    (length,) = _LENGTH.unpack_from(payload)
    return parted(payload[_LENGTH.size : _LENGTH.size + length]), payload[_LENGTH.size + length :]


def head_of(path: Path) -> dict[str, Any]:
    """What a file says of itself; empty when that is damaged, or when the file is of an older version."""
    for one in frames.read(path):
        if one.kind == frames.HEAD:
            found = orjson.loads(one.payload)
            return found if isinstance(found, dict) and found.get("version") == VERSION else {}
    return {}
