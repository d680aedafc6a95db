"""Samples as the bytes of HistoryData (OPC 10000-6 §5.2), thousands at once: to the nanosecond, and no object for each. Pure."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from scada.opcua.types import VARIANT
from tags.types import BOOL, FLOATS, STRING, UINT64

# Encoding mask of a DataValue.
_VALUE, _STATUS, _SOURCE, _SOURCE_PICO = 0x01, 0x02, 0x04, 0x10
_EPOCH_TICKS: Final = 116_444_736_000_000_000  # 1601 to 1970 in 100 ns
_WIDTH: Final = {
    "Boolean": "u1", "Int16": "<i2", "UInt16": "<u2", "Int32": "<i4", "UInt32": "<u4", "Int64": "<i8", "UInt64": "<u8",
    "Float": "<f4", "Double": "<f8",
}  # fmt: skip

NOTHING: Final = struct.pack("<i", 0)

Bits = npt.NDArray[np.uint64]


def ticks(t: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """UTC ns as OPC UA has it: 100 ns since 1601."""
    return t // 100 + _EPOCH_TICKS


def numbers(type_: str, t: npt.NDArray[np.int64], bits: Bits, status: npt.NDArray[np.uint32]) -> bytes:
    """The DataValues of a tag that is no text, with source times; a Bad one carries no value.

    Args:
        type_: Data type of the tag.
        t: UTC, ns, shape (n,).
        bits: Value bits, shape (n,).
        status: StatusCodes, shape (n,).
    """
    if not len(t):
        return NOTHING
    kind = VARIANT[type_]
    fine = bool((t % 100).any())
    fields: list[Any] = [
        ("mask", "u1"),
        ("kind", "u1"),
        ("value", _WIDTH[kind.name]),
        ("status", "<u4"),
        ("t", "<i8"),
    ]
    fields += [("pico", "<u2")] if fine else []
    rows = np.zeros(len(t), np.dtype(fields))
    bad = status >> np.uint32(31) == 1
    rows["mask"] = np.where(bad, 0, _VALUE) | _STATUS | _SOURCE | (_SOURCE_PICO if fine else 0)
    rows["kind"] = kind.value
    with np.errstate(over="ignore"):
        rows["value"] = _values(type_, bits)
    rows["status"] = status
    rows["t"] = ticks(t)
    if fine:
        rows["pico"] = t % 100 * 100  # in 10 ps
    body = rows.view(np.uint8).reshape(len(t), -1)
    if bad.any():
        kept = np.ones(body.shape, np.bool_)
        kept[bad, 1 : 2 + rows.dtype["value"].itemsize] = False
        return _counted(len(t), body[kept].tobytes())
    return _counted(len(t), body.tobytes())


def _values(type_: str, bits: Bits) -> npt.NDArray[Any]:
    bits = np.ascontiguousarray(bits)
    if type_ in FLOATS:
        return bits.view(np.float64)
    if type_ == BOOL:
        return bits != 0
    return bits if type_ == UINT64 else bits.view(np.int64)


def texts(t: npt.NDArray[np.int64], values: Sequence[str], status: npt.NDArray[np.uint32]) -> bytes:
    """As `numbers`, of a string tag."""
    parts = []
    for tick, pico, text, code in zip(
        ticks(t).tolist(), (t % 100 * 100).tolist(), values, status.tolist(), strict=True
    ):
        mask = _STATUS | _SOURCE | _SOURCE_PICO
        if code >> 31:
            value = b""
        else:
            mask |= _VALUE
            word = text.encode()
            value = struct.pack("<Bi", VARIANT[STRING].value, len(word)) + word
        parts.append(bytes([mask]) + value + struct.pack("<IqH", code, tick, pico))
    return _counted(len(parts), b"".join(parts))


def _counted(n: int, body: bytes) -> bytes:
    return struct.pack("<i", n) + body
