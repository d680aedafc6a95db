"""Whole numbers as sections of bytes: only the bytes that any of them needs, all first bytes, then all second bytes, ….

Neighbours look alike in this order, which is what makes zstandard short. A section's length after decompression follows
from numbers that were read and checked before it, so nothing is allocated on the word of damaged bytes.
"""

from __future__ import annotations

import struct
import threading
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import zstandard

from historian.store import StoreDamagedError

COUNT_MAX: Final = 65_536  # samples of a chunk; bounds what a damaged length can ask for
_SECTION: Final = struct.Struct("<BBI")
_PLAIN, _ZSTD = 0, 1
_NO_SIGN: Final = np.int64(2**63 - 1)
_BYTE: Final = np.uint64(8)
_UNFOLDED: Final = np.array([n // 2 if n % 2 == 0 else -(n // 2) - 1 for n in range(256)], np.int8)
_SMALL: Final = 1024  # so many numbers are put together faster byte beside byte
_WORTH: Final = 24  # bytes; a zstandard frame is not shorter below

Whole = npt.NDArray[np.uint64]


class _Codecs(threading.local):
    """zstandard's objects must not be used by two threads at once."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=3, write_checksum=False)
        self.hasty = zstandard.ZstdCompressor(level=-3, write_checksum=False)
        self.decompressor = zstandard.ZstdDecompressor()


_CODECS: Final = _Codecs()


class Cursor:
    """Reads bytes from front to back.

    Args:
        data: All of them.
        at: Where it begins.
    """

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self._at = at

    def take(self, size: int) -> bytes:
        """The next bytes.

        Raises:
            StoreDamagedError: There are fewer.
        """
        end = self._at + size
        if end > len(self._data):
            raise StoreDamagedError(f"a block of samples ends after {len(self._data)} bytes, wanted {end}")
        found = self._data[self._at : end]
        self._at = end
        return found

    def fields(self, layout: struct.Struct) -> tuple[Any, ...]:
        """The next fields."""
        return layout.unpack(self.take(layout.size))

    def finish(self) -> None:
        """Nothing may follow.

        Raises:
            StoreDamagedError: Something does.
        """
        if self._at != len(self._data):
            raise StoreDamagedError("a block of samples has bytes after its end")


def pack_whole(numbers: Whole, *, hasty: bool = False) -> bytes:
    """Unsigned numbers as a section.

    Args:
        numbers: Shape (n,), uint64, contiguous.
        hasty: Rather soon than short.
    """
    largest = int(numbers.max()) if len(numbers) else 0
    width = (largest.bit_length() + 7) // 8
    planes = numbers.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8)[:, :width].T.tobytes()
    if len(planes) >= _WORTH:
        short = (_CODECS.hasty if hasty else _CODECS.compressor).compress(planes)
        if len(short) < len(planes):
            return _SECTION.pack(width, _ZSTD, len(short)) + short
    return _SECTION.pack(width, _PLAIN, len(planes)) + planes


def unpack_whole(cursor: Cursor, count: int) -> Whole:
    """The inverse of `pack_whole`.

    Args:
        cursor: Stands at the section.
        count: How many numbers; at most `COUNT_MAX`, checked by the caller.

    Raises:
        StoreDamagedError: Not what was written.
    """
    planes = _planes(cursor, count)
    if not len(planes):
        return np.zeros(count, np.uint64)
    return _whole(planes)


def unpack_steps(cursor: Cursor, count: int) -> npt.NDArray[np.signedinteger[Any]]:
    """As `unpack_whole`, with the signs unfolded: of the least type that has room for what the section can hold."""
    planes = _planes(cursor, count)
    if not len(planes):
        return np.zeros(count, np.int8)
    if len(planes) == 1:
        short: npt.NDArray[np.int8] = _UNFOLDED.take(planes[0])
        return short
    if len(planes) == 2:
        folded = planes[1].astype(np.uint16)
        folded <<= np.uint16(8)
        folded |= planes[0]
        signs: npt.NDArray[np.int16] = -(folded & np.uint16(1)).view(np.int16)
        signs ^= (folded >> np.uint16(1)).view(np.int16)
        return signs
    return unfold_signs(_whole(planes))


def _whole(planes: npt.NDArray[np.uint8]) -> Whole:
    """Numbers of their bytes."""
    width, count = planes.shape
    if width > 2 and count < _SMALL:
        side = np.zeros((count, 8), np.uint8)
        side[:, :width] = planes.T
        return side.view("<u8").reshape(count)
    found: Whole = planes[-1].astype(np.uint64)
    for plane in planes[-2::-1]:
        found <<= _BYTE
        found |= plane
    return found


def _planes(cursor: Cursor, count: int) -> npt.NDArray[np.uint8]:
    """The bytes of a section, shape (width, count), the lowest first."""
    width, method, size = cursor.fields(_SECTION)
    if width > 8 or method > _ZSTD:
        raise StoreDamagedError(f"a block of samples has a section of width {width}, method {method}")
    planes = cursor.take(size)
    if method == _ZSTD:
        planes = _decompress(planes, width * count)
    if len(planes) != width * count:
        raise StoreDamagedError(f"a section of samples has {len(planes)} bytes, wanted {width * count}")
    return np.frombuffer(planes, np.uint8).reshape(width, count)


def _decompress(frame: bytes, size: int) -> bytes:
    """A frame that says it has the wanted size, so that no other is ever allocated."""
    try:
        if zstandard.frame_content_size(frame) != size:
            raise StoreDamagedError("a section of samples has another length than its numbers need")
        return _CODECS.decompressor.decompress(frame, max_output_size=size)
    except zstandard.ZstdError as error:
        raise StoreDamagedError(f"a section of samples is damaged: {error}") from error


def fold_signs(numbers: npt.NDArray[np.int64]) -> Whole:
    """0, -1, 1, -2, … as 0, 1, 2, 3, …: small numbers of either sign need few bytes."""
    return ((numbers << 1) ^ (numbers >> 63)).view(np.uint64)


def unfold_signs(numbers: Whole) -> npt.NDArray[np.int64]:
    """The inverse of `fold_signs`."""
    signed = numbers.view(np.int64)
    return ((signed >> 1) & _NO_SIGN) ^ -(signed & 1)


def steps(numbers: Whole) -> Whole:
    """Differences of neighbours modulo 2**64, signs folded; one fewer than there are numbers."""
    return fold_signs((numbers[1:] - numbers[:-1]).view(np.int64))


def sums(first: int, steps_: npt.NDArray[np.signedinteger[Any]]) -> Whole:
    """The inverse of `steps`, from what `unpack_steps` returns."""
    found = np.empty(len(steps_) + 1, np.int64)
    found[:1].view(np.uint64)[0] = first
    np.cumsum(steps_, dtype=np.int64, out=found[1:])
    found[1:] += found[0]
    return found.view(np.uint64)
