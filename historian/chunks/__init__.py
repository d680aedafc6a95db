"""Samples of one tag as few bytes: lossless, checked, and readable by anybody who has the manual's page on the format.

Lives here: the pure functions from arrays to bytes and back (`docs/reference/history-file.md` describes every byte).
Knows nothing of files, databases, tags or time of day; uses numpy and zstandard only. Bytes that were not written here
raise `StoreDamagedError`; no length in them is believed before it is checked.
"""

from __future__ import annotations

from historian.chunks.chunk import LAYOUT, Summary, pack, summary, unpack
from historian.chunks.sections import COUNT_MAX
from historian.chunks.times import checksum_of, pack_times, unpack_times

__all__ = [
    "COUNT_MAX",
    "LAYOUT",
    "Summary",
    "checksum_of",
    "pack",
    "pack_times",
    "summary",
    "unpack",
    "unpack_times",
]
