"""What the scan says to its recording: records for a ring, and back.

Each scan is one record `T`: tick, samples, what the field acted on, versions, requests, and one byte for each of
control's tags that the scan wrote (`Told`), so that a replay that comes out otherwise knows at once where; now and then
also a checksum of everything (`checksum`). A record `S` is a start of control, records `K` are the parts of a
checkpoint (`scada.scan.checkpoint`). An event ring takes 60 KB a record: what is longer is split (`split`).

A record `T` is a head of fixed size, then columns, then JSON for what is rare: texts, requests, civil time when it does
not follow from the last scan. All numbers are little-endian.
"""

from __future__ import annotations

import datetime as dt
import marshal
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from scada.blocks.base import Tick
from scada.requests import Request
from scada.requests.message import from_json
from scada.scan.program import Program
from scada.scan.state import Inputs, State, Writes
from tags.types import FLOATS, STRING, to_bits

VERSION: Final = 2
CHECK_EVERY: Final = 100  # scans between two checksums of everything
PART_BYTES: Final = 50_000
HEAD: Final = struct.Struct("<QIqIIIII")
"""Number, periods, UTC ns; then how many samples, acted, versions and bytes of `told` and of JSON."""

_DAY: Final = 86_400
_FIRST_DAY: Final = dt.date(1970, 1, 1).toordinal()
_DOUBLE: Final = struct.Struct("<d")
_LONG: Final = struct.Struct("<Q")
_U64: Final = 2**64 - 1
_MANY: Final = 16  # tags that are worth an array
_OF_STATUS: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_OF_SLOT: Final = np.uint64(0xD6E8FEB86659FD93)
_OF_ALL: Final = np.uint64(0x9E3779B97F4A7C15)
_HIGHEST: Final = np.uint64(56)


class RecordError(ValueError):
    """A record that cannot be read."""


class Start(NamedTuple):
    """Control started.

    Attributes:
        digest: Of the compiled site.
        utc_ns: When.
        manual: In Manual, because it crashed again and again.
        tags: Number of the tag of each slot.
    """

    digest: str
    utc_ns: int
    manual: bool
    tags: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Scan:
    """What one scan was given, and what it said.

    Attributes:
        tick: Its time.
        inputs: What was new.
        requests: What came.
        told: One byte for each of control's tags that it wrote, rising by slot.
        check: `checksum` of the state after it, or None.
    """

    tick: Tick
    inputs: Inputs
    requests: list[Request]
    told: bytes
    check: int | None


Item = Start | Mapping[str, Any] | Scan
"""A start, a part of a checkpoint (`checkpoint.Taker`), or a scan."""


# ---- what a scan said -----------------------------------------------------------------------------------------------


def written(writes: Writes) -> list[int]:
    """Slots of control's tags that a scan wrote, rising."""
    if writes.flags or writes.renew:
        return sorted({*writes.slots, *writes.flags, *writes.renew})
    return writes.slots


class Told:
    """One byte for each tag that a scan wrote (`written`): another value, status or drive flag gives another byte.

    Two different values share a byte once in 256 times; `checksum` sees what slips through.

    Args:
        program: What runs.
    """

    def __init__(self, program: Program) -> None:
        own = program.slots[: program.own]
        self._types = [tag.type for tag in own]
        self._plain = np.array([tag.type in FLOATS for tag in own], np.bool_)

    def of(self, state: State, writes: Writes) -> bytes:
        """The bytes of a scan, rising by slot.

        Args:
            state: After it.
            writes: What it wrote.
        """
        rows = written(writes)
        if not rows:
            return b""
        value = state.signals.value
        where = np.array(rows, np.intp)
        if len(rows) > _MANY and bool(self._plain[where].all()):
            bits = np.array([value[row] for row in rows], np.float64).view(np.uint64)
        else:
            types = self._types
            bits = np.array(
                [
                    zlib.crc32(value[row].encode())
                    if types[row] == STRING
                    else to_bits(types[row], value[row])
                    for row in rows
                ],
                np.uint64,
            )
        statuses = state.signals.statuses[where].astype(np.uint64)
        for row in writes.flags:  # who may write changed
            statuses[np.searchsorted(where, row)] |= np.uint64(1 << (41 if state.drive[row] else 40))
        mixed = bits ^ (statuses * _OF_STATUS) ^ (where.astype(np.uint64) * _OF_SLOT)
        # Multiplicative hashing (Knuth, TAOCP 3, 6.4): every bit counts in the highest byte.
        return bytes(((mixed * _OF_ALL) >> _HIGHEST).astype(np.uint8))


