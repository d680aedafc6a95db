"""Export of several tags side by side: a row for each time of a grid, a column for each tag; for spreadsheets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from historian.query import History
from historian.store import StoreError
from historian.transfer import formats
from historian.transfer.files import Growing, compression, lines_in
from historian.transfer.formats import part_of
from historian.transfer.texts import utc_texts, value_texts
from scada.datadir import flush_folder
from tags.model import Tag
from tags.types import BOOL, FLOAT64, FLOATS, INT64

CELLS: Final = 200_000  # in memory
SPAN_NS: Final = 3_600_000_000_000  # of samples at once

Progress = Callable[[float, int], None]


class Grid(NamedTuple):
    """Times of rows: start, start + every, …, before end; UTC, ns."""

    start_ns: int
    end_ns: int
    every_ns: int

    @property
    def rows(self) -> int:
        """How many."""
        return max(0, -((self.start_ns - self.end_ns) // self.every_ns))

    def parts(self, width: int) -> Iterator[npt.NDArray[np.int64]]:
        """Some times after the other."""
        most = max(1, min(CELLS // max(1, width), SPAN_NS // self.every_ns))
        for first in range(0, self.rows, most):
            numbers = np.arange(first, min(first + most, self.rows), dtype=np.int64)
            yield self.start_ns + numbers * self.every_ns


def export_grid(
    history: History,
    tags: Sequence[Tag],
    grid: Grid,
    target: Path,
    kind: str,
    progress: Progress = lambda _share, _rows: None,
    *,
    replace: bool = False,
) -> tuple[int, int]:
    """Writes what tags were at the times of a grid: interpolated or held, by the kind of the tag; nothing in gaps.

    Args:
        history: Answers.
        tags: Columns, in this order; no texts.
        grid: Rows.
        target: The file.
        kind: `csv` or `parquet`.
        progress: Told the share that is done and the rows.
        replace: Put it in the place of a file that is there.

    Returns:
        Rows in the file, counted from the disk, and its bytes.

    Raises:
        StoreError: The target is there, Parquet is not installed here, or the file does not hold what was written.
        OSError: The disk does not let it.
    """
    if target.exists() and not replace:
        raise StoreError(f"{target} is there already. Choose another name, or give --replace")
    part = part_of(target)

    def tables() -> Iterator[npt.NDArray[np.void]]:
        done = 0
        for times in grid.parts(len(tags)):
            yield history.align(tags, times.tolist())
            done += len(times)
            progress(done / grid.rows, done)

    if kind == formats.PARQUET:
        counted = _parquet(part, tags, tables())
    else:
        counted = _csv(part, compression(target), tags, tables())
    if counted != grid.rows:
        raise StoreError(f"{part} holds {counted} rows, but {grid.rows} were written")
    part.replace(target)
    flush_folder(target.parent)
    return counted, target.stat().st_size


def _csv(part: Path, packing: str, tags: Sequence[Tag], tables: Iterator[npt.NDArray[np.void]]) -> int:
    file = Growing(part, packing)
    try:
        file.add(b",".join([b"time", *(formats.quoted(tag.path, always=False) for tag in tags)]) + b"\n")
        for found in tables:
            columns = [utc_texts(found["t"]), *(_texts(tag, found[tag.path]["value"]) for tag in tags)]
            file.add(b"".join(b",".join(row) + b"\n" for row in zip(*columns, strict=True)))
        file.sync()
    finally:
        file.close()
    return lines_in(part, packing) - 1


def _texts(tag: Tag, values: npt.NDArray[np.float64]) -> list[bytes]:
    known = np.isfinite(values)
    if tag.type in FLOATS:
        texts = value_texts(FLOAT64, np.ascontiguousarray(values).view(np.uint64))
    else:
        whole = np.where(known, values, 0.0)
        numbers = whole.astype(np.int64)
        if tag.type == BOOL or (numbers == whole).all():
            texts = value_texts(BOOL if tag.type == BOOL else INT64, numbers.view(np.uint64))
        else:
            texts = value_texts(FLOAT64, whole.view(np.uint64))
    return [text if there else b"" for text, there in zip(texts, known.tolist(), strict=True)]


def _parquet(part: Path, tags: Sequence[Tag], tables: Iterator[npt.NDArray[np.void]]) -> int:
    try:
        import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415 - optional
        import pyarrow.parquet as pq  # type: ignore[import-untyped]  # noqa: PLC0415
    except ImportError:
        raise StoreError("Parquet needs pyarrow. Install it: pip install 'closedloop[arrow]'") from None
    time = pa.timestamp("ns", tz="UTC")
    schema = pa.schema([("time", time), *((tag.path, pa.float64()) for tag in tags)])
    with pq.ParquetWriter(part, schema, compression="zstd") as file:
        for found in tables:
            columns: list[Any] = [pa.array(np.ascontiguousarray(found["t"])).cast(time)]
            for tag in tags:
                values = np.ascontiguousarray(found[tag.path]["value"])
                columns.append(pa.array(values, mask=np.isnan(values)))
            file.write_table(pa.Table.from_arrays(columns, schema=schema))
    handle = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    with pq.ParquetFile(part) as file:
        return int(file.metadata.num_rows)
