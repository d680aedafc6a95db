"""CSV files as an import reads them: comma, semicolon or tab; a line for each sample or a column for each tag."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from historian.store import StoreError, TagEntry, Text
from historian.transfer.files import Counting
from historian.transfer.incoming import (
    QUALITY,
    STATUS,
    TAG,
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
from historian.transfer.texts import Status, Times, bits_of, many_bits, quality_of, text_of, utc_of, utcs_of
from tags import quality
from tags.types import STRING

READ: Final = 4 << 20  # bytes, some 60,000 lines
_BUFFER: Final = 1 << 20


class CsvFile:
    """See `historian.transfer.incoming.Incoming`.

    Args:
        path: Of the file; packed when it ends with `.gz` or `.zst`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = max(1, path.stat().st_size)
        self._done = 0

    @property
    def share(self) -> float:
        """See `Incoming`."""
        return self._done / self._size

    def pieces(self, terms: Terms, problems: Problems, skip: int = 0) -> Iterator[Piece]:
        """See `Incoming`."""
        with Counting(self._path) as raw:
            try:
                yield from self._pieces(io.BufferedReader(raw, _BUFFER), raw, terms, problems, skip)
            except UnicodeDecodeError:
                raise StoreError(
                    f"{self._path}: is not UTF-8. Save it as UTF-8, or convert it with iconv"
                ) from None

    def _pieces(
        self, file: io.BufferedReader, raw: Counting, terms: Terms, problems: Problems, skip: int
    ) -> Iterator[Piece]:
        head = file.readline().decode("utf-8-sig")
        mark = max(",;\t", key=head.count)
        names = next(csv.reader([head], delimiter=mark), [])
        layout = layout_of(names, terms, problems)
        if layout is None:
            return
        line = 2
        while chunk := file.read(READ):
            chunk += file.readline()
            try:
                table = plain(chunk, mark, len(names)) or _quoted(
                    chunk, file, mark, len(names), line, problems
                )
            except csv.Error as error:
                problems.add(line, f"cannot be read from here on: {error}")
                return
            self._done = raw.done
            line += table.lines
            if skip >= table.rows:
                skip -= table.rows
                continue
            block = _Block(table, layout, terms, problems, skip, line - table.lines, comma=mark == ";")
            yield Piece(table.rows - skip, *block.read())
            skip = 0


class Table(NamedTuple):
    """Some lines of a file, by columns.

    Attributes:
        columns: Texts of the rows that have as many columns as the head.
        at: The line of each of these rows, counted from the first line of the table; None for one line a row.
        rows: Rows that are not empty, also those that have another number of columns.
        lines: That they take in the file.
    """

    columns: list[Sequence[str]]
    at: list[int] | None
    rows: int
    lines: int


def plain(chunk: bytes, mark: str, width: int) -> Table | None:
    """Whole lines without quotes, each with the right number of columns; None when they are not like that."""
    if b'"' in chunk:
        return None
    if b"\r" in chunk:
        chunk = chunk.replace(b"\r\n", b"\n")
    if b"\r" in chunk or b"\n\n" in chunk or chunk[:1] == b"\n":
        return None
    if chunk[-1:] != b"\n":
        chunk += b"\n"
    marks = np.frombuffer(chunk, np.uint8)
    ends = np.flatnonzero((marks == ord(mark)) | (marks == ord("\n")))
    count = chunk.count(b"\n")
    if len(ends) != count * width or (marks[ends[width - 1 :: width]] != ord("\n")).any():
        return None
    cells = chunk.decode()[:-1].replace("\n", mark).split(mark)
    return Table([cells[i::width] for i in range(width)], None, count, count)


def _quoted(
    chunk: bytes, file: io.BufferedReader, mark: str, width: int, line: int, problems: Problems
) -> Table:
    """Any lines; a text that goes on behind the chunk is read to its end.

    Raises:
        csv.Error: They are no CSV.
    """

    def lines() -> Iterator[str]:
        yield from io.StringIO(chunk.decode(), newline="")
        while more := file.readline():
            yield more.decode()

    here = sum(1 for _ in io.StringIO(chunk.decode(), newline=""))
    reader = csv.reader(lines(), delimiter=mark, strict=True)
    rows: list[list[str]] = []
    at: list[int] = []
    count = 0
    while reader.line_num < here:
        before = reader.line_num
        row = next(reader, None)
        if row is None:
            break
        count += bool(row)
        if len(row) == width:
            rows.append(row)
            at.append(before)
        elif row:
            problems.add(line + before, f"{len(row)} columns instead of {width}")
    columns: list[Sequence[str]] = list(zip(*rows, strict=True))
    return Table(columns, at, count, reader.line_num)


