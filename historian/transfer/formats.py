"""What an export writes: one class a format, each of which can be left and gone on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from historian.sinks.lines import Encoder
from historian.store import SAMPLE, Samples, StoreError, TagEntry, Text
from historian.transfer.files import Growing, compression, lines_in
from historian.transfer.texts import quality_texts, utc_texts, value_texts
from tags.model import MEMORY, Sink, Tag

CSV, PARQUET, LINES = "csv", "parquet", "lines"
HEADER: Final = b"tag,time,value,quality\n"
MEASUREMENT: Final = "closedloop"
_ENDINGS: Final = {
    ".csv": CSV,
    ".parquet": PARQUET,
    ".pq": PARQUET,
    ".lp": LINES,
    ".line": LINES,
    ".lines": LINES,
}

State = dict[str, Any]


class Writer(Protocol):
    """A file that is being written."""

    def write(self, tag: TagEntry, samples: Samples) -> None:
        """Puts samples of a tag behind the others."""
        ...

    def sync(self) -> State:
        """Everything is on the disk; what `writer` needs to go on from here, as JSON."""
        ...

    def finish(self, target: Path) -> int:
        """Makes the file whole, counts what is in it and gives it its name.

        Returns:
            Samples in it, counted anew from the disk.
        """
        ...

    def close(self) -> None:
        """Lets go of the files; what was written stays for a later go."""
        ...


def format_of(path: Path) -> str | None:
    """The format by the end of a name (`.gz` and `.zst` behind it aside); None when it says nothing."""
    name = path.with_suffix("") if compression(path) else path
    return _ENDINGS.get(name.suffix.lower())


def part_of(target: Path) -> Path:
    """Where a file stands while it is not whole."""
    return target.with_name(target.name + ".part")


def writer(kind: str, target: Path, state: State | None, *, measurement: str = MEASUREMENT) -> Writer:
    """Opens a writer.

    Args:
        kind: `CSV`, `PARQUET` or `LINES`.
        target: The file that is to be.
        state: To go on from; None to begin.
        measurement: Of the line protocol.

    Raises:
        StoreError: Parquet is not installed here.
        OSError: The disk does not let it.
    """
    if kind == PARQUET:
        try:
            from historian.transfer.parquet import ParquetWriter  # noqa: PLC0415 - pyarrow is optional
        except ImportError:
            raise StoreError("Parquet needs pyarrow. Install it: pip install 'closedloop[arrow]'") from None
        return ParquetWriter(target, state)
    if kind == LINES:
        return LinesWriter(target, state, measurement)
    return CsvWriter(target, state)


class CsvWriter:
    """`tag,time,value,quality`, RFC 4180 with line feeds.

    Args:
        target: The file that is to be.
        state: To go on from.
    """

    def __init__(self, target: Path, state: State | None) -> None:
        self._part = part_of(target)
        self._packing = compression(target)
        self._lines = state["lines"] if state else 1
        self._beyond = state["beyond"] if state else 1  # lines that are no sample
        self._file = Growing(self._part, self._packing, state["bytes"] if state else 0)
        if not state:
            self._file.add(HEADER)

    def write(self, tag: TagEntry, samples: Samples) -> None:
        """See `Writer`."""
        n = len(samples)
        if samples.texts is not None:
            values = [quoted(text) for text in samples.texts]
            extra = sum(value.count(b"\n") for value in values)
            self._beyond += extra
            self._lines += extra
        else:
            values = value_texts(samples.type, samples.bits)
        self._lines += n
        pieces: list[bytes] = [b""] * (6 * n)
        pieces[0::6] = [quoted(tag.path, always=False) + b","] * n
        pieces[1::6] = utc_texts(samples.t)
        pieces[2::6] = [b","] * n
        pieces[3::6] = values
        pieces[4::6] = [b","] * n
        pieces[5::6] = [name + b"\n" for name in quality_texts(samples.status)]
        self._file.add(b"".join(pieces))

    def sync(self) -> State:
        """See `Writer`."""
        return {"bytes": self._file.sync(), "lines": self._lines, "beyond": self._beyond}

    def finish(self, target: Path) -> int:
        """See `Writer`."""
        self.sync()
        self.close()
        counted = lines_in(self._part, self._packing) - self._beyond
        self._part.replace(target)
        return counted

    def close(self) -> None:
        """See `Writer`."""
        self._file.close()


class LinesWriter:
    """InfluxDB's line protocol, as sinks send it: tag key `path`, fields `v`, `i`, `b` or `s` and `q`; times in ns.

    Args:
        target: The file that is to be.
        state: To go on from.
        measurement: Of all lines.
    """

    def __init__(self, target: Path, state: State | None, measurement: str) -> None:
        self._part = part_of(target)
        self._packing = compression(target)
        self._beyond = state["beyond"] if state else 0
        self._sink = Sink(
            name="export",
            type="influxdb",
            url="",
            api="v2",
            org="",
            bucket="",
            measurement=measurement,
            keys={"path": "path"},
        )
        self._file = Growing(self._part, self._packing, state["bytes"] if state else 0)

    def write(self, tag: TagEntry, samples: Samples) -> None:
        """See `Writer`."""
        plain = Tag(id=1, path=tag.path, type=tag.type, kind=MEMORY, writer="", row=0)
        encoder = Encoder(self._sink, [plain], "")
        if samples.texts is None:
            rows = np.zeros(len(samples), SAMPLE)
            rows["tag"], rows["t"], rows["bits"], rows["status"] = 1, samples.t, samples.bits, samples.status
            lines = encoder.samples(rows)
        else:
            lines = encoder.texts(
                Text(1, t, status, text)
                for t, status, text in zip(
                    samples.t.tolist(), samples.status.tolist(), samples.texts, strict=True
                )
            )
        body = lines.body(0, len(lines))
        if samples.texts is not None:
            self._beyond += body.count(b"\n") - len(lines)
        self._file.add(body)

    def sync(self) -> State:
        """See `Writer`."""
        return {"bytes": self._file.sync(), "beyond": self._beyond}

    def finish(self, target: Path) -> int:
        """See `Writer`."""
        self.sync()
        self.close()
        counted = lines_in(self._part, self._packing) - self._beyond
        self._part.replace(target)
        return counted

    def close(self) -> None:
        """See `Writer`."""
        self._file.close()


def quoted(text: str, *, always: bool = True) -> bytes:
    """A cell of a CSV file."""
    if always or any(mark in text for mark in ',"\n\r'):
        return b'"%b"' % text.replace('"', '""').encode(errors="replace")
    return text.encode()
