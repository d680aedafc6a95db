"""The payloads of a whole scan group to value bits and quality, in vector operations: pure.

Every request of the group has its place in one buffer. Which words make which value, in which order, is worked out
once; a poll then costs one gather per type and one scaling of all scaled tags, however many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from scada.field.modbus.address import BIT_TABLES, Address
from scada.field.modbus.config import ORDERS, Config
from scada.field.modbus.gather import Gather, gather
from scada.field.modbus.plan import Request
from tags import quality, types
from tags.model import Scaling
from tags.scaling import Scalings

Bits = npt.NDArray[np.uint64]
Status = npt.NDArray[np.uint32]
Rows = npt.NDArray[np.intp]
Words = npt.NDArray[np.uint16]
Buffer = npt.NDArray[np.uint8]

IDENTITY: Final = Scaling()


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
        return not self.scaling.plain

    @property
    def limited(self) -> bool:
        """Raw values outside its limits are sensor failures."""
        return self.scaling.bad_below is not None or self.scaling.bad_above is not None


class Decoder:
    """Decodes one scan group.

    Args:
        points: All points of the device; the requests' `members` are positions in it.
        requests: Of the group.
        config: Order of bytes, where an address has none of its own.

    Raises:
        ValueError: A request does not cover one of its members.

    Attributes:
        members: Shape (n,), positions in `points`, request by request; all results are in this order.
        request_of: Shape (n,), position of each member's request in `requests`.
        size: Bytes of all payloads; each begins at an even one.
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
        self.size = end
        self._buffer: Buffer = np.zeros(end, np.uint8)
        self.use(self._buffer)
        self._bits = np.zeros(len(self.members), np.uint64)
        self.texts: list[int] = []
        self._text_places: list[tuple[int, int, bool]] = []
        coils: tuple[list[int], list[int]] = ([], [])
        flags: dict[bool, _Found] = {}
        numbers: dict[tuple[str, str, bool], _Found] = {}
        position = 0
        for request, start in zip(requests, self._starts, strict=True):
            for i in request.members:
                at = points[i].address
                if (
                    at.table != request.table
                    or at.offset < request.start
                    or at.end > request.start + request.count
                ):
                    raise ValueError(
                        f"{at} is not in the {request.count} from {request.table}/{request.start}"
                    )
                order = at.order or config.bytes_order
                swapped = ORDERS[order][1] == "little"
                word = start // 2 + at.offset - request.start
                if at.table in BIT_TABLES:
                    coils[0].append(position)
                    coils[1].append(8 * start + at.offset - request.start)
                elif at.type == types.STRING:
                    self.texts.append(position)
                    self._text_places.append((2 * word, 2 * (word + at.count), swapped))
                elif at.type == types.BOOL:
                    flags.setdefault(swapped, _Found()).add(position, word, points[i])
                else:
                    numbers.setdefault((at.type, order, at.is_field), _Found()).add(position, word, points[i])
                position += 1
        self._coils = (np.array(coils[0], np.intp), np.array(coils[1], np.intp))
        self._flags = [(swapped, _Flags(found)) for swapped, found in flags.items()]
        kinds = [(order, _Numbers(found, order)) for (_, order, _), found in numbers.items()]
        self._numbers = [(kind.as_sent or ORDERS[order][1] == "little", kind) for order, kind in kinds]
        self._plain = not all(as_sent for as_sent, _ in (*self._flags, *self._numbers))

    def use(self, buffer: Buffer) -> None:
        """From now on payloads are kept here.

        Args:
            buffer: Shape (size,), for example a slice of a larger one, at an even byte.
        """
        buffer[:] = self._buffer
        self._buffer = buffer
        view = memoryview(buffer.data).cast("B")
        self._places = [view[a : a + n] for a, n in zip(self._starts, self._lengths, strict=True)]
        self._words = buffer.view(">u2")
        self._pairs: Words = buffer.view(np.uint16)  # the same, bytes swapped

    def put(self, number: int, payload: bytes) -> None:
        """Takes the data of one reply.

        Args:
            number: Position of the request.
            payload: Its data, without the byte count; exactly `payload_bytes` long.

        Raises:
            ValueError: Another length.
        """
        self._places[number][:] = payload

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
        pairs = self._pairs
        plain: Words = self._words.astype(np.uint16) if self._plain else pairs
        for swapped, flags in self._flags:
            flags.decode(pairs if swapped else plain, self._bits)
        for as_sent, numbers in self._numbers:
            numbers.decode(pairs if as_sent else plain, self._bits, status)
        return self._bits, status

    def text(self, position: int) -> str:
        """The text of a string point: up to the first NUL, bytes that are no UTF-8 replaced."""
        first, last, swapped = self._text_places[self.texts.index(position)]
        raw = self._buffer[first:last]
        if swapped:
            raw = raw.reshape(-1, 2)[:, ::-1]
        return raw.tobytes().split(b"\0", 1)[0].decode("utf-8", "replace").rstrip()


