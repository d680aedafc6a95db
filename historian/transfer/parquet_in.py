"""Parquet files as an import reads them; needs pyarrow. Columns as `historian.transfer.parquet` writes them, or one a tag."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from historian.store import StoreError, TagEntry, Text
from historian.transfer.incoming import (
    BITS,
    QUALITY,
    STATUS,
    TAG,
    TEXT,
    TIME,
    VALUE,
    Layout,
    Piece,
    Problems,
    Rows,
    Terms,
    joined,
    layout_of,
    samples_of,
)
from historian.transfer.texts import Status, Times, bits_of, numbers_bits, quality_of, text_of
from tags import quality
from tags.types import FLOATS, STRING

PIECE: Final = 100_000  # rows
_NS: Final = pa.timestamp("ns", tz="UTC")

Mask = npt.NDArray[np.bool_]


class ParquetFile:
    """See `historian.transfer.incoming.Incoming`.

    Args:
        path: Of the file.

    Raises:
        StoreError: It is no Parquet file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with pq.ParquetFile(path) as file:
                self._rows = max(1, int(file.metadata.num_rows))
        except pa.ArrowException as error:
            raise StoreError(f"{path}: is no Parquet file: {error}") from None
        self._done = 0

    @property
    def share(self) -> float:
        """See `Incoming`."""
        return self._done / self._rows

    def pieces(self, terms: Terms, problems: Problems, skip: int = 0) -> Iterator[Piece]:
        """See `Incoming`."""
        with pq.ParquetFile(self._path) as file:
            names = list(file.schema_arrow.names)
            layout = layout_of(names, terms, problems)
            if layout is None:
                return
            self._done = 0
            for batch in file.iter_batches(PIECE):
                first, self._done = self._done, self._done + batch.num_rows
                if self._done <= skip:
                    continue
                if first < skip:
                    batch, first = batch.slice(skip - first), skip  # noqa: PLW2901 - the rest of it
                yield Piece(batch.num_rows, *_Block(batch, first + 1, layout, terms, problems).read())