def checksum(state: State) -> int:
    """CRC-32 of all values, statuses, times and drive flags: equal sums, equal bits."""
    signals = state.signals
    try:
        values = marshal.dumps(signals.value, 2)
    except ValueError:  # a value of no plain type
        values = repr(signals.value).encode()
    crc = zlib.crc32(values)
    crc = zlib.crc32(signals.statuses.astype("<u4").tobytes(), crc)
    crc = zlib.crc32(signals.times.astype("<i8").tobytes(), crc)
    return zlib.crc32(bytes(state.drive.values()), crc)


# ---- to the ring ----------------------------------------------------------------------------------------------------


def start_records(program: Program, utc_ns: int, *, manual: bool) -> list[bytes]:
    """The records of a start; a checkpoint follows them."""
    body = {
        "version": VERSION,
        "digest": program.site.digest,
        "utc_ns": utc_ns,
        "manual": manual,
        "tags": [tag.id for tag in program.slots],
    }
    return split(b"S", orjson.dumps(body))


def checkpoint_records(part: Mapping[str, Any]) -> list[bytes]:
    """The records of one part of a checkpoint."""
    return split(b"K", orjson.dumps(part))


def split(kind: bytes, data: bytes) -> list[bytes]:
    """One record; or `B`, maybe some `C`, and the rest under the small letter, when it is longer than a ring takes."""
    if len(data) <= PART_BYTES:
        return [kind + data]
    parts = [data[at : at + PART_BYTES] for at in range(0, len(data), PART_BYTES)]
    return [b"B" + parts[0], *(b"C" + part for part in parts[1:-1]), kind.lower() + parts[-1]]


class Encoder:
    """Makes the records of scans.

    Args:
        program: What runs.
    """

    def __init__(self, program: Program) -> None:
        self._types = [tag.type for tag in program.slots]
        self._civil = Civil()

    def restart(self) -> None:
        """What follows must be readable without what was before: at a checkpoint."""
        self._civil = Civil()

    def scan(
        self, inputs: Inputs, requests: Sequence[Request], tick: Tick, told: bytes, check: int | None
    ) -> list[bytes]:
        """The records of one scan.

        Args:
            inputs: Given to the step.
            requests: Given to the step.
            tick: Given to the step.
            told: `Told.of` it.
            check: `checksum` of the state after it, or None.
        """
        rare: dict[str, Any] = {}
        columns = self._samples(inputs, rare)
        count = len(columns[0]) // 4
        if requests:
            rare["requests"] = [request.to_json() for request in requests]
        if check is not None:
            rare["check"] = check
        if not self._civil.follows(tick):
            rare["civil"] = self._civil.learn(tick)
        extra = orjson.dumps(rare) if rare else b""
        acted, versions = inputs.acted, inputs.versions
        head = HEAD.pack(
            tick.number, tick.periods, tick.utc_ns, count, len(acted), len(versions), len(told), len(extra)
        )
        return split(b"T", b"".join((head, *columns, _pairs(acted), _pairs(versions), told, extra)))

    def _samples(self, inputs: Inputs, rare: dict[str, Any]) -> tuple[bytes, bytes, bytes, bytes]:
        """Columns of slots, statuses, times and value bits; texts go into `rare`."""
        slots, statuses, times, bits = [], [], [], []
        types = self._types
        for slot, value, status, time_ns in inputs.samples:
            if types[slot] == STRING:
                rare.setdefault("texts", []).append((slot, value, status, time_ns))
                continue
            slots.append(slot)
            statuses.append(status)
            times.append(time_ns)
            if type(value) is float:
                bits.append(_LONG.unpack(_DOUBLE.pack(value))[0])
            else:
                bits.append(to_bits(types[slot], value))
        columns = [
            np.array(slots, np.uint32).tobytes(),
            np.array(statuses, np.uint32).tobytes(),
            np.array(times, np.int64).tobytes(),
            np.array(bits, np.uint64).tobytes(),
        ]
        for batch in inputs.batches:
            values = batch.values
            wide = values.astype(np.uint64) if values.dtype == np.bool_ else values.view(np.uint64)
            columns[0] += batch.slots.astype(np.uint32).tobytes()
            columns[1] += batch.status.astype(np.uint32).tobytes()
            columns[2] += batch.time_ns.astype(np.int64).tobytes()
            columns[3] += wide.tobytes()
        return columns[0], columns[1], columns[2], columns[3]


