"""Samples of one tag as few bytes: lossless, checked, and readable by anybody who has the manual's page on the format.

Lives here: the pure functions from arrays to bytes and back (`docs/reference/history-file.md` describes every byte).
Knows nothing of files, databases, tags or time of day; uses numpy and zstandard only. Bytes that were not written here
raise `StoreDamagedError`; no length in them is believed before it is checked.
"""

from __future__ import annotations

from historian.chunks.brief import (
    NEVER,
    SUMMARY,
    Summaries,
    form_of,
    is_summary,
    pack_summary,
    ramp_of,
    summarised,
    unpack_summary,
)
from historian.chunks.chunk import LAYOUT, Summary, is_hasty, pack, pack_hastily, summary, unpack
from historian.chunks.sections import COUNT_MAX
from historian.chunks.times import checksum_of, pack_times, unpack_times

__all__ = [
    "COUNT_MAX",
    "LAYOUT",
    "NEVER",
    "SUMMARY",
    "Summaries",
    "Summary",
    "checksum_of",
    "form_of",
    "is_hasty",
    "is_summary",
    "pack",
    "pack_hastily",
    "pack_summary",
    "pack_times",
    "ramp_of",
    "summarised",
    "summary",
    "unpack",
    "unpack_summary",
    "unpack_times",
]
