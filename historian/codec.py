"""Batches of samples of many tags as compressed bytes, for the journal; and chunks as the first layout had them.

A batch names the types of its tags, so that it can be read alone: 64 bits mean nothing without.

Both begin with a byte that names the layout, so that a better layout can stand beside the old one. Numbers are written
byte by byte (all first bytes, then all second bytes, …), which is what makes neighbours alike and zstandard short.
Every blob carries zstandard's checksum: a flipped bit is an error, never a wrong value.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import zstandard

from historian.store import SAMPLE, StoreDamagedError
from tags.types import TYPES

_BATCH, _CHUNK, _TYPED = 1, 2, 5
_UNKNOWN: Final = 255
_KIND: Final = np.dtype([("tag", "<u4"), ("type", "u1")])
_HEAD: Final = struct.Struct("<BI")
_SAMPLE_MAX: Final = SAMPLE.itemsize + _KIND.itemsize  # bytes of a sample in a block, at most
_HEAD_MAX: Final = 64
_FAST: Final = zstandard.ZstdCompressor(level=1, write_checksum=True)
_COLUMNS: Final = ("tag", "t", "bits", "status")

Column = npt.NDArray[Any]


def pack_batch(samples: npt.NDArray[np.void], kinds: bytes = b"") -> bytes:
    """Samples of many tags in the order in which they came.

    Args:
        samples: Dtype `SAMPLE`.
        kinds: Types of the tags, from `kinds_of`.
    """
    payload = b"".join([*(np.ascontiguousarray(samples[name]).tobytes() for name in _COLUMNS), kinds])
    return _HEAD.pack(_TYPED, len(samples)) + _FAST.compress(payload)


def kinds_of(tags: npt.NDArray[np.uint32], types: Mapping[int, str]) -> bytes:
    """Types of tags as a batch has them.

    Args:
        tags: Ids, any order, also many times.
        types: By id, of `tags.types.TYPES`.
    """
    ids = np.unique(tags)
    found = np.empty(len(ids), _KIND)
    found["tag"] = ids
    found["type"] = [TYPES.index(types[tag]) if tag in types else _UNKNOWN for tag in ids.tolist()]
    return found.tobytes()


def unpack_batch(blob: bytes) -> npt.NDArray[np.void]:
    """The inverse of `pack_batch`: its samples.

    Raises:
        StoreDamagedError: Not what was written.
    """
    count, payload = _payload(blob, _BATCH, _TYPED)
    if len(payload) < count * SAMPLE.itemsize:
        raise StoreDamagedError("a block of samples is damaged: it is too short")
    samples = np.empty(count, SAMPLE)
    at = 0
    for name in _COLUMNS:
        column = np.frombuffer(payload, SAMPLE[name], count, at)
        samples[name] = column
        at += column.nbytes
    return samples


def types_of(blob: bytes) -> dict[int, str]:
    """The types of the tags in a batch, by id; those that it knew.

    Raises:
        StoreDamagedError: Not what was written.
    """
    count, payload = _payload(blob, _BATCH, _TYPED)
    rest = payload[count * SAMPLE.itemsize :]
    kinds = np.frombuffer(rest, _KIND, len(rest) // _KIND.itemsize)
    return {tag: TYPES[kind] for tag, kind in kinds.tolist() if kind < len(TYPES)}


def unpack_chunk(blob: bytes, tag: int) -> npt.NDArray[np.void]:
    """A chunk of the store's first layout; `historian.chunks` writes those of today.

    Raises:
        StoreDamagedError: Not what was written.
    """
    count, payload = _payload(blob, _CHUNK)
    samples = np.empty(count, SAMPLE)
    samples["tag"] = tag
    if not count:
        return samples
    at = 9
    if payload[8]:
        samples["status"] = np.frombuffer(payload, "<u4", 1, at)
        at += 4
    else:
        samples["status"] = _gather(payload, at, count, np.dtype("<u4"))
        at += 4 * count
    steps = _gather(payload, at, count, np.dtype("<i8"))
    samples["t"] = np.cumsum(steps) + np.frombuffer(payload, "<i8", 1)
    samples["bits"] = _gather(payload, at + 8 * count, count, np.dtype("<u8"))
    return samples


def _gather(payload: bytes, at: int, count: int, dtype: np.dtype[Any]) -> Column:
    planes = np.frombuffer(payload, np.uint8, count * dtype.itemsize, at)
    return np.ascontiguousarray(planes.reshape(dtype.itemsize, count).T).view(dtype).reshape(count)


def _payload(blob: bytes, *wanted: int) -> tuple[int, bytes]:
    try:
        layout, count = _HEAD.unpack_from(blob)
        frame = blob[_HEAD.size :]
        size = zstandard.frame_content_size(frame)
        if (
            size > count * _SAMPLE_MAX + _HEAD_MAX
        ):  # zstandard would ask for so much memory, terabytes perhaps
            raise StoreDamagedError(f"a block of samples is damaged: {size} bytes for {count} samples")
        payload = zstandard.ZstdDecompressor().decompress(frame)
    except (struct.error, zstandard.ZstdError, MemoryError) as error:
        raise StoreDamagedError(f"a block of samples is damaged: {error}") from error
    if layout not in wanted:
        raise StoreDamagedError(
            f"a block of samples has layout {layout}, wanted {wanted[-1]}: made by a newer version?"
        )
    return count, payload