@dataclass(slots=True)
class _Found:
    """Points of one kind: their rows in the results, their first registers, and themselves."""

    rows: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)

    def add(self, row: int, place: int, point: Point) -> None:
        self.rows.append(row)
        self.places.append(place)
        self.points.append(point)


class _Flags:
    """Single bits of registers."""

    def __init__(self, found: _Found) -> None:
        self._rows = np.array(found.rows, np.intp)
        self._places = np.array(found.places, np.intp)
        self._shifts = np.array([p.address.bit or 0 for p in found.points], np.uint16)

    def decode(self, words: Words, bits: Bits) -> None:
        bits[self._rows] = (words[self._places] >> self._shifts) & 1


class _Numbers:
    """All numbers of one kind."""

    def __init__(self, found: _Found, order: str) -> None:
        points, rows = found.points, np.array(found.rows, np.intp)
        self._gather: Gather = gather([p.address for p in points], found.places, order)
        self.as_sent = self._gather.as_sent
        kind = self._gather.dtype.kind
        self._signed = kind == "i"
        as_float = np.array([kind == "f" or p.type in types.FLOATS or p.scaled for p in points], np.bool_)
        self._exact = np.flatnonzero(~as_float)
        self._exact_rows = rows[self._exact]
        self._exact_at = _span(self._exact_rows)
        self._exact_limited = bool(any(points[i].limited for i in self._exact))
        self._real = np.flatnonzero(as_float)
        self._real_rows = rows[self._real]
        self._real_at = _span(self._real_rows)
        self._all_real = len(self._exact) == 0
        self._whole = np.array([points[i].type not in types.FLOATS for i in self._real], np.bool_)
        self._any_whole = bool(self._whole.any())
        self._of_exact = _scalings([points[i] for i in self._exact])
        self._of_real = _scalings([points[i] for i in self._real])

    def decode(self, words: Words, bits: Bits, status: Status) -> None:
        raw, unusable = self._gather(words)
        if len(self._exact):
            exact = raw if not len(self._real) else raw[self._exact]
            encoded = exact.astype(np.int64 if self._signed else np.uint64).view(np.uint64)
            bad = None if unusable is None else unusable[self._exact]
            if self._exact_limited:
                s = self._of_exact
                outside = (exact < s.bad_below) | (exact > s.bad_above)
                status[self._exact_rows[outside]] = quality.BAD_SENSOR_FAILURE
                bad = outside if bad is None else bad | outside
            if bad is None or not bad.any():
                bits[self._exact_at] = encoded
            else:
                bits[self._exact_rows[~bad]] = encoded[~bad]
        if len(self._real):
            with np.errstate(invalid="ignore"):  # a signalling NaN is what any NaN is: no value
                real = (raw if self._all_real else raw[self._real]).astype(np.float64)
            values, bad = self._of_real.engineering(real)
            if unusable is not None:
                bad |= unusable[self._real]
            encoded = values.view(np.uint64)
            if self._any_whole:
                encoded = _whole(values, encoded, self._whole, ~bad)
            if not bad.any():
                bits[self._real_at] = encoded
            else:
                bits[self._real_rows[~bad]] = encoded[~bad]
                status[self._real_rows[bad]] = quality.BAD_SENSOR_FAILURE
        if unusable is not None:
            status[self._exact_rows[unusable[self._exact]]] = quality.BAD_CONFIGURATION_ERROR
            status[self._real_rows[unusable[self._real]]] = quality.BAD_CONFIGURATION_ERROR


def _scalings(points: Sequence[Point]) -> Scalings:
    return Scalings.of([p.scaling for p in points], [p.address.type for p in points])


def _span(rows: Rows) -> Rows | slice:
    """Rows as a slice where they follow each other: it is written several times as fast."""
    first, last = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
    return slice(first, last) if np.array_equal(rows, np.arange(first, last)) else rows


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
