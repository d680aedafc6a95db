"""Command values as they are written, and to what a device that took them would read back: pure."""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from scada.field.modbus.address import BIT_TABLES
from scada.field.modbus.config import ORDERS, Config
from scada.field.modbus.decode import Bits, Point
from scada.field.modbus.writes import Part
from tags import types
from tags.scaling import Scalings, to_raw, to_raw_array

_PACK: Final = {types.FLOAT32: ">f", types.FLOAT64: ">d"}


def part(point: Point, bits: int, text: str, config: Config) -> Part:
    """A value as it stands on the wire.

    Args:
        point: Where to, and how scaled.
        bits: The value's 64 bits by `point.type`, engineering units; not used for a string.
        text: The value of a string.
        config: Order of bytes, where the address has none of its own.

    Raises:
        ValueError: The value cannot be written: not finite, or a text too long for its registers.
    """
    at = point.address
    if at.table in BIT_TABLES:
        return Part(at.table, at.offset, bytes((bits != 0,)))
    word_order, byte_order = ORDERS[at.order or config.bytes_order]
    mask = None
    if at.bit is not None:
        mask = (1 << at.width) - 1 << at.bit
        words = ((_raw(point, bits) << at.bit) & mask).to_bytes(2, "big")
        if byte_order == "little":
            mask = int.from_bytes(mask.to_bytes(2, "little"), "big")
    elif at.type == types.STRING:
        words = _text(point, text)
    elif at.type in _PACK:
        words = struct.pack(_PACK[at.type], _raw(point, bits))
    elif at.type in types.BCD:
        words = bytes.fromhex(f"{_raw(point, bits):0{4 * at.count}d}")
    else:
        words = (_raw(point, bits) & (2 ** (16 * at.count) - 1)).to_bytes(2 * at.count, "big")
    if word_order == "little" and at.type != types.STRING:
        words = b"".join(words[i : i + 2] for i in range(len(words) - 2, -1, -2))
    if byte_order == "little":
        words = b"".join(words[i + 1 : i - 1 if i else None : -1] for i in range(0, len(words), 2))
    return Part(at.table, at.offset, words, mask)


def _raw(point: Point, bits: int) -> Any:
    """The raw value of a command: an int where the type on the wire is one."""
    at = point.address
    value = types.from_bits(point.type, bits)
    if not point.scaled and at.type == point.type and at.limits is None and at.type not in types.FLOATS:
        return value
    return to_raw(value, point.scaling, at.type, at.limits)


def _text(point: Point, text: str) -> bytes:
    data, room = text.encode(), 2 * point.address.count
    if len(data) > room:
        raise ValueError(f"a text of {len(data)} bytes does not fit into {point.address.count} registers")
    return data.ljust(room, b"\0")


def _held(point: Point) -> tuple[int, int] | None:
    """Raw limits of an integer that its own type does not keep."""
    return point.address.limits or types.BCD_RANGE.get(point.address.type)


class Quantiser:
    """What outputs would read back if a command were written: rounded to the device's steps, in one vector operation.

    Commands and read-backs are compared as equal bits; this makes them comparable.

    Args:
        points: The outputs.
    """

    def __init__(self, points: Sequence[Point]) -> None:
        numeric = [(i, p) for i, p in enumerate(points) if p.address.type not in (types.BOOL, types.STRING)]
        numbers = [
            (i, p) for i, p in numeric if p.scaled or p.type in types.FLOATS or p.address.type in types.FLOATS
        ]
        taken = {i for i, _ in numbers}
        held = [(i, limits) for i, p in numeric if i not in taken and (limits := _held(p)) is not None]
        self._held = np.array([i for i, _ in held], np.intp)
        self._low = np.array([low for _, (low, _) in held], np.int64)
        self._high = np.array([high for _, (_, high) in held], np.int64)
        self._rows = np.array([i for i, _ in numbers], np.intp)
        self._scalings = Scalings.of(
            [p.scaling for _, p in numbers],
            [p.address.type for _, p in numbers],
            [p.address.limits for _, p in numbers],
        )
        self._float_in = np.array([p.type in types.FLOATS for _, p in numbers], np.bool_)
        self._single = np.array([p.address.type == types.FLOAT32 for _, p in numbers], np.bool_)

    def __call__(self, bits: Bits) -> tuple[Bits, npt.NDArray[np.bool_]]:
        """Quantised commands.

        Args:
            bits: Shape (n,), the commands' value bits.

        Returns:
            Bits of the values that would be read back, and a mask of those that cannot be written at all.
        """
        out = bits.copy()
        bad = np.zeros(len(bits), np.bool_)
        if len(self._held):
            mine = out[self._held]
            signed = np.clip(mine.view(np.int64), self._low, self._high).view(np.uint64)
            out[self._held] = np.where(self._low < 0, signed, np.minimum(mine, self._high.view(np.uint64)))
        if len(self._rows):
            mine = bits[self._rows]
            s = self._scalings
            raw, unusable = to_raw_array(types.floats(mine, self._float_in), s)
            with np.errstate(over="ignore"):
                raw = np.where(self._single, raw.astype(np.float32).astype(np.float64), raw)
            values, _ = s.engineering(raw)
            encoded = values.view(np.uint64)
            if not self._float_in.all():
                whole = np.clip(np.rint(values), -(2.0**63), np.nextafter(2.0**63, 0.0)).astype(np.int64)
                encoded = np.where(self._float_in, encoded, whole.view(np.uint64))
            out[self._rows] = encoded
            bad[self._rows] = unusable
        return out, bad


assert sys.byteorder == "little"  # the views in this package say so; x86-64 only
