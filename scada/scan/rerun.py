"""What if: a recording given to a changed program, beside the one that was recorded.

Both get the same samples, requests and times. The plant in the samples answered to the recorded program, not to the
changed one: from the first output that would have been different, the answer is what control would have asked, not what the plant
would have become.

What the field acted on follows each program's own commands: as recorded where both gave the same command in the same
scan; else the field is taken to act at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from scada.blocks.base import Tick
from scada.scan.program import OWN, Program
from scada.scan.record import Item, written
from scada.scan.replay import Replay, ReplayError
from scada.scan.state import Inputs, State, Writes
from scada.scan.step import step
from scada.scan.transfer import transfer
from tags.types import coerce

_OURS: Final = 1 << 55  # versions that no publisher gives


@dataclass(slots=True)
class Change:
    """A stretch of time in which an output would have been different.

    Attributes:
        path: Of the tag.
        since_ns: First scan, ns UTC.
        until_ns: Last scan so far, ns UTC.
        scans: In it.
        was: Command in the first scan, and whether it was driven.
        would: The same of the changed program.
        largest: Largest difference of two numbers in it, engineering units.
    """

    path: str
    since_ns: int
    until_ns: int
    scans: int
    was: tuple[Any, bool]
    would: tuple[Any, bool]
    largest: float = 0.0


@dataclass(slots=True)
class Changes:
    """Every output that would have been different.

    Attributes:
        done: Stretches that are over, in order of their end.
        open: Stretches that go on, by path.
    """

    done: list[Change] = field(default_factory=list)
    open: dict[str, Change] = field(default_factory=dict)

    def all(self) -> list[Change]:
        """In order of their beginning."""
        return sorted([*self.done, *self.open.values()], key=lambda one: (one.since_ns, one.path))

    def note(self, path: str, utc_ns: int, was: tuple[Any, bool], would: tuple[Any, bool]) -> None:
        """One output in one scan: its command, and whether it was driven."""
        now = self.open.get(path)
        if repr(was) == repr(would):
            if now is not None:
                self.done.append(self.open.pop(path))
            return
        if now is None:
            now = self.open[path] = Change(path, utc_ns, utc_ns, 0, was, would)
        now.until_ns, now.scans = utc_ns, now.scans + 1
        if isinstance(was[0], int | float) and isinstance(would[0], int | float):
            now.largest = max(now.largest, abs(would[0] - was[0]))


class Rerun:
    """A recording given to a changed program.

    Args:
        changed: The program to try; its scan period is that of the recording.
        recorded: The program of the recording.
        items: Of the recording (`record.items`).

    Attributes:
        state: Of the changed program; None before the first scan.
        was: The replay of the recorded program.
        changes: Device outputs that would have been different.
        unknown: Tags of devices that the changed program reads and the recording does not have.

    Raises:
        ReplayError: The scan periods differ.
    """

    def __init__(self, changed: Program, recorded: Program, items: Iterable[Item]) -> None:
        if changed.site.scan_ns != recorded.site.scan_ns:
            raise ReplayError(
                f"the recording is of a scan of {recorded.site.scan_ns / 1e6:g} ms, the site has "
                f"{changed.site.scan_ns / 1e6:g} ms: what-if needs the same scan period"
            )
        self.changed, self.recorded = changed, recorded
        self.was = Replay(recorded, strict=False)
        self.state: State | None = None
        self.changes = Changes()
        own = changed.own
        self.unknown = [tag.path for tag in changed.slots[own:] if tag.path not in recorded.index]
        self._items = items
        self._slot = [changed.index.get(tag.path, -1) for tag in recorded.slots]
        self._type = [changed.slots[slot].type if slot >= 0 else "" for slot in self._slot]
        self._same_type = [kind == tag.type for kind, tag in zip(self._type, recorded.slots, strict=True)]
        self._pairs = [
            (plan, recorded.outputs[recorded.output_of[plan.tag.path]])
            for plan in changed.outputs
            if plan.way != OWN and plan.tag.path in recorded.output_of
        ]
        self._row = {old.row: plan.row for plan, old in self._pairs if plan.way == old.way}
        self._alone: set[int] = set()  # rows whose last command is not the recorded one
        self._versions: list[tuple[int, int]] = []
        self._acted: list[tuple[int, int]] = []
        self._count = _OURS

    def __iter__(self) -> Iterator[tuple[Tick, Writes, list[dict[str, Any]]]]:
        """Scan by scan: its time, what the changed program wrote and told."""
        self.was.began = self._began
        for done in self.was.run(self._items):
            assert self.state is not None
            assert self.was.state is not None
            scan = done.scan
            inputs = self._inputs(scan.inputs)
            self.state, writes, events = step(self.changed, self.state, inputs, scan.requests, scan.tick)
            self._publish(writes, done.writes)
            self._compare(scan.tick.utc_ns)
            yield scan.tick, writes, events

    def _began(self, state: State) -> None:
        """The replay has a state to begin from, at the start and after each gap."""
        self.state = transfer(self.recorded, state, self.changed)
        self._alone = {plan.row for plan in self.changed.outputs if plan.way != OWN} - set(self._row.values())
        self._versions, self._acted = [], []

    def _inputs(self, given: Inputs) -> Inputs:
        samples = []
        slots, same = self._slot, self._same_type
        for slot, value, status, time_ns in given.samples:
            mine = slots[slot]
            if mine < 0:
                continue
            if not same[slot]:
                try:
                    value = coerce(self._type[slot], value)  # noqa: PLW2901 - the same sample, of another type
                except ValueError:
                    continue
            samples.append((mine, value, status, time_ns))
        acted = self._of_rows(given.acted) + self._acted
        versions = self._of_rows(given.versions) + self._versions
        self._acted = self._versions
        return Inputs(samples, acted, versions)

    def _of_rows(self, given: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        found = [(self._row.get(row, -1), number) for row, number in given]
        return [(row, number) for row, number in found if row >= 0 and row not in self._alone]

    def _publish(self, mine: Writes, theirs: Writes) -> None:
        """Who still gives the recorded command; the others get versions of ours."""
        assert self.state is not None
        assert self.was.state is not None
        wrote, was_written = set(written(mine)), set(written(theirs))
        self._versions = []
        signals, was = self.state.signals, self.was.state.signals
        for plan in self.changed.outputs:
            if plan.way == OWN or plan.command not in wrote:
                continue
            self._count += 1
            self._versions.append((plan.row, self._count))
        gave = dict(self._versions)
        for plan, old in self._pairs:
            now, then = plan.command in wrote, old.command in was_written
            if (not now and not then) or plan.way != old.way:
                continue
            same = now and then and (plan.command in mine.renew) == (old.command in theirs.renew) and (
                repr(signals.value[plan.command]), signals.status[plan.command]
            ) == (repr(was.value[old.command]), was.status[old.command])  # fmt: skip
            if same:
                self._alone.discard(plan.row)
                gave.pop(plan.row, None)
            else:
                self._alone.add(plan.row)
        self._versions = list(gave.items())

    def _compare(self, utc_ns: int) -> None:
        assert self.state is not None
        assert self.was.state is not None
        for plan, old in self._pairs:
            self.changes.note(
                plan.tag.path,
                utc_ns,
                (self.was.state.signals.value[old.command], self.was.state.drive[old.command]),
                (self.state.signals.value[plan.command], self.state.drive[plan.command]),
            )
