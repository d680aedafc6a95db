"""CSV files as an import reads them: comma, semicolon or tab; a line for each sample or a column for each tag."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

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

PIECE: Final = 50_000  # lines
_BUFFER: Final = 1 << 20

Lines = list[list[str]]


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
            text = io.TextIOWrapper(io.BufferedReader(raw, _BUFFER), "utf-8-sig", newline="")
            try:
                yield from self._pieces(text, raw, terms, problems, skip)
            except UnicodeDecodeError:
                raise StoreError(
                    f"{self._path}: is not UTF-8. Save it as UTF-8, or convert it with iconv"
                ) from None

    def _pieces(
        self, text: io.TextIOWrapper, raw: Counting, terms: Terms, problems: Problems, skip: int
    ) -> Iterator[Piece]:
        head = text.readline()
        mark = max(",;\t", key=head.count)
        names = next(csv.reader([head], delimiter=mark), [])
        layout = layout_of(names, terms, problems)
        if layout is None:
            return
        reader = csv.reader(text, delimiter=mark)
        line = 2
        while True:
            try:
                rows = list(islice(reader, PIECE))
            except csv.Error as error:
                problems.add(1 + reader.line_num, f"cannot be read: {error}")
                return
            self._done = raw.done
            if not rows:
                return
            first, line = line, 2 + reader.line_num
            if skip >= len(rows):
                skip -= len(rows)
                continue
            first += _height(rows[:skip])
            rows, skip = rows[skip:], 0
            block = _Block(rows, len(names), first, layout, terms, problems, comma=mark == ";")
            yield Piece(len(rows), *block.read())


def _height(rows: Lines) -> int:
    """Lines of the file that rows take."""
    return sum(1 + sum(cell.count("\n") for cell in row) for row in rows)


class _Block:
    """Some lines: read by columns, and one by one where something is wrong."""

    def __init__(
        self,
        rows: Lines,
        width: int,
        first: int,
        layout: Layout,
        terms: Terms,
        problems: Problems,
        *,
        comma: bool,
    ) -> None:
        self._layout, self._terms, self._problems, self._comma = layout, terms, problems, comma
        self._all, self._first = rows, first
        keep = [i for i, row in enumerate(rows) if len(row) == width]
        if len(keep) != len(rows):
            for i in sorted(set(range(len(rows))) - set(keep)):
                if rows[i]:
                    problems.add(self._line(i), f"{len(rows[i])} columns instead of {width}")
        self._rows = keep  # numbers of good rows within the block
        self._columns = list(zip(*(rows[i] for i in keep), strict=True)) if keep else []

    def read(self) -> tuple[Rows, list[Text]]:
        if not self._columns:
            return joined([]), []
        t = self._times()
        found: list[Rows] = []
        texts: list[Text] = []
        columns = self._layout.columns
        if self._layout.wide:
            for at, tag in self._layout.wide.items():
                self._add(tag, t, self._columns[at], None, range(len(self._rows)), found, texts, wide=True)
            return joined(found), texts
        where = columns.get(QUALITY, columns.get(STATUS))
        qualities = None if where is None else self._columns[where]
        values = self._columns[columns[VALUE]]
        if self._terms.tag:
            only = self._terms.of(self._terms.tag)
            assert only is not None  # `layout_of` has looked
            self._add(only, t, values, qualities, range(len(self._rows)), found, texts)
            return joined(found), texts
        for path, which in self._by_tag(self._columns[columns[TAG]]):
            entry = self._terms.of(path)
            if entry is None:
                self._problems.unknown(self._line(self._rows[which[0]]), path, self._terms.tags)
                continue
            some = len(which) != len(self._rows)
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
        different = set(paths)
        if len(different) == 1:
            return [(paths[0], range(len(paths)))]
        places: dict[str, list[int]] = {}
        for i, path in enumerate(paths):
            places.setdefault(path, []).append(i)
        return list(places.items())

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
                    self._problems.add(self._line(self._rows[i]), str(error))
                    t[i] = -1
        for i in np.flatnonzero(t > self._terms.latest_ns).tolist():
            self._problems.add(self._line(self._rows[i]), f"{column[i]!r} lies in the future")
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
                    self._problems.add(self._line(self._rows[which[i]]), f"{tag.path}: {error}")
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
                    self._problems.add(self._line(self._rows[which[i]]), f"{tag.path}: {error}")
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
                self._problems.add(self._line(self._rows[which[texts.index(text)]]), str(error))
                codes[text] = quality.BAD
        return np.array([codes[text] for text in texts], np.uint32)

    def _line(self, row: int) -> int:
        """Line of the file of a row of the block."""
        return self._first + _height(self._all[:row])
