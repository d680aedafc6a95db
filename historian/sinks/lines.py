"""Samples as InfluxDB's line protocol, made from columns: one line a sample, its source time in ns.

A tag keeps one type for ever: numbers with a fraction are the field `v`, whole numbers `i`, switches `b`, texts `s`. Every
line has the OPC UA StatusCode as the field `q` (with `quality: exceptions` only one that is not Good). A Bad sample (also the mark of a gap) and one that is no number has only
`q`: nobody must take its value for a measured one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from historian.store import Text
from tags.model import Sink, Tag
from tags.types import BOOL, FLOATS, STRING

STRIDE: Final = 4
_FLOAT, _INT, _BOOL, _STRING, _OUT = range(5)
_FIELDS: Final = (b" v=", b" i=", b" b=")
_ENDS: Final = (b",q=%di ", b"i,q=%di ", b",q=%di ")
_GOOD_ENDS: Final = (b" ", b"i ", b" ")  # where only exceptions have a quality
_BAD: Final = 31

Rows = npt.NDArray[np.void]
Objects = npt.NDArray[np.object_]


class Lines:
    """Lines as pieces, so that any span of them becomes a request at the cost of a join.

    Args:
        pieces: `STRIDE` a line; the last has the line feed.
    """

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    def __len__(self) -> int:
        return len(self._pieces) // STRIDE

    def body(self, start: int, end: int) -> bytes:
        """Lines from `start` up to `end`."""
        return b"".join(self._pieces[STRIDE * start : STRIDE * end])


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
        self._valued: Objects = np.full(size, b"", object)
        for tag in tags:
            kind = _kind(tag.type)
            if not any(fnmatchcase(tag.path, pattern) for pattern in sink.tags) or (
                kind == _STRING and not texts
            ):
                continue
            self._kind[tag.id] = kind
            self._series[tag.id] = series(sink, tag, site)
            if kind != _STRING:
                self._valued[tag.id] = self._series[tag.id] + _FIELDS[kind]

    def samples(self, rows: Rows) -> Lines:
        """Lines of samples (dtype `SAMPLE`), in their order; tags that are not forwarded are left out."""
        ids = np.minimum(rows["tag"], np.uint32(len(self._kind) - 1))
        rows = rows[self._kind[ids] < _STRING]
        ids = rows["tag"]
        kinds = self._kind[ids]
        bits = np.ascontiguousarray(rows["bits"])
        numbers = bits.view(np.float64)
        bad = (rows["status"] >> np.uint32(_BAD)) == 1
        bad |= (kinds == _FLOAT) & ~np.isfinite(numbers)
        pieces: list[Any] = [b""] * (STRIDE * len(rows))
        pieces[0::STRIDE] = np.where(bad, self._series[ids], self._valued[ids]).tolist()
        pieces[1::STRIDE] = _values(kinds, bits, numbers, bad)
        pieces[2::STRIDE] = _ends(kinds, rows["status"], bad, self._always)
        pieces[3::STRIDE] = [b"%b\n" % t for t in _texts(rows["t"])]
        return Lines(pieces)

    def texts(self, rows: Iterable[Text]) -> Lines:
        """Lines of the samples of string tags, in their order."""
        pieces: list[bytes] = []
        for row in rows:
            if row.tag >= len(self._kind) or self._kind[row.tag] != _STRING:
                continue
            quoted = row.text.replace("\\", "\\\\").replace('"', '\\"')
            value = b"" if row.status >> _BAD else b's="%b"' % quoted.encode(errors="replace")
            quality = b"q=%di" % row.status if row.status or self._always else b""
            fields = b",".join(part for part in (value, quality) if part)
            pieces += (self._series[row.tag], b" ", fields, b" %d\n" % row.t)
        return Lines(pieces)


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
    parts = [_escaped(sink.measurement, ", ")]
    parts += [
        f"{_escaped(key, ', =')}={_escaped(str(held[what]), ', =')}"
        for key, what in sorted(sink.keys.items())
        if held[what]
    ]
    return ",".join(parts).encode()


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
    return orjson.dumps(np.ascontiguousarray(column), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")


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
    different, which = np.unique(key, return_inverse=True)
    ends: Objects = np.empty(len(different), object)
    for at, one in enumerate(different.tolist()):
        code, kind = one >> 3, one & 7
        if kind == _OUT:
            ends[at] = b" q=%di " % code
        else:
            ends[at] = _ENDS[kind] % code if code or always else _GOOD_ENDS[kind]
    return list(ends[which].tolist())
