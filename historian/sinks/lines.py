"""Samples as InfluxDB's line protocol, made from columns: one line a sample, its source time in ns.

A tag keeps one type for ever: numbers with a fraction are the field `v`, whole numbers `i`, switches `b`, texts `s`. Every
line has the OPC UA StatusCode as the field `q` (with `quality: exceptions` only one that is not Good). A Bad sample (also the mark of a gap) and one that is no number has only
`q`: nobody must take its value for a measured one.

Lines of samples are put in order of series, those of a series as they came: a database does less for rows that lie together,
and several requests may travel at once without a series being in two of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from historian.store import Text
from tags.model import Sink, Tag
from tags.types import BOOL, FLOATS, STRING

_FLOAT, _INT, _BOOL, _STRING, _OUT = range(5)
_FIELDS: Final = (b" v=", b" i=", b" b=")
_ENDS: Final = (b",q=%di ", b"i,q=%di ", b",q=%di ")
_GOOD_ENDS: Final = (b" ", b"i ", b" ")  # where only exceptions have a quality
_BAD: Final = 31
_BLOCK: Final = 16_384  # lines made at a time, so that their pieces stay in the processor's cache
_FEED: Final = 10

Rows = npt.NDArray[np.void]
Objects = npt.NDArray[np.object_]
Edges = npt.NDArray[np.int64]


class Lines:
    """Lines as one text, of which any span is a request.

    Args:
        data: All of them.
        edges: Where each line begins, and where the last ends; shape (n + 1,).
        series: Numbers of the lines with which another series begins, rising; such lines may be sent beside others.
    """

    def __init__(self, data: bytes, edges: Edges, series: Edges) -> None:
        self._data, self._edges, self._series = data, edges, series

    def __len__(self) -> int:
        return len(self._edges) - 1

    def body(self, start: int, end: int) -> bytes:
        """Lines from `start` up to `end`."""
        return self._data[self._edges[start] : self._edges[end]]

    def lanes(self, most: int) -> list[tuple[int, int]]:
        """Spans of about the same length, at most so many, that may be sent at once: no series is in two of them."""
        wanted = np.arange(1, most) * len(self) // most
        near = np.searchsorted(self._series, wanted)
        cuts = {int(self._series[at]) for at in near[near < len(self._series)]}
        edges = sorted({0, *cuts, len(self)})
        return list(pairwise(edges))


class Encoder:
    """Knows the series of each tag.

    Args:
        sink: Measurement, tag keys and patterns.
        tags: Of the site.
        site: Its name.
    """

    def __init__(self, sink: Sink, tags: Sequence[Tag], site: str) -> None:
        self._always = sink.quality == "always"
        texts = sink.type != "victoriametrics"  # it would keep a text as the number 0
        size = max((tag.id for tag in tags), default=0) + 2
        self._kind = np.full(size, _OUT, np.int8)
        self._series: Objects = np.full(size, b"", object)
        self._bare: Objects = np.full(size, b"", object)
        self._valued: Objects = np.full(size, b"", object)
        for tag in tags:
            kind = _kind(tag.type)
            if not forwarded(sink, tag) or (kind == _STRING and not texts):
                continue
            self._kind[tag.id] = kind
            self._series[tag.id] = series(sink, tag, site)
            if kind != _STRING:  # the line feed of the line before stands in front: one piece less
                self._bare[tag.id] = b"\n" + self._series[tag.id]
                self._valued[tag.id] = self._bare[tag.id] + _FIELDS[kind]

    def sends(self, tag: int) -> bool:
        """Samples of this tag go to the sink."""
        return tag < len(self._kind) and self._kind[tag] != _OUT

    def samples(self, rows: Rows, *, always: bool = False) -> Lines:
        """Lines of samples (dtype `SAMPLE`) by series; tags that are not forwarded are left out.

        Args:
            rows: In the order in which they came.
            always: Write the quality of Good samples too, whatever the sink's setting: they replace others.
        """
        ids = np.minimum(rows["tag"], np.uint32(len(self._kind) - 1))
        columns = [ids, *(np.ascontiguousarray(rows[name]) for name in ("status", "t", "bits"))]
        ours = self._kind[ids] < _STRING
        if not ours.all():
            columns = [column[ours] for column in columns]
            ids = columns[0]
        if (ids[1:] < ids[:-1]).any():
            short = len(self._kind) <= 1 << 16
            order = np.argsort(ids.astype(np.uint16) if short else ids, kind="stable")  # 16 bits: by radix
            columns = [column[order] for column in columns]
            ids = columns[0]
        blocks = []
        for at in range(0, len(ids), _BLOCK):
            cut = (column[at : at + _BLOCK] for column in columns)
            blocks.append(self._block(*cut, always=always or self._always))
        data = b"".join((*blocks, b"\n"))
        edges = np.flatnonzero(np.frombuffer(data, np.uint8) == _FEED) + 1
        return Lines(data, edges, np.flatnonzero(ids[1:] != ids[:-1]) + 1)

    def _block(
        self,
        ids: npt.NDArray[np.uint32],
        status: npt.NDArray[np.uint32],
        t: npt.NDArray[np.int64],
        bits: npt.NDArray[np.uint64],
        *,
        always: bool,
    ) -> bytes:
        kinds = self._kind[ids]
        numbers = bits.view(np.float64)
        bad = (status >> np.uint32(_BAD)) == 1
        bad |= (kinds == _FLOAT) & ~np.isfinite(numbers)
        pieces: list[Any] = [b""] * (4 * len(ids))
        series = np.where(bad, self._bare[ids], self._valued[ids]) if bad.any() else self._valued[ids]
        pieces[0::4] = series.tolist()
        pieces[1::4] = _values(kinds, bits, numbers, bad)
        pieces[2::4] = _ends(kinds, status, bad, always)
        pieces[3::4] = _texts(t)
        return b"".join(pieces)

    def texts(self, rows: Iterable[Text]) -> Lines:
        """Lines of the samples of string tags, in their order."""
        lines: list[bytes] = []
        for row in rows:
            if row.tag >= len(self._kind) or self._kind[row.tag] != _STRING:
                continue
            value = b"" if row.status >> _BAD else b"s=" + quoted(row.text)
            quality = b"q=%di" % row.status if row.status or self._always else b""
            fields = b",".join(part for part in (value, quality) if part)
            lines.append(b"%b %b %d\n" % (self._series[row.tag], fields, row.t))
        return in_order(lines)


def in_order(lines: Sequence[bytes]) -> Lines:
    """Lines that are sent one request after the other."""
    edges = np.cumsum([0, *map(len, lines)], dtype=np.int64)
    return Lines(b"".join(lines), edges, np.empty(0, np.int64))


def forwarded(sink: Sink, tag: Tag) -> bool:
    """The sink's patterns fit this tag."""
    return any(fnmatchcase(tag.path, pattern) for pattern in sink.tags)


