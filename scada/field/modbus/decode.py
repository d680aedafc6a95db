"""The payloads of a whole scan group to value bits and quality, in vector operations: pure.

Every request of the group has its place in one buffer. Which words make which value, in which order, is worked out
once; a poll then costs one gather per type and one scaling of all scaled tags, however many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from scada.field.modbus.address import BIT_TABLES, Address
from scada.field.modbus.config import Config
from scada.field.modbus.plan import Request
from tags import quality, types
from tags.model import Scaling
from tags.scaling import Scalings, to_engineering

Bits = npt.NDArray[np.uint64]
Status = npt.NDArray[np.uint32]

IDENTITY: Final = Scaling()
WIRE: Final[dict[str, str]] = {
    types.INT16: "<i2",
    types.UINT16: "<u2",
    types.INT32: "<i4",
    types.UINT32: "<u4",
    types.FLOAT32: "<f4",
    types.INT64: "<i8",
    types.UINT64: "<u8",
    types.FLOAT64: "<f8",
}


@dataclass(frozen=True, slots=True)
class Point:
    """What decoding must know of a tag.

    Attributes:
        address: Where it is, with its type on the wire.
        type: Of its value, one of `tags.types.TYPES`.
        scaling: Raw to engineering.
    """

    address: Address
    type: str
    scaling: Scaling = IDENTITY

    @property
    def scaled(self) -> bool:
        """Its value is not the raw number itself."""
        return self.scaling.gain != 1.0 or self.scaling.offset != 0.0

    @property
    def limited(self) -> bool:
        """Raw values outside its limits are sensor failures."""
        return self.scaling.bad_below is not None or self.scaling.bad_above is not None


class Decoder:
    """Decodes one scan group.

    Args:
        points: All points of the device; the requests' `members` are positions in it.
        requests: Of the group.
        config: Word and byte order.

    Attributes:
        members: Shape (n,), positions in `points`, request by request; all results are in this order.
        request_of: Shape (n,), position of each member's request in `requests`.
        texts: Positions in the results of the string points.
    """

    def __init__(self, points: Sequence[Point], requests: Sequence[Request], config: Config) -> None:
        self.members = np.array([i for r in requests for i in r.members], np.intp)
        self.request_of = np.array([n for n, r in enumerate(requests) for _ in r.members], np.intp)
        self._lengths = [request.payload_bytes for request in requests]
        self._starts: list[int] = []
        end = 0
        for length in self._lengths:
            self._starts.append(end)
            end += length + length % 2  # keeps registers on even bytes
        self._buffer = np.zeros(end, np.uint8)
        self._view = memoryview(self._buffer.data).cast("B")
        self._words = self._buffer.view("<u2" if config.byte_order == "little" else ">u2")
        self._little_bytes = config.byte_order == "little"

        self._bits = np.zeros(len(self.members), np.uint64)
        self.texts: list[int] = []
        self._text_places: list[tuple[int, int]] = []
        coils: tuple[list[int], list[int]] = ([], [])
        flags: tuple[list[int], list[int], list[int]] = ([], [], [])
        numbers: dict[str, tuple[list[int], list[list[int]]]] = {}
        position = 0
        for request, start in zip(requests, self._starts, strict=True):
            for i in request.members:
                at = points[i].address
                if at.table in BIT_TABLES:
                    coils[0].append(position)
                    coils[1].append(8 * start + at.offset - request.start)
                else:
                    word = start // 2 + at.offset - request.start
                    if at.type == types.STRING:
                        self.texts.append(position)
                        self._text_places.append((2 * word, 2 * (word + at.count)))
                    elif at.bit is not None:
                        flags[0].append(position)
                        flags[1].append(word)
                        flags[2].append(at.bit)
                    else:
                        order = range(word, word + at.count)
                        low_first = list(order if config.word_order == "little" else reversed(order))
                        rows, words = numbers.setdefault(at.type, ([], []))
                        rows.append(position)
                        words.append(low_first)
                position += 1
        self._coils = (np.array(coils[0], np.intp), np.array(coils[1], np.intp))
        self._flags = (
            np.array(flags[0], np.intp),
            np.array(flags[1], np.intp),
            np.array(flags[2], np.uint16),
        )
        self._numbers = [
            _Numbers(
                WIRE[type_],
                np.array(rows, np.intp),
                np.array(words, np.intp),
                [points[int(self.members[r])] for r in rows],
            )
            for type_, (rows, words) in numbers.items()
        ]

    def put(self, number: int, payload: bytes) -> None:
        """Takes the data of one reply.

        Args:
            number: Position of the request.
            payload: Its data, without the byte count; exactly `payload_bytes` long.

        Raises:
            ValueError: Another length.
        """
        start = self._starts[number]
        self._view[start : start + self._lengths[number]] = payload

    def decode(self) -> tuple[Bits, Status]:
        """Values of everything that was put, as of now.

        Returns:
            Value bits and status, shape (n,) in the order of `members`. The arrays are used again by the next call.
            Where the status is Bad the bits are those of the last usable value. A string's bits are 0: see `text`.
        """
        status = np.zeros(len(self.members), np.uint32)
        if len(self._coils[0]):
            unpacked = np.unpackbits(self._buffer, bitorder="little")
            self._bits[self._coils[0]] = unpacked[self._coils[1]]
        if self._numbers or len(self._flags[0]):
            words = self._words.astype("<u2")
            rows, places, shifts = self._flags
            if len(rows):
                self._bits[rows] = (words[places] >> shifts) & 1
            for group in self._numbers:
                group.decode(words, self._bits, status)
        return self._bits, status

    def text(self, position: int) -> str:
        """The text of a string point: up to the first NUL, bytes that are no UTF-8 replaced."""
        first, last = self._text_places[self.texts.index(position)]
        raw = self._buffer[first:last]
        if self._little_bytes:
            raw = raw.reshape(-1, 2)[:, ::-1]
        return raw.tobytes().split(b"\0", 1)[0].decode("utf-8", "replace").rstrip()


class _Numbers:
    """All numbers of one wire type."""

    def __init__(
        self, wire: str, rows: npt.NDArray[np.intp], words: npt.NDArray[np.intp], points: list[Point]
    ) -> None:
        self._wire = np.dtype(wire)
        self._words = words
        self._floating = self._wire.kind == "f"
        as_float = np.array([self._floating or p.type in types.FLOATS or p.scaled for p in points], np.bool_)
        self._exact = np.flatnonzero(~as_float)
        self._exact_rows = rows[self._exact]
        self._exact_limited = bool(any(points[i].limited for i in self._exact))
        self._real = np.flatnonzero(as_float)
        self._real_rows = rows[self._real]
        self._all_real = len(self._exact) == 0
        self._whole = np.array([points[i].type not in types.FLOATS for i in self._real], np.bool_)
        self._any_whole = bool(self._whole.any())
        self._of_exact = Scalings.of(
            [points[i].scaling for i in self._exact], [points[i].address.type for i in self._exact]
        )
        self._of_real = Scalings.of(
            [points[i].scaling for i in self._real], [points[i].address.type for i in self._real]
        )

    def decode(self, words: npt.NDArray[np.uint16], bits: Bits, status: Status) -> None:
        raw = words[self._words].view(self._wire)[:, 0]
        if len(self._exact):
            exact = raw if not len(self._real) else raw[self._exact]
            bits[self._exact_rows] = exact.astype(np.int64 if self._wire.kind == "i" else np.uint64).view(
                np.uint64
            )
            if self._exact_limited:
                s = self._of_exact
                bad = (exact < s.bad_below) | (exact > s.bad_above)
                status[self._exact_rows[bad]] = quality.BAD_SENSOR_FAILURE
        if len(self._real):
            s = self._of_real
            real = (raw if self._all_real else raw[self._real]).astype(np.float64)
            values, bad = to_engineering(real, s.gain, s.offset, s.bad_below, s.bad_above)
            good = ~bad
            encoded = values.view(np.uint64)
            if self._any_whole:
                encoded = _whole(values, encoded, self._whole, good)
            if good.all():
                bits[self._real_rows] = encoded
            else:
                bits[self._real_rows[good]] = encoded[good]
                status[self._real_rows[bad]] = quality.BAD_SENSOR_FAILURE


def _whole(
    values: npt.NDArray[np.float64], encoded: Bits, whole: npt.NDArray[np.bool_], good: npt.NDArray[np.bool_]
) -> Bits:
    """Scaled values of tags whose own type is an integer: rounded, held inside int64."""
    pick = whole & good
    inside = np.clip(np.rint(values[pick]), -(2.0**63), np.nextafter(2.0**63, 0.0))
    out = encoded.copy()
    out[pick] = inside.astype(np.int64).view(np.uint64)
    return out


def exception_status(code: int) -> int:
    """The quality of tags whose request was answered with a Modbus exception.

    Args:
        code: Exception code (Modbus Application Protocol 1.1b3, 7).

    Returns:
        BadConfigurationError where the request itself is wrong (1 … 3), UncertainLastUsableValue where the device is busy
        for now (5, 6), BadNoCommunication where a gateway cannot reach it (10, 11), else BadDeviceFailure.
    """
    if code in (1, 2, 3):
        return quality.BAD_CONFIGURATION_ERROR
    if code in (5, 6):
        return quality.UNCERTAIN_LAST_USABLE
    return quality.BAD_NO_COMMUNICATION if code in (10, 11) else quality.BAD_DEVICE_FAILURE
