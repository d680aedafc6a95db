"""Samples as DataValue records in rows of bytes, in vector operations. Pure.

Each row of a matrix ends with its record; before it is room for a client handle:

    column   0…3       4      5      6…13   14…17    18…25    26…33
             handle    mask   type   value  status   source   server       of a Double, of Int64 and UInt64

Shorter values lie at the end of their room and mask and type stand right before them; a Bad sample has neither type nor
value. So status and times have the same columns in all rows, and `start` says where a row's record begins. What has no
source time lies 8 bytes further right. A text is put in behind its mask when the rows are written out.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from scada.opcua.types import VARIANT
from tags.types import BOOL, FLOAT32, FLOAT64, INT16, INT32, INT64, STRING, UINT16, UINT32, UINT64

# TimestampsToReturn, OPC 10000-4 §7.39.
SOURCE, SERVER, BOTH, NEITHER = 0, 1, 2, 3

WIDTH: Final = 34
HANDLE: Final = 4
EPOCH_TICKS: Final = 116_444_736_000_000_000  # 1601 to 1970 in 100 ns
_VALUE, _STATUS, _SOURCE, _SERVER = 0x01, 0x02, 0x04, 0x08
_BAD_START: Final = 13
_TEXT: Final = 4
_COLUMNS: Final = np.arange(WIDTH)

FORM: Final = {
    BOOL: 0, INT16: 1, UINT16: 1, INT32: 2, UINT32: 2, INT64: 3, UINT64: 3, FLOAT64: 3, STRING: _TEXT, FLOAT32: 5,
}  # fmt: skip
"""How the value of a type is made of its bits: the low 1, 2, 4 or 8 bytes, a text, or a Float."""
_DTYPES: Final = {0: "u1", 1: "<u2", 2: "<u4", 3: "<u8", 5: "<f4"}

Bytes = npt.NDArray[np.uint8]
Bits = npt.NDArray[np.uint64]
Times = npt.NDArray[np.int64]
Statuses = npt.NDArray[np.uint32]
Rows = npt.NDArray[np.intp]


def _fields(form: int, shift: int) -> np.dtype[Any]:
    """A row of a matrix as named fields; a text has no value."""
    value = [] if form == _TEXT else [_DTYPES[form]]
    width = np.dtype(value[0]).itemsize if value else 0
    names = ["mask", "status", "server"]
    formats = ["u1", "<u4", "<i8"]
    offsets = [12 - width + shift if value else _BAD_START + shift, 14 + shift, 26]
    if not shift:
        names, formats, offsets = [*names, "source"], [*formats, "<i8"], [*offsets, 18]
    if value:
        names, formats = [*names, "type", "value"], [*formats, "u1", *value]
        offsets = [*offsets, 13 - width + shift, 14 - width + shift]
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": WIDTH})


_FIELDS: Final = {(form, shift): _fields(form, shift) for form in range(6) for shift in (0, 8)}
_TAIL: Final = _FIELDS[_TEXT, 0]


class Types:
    """What the layout has to know of the tags.

    Args:
        types: Data type of each tag.

    Attributes:
        form: Shape (n,), see `FORM`.
        variant: Shape (n,), numbers of the Variant types.
        forms: Those that occur.
    """

    def __init__(self, types: list[str]) -> None:
        self.form = np.array([FORM[type_] for type_ in types], np.uint8)
        self.variant = np.array([VARIANT[type_].value for type_ in types], np.uint8)
        self.forms: list[int] = np.unique(self.form).tolist()


def ticks(t: Times) -> Times:
    """UTC ns as OPC UA has it: 100 ns since 1601."""
    return t // 100 + EPOCH_TICKS


def put(
    matrix: Bytes,
    start: npt.NDArray[np.uint8],
    at: Rows,
    types: Types,
    tags: Rows,
    bits: Bits,
    status: Statuses,
    source_ns: Times,
) -> None:
    """Writes samples into rows of a matrix; the server times are left.

    Args:
        matrix: Shape (rows, WIDTH), C order.
        start: Shape (rows,), gets the columns at which the records begin.
        at: Shape (n,), which rows.
        types: Of the tags.
        tags: Shape (n,), whose samples: indices into `types`.
        bits: Shape (n,), value bits (`tags.types`).
        status: Shape (n,), StatusCodes.
        source_ns: Shape (n,), UTC, ns; 0 for none.
    """
    form = types.form[tags]
    for kind in types.forms:
        for shift in (0, 8):
            chosen = (source_ns == 0) == bool(shift)
            if len(types.forms) > 1:
                chosen &= form == kind
            if chosen.all():
                _put(matrix, start, at, kind, shift, types.variant[tags], bits, status, source_ns)
            elif chosen.any():
                variant = types.variant[tags[chosen]]
                _put(
                    matrix, start, at[chosen], kind, shift, variant, bits[chosen], status[chosen],
                    source_ns[chosen],
                )  # fmt: skip


def _put(
    matrix: Bytes,
    start: npt.NDArray[np.uint8],
    at: Rows,
    form: int,
    shift: int,
    variant: npt.NDArray[np.uint8],
    bits: Bits,
    status: Statuses,
    source_ns: Times,
) -> None:
    fields = _FIELDS[form, shift]
    view = matrix.view(fields).reshape(-1)
    always = _STATUS | _SERVER | (0 if shift else _SOURCE)
    bad = status >> np.uint32(31) == 1
    view["mask"][at] = always | _VALUE
    if form != _TEXT:
        view["type"][at] = variant
        with np.errstate(over="ignore", invalid="ignore"):
            view["value"][at] = bits.view(np.float64) if form == FORM[FLOAT32] else bits
    view["status"][at] = status
    if not shift:
        view["source"][at] = ticks(source_ns)
    begins: int = fields.fields["mask"][1] if fields.fields else 0
    start[at] = begins
    if bad.any():
        rows = at[bad]
        matrix[rows, _BAD_START + shift] = always
        start[rows] = _BAD_START + shift


def write_out(
    matrix: Bytes,
    start: npt.NDArray[np.uint8],
    server_ns: int,
    timestamps: int | npt.NDArray[np.uint8] = BOTH,
    handles: npt.NDArray[np.uint32] | None = None,
    texts: Mapping[int, bytes] | None = None,
) -> bytes:
    """Rows of a matrix one behind the other; spoils the matrix.

    Args:
        matrix: Shape (n, WIDTH), C order, a copy.
        start: Shape (n,), where each record begins, a copy.
        server_ns: Server time of all of them, UTC, ns.
        timestamps: Which times are sent, one for all or one for each: `SOURCE`, `SERVER`, `BOTH` or `NEITHER`.
        handles: Shape (n,), client handles to put before the records; None for none.
        texts: The texts of those rows that are texts and not Bad, UTF-8, by row.
    """
    matrix.view(_TAIL)["server"].reshape(-1)[:] = server_ns // 100 + EPOCH_TICKS
    if isinstance(timestamps, int):
        if timestamps in {SERVER, NEITHER}:
            _drop_source(matrix, start, None)
        if timestamps in {SOURCE, NEITHER}:
            _drop_server(matrix, start, None)
    else:
        _drop_source(matrix, start, np.flatnonzero((timestamps == SERVER) | (timestamps == NEITHER)))
        _drop_server(matrix, start, np.flatnonzero((timestamps == SOURCE) | (timestamps == NEITHER)))
    room = 0
    if handles is not None:
        room = HANDLE
        _put_handles(matrix, start, np.ascontiguousarray(handles, "<u4"))
    if not len(start):
        return b""
    first = int(start[0]) - room
    if (start == start[0]).all():
        flat = matrix[:, first:].tobytes()
    else:
        flat = matrix[(start - np.uint8(room))[:, None] <= _COLUMNS].tobytes()
    return _with_texts(flat, start, room, texts) if texts else flat


def _with_texts(flat: bytes, start: npt.NDArray[np.uint8], room: int, texts: Mapping[int, bytes]) -> bytes:
    ends = np.cumsum(WIDTH + room - start.astype(np.int64))
    pieces: list[bytes] = []
    done = 0
    for row in sorted(texts):
        behind_mask = int(ends[row]) - WIDTH + int(start[row]) + 1
        text = texts[row]
        pieces += (flat[done:behind_mask], struct.pack("<Bi", VARIANT[STRING].value, len(text)), text)
        done = behind_mask
    return b"".join([*pieces, flat[done:]])


def _mask_and(matrix: Bytes, start: npt.NDArray[np.uint8], at: Rows | None, keep: int) -> None:
    rows = np.arange(len(start)) if at is None else at
    matrix[rows, start[rows]] &= np.uint8(keep)


def _drop_source(matrix: Bytes, start: npt.NDArray[np.uint8], at: Rows | None) -> None:
    rows = np.arange(len(start)) if at is None else at
    has = matrix[rows, start[rows]] & _SOURCE != 0
    if at is None and has.all():
        at = None
    else:
        at = rows[has]
        if not len(at):
            return
    _mask_and(matrix, start, at, ~_SOURCE & 0xFF)
    if at is None:
        matrix[:, 8:26] = matrix[:, 0:18]
        start += np.uint8(8)
    else:
        matrix[at, 8:26] = matrix[at, 0:18]
        start[at] += np.uint8(8)


def _drop_server(matrix: Bytes, start: npt.NDArray[np.uint8], at: Rows | None) -> None:
    _mask_and(matrix, start, at, ~_SERVER & 0xFF)
    if at is None:
        matrix[:, 8:34] = matrix[:, 0:26]
        start += np.uint8(8)
    elif len(at):
        matrix[at, 8:34] = matrix[at, 0:26]
        start[at] += np.uint8(8)


def _put_handles(matrix: Bytes, start: npt.NDArray[np.uint8], handles: npt.NDArray[np.uint32]) -> None:
    octets = handles.view(np.uint8).reshape(-1, 4)
    for begins in np.unique(start).tolist():
        rows = start == begins
        if rows.all():
            matrix[:, begins - HANDLE : begins] = octets
        else:
            at = np.flatnonzero(rows)
            matrix[at, begins - HANDLE : begins] = octets[at]