class _Block:
    """Some lines: read by columns, and one by one where something is wrong."""

    def __init__(
        self,
        table: Table,
        layout: Layout,
        terms: Terms,
        problems: Problems,
        skip: int,
        first: int,
        *,
        comma: bool,
    ) -> None:
        self._layout, self._terms, self._problems, self._comma = layout, terms, problems, comma
        self._first, self._at, self._skip = first, table.at, skip
        self._columns = [column[skip:] for column in table.columns] if skip else table.columns
        self._count = len(self._columns[0]) if self._columns else 0

    def read(self) -> tuple[Rows, list[Text]]:
        if not self._count:
            return joined([]), []
        t = self._times()
        found: list[Rows] = []
        texts: list[Text] = []
        columns = self._layout.columns
        if self._layout.wide:
            for at, tag in self._layout.wide.items():
                self._add(tag, t, self._columns[at], None, range(self._count), found, texts, wide=True)
            return joined(found), texts
        where = columns.get(QUALITY, columns.get(STATUS))
        qualities = None if where is None else self._columns[where]
        values = self._columns[columns[VALUE]]
        if self._terms.tag:
            only = self._terms.of(self._terms.tag)
            assert only is not None  # `layout_of` has looked
            self._add(only, t, values, qualities, range(self._count), found, texts)
            return joined(found), texts
        for path, which in self._by_tag(self._columns[columns[TAG]]):
            entry = self._terms.of(path)
            if entry is None:
                self._problems.unknown(self._line(which[0]), path, self._terms.tags)
                continue
            some = len(which) != self._count
            self._add(
                entry,
                t[np.array(which)] if some else t,
                [values[i] for i in which] if some else values,
                None if qualities is None else [qualities[i] for i in which] if some else qualities,
                which,
                found,
                texts,
            )
        return joined(found), texts

    def _by_tag(self, paths: Sequence[str]) -> list[tuple[str, Sequence[int]]]:
        """Each path and its rows, in order."""
        different = list(dict.fromkeys(paths))
        if len(different) == 1:
            return [(paths[0], range(len(paths)))]
        numbers = {path: i for i, path in enumerate(different)}
        codes = np.array(list(map(numbers.__getitem__, paths)), np.uint32)
        order = np.argsort(codes, kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
        return [(path, part.tolist()) for path, part in zip(different, parts, strict=True)]

    def _times(self) -> Times:
        """Times of the rows; -1 where there is none, with its problem."""
        column = self._columns[self._layout.columns[TIME]]
        try:
            t = utcs_of(column, self._terms.zone)
        except ValueError:
            t = np.empty(len(column), np.int64)
            for i, text in enumerate(column):
                try:
                    t[i] = utc_of(text, self._terms.zone)
                except ValueError as error:
                    self._problems.add(self._line(i), str(error))
                    t[i] = -1
        for i in np.flatnonzero(t > self._terms.latest_ns).tolist():
            self._problems.add(self._line(i), f"{column[i]!r} lies in the future")
            t[i] = -1
        return t

    def _add(
        self,
        tag: TagEntry,
        t: Times,
        values: Sequence[str],
        qualities: Sequence[str] | None,
        which: Sequence[int],
        found: list[Rows],
        texts: list[Text],
        *,
        wide: bool = False,
    ) -> None:
        """Samples of one tag; `which` are the numbers of its rows among the good ones."""
        status = self._statuses(qualities, which)
        kept = t >= 0
        if wide:
            kept &= np.array([bool(value) for value in values])
        if tag.type == STRING:
            for i in np.flatnonzero(kept).tolist():
                try:
                    texts.append(Text(tag.id, int(t[i]), int(status[i]), text_of(values[i])))
                except ValueError as error:
                    self._problems.add(self._line(which[i]), f"{tag.path}: {error}")
            return
        if self._comma:
            values = [value.replace(",", ".") for value in values]
        try:
            bits = many_bits(tag.type, values)
        except ValueError:
            bits = np.zeros(len(values), np.uint64)
            for i in np.flatnonzero(kept).tolist():
                if not values[i].strip() and quality.is_bad(int(status[i])):
                    continue  # a bad sample need not have a value
                try:
                    bits[i] = bits_of(tag.type, values[i])
                except ValueError as error:
                    self._problems.add(self._line(which[i]), f"{tag.path}: {error}")
        rows = samples_of(tag, t, bits, status)
        found.append(rows if kept.all() else rows[kept])

    def _statuses(self, texts: Sequence[str] | None, which: Sequence[int]) -> Status:
        if texts is None:
            return np.zeros(len(which), np.uint32)
        codes: dict[str, int] = {}
        for text in set(texts):
            try:
                codes[text] = quality_of(text) if text.strip() else quality.GOOD
            except ValueError as error:
                self._problems.add(self._line(which[texts.index(text)]), str(error))
                codes[text] = quality.BAD
        return np.array([codes[text] for text in texts], np.uint32)

    def _line(self, row: int) -> int:
        """Line of the file of a row of the block."""
        row += self._skip
        return self._first + (row if self._at is None else self._at[row])
