"""A recording repeated: the same scans, to the bit, or the first scan and the tags that came out otherwise.

A replay begins at a checkpoint. At each further one it compares everything that it has come to with what was saved, by
name; in between it compares each scan's bytes (`record.Told`) and, now and then, a checksum of everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final

from scada.scan import checkpoint, record
from scada.scan.program import Program
from scada.scan.record import Item, Scan, Start
from scada.scan.state import State, Writes
from scada.scan.step import step

_NAMED: Final = 20  # places of a difference that are told


class ReplayError(Exception):
    """A recording that cannot be repeated."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a replay came out otherwise.

    Attributes:
        path: Of a tag, or of an attribute in the state.
        now: What this replay came to: value and status of a tag, or what the attribute is.
        was: What was recorded; None when only a byte of it is known.
    """

    path: str
    now: str
    was: str | None = None


class DiffersError(ReplayError):
    """A scan that came out otherwise than it was recorded.

    Attributes:
        number: Of the scan.
        utc_ns: Its time, ns UTC.
        places: Tags, or attributes of the state, in order.
    """

    def __init__(self, number: int, utc_ns: int, places: list[Place], said: str) -> None:
        super().__init__(said)
        self.number, self.utc_ns, self.places = number, utc_ns, places


@dataclass(frozen=True, slots=True)
class Step:
    """One scan, repeated; the state after it is `Replay.state`.

    Attributes:
        scan: As recorded.
        writes: What it wrote.
        events: What it told.
    """

    scan: Scan
    writes: Writes
    events: list[dict[str, Any]]


class Replay:
    """Repeats a recording.

    Args:
        program: Of the site that was recorded.
        strict: A scan that came out otherwise raises; else it goes on and counts in `differing`.

    Attributes:
        state: After the last scan that was repeated; None where there is none yet.
        scans: Repeated.
        checked: Checksums and checkpoints that agreed.
        differing: Scans, checksums and checkpoints that did not.
        skipped: Scans that are in the recording and could not be repeated: nothing to begin from.
        gaps: Places where scans are missing.
        began: Told of each state that was loaded to begin from.
    """

    def __init__(self, program: Program, *, strict: bool = True) -> None:
        self.program, self.strict = program, strict
        self.state: State | None = None
        self.scans = self.checked = self.differing = self.skipped = self.gaps = 0
        self.began: Callable[[State], None] | None = None
        self._parts: list[Mapping[str, Any]] = []
        self._mine: dict[str, Any] | None = (
            None  # what this replay had come to at the checkpoint that is being read
        )
        self._waiting: list[Scan] = []
        self._utc_ns = 0
        self._told = record.Told(program)

    def run(self, items: Iterable[Item]) -> Iterator[Step]:
        """Repeats scan by scan.

        Args:
            items: In order (`record.items`); scans before the first checkpoint are skipped.

        Raises:
            DiffersError: A scan came out otherwise, and `strict`.
            ReplayError: The recording is of another site.
        """
        for item in items:
            if isinstance(item, Scan):
                yield from self._scan(item)
            elif isinstance(item, Start):
                self._drop()
                self._check_site(item.digest)
            else:
                yield from self._part(item)
        self.skipped += len(self._waiting)
        self._waiting = []

    def _check_site(self, digest: str) -> None:
        if digest != self.program.site.digest:
            raise ReplayError(f"the recording is of another version of the site ({digest[:12]}…)")

    def _drop(self) -> None:
        """What comes now does not follow from what was before."""
        self.state, self._mine = None, None
        self.skipped += len(self._waiting)
        self._parts, self._waiting = [], []

    def _part(self, part: Mapping[str, Any]) -> Iterator[Step]:
        if part["part"] == 0:
            self._check_site(part["digest"])
            self._parts = []
            here = self.state is not None and self.state.scans == part["scan"]
            self._mine = (
                checkpoint.dump(self.program, self.state) if here and self.state is not None else None
            )
            if not here:
                if self.state is not None:
                    self.gaps += 1
                self._drop()
        self._parts.append(part)
        if len(self._parts) < part["parts"]:
            return
        try:
            found = checkpoint.merge(self._parts)
            if self.state is None:
                self.state = checkpoint.load(self.program, found)
                if self.began is not None:
                    self.began(self.state)
        except checkpoint.CheckpointError as error:
            raise ReplayError(str(error)) from error
        if self._mine is not None:
            self._compare(found, self._mine)
        self._parts, self._mine = [], None
        waiting, self._waiting = self._waiting, []
        for scan in waiting:
            yield from self._scan(scan)

    def _compare(self, found: Mapping[str, Any], mine: Mapping[str, Any]) -> None:
        differing = checkpoint.differences(found, mine)
        places = [Place(where, _text(now), _text(was)) for where, was, now in differing[:_NAMED]]
        if places:
            said = f"the state after scan {found['scan']} is not the one that was saved"
            self._differs(found["scan"], places, said)
        else:
            self.checked += 1

    def _scan(self, scan: Scan) -> Iterator[Step]:
        number = scan.tick.number
        if self.state is None:
            if self._parts and number > self._parts[0]["scan"]:
                self._waiting.append(scan)
            else:
                self.skipped += 1
            return
        if number != self.state.scans + 1:
            if number <= self.state.scans:
                return  # recorded twice
            self.gaps += 1
            self._drop()
            self.skipped += 1
            return
        self.state, writes, events = step(self.program, self.state, scan.inputs, scan.requests, scan.tick)
        self.scans += 1
        self._utc_ns = scan.tick.utc_ns
        self._judge(scan, writes)
        yield Step(scan, writes, events)

    def _judge(self, scan: Scan, writes: Writes) -> None:
        assert self.state is not None
        number = scan.tick.number
        told = self._told.of(self.state, writes)
        if told != scan.told:
            places = [self._place(path) for path in self._where(scan.told, told, writes)]
            names = ", ".join(place.path for place in places[:3]) or "a tag that is not written now"
            self._differs(number, places, f"scan {number} came out otherwise: {names}")
        elif scan.check is not None:
            if record.checksum(self.state) == scan.check:
                self.checked += 1
            else:
                said = f"scan {number} came out otherwise, in a value that was written up to {record.CHECK_EVERY} scans before"
                self._differs(number, [], said)

    def _differs(self, number: int, places: list[Place], said: str) -> None:
        self.differing += 1
        if self.strict:
            raise DiffersError(number, self._utc_ns, places, said)

    def _where(self, was: bytes, now: bytes, writes: Writes) -> list[str]:
        """The tags whose bytes differ; what was written then and is not now has no name."""
        rows = record.written(writes)
        if len(was) == len(now):
            found = [row for row, one, other in zip(rows, was, now, strict=True) if one != other]
        else:
            matcher = SequenceMatcher(None, was, now, autojunk=False)
            found = [
                row
                for kind, _, _, low, high in matcher.get_opcodes()
                if kind != "equal"
                for row in rows[low:high]
            ]
        return [self.program.slots[row].path for row in found[:_NAMED]]

    def _place(self, path: str) -> Place:
        assert self.state is not None
        slot, signals = self.program.index[path], self.state.signals
        return Place(path, f"{signals.value[slot]!r} (status 0x{signals.status[slot]:08X})")


def _text(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
