"""What is kept of what changed: each tag's history settings, over whole batches at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from historian.keeping import NEVER, Fresh, OnChange, Periodic, SwingingDoor
from historian.keeping.door import STATE
from historian.keeping.rows import Indices, Mask, Rows
from historian.store import BAD_DATA_LOST, SAMPLE
from tags.model import Tag
from tags.types import FLOATS, STRING

_CHANGE, _PERIODIC, _DOOR = range(3)
_WAYS: Final = {"change": _CHANGE, "periodic": _PERIODIC, "swinging door": _DOOR}
_MEMORY: Final = b"\x01"  # the layout of what is remembered


class Policy:
    """Sorts samples to the ways in which their tags are kept.

    Args:
        tags: Of the site.
        last: The last samples in the store as they came, dtype `SAMPLE`.
        memory: What was remembered at the last commit; see `memory`.
    """

    def __init__(self, tags: Sequence[Tag], last: Rows, memory: bytes = b"") -> None:
        ordered = sorted(
            (tag for tag in tags if tag.history.keep and tag.type != STRING), key=lambda tag: tag.id
        )
        self._ids = np.array([tag.id for tag in ordered], np.uint32)
        self._is_float = np.array([tag.type in FLOATS for tag in ordered], np.bool_)
        self._way = np.array([_WAYS[tag.history.policy] for tag in ordered], np.uint8)
        self._place = np.zeros(len(ordered), np.intp)
        self._of_way = [np.flatnonzero(self._way == way) for way in range(len(_WAYS))]
        for mine in self._of_way:
            self._place[mine] = np.arange(len(mine))
        change, periodic, door = ([ordered[i] for i in mine] for mine in self._of_way)
        self._change, self._periodic, self._door = OnChange(change), Periodic(periodic), SwingingDoor(door)
        self._ways: tuple[OnChange | Periodic | SwingingDoor, ...] = (
            self._change,
            self._periodic,
            self._door,
        )
        for way, _, fresh in self._sorted(last, last["t"]):
            self._ways[way].start(fresh)
        self._left = self._remember(memory)

    def _remember(self, memory: bytes) -> Rows:
        """Doors go on as they stood; what a tag held that has no door any more is returned, to be kept."""
        if memory[:1] != _MEMORY:
            return np.empty(0, SAMPLE)
        state = np.frombuffer(memory[1:], STATE)
        known, where = self._find(state["tag"])
        is_door = self._way[where] == _DOOR
        self._door.remember(state[known[is_door]], self._place[where[is_door]])
        others = state[known[~is_door]]
        left = np.empty(len(others), SAMPLE)
        for name in SAMPLE.names or ():
            left[name] = others[name]
        return left

    def memory(self) -> bytes:
        """What must be committed together with what `keep` returned, so that a crash forgets nothing; b"" for nothing."""
        if not len(self._of_way[_DOOR]):
            return b""
        return _MEMORY + self._door.memory().tobytes()

    def keep(self, rows: Rows, published_ns: npt.NDArray[np.int64]) -> Rows:
        """What is kept of rows, or because of them, with the times that history has it under; each tag's in order.

        Args:
            rows: Dtype `SAMPLE`, in the order in which they happened.
            published_ns: UTC of each row's publication, ns, shape (n,). A value that comes back with an older time
                than the last one (a restored set point) is kept under this: it was not the value in between.
        """
        parts = [self._left]
        self._left = self._left[:0]
        for way, ids, fresh in self._sorted(rows, published_ns):
            parts.append(self._ways[way].keep(fresh).rows(ids))
        return np.concatenate(parts)

    def flush(self, now_ns: int) -> Rows:
        """What periodic tags owe up to now (UTC, ns); call it after `keep` of everything that came."""
        if not len(self._of_way[_PERIODIC]):
            return np.empty(0, SAMPLE)
        return self._periodic.flush(now_ns).rows(self._ids[self._of_way[_PERIODIC]])

    def stepped(self, step_ns: int) -> None:
        """The wall clock was set by that much."""
        self._periodic.stepped(step_ns)

    def due(self, now_ns: int) -> npt.NDArray[np.uint32]:
        """Ids of tags whose last kept sample is `max_gap` old, or as far ahead: stamped by a clock that was wrong.

        Args:
            now_ns: UTC, ns.
        """
        change = self._of_way[_CHANGE][self._change.due(now_ns)]
        door = self._of_way[_DOOR][self._door.due(now_ns)]
        found: npt.NDArray[np.uint32] = self._ids[np.concatenate((change, door))]
        return found

    def take(self, rows: Rows, now_ns: int) -> Rows:
        """Keeps rows of different tags that are due (see `due`), whatever they are, if they are newer than the last ones."""
        parts = [np.empty(0, SAMPLE)]
        for way, ids, fresh in self._sorted(rows, rows["t"]):
            if way == _CHANGE:
                parts.append(self._change.take(fresh, now_ns).rows(ids))
            elif way == _DOOR:
                parts.append(self._door.take(fresh, now_ns).rows(ids))
        return np.concatenate(parts)

    def lost(self, ids: npt.NDArray[np.uint32], from_ns: int) -> Rows:
        """Marks that samples of some tags are missing from a time (UTC, ns) on; also what it returns to keep."""
        _, where = self._find(ids)
        parts = [np.empty(0, SAMPLE)]
        for number, way in enumerate(self._ways):
            marks = way.last(self._place[where[self._way[where] == number]])
            marks = marks[(marks.t != NEVER) & (marks.status != BAD_DATA_LOST)]
            if not len(marks):
                continue
            marks.status = np.full(len(marks), BAD_DATA_LOST, np.uint32)
            marks.t = np.maximum(marks.t + 1, from_ns)
            parts.append(way.lost(marks).rows(self._ids[self._of_way[number]]))
        return np.concatenate(parts)

    def _sorted(
        self, rows: Rows, published_ns: npt.NDArray[np.int64]
    ) -> list[tuple[int, npt.NDArray[np.uint32], Fresh]]:
        """Way, ids of its tags, and its rows, of those that we keep."""
        known, where = self._find(rows["tag"])
        found = []
        for number, mine in enumerate(self._of_way):
            if not len(mine):
                continue
            chosen: Mask | slice = self._way[where] == number if len(mine) < len(self._ids) else slice(None)
            at = where[chosen]
            if len(at):
                index = known[chosen]
                fresh = Fresh.of(rows[index], published_ns[index], self._place[at], self._is_float[at])
                found.append((number, self._ids[mine], fresh))
        return found

    def _find(self, ids: npt.NDArray[np.uint32]) -> tuple[Indices, Indices]:
        """Which of the ids are ours, and where their tags stand."""
        if not len(self._ids):
            return np.empty(0, np.intp), np.empty(0, np.intp)
        where = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        known = np.flatnonzero(self._ids[where] == ids)
        return known, where[known]
