"""The recording of what a scan was given, and its replay.

A record holds one scan: tick, samples, what the field acted on, versions, requests; and now and then a checksum of
the state after it. The first record of a start holds what `start` was given. Records are JSON behind one letter, so
that they can be read with any tool; the historian compresses them. An event ring takes 60 KB a record: longer JSON is
begun in records `C`, whatever was asked for in the scan.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import orjson

from scada.blocks.base import Tick
from scada.requests import Request
from scada.requests.message import from_json
from scada.scan.program import Program
from scada.scan.start import start
from scada.scan.state import Inputs, State
from scada.scan.step import step

CHECK_EVERY: Final = 100  # scans between two checksums
_PART_BYTES: Final = 50_000
_SAMPLES_MAX: Final = 500  # of one record: an event ring takes 60 KB


class ReplayError(Exception):
    """A recording that does not continue, or that this program does not repeat."""


def start_records(program: Program, retained: Any, utc_ns: int, *, manual: bool) -> list[bytes]:
    """The records of a start: the retained state in parts `R`, then the start `S`."""
    kept = orjson.dumps(retained)
    parts = [b"R" + kept[at : at + _PART_BYTES] for at in range(0, len(kept), _PART_BYTES)]
    return [*parts, b"S" + orjson.dumps({"digest": program.site.digest, "utc_ns": utc_ns, "manual": manual})]


def scan_records(inputs: Inputs, requests: Sequence[Request], tick: Tick, check: int | None) -> list[bytes]:
    """The records of one scan: samples `P` when there are many, then the scan `T`; none longer than a ring takes.

    Args:
        inputs: Given to the step.
        requests: Given to the step.
        tick: Given to the step.
        check: `checksum` of the state after it, or None.
    """
    samples = inputs.samples
    parts = []
    while len(samples) > _SAMPLES_MAX:
        parts += _split(b"P", orjson.dumps(_packed(samples[:_SAMPLES_MAX], tick.utc_ns)))
        samples = samples[_SAMPLES_MAX:]
    body: list[Any] = [
        [
            tick.number,
            tick.periods,
            tick.utc_ns,
            tick.weekday,
            tick.second_of_day,
            tick.date,
            tick.tz_version,
        ],
        _packed(samples, tick.utc_ns),
        inputs.acted,
        inputs.versions,
        [request.to_json() for request in requests],
        check,
    ]
    return parts + _split(b"T", orjson.dumps(body))


def _split(kind: bytes, data: bytes) -> list[bytes]:
    """One record, or as many beginnings `C` before it as its length needs."""
    last = max(0, len(data) - 1) // _PART_BYTES * _PART_BYTES
    begun = [b"C" + data[at : at + _PART_BYTES] for at in range(0, last, _PART_BYTES)]
    return [*begun, kind + data[last:]]


def _packed(samples: Sequence[tuple[int, Any, int, int]], utc_ns: int) -> list[list[Any]]:
    """Samples by status and age: `[age ns, status, slot, value, slot, value, …]`; a poll gives many of one time."""
    groups: dict[tuple[int, int], list[Any]] = {}
    for slot, value, status, time_ns in samples:
        key = (utc_ns - time_ns, status)
        group = groups.get(key)
        if group is None:
            groups[key] = group = [*key]
        group += (slot, value)
    return list(groups.values())


def _unpacked(groups: list[list[Any]], utc_ns: int) -> list[tuple[int, Any, int, int]]:
    return [
        (group[n], group[n + 1], group[1], utc_ns - group[0])
        for group in groups
        for n in range(2, len(group), 2)
    ]


def checksum(state: State) -> int:
    """CRC-32 of everything that a scan decides: values, statuses, times, drive flags, commands.

    The shortest text of a float is exact, so equal sums mean equal bits.
    """
    signals, outs = state.signals, state.context.outputs
    decided = (signals.value, signals.status, signals.time_ns, state.drive, outs.applied, outs.tracking)
    return zlib.crc32(repr(decided).encode())


class Replay:
    """Repeats a recording.

    Args:
        program: Of the same site, from the same files.

    Attributes:
        state: After the last scan that was repeated; None before the first.
        checked: Number of checksums that agreed.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.state: State | None = None
        self.checked = 0

    def run(self, records: Iterable[bytes]) -> Iterator[tuple[Tick, list[dict[str, Any]]]]:
        """Repeats scan by scan.

        Args:
            records: In order, from the record of a start on.

        Yields:
            Tick and events of each scan; `state` then shows the rest.

        Raises:
            ReplayError: It begins in the middle, belongs to another site, or a checksum differs.
        """
        parts: list[Any] = []
        kept = begun = b""
        for record in records:
            kind = record[:1]
            if kind == b"R":
                kept += record[1:]
                continue
            if kind == b"C":
                begun += record[1:]
                continue
            body, begun = orjson.loads(begun + record[1:]), b""
            if kind == b"S":
                self._start(body, kept)
                parts, kept = [], b""
            elif self.state is None:
                raise ReplayError("the recording does not begin with a start of control")
            elif kind == b"P":
                parts += body
            elif kind == b"T":
                yield self._scan(parts, body)
                parts = []

    def _start(self, body: dict[str, Any], kept: bytes) -> None:
        if body["digest"] != self.program.site.digest:
            raise ReplayError(f"the recording is of another version of the site ({body['digest'][:12]}…)")
        if not kept:
            raise ReplayError("the recording does not begin with the whole start of control")
        self.state = start(self.program, orjson.loads(kept), utc_ns=body["utc_ns"], manual=body["manual"])

    def _scan(self, parts: list[Any], body: list[Any]) -> tuple[Tick, list[dict[str, Any]]]:
        assert self.state is not None
        number, periods, utc_ns, weekday, second, date, tz_version = body[0]
        tick = Tick(number, periods, self.program.site.scan_ns, utc_ns, weekday, second, date, tz_version)
        inputs = Inputs(_unpacked(parts + body[1], utc_ns), body[2], body[3])
        self.state, _, events = step(
            self.program, self.state, inputs, [from_json(one) for one in body[4]], tick
        )
        if body[5] is not None:
            if checksum(self.state) != body[5]:
                raise ReplayError(f"scan {number} of the recording came out otherwise")
            self.checked += 1
        return tick, events