class _Block:
    """Some rows."""

    def __init__(self, batch: Any, first: int, layout: Layout, terms: Terms, problems: Problems) -> None:
        self._batch, self._first, self._layout = batch, first, layout
        self._terms, self._problems = terms, problems

    def read(self) -> tuple[Rows, list[Text]]:
        t = self._times()
        if t is None:
            return joined([]), []
        found: list[Rows] = []
        texts: list[Text] = []
        if self._layout.wide:
            for at, tag in self._layout.wide.items():
                self._add(
                    tag, t, np.arange(len(t)), self._batch.column(at), None, None, found, texts, wide=True
                )
            return joined(found), texts
        status = self._statuses()
        value, text, bits = (self._column(name) for name in (VALUE, TEXT, BITS))
        for tag, which in self._by_tag():
            words = text if tag.type == STRING and text is not None else value
            self._add(tag, t, which, words, bits, status, found, texts)
        return joined(found), texts

    def _column(self, name: str) -> Any:
        at = self._layout.columns.get(name)
        return None if at is None else self._batch.column(at)

    def _by_tag(self) -> Iterator[tuple[TagEntry, npt.NDArray[np.intp]]]:
        if self._terms.tag:
            only = self._terms.of(self._terms.tag)
            assert only is not None  # `layout_of` has looked
            yield only, np.arange(self._batch.num_rows)
            return
        column = self._column(TAG)
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        for row in np.flatnonzero(codes < 0).tolist():
            self._problems.add(self._first + row, "no tag")
        paths = column.dictionary.to_pylist()
        for code in np.unique(codes[codes >= 0]).tolist():
            which = np.flatnonzero(codes == code)
            entry = self._terms.of(str(paths[code]))
            if entry is None:
                self._problems.unknown(self._first + int(which[0]), str(paths[code]), self._terms.tags)
            else:
                yield entry, which

    def _times(self) -> Times | None:
        """Times of the rows; -1 where there is none, with its problem."""
        column = self._column(TIME)
        if not pa.types.is_timestamp(column.type):
            self._problems.add(self._first, f"the column time is {column.type}, not a timestamp")
            return None
        try:
            if column.type.tz is None:
                column = pc.assume_timezone(
                    column, self._terms.zone.key, ambiguous="earliest", nonexistent="earliest"
                )
            whole = column.cast(_NS).cast(pa.int64())
        except pa.ArrowException as error:
            self._problems.add(self._first, f"the times cannot be read: {error}")
            return None
        t = np.array(whole.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
        for row in np.flatnonzero((t < 0) | (t > self._terms.latest_ns)).tolist():
            self._problems.add(
                self._first + row, "no time" if t[row] < 0 else f"{column[row]} lies in the future"
            )
            t[row] = -1
        return t

    def _statuses(self) -> Status:
        column = self._column(STATUS)
        if column is not None and pa.types.is_integer(column.type):
            return np.array(column.fill_null(0).to_numpy(zero_copy_only=False), np.uint32)
        column = column or self._column(QUALITY)
        if column is None:
            return np.zeros(self._batch.num_rows, np.uint32)
        codes: dict[Any, int] = {None: quality.GOOD}
        names = column.to_pylist()
        for name in set(names) - {None}:
            try:
                codes[name] = quality_of(str(name))
            except ValueError as error:
                self._problems.add(self._first + names.index(name), str(error))
                codes[name] = quality.BAD
        return np.array([codes[name] for name in names], np.uint32)

    def _add(
        self,
        tag: TagEntry,
        times: Times,
        which: npt.NDArray[np.intp],
        column: Any,
        exact: Any,
        statuses: Status | None,
        found: list[Rows],
        texts: list[Text],
        *,
        wide: bool = False,
    ) -> None:
        """Samples of one tag."""
        t = times[which]
        status = np.zeros(len(which), np.uint32) if statuses is None else statuses[which]
        values = column.take(pa.array(which))
        null = np.array(values.is_null())
        kept = t >= 0
        if wide:
            kept &= ~null
        if tag.type == STRING:
            for i in np.flatnonzero(kept).tolist():
                try:
                    texts.append(
                        Text(tag.id, int(t[i]), int(status[i]), text_of(str(values[i].as_py() or "")))
                    )
                except ValueError as error:
                    self._problems.add(self._first + int(which[i]), f"{tag.path}: {error}")
            return
        given = np.zeros(len(which), bool)
        if exact is not None:
            some = exact.take(pa.array(which))
            given = ~np.array(some.is_null())
        bits = self._bits(tag, values, which, kept & ~null & ~given)
        if given.any():
            bits[given] = np.array(some.fill_null(0).to_numpy(zero_copy_only=False), np.uint64)[given]
        for i in np.flatnonzero(kept & null & ~given).tolist():
            if not quality.is_bad(int(status[i])):  # a bad sample need not have a value
                self._problems.add(self._first + int(which[i]), f"{tag.path}: no value")
        rows = samples_of(tag, t, bits, status)
        found.append(rows if kept.all() else rows[kept])

    def _bits(
        self, tag: TagEntry, values: Any, which: npt.NDArray[np.intp], wanted: Mask
    ) -> npt.NDArray[np.uint64]:
        """Value bits of the wanted ones, 0 of the others."""
        bits = np.zeros(len(which), np.uint64)
        try:
            numbers = _numbers(values.filter(pa.array(wanted)), tag.type)
            bits[wanted] = numbers_bits(tag.type, numbers)
        except (ValueError, pa.ArrowException):
            for i in np.flatnonzero(wanted).tolist():
                try:
                    bits[i] = bits_of(tag.type, str(values[i].as_py()))
                except ValueError as error:
                    self._problems.add(self._first + int(which[i]), f"{tag.path}: {error}")
        return bits


def _numbers(values: Any, type_: str) -> npt.NDArray[Any]:
    kind = values.type
    if pa.types.is_boolean(kind):
        values = values.cast(pa.int64())
    elif pa.types.is_decimal(kind) or (type_ in FLOATS and not pa.types.is_floating(kind)):
        values = values.cast(pa.float64())
    elif not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        raise ValueError(f"{kind} is no number")
    return np.asarray(values.to_numpy(zero_copy_only=False))