def _pairs(pairs: Sequence[tuple[int, int]]) -> bytes:
    return np.array(pairs, np.uint64).tobytes() if pairs else b""


class Civil:
    """Civil time of one scan after the other: it follows from UTC, but where the zone's offset or database changes."""

    def __init__(self) -> None:
        self.offset: int | None = None
        self.tz_version = ""
        self._day, self._date, self._weekday = -(10**9), "", 0

    def at(self, utc_ns: int) -> tuple[int, int, str, str]:
        """Weekday, second of the day, date and version as they follow; only with an `offset`."""
        assert self.offset is not None
        day, second = divmod(utc_ns // 1_000_000_000 + self.offset, _DAY)
        if day != self._day:
            date = dt.date.fromordinal(_FIRST_DAY + day)
            self._day, self._date, self._weekday = day, date.isoformat(), date.weekday()
        return self._weekday, second, self._date, self.tz_version

    def follows(self, tick: Tick) -> bool:
        """True when `at` would say the same."""
        return self.offset is not None and self.at(tick.utc_ns) == (
            tick.weekday,
            tick.second_of_day,
            tick.date,
            tick.tz_version,
        )

    def learn(self, tick: Tick) -> list[Any]:
        """Takes over a civil time that does not follow; as JSON for `teach`."""
        civil = [tick.weekday, tick.second_of_day, tick.date, tick.tz_version]
        self.teach(civil, tick.utc_ns)
        return civil

    def teach(self, civil: Sequence[Any], utc_ns: int) -> None:
        """Takes over what `learn` said."""
        self.tz_version = str(civil[3])
        self.offset = None
        try:
            day = dt.date.fromisoformat(civil[2]).toordinal() - _FIRST_DAY
        except ValueError:
            return  # a test without a calendar
        self.offset = day * _DAY + int(civil[1]) - utc_ns // 1_000_000_000


# ---- from the ring --------------------------------------------------------------------------------------------------


class Raw(NamedTuple):
    """A record `T`, taken apart but not made into objects: what is packed and unpacked in bulk.

    Attributes:
        number: Of the scan.
        periods: Whole periods since the last one.
        utc_ns: ns UTC.
        slots: Of the samples, shape (n,).
        statuses: Shape (n,).
        times: Source time, ns UTC, shape (n,).
        bits: Value bits, shape (n,).
        acted: Rows and `aux`, shape (k, 2).
        versions: Rows and versions, shape (m, 2).
        told: See `Scan`.
        extra: JSON, or empty.
    """

    number: int
    periods: int
    utc_ns: int
    slots: npt.NDArray[np.uint32]
    statuses: npt.NDArray[np.uint32]
    times: npt.NDArray[np.int64]
    bits: npt.NDArray[np.uint64]
    acted: npt.NDArray[np.uint64]
    versions: npt.NDArray[np.uint64]
    told: bytes
    extra: bytes


def raw(body: bytes) -> Raw:
    """Takes a record `T` apart.

    Args:
        body: Whole, without its letter.

    Raises:
        RecordError: It is damaged.
    """
    try:
        number, periods, utc_ns, count, acted, versions, length, extra = HEAD.unpack_from(body)
        at = HEAD.size
        columns: list[npt.NDArray[Any]] = []
        for kind, size in (
            (np.uint32, count),
            (np.uint32, count),
            (np.int64, count),
            (np.uint64, count),
            (np.uint64, 2 * acted),
            (np.uint64, 2 * versions),
        ):
            columns.append(np.frombuffer(body, kind, size, at))
            at += columns[-1].nbytes
        if len(body) != at + length + extra:
            raise RecordError("a record of another length than it says")
    except (struct.error, ValueError) as error:
        raise RecordError(f"a record cannot be read: {error}") from None
    slots, statuses, times, bits, pairs, more = columns
    return Raw(
        number, periods, utc_ns, slots, statuses, times, bits, pairs.reshape(-1, 2), more.reshape(-1, 2),
        body[at : at + length], body[at + length :],
    )  # fmt: skip


class Decoder:
    """Makes scans of records again.

    Args:
        program: Of the recording.
    """

    def __init__(self, program: Program) -> None:
        self._period_ns = program.site.scan_ns
        kinds = {"float32": 2, "float64": 2, "bool": 1, "uint64": 3}
        self._kinds = [kinds.get(tag.type, 0) for tag in program.slots]
        self._civil = Civil()

    def scan(self, one: Raw) -> Scan:
        """One scan.

        Raises:
            RecordError: It does not fit the program.
        """
        try:
            return self._scan(one)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise RecordError(f"scan {one.number} cannot be read: {error}") from None

    def _scan(self, one: Raw) -> Scan:
        rare = orjson.loads(one.extra) if one.extra else {}
        civil = rare.get("civil")
        if civil is not None:
            self._civil.teach(civil, one.utc_ns)
        elif self._civil.offset is not None:
            civil = self._civil.at(one.utc_ns)
        else:
            raise RecordError("it has no civil time")
        tick = Tick(one.number, one.periods, self._period_ns, one.utc_ns, *civil)
        samples = self._samples(one)
        samples += [(slot, value, status, time_ns) for slot, value, status, time_ns in rare.get("texts", ())]
        acted: list[Any] = one.acted.tolist()
        versions: list[Any] = one.versions.tolist()
        inputs = Inputs(samples, [(row, aux) for row, aux in acted], [(row, own) for row, own in versions])
        requests = [from_json(found) for found in rare.get("requests", ())]
        return Scan(tick, inputs, requests, one.told, rare.get("check"))

    def _samples(self, one: Raw) -> list[tuple[int, Any, int, int]]:
        kinds = self._kinds
        bits = one.bits
        rows = zip(
            one.slots.tolist(),
            bits.view(np.float64).tolist(),
            bits.view(np.int64).tolist(),
            one.statuses.tolist(),
            one.times.tolist(),
            strict=True,
        )
        found: list[tuple[int, Any, int, int]] = []
        for slot, real, whole, status, time_ns in rows:
            kind = kinds[slot]
            value = real if kind == 2 else whole != 0 if kind == 1 else whole & _U64 if kind == 3 else whole
            found.append((slot, value, status, time_ns))
        return found


class Assembler:
    """Puts records together that were split; what a writer that died left unfinished is dropped."""

    def __init__(self) -> None:
        self._begun: bytes | None = None

    def feed(self, record: bytes) -> tuple[bytes, bytes] | None:
        """The next record of a ring.

        Returns:
            Its letter and all its bytes; None when more of it is to come, or its beginning is missing.
        """
        kind, body, begun = record[:1], record[1:], self._begun
        self._begun = None
        if kind == b"B":
            self._begun = body
        elif kind == b"C":
            self._begun = None if begun is None else begun + body
        elif kind.islower():
            return None if begun is None else (kind.upper(), begun + body)
        else:
            return kind, body
        return None


def items(records: Iterator[bytes] | Sequence[bytes], program: Program) -> Iterator[Item]:
    """Everything that records of a ring say, in order.

    Raises:
        RecordError: One is damaged, or of another version.
    """
    assembler, decoder = Assembler(), Decoder(program)
    for record in records:
        whole = assembler.feed(record)
        if whole is None:
            continue
        kind, body = whole
        if kind == b"T":
            yield decoder.scan(raw(body))
        elif kind == b"K":
            yield orjson.loads(body)
        elif kind == b"S":
            yield started(body)


def started(body: bytes) -> Start:
    """What a record `S` says.

    Raises:
        RecordError: Of another version.
    """
    found = orjson.loads(body)
    if found.get("version") != VERSION:
        raise RecordError(f"a recording of version {found.get('version')}; this is version {VERSION}")
    return Start(found["digest"], found["utc_ns"], found["manual"], tuple(found["tags"]))