def series(sink: Sink, tag: Tag, site: str) -> bytes:
    """Measurement and tag keys of one tag, escaped."""
    held = {
        "path": tag.path,
        "area": tag.path.partition("/")[0],
        "point": tag.path.rpartition("/")[2],
        "unit": tag.unit,
        "device": tag.device,
        "site": site,
    }
    return named(sink.measurement, {key: str(held[what]) for key, what in sink.keys.items() if held[what]})


def named(measurement: str, keys: dict[str, str]) -> bytes:
    """A measurement and its tag keys in order, escaped; a key without a value is left out."""
    parts = [_escaped(measurement, ", ")]
    parts += [f"{_escaped(key, ', =')}={_escaped(keys[key], ', =')}" for key in sorted(keys) if keys[key]]
    return ",".join(parts).encode(errors="replace")


def quoted(text: str) -> bytes:
    """A text as a field's value."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return b'"%b"' % escaped.encode(errors="replace")


def field_of(tag: Tag) -> str:
    """The field that holds the value of a tag: `v`, `i`, `b` or `s`."""
    return "vibs"[_kind(tag.type)]


def _kind(type_: str) -> int:
    if type_ in FLOATS:
        return _FLOAT
    return {BOOL: _BOOL, STRING: _STRING}.get(type_, _INT)


def _escaped(text: str, special: str) -> str:
    for character in special:
        text = text.replace(character, "\\" + character)
    return text


def _texts(column: npt.NDArray[Any]) -> list[bytes]:
    """Numbers as texts, the shortest that give the same number back."""
    if not len(column):
        return []
    return orjson.dumps(column, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")


def _values(
    kinds: npt.NDArray[np.int8],
    bits: npt.NDArray[np.uint64],
    numbers: npt.NDArray[np.float64],
    bad: npt.NDArray[np.bool_],
) -> list[bytes]:
    if not bad.any() and (kinds == _FLOAT).all():
        return _texts(numbers)
    found: Objects = np.full(len(kinds), b"", object)
    for kind, column in ((_FLOAT, numbers), (_INT, bits.view(np.int64)), (_BOOL, bits)):
        where = np.flatnonzero((kinds == kind) & ~bad)
        if kind == _BOOL:
            found[where] = np.where(column[where] != 0, b"t", b"f").astype(object)
        elif len(where):
            found[where] = _texts(column[where])
    return list(found.tolist())


def _ends(
    kinds: npt.NDArray[np.int8], status: npt.NDArray[np.uint32], bad: npt.NDArray[np.bool_], always: bool
) -> list[bytes]:
    """What follows the value: the end of its type and the quality; few are different."""
    key = (status.astype(np.int64) << 3) | np.where(bad, _OUT, kinds)
    edges = np.flatnonzero(key[1:] != key[:-1]) + 1
    if not len(edges):
        return [_end(int(key[0]), always)] * len(key) if len(key) else []
    different, which = np.unique(key, return_inverse=True)
    ends: Objects = np.empty(len(different), object)
    for at, one in enumerate(different.tolist()):
        ends[at] = _end(one, always)
    return list(ends[which].tolist())


def _end(key: int, always: bool) -> bytes:
    code, kind = key >> 3, key & 7
    if kind == _OUT:
        return b" q=%di " % code
    return _ENDS[kind] % code if code or always else _GOOD_ENDS[kind]
