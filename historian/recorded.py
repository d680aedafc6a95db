"""Reading recordings: files, or a folder of them, as what the scan was given.

Nothing here needs the running plant: each file has its site and the state that it begins with. What is damaged is left
out; the replay sees scans missing and goes on at the next checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import orjson

from historian import frames
from historian.packing import first_utc, unpack
from historian.recording import TAIL, files, head_of, parted, stamped, unstamped
from scada.scan.program import Program, build
from scada.scan.record import Assembler, Decoder, Item, Raw, RecordError, Scan, raw, started
from tags.model import Site, load


class RecordingError(Exception):
    """What was given is no recording, or none that this version reads."""


class Recording:
    """Files of one version of a site, one after the other.

    Args:
        paths: The files, in order.

    Attributes:
        paths: As given.
        damaged: Frames and records that could not be read so far.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = list(paths)
        self.damaged = 0

    @cached_property
    def site(self) -> Site:
        """The compiled site that was recorded.

        Raises:
            RecordingError: No file has it whole.
        """
        for path in self.paths:
            for one in frames.read(path):
                if one.kind == frames.SITE:
                    try:
                        return load(one.payload)
                    except ValueError as error:
                        raise RecordingError(f"{path}: {error}") from None
        raise RecordingError(f"{self.paths[0]} has no site in it: its beginning is damaged")

    @cached_property
    def program(self) -> Program:
        """What ran."""
        return build(self.site)

    def items(self, since_ns: int | None = None, until_ns: int | None = None) -> Iterator[Item]:
        """Everything that was recorded, in order.

        Args:
            since_ns: Begin at the last checkpoint before this, ns UTC; None for the first.
            until_ns: End with the last scan before or at this, ns UTC; None for the last.
        """
        for item in self._all(since_ns):
            if until_ns is not None and isinstance(item, Scan) and item.tick.utc_ns > until_ns:
                return
            yield item

    def _all(self, since_ns: int | None) -> Iterator[Item]:
        decoder = Decoder(self.program)
        paths = self.paths if since_ns is None else self._from(since_ns)
        begin = 0 if since_ns is None else self._begin(paths, since_ns)
        for number, (records, columns) in enumerate(self._chunks(paths)):
            if number < begin:
                continue
            yield from self._others(records, decoder)
            for scan in self._unpacked(columns):
                try:
                    yield decoder.scan(scan)
                except RecordError:
                    self.damaged += 1

    def _unpacked(self, columns: bytes) -> list[Raw]:
        try:
            return unpack(columns) if columns else []
        except ValueError:
            self.damaged += 1
            return []

    def _others(self, records: Sequence[bytes], decoder: Decoder) -> Iterator[Item]:
        """What is no scan; and scans of the tail, which are not packed yet."""
        assembler = Assembler()
        for record in records:
            whole = assembler.feed(record)
            if whole is None:
                continue
            kind, body = whole
            try:
                if kind == b"S":
                    yield started(body)
                elif kind == b"K":
                    yield orjson.loads(body)
                elif kind == b"T":
                    yield decoder.scan(raw(body))
            except ValueError:
                self.damaged += 1

    def _from(self, since_ns: int) -> list[Path]:
        """Without the files that end before a time: those that are followed by one that begins before it."""
        first = 0
        for number, path in enumerate(self.paths):
            head = head_of(path) if path.name != TAIL else {}
            if head and int(head["begun"]) <= since_ns:
                first = number
        return self.paths[first:]

    def _begin(self, paths: Sequence[Path], since_ns: int) -> int:
        """Number of the last chunk that begins with a checkpoint before a time."""
        begin = 0
        for number, (records, columns) in enumerate(self._chunks(paths)):
            utc_ns = first_utc(columns)
            if utc_ns is None:
                continue
            if utc_ns > since_ns:
                break
            if any(record[:1] in b"KBS" for record in records):
                begin = number
        return begin

    def _chunks(self, paths: Sequence[Path]) -> Iterator[tuple[list[bytes], bytes]]:
        """Records that are no scans, and columns of scans; of the tail everything as records."""
        done = None
        self.damaged = 0
        for path in paths:
            for one in frames.read(path):
                self.damaged += one.damaged > 0 and path.name != TAIL
                if one.kind not in (frames.RECORDS, frames.CHUNK):
                    continue
                try:
                    where, payload = stamped(one.payload)
                    if path.name == TAIL and done is not None and where.within(done):
                        continue
                    done = where
                    yield (parted(payload), b"") if one.kind == frames.RECORDS else unstamped(payload)
                except ValueError:
                    self.damaged += 1


def recordings(path: Path) -> list[Recording]:
    """All recordings of a file or folder: those of one version of the site that follow each other are one.

    Raises:
        RecordingError: There is none.
    """
    if path.is_dir():
        inner = path / "recordings"
        folder = inner if inner.is_dir() else path
        paths = files(folder)
        tail = folder / TAIL
    else:
        paths, tail = [path], None
    found: list[Recording] = []
    digest = None
    for one in paths:
        head = head_of(one)
        if not head:
            continue
        if head["digest"] != digest or not found:
            found.append(Recording([one]))
        else:
            found[-1].paths.append(one)
        digest = head["digest"]
    if not found:
        what = "no recording of this version" if paths else "no recording"
        raise RecordingError(f"{path}: there is {what} of control here")
    if tail is not None and tail.exists():
        found[-1].paths.append(tail)
    return found
