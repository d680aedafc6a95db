"""The process image of one writer: the latest sample of each of its tags, as columns in a mapped file.

A writer brackets each publish: `begin` = n, the columns, `end` = n. A reader takes `end`, copies, and takes `begin`;
equal means that no publish touched the copy. It tries at most 8 times, then keeps its last snapshot and counts that.
The reader copies into a second buffer and swaps, so a failed try never spoils the snapshot that it keeps.

The columns that every publish writes lie side by side and are copied as one block; `version`, `aux` and texts have
their own change numbers and are copied only when they changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tags import quality
from tags.mapped import HEADER_BYTES, TRIES, ImageError, Mapped, create, word_bytes
from tags.types import STRING_BYTES_MAX

__all__ = ["ImageError", "ImageReader", "ImageWriter", "Rows"]

KIND: Final = b"CLIMAGE1"
ROWS, STRINGS, EPOCH, BEGIN, END, VERSIONS, AUXES, TEXTS, HEARTBEAT, READY = (
    2,
    3,
    8,
    16,
    17,
    18,
    19,
    20,
    24,
    32,
)
SLOT: Final = 1 + STRING_BYTES_MAX

Rows = slice | npt.NDArray[np.integer[Any]]
Bits = npt.NDArray[np.uint64]
Times = npt.NDArray[np.int64]
Statuses = npt.NDArray[np.uint32]


class _Columns:
    """The columns of an image over some memory: the mapped file, or a reader's copy."""

    def __init__(self, memory: npt.NDArray[np.uint8] | None, rows: int, strings: int) -> None:
        core = 28 * rows
        version = -(-core // 64) * 64
        aux = version + 8 * rows
        index = aux + 8 * rows
        texts = -(-(index + 4 * strings) // 64) * 64
        self.bytes = texts + SLOT * strings
        self.index_at = index
        if memory is None:
            return
        self.core = memory[:core]
        self.value: Bits = memory[: 8 * rows].view("<u8")
        self.source_ns: Times = memory[8 * rows : 16 * rows].view("<i8")
        self.publish_ns: Times = memory[16 * rows : 24 * rows].view("<i8")
        self.status: Statuses = memory[24 * rows : core].view("<u4")
        self.version: Bits = memory[version:aux].view("<u8")
        self.aux: Bits = memory[aux:index].view("<u8")
        self.string_rows: Statuses = memory[index : index + 4 * strings].view("<u4")
        self.texts = memory[texts : self.bytes].reshape(strings, SLOT)
        self.seen_versions = self.seen_auxes = self.seen_texts = -1


def _live(mapped: Mapped) -> _Columns:
    memory = np.frombuffer(mapped.map, np.uint8)[HEADER_BYTES:]
    return _Columns(memory, mapped.words[ROWS], mapped.words[STRINGS])


class ImageWriter:
    """The one writer of an image.

    Attributes:
        value: Shape (rows,), value bits (`tags.types`).
        source_ns: Shape (rows,), when the value was true, ns UTC.
        publish_ns: Shape (rows,), when it was published, ns monotonic.
        status: Shape (rows,), OPC UA StatusCode.
        version: Shape (rows,), number of the last change.
        aux: Shape (rows,), meaning by kind of tag.
    """

    def __init__(self, path: Path) -> None:
        self._mapped = Mapped(path, KIND, writable=True, populate=True)
        self._words = self._mapped.words
        self._columns = columns = _live(self._mapped)
        self.value, self.source_ns, self.publish_ns = columns.value, columns.source_ns, columns.publish_ns
        self.status, self.version, self.aux = columns.status, columns.version, columns.aux
        self._slot_of = {int(row): slot for slot, row in enumerate(columns.string_rows)}

    @classmethod
    def create(cls, path: Path, rows: int, string_rows: Iterable[int] = (), epoch: int = 0) -> ImageWriter:
        """Makes an image in which every row waits for its first value.

        Args:
            path: Of the file; one of that name is replaced.
            rows: Number of tags.
            string_rows: The rows whose tags are strings.
            epoch: Of the writer.
        """
        strings = list(string_rows)
        layout = _Columns(None, rows, len(strings))
        waiting = np.full(rows, quality.BAD_WAITING_FOR_INITIAL_DATA, "<u4").tobytes()
        contents = [
            (8 * ROWS, word_bytes(rows, len(strings))),
            (8 * EPOCH, word_bytes(epoch)),
            (HEADER_BYTES + 24 * rows, waiting),
            (HEADER_BYTES + layout.index_at, np.array(strings, "<u4").tobytes()),
        ]
        create(path, KIND, HEADER_BYTES + layout.bytes, contents)
        return cls(path)

    @classmethod
    def open(cls, path: Path, epoch: int) -> ImageWriter:
        """Takes over the image of a writer that is dead.

        If that writer died inside a publish, nobody can tell which rows are whole: all become BadNoCommunication.

        Args:
            path: Of the file.
            epoch: Of the new writer, larger than the last.

        Raises:
            ImageError: Absent or of another kind.
        """
        writer = cls(path)
        words = writer._words
        words[EPOCH] = epoch
        if words[BEGIN] != words[END]:
            words[BEGIN] += 1
            writer.status.fill(quality.BAD_NO_COMMUNICATION)
            words[VERSIONS] = words[AUXES] = words[TEXTS] = words[BEGIN]
            words[END] = words[BEGIN]
        return writer

    @property
    def epoch(self) -> int:
        """Epoch of this writer."""
        return self._words[EPOCH]

    def publish(
        self,
        rows: Rows,
        bits: Bits | int,
        status: Statuses | int,
        source_ns: Times | int,
        publish_ns: Times | int,
        version: Bits | int | None = None,
        aux: Bits | int | None = None,
        texts: Mapping[int, str] | None = None,
    ) -> None:
        """Puts samples into the image; readers see all of them or none.

        Args:
            rows: Which rows; `slice(None)` for all.
            bits: Value bits, one for each row, or one for all.
            status: StatusCodes, likewise.
            source_ns: ns UTC, likewise.
            publish_ns: ns monotonic, likewise.
            version: Change numbers; None leaves them.
            aux: None leaves them.
            texts: Texts of string rows, by row.
        """
        words = self._words
        sequence = words[END] + 1
        words[BEGIN] = sequence
        self.value[rows] = bits
        self.source_ns[rows] = source_ns
        self.publish_ns[rows] = publish_ns
        self.status[rows] = status
        if version is not None:
            self.version[rows] = version
            words[VERSIONS] = sequence
        if aux is not None:
            self.aux[rows] = aux
            words[AUXES] = sequence
        if texts:
            for row, text in texts.items():
                self._store(row, text)
            words[TEXTS] = sequence
        words[END] = sequence

    def put_string(self, row: int, text: str) -> None:
        """Changes the text of one string row and nothing else.

        Raises:
            KeyError: Not a string row.
            ValueError: More than 255 bytes of UTF-8.
        """
        words = self._words
        sequence = words[END] + 1
        words[BEGIN] = sequence
        try:
            self._store(row, text)
        finally:  # _store refuses before it writes
            words[TEXTS] = sequence
            words[END] = sequence

    def text(self, row: int) -> str:
        """The text of a string row."""
        return _text(self._columns.texts[self._slot_of[row]])

    def beat(self) -> None:
        """Shows that the writer's work loop runs."""
        self._words[HEARTBEAT] += 1

    def ready(self) -> None:
        """Shows that the writer, in this epoch, is up and does its work."""
        self._words[READY] = self._words[EPOCH]

    def close(self) -> None:
        """Lets go of the file; the file stays."""
        self._mapped.close()

    def _store(self, row: int, text: str) -> None:
        slot = self._columns.texts[self._slot_of[row]]
        data = text.encode()
        if len(data) > STRING_BYTES_MAX:
            raise ValueError(f"text of {len(data)} bytes; at most {STRING_BYTES_MAX} fit")
        slot[1 : 1 + len(data)] = np.frombuffer(data, np.uint8)
        slot[0] = len(data)


class ImageReader:
    """A reader's snapshots of an image; any number of readers, none slows the writer.

    Attributes:
        value: Shape (rows,), value bits of the last snapshot; likewise the other columns of `ImageWriter`. Valid
            until the next but one snapshot: copy what must last.
        rows: Number of rows.
        missed: Snapshots that were not possible within 8 tries.
    """

    def __init__(self, path: Path) -> None:
        """Maps an image.

        Raises:
            ImageError: Absent, or not an image of this version.
        """
        self._mapped = Mapped(path, KIND, writable=False, populate=True)
        self._words = self._mapped.words
        self._live = _live(self._mapped)
        self.rows = int(self._words[ROWS])
        self.missed = 0
        self._taken = -1
        self._slot_of = {int(row): slot for slot, row in enumerate(self._live.string_rows)}
        self._front, self._back = self._buffer(), self._buffer()
        self._show(self._front)

    def _buffer(self) -> _Columns:
        buffer = _Columns(np.zeros(self._live.bytes, np.uint8), self.rows, len(self._slot_of))
        buffer.status.fill(quality.BAD_WAITING_FOR_INITIAL_DATA)
        return buffer

    def _show(self, columns: _Columns) -> None:
        self._front = columns
        self.value, self.source_ns, self.publish_ns = columns.value, columns.source_ns, columns.publish_ns
        self.status, self.version, self.aux = columns.status, columns.version, columns.aux

    @property
    def epoch(self) -> int:
        """Epoch of the writer, live."""
        return self._words[EPOCH]

    @property
    def heartbeat(self) -> int:
        """Count of the writer's beats, live."""
        return self._words[HEARTBEAT]

    @property
    def ready(self) -> bool:
        """The writer of this epoch said that it is up; live."""
        return self._words[READY] == self._words[EPOCH] != 0

    @property
    def sequence(self) -> int:
        """Number of complete publishes, live."""
        return self._words[END]

    def snapshot(self) -> bool:
        """Takes a consistent copy of all rows.

        Returns:
            False when the writer was in the way 8 times (or died inside a publish): the last snapshot is kept.
        """
        words, live, back = self._words, self._live, self._back
        for _ in range(TRIES):
            end = words[END]
            if end == self._taken:
                return True
            if words[BEGIN] != end:
                continue
            np.copyto(back.core, live.core)
            versions, auxes, texts = words[VERSIONS], words[AUXES], words[TEXTS]
            if versions != back.seen_versions:
                np.copyto(back.version, live.version)
            if auxes != back.seen_auxes:
                np.copyto(back.aux, live.aux)
            if texts != back.seen_texts:
                np.copyto(back.texts, live.texts)
            if self._unchanged(end):
                back.seen_versions, back.seen_auxes, back.seen_texts = versions, auxes, texts
                self._taken = end
                self._back = self._front
                self._show(back)
                return True
            back.seen_versions = back.seen_auxes = back.seen_texts = -1
        self.missed += 1
        return False

    def text(self, row: int) -> str:
        """The text of a string row in the last snapshot.

        Raises:
            KeyError: Not a string row.
        """
        return _text(self._front.texts[self._slot_of[row]])

    def replaced(self) -> bool:
        """True when the plant was started anew and this is the old image: open another reader."""
        return self._mapped.replaced()

    def close(self) -> None:
        """Lets go of the file."""
        self._mapped.close()

    def _unchanged(self, end: int) -> bool:
        """No publish began since `end` was read. The check that makes a copy whole; tests plant its absence."""
        return self._words[BEGIN] == end


def _text(slot: npt.NDArray[np.uint8]) -> str:
    return slot[1 : 1 + int(slot[0])].tobytes().decode()
