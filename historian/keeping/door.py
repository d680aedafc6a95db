"""Swinging door: kept are the samples that straight lines need which miss no sample by more than a deviation.

From the last kept sample, the anchor, two doors open: the steepest and the flattest line that still pass every sample since
within the deviation. A sample whose line leaves that opening shuts them: the sample before it is kept and becomes the anchor.
Late samples, and what is not a finite number, are kept as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from historian.keeping.rows import NEVER, Fresh, Indices, Mask, Rows, Turns
from tags.model import Tag

_NO_GAP: Final = np.iinfo(np.int64).max

# What a door remembers between two commits of the sample that it has not kept yet.
STATE: Final = np.dtype(
    [
        ("tag", "<u4"),
        ("status", "<u4"),
        ("t", "<i8"),
        ("bits", "<u8"),
        ("v", "<f8"),
        ("anchor_t", "<i8"),
        ("anchor_v", "<f8"),
        ("upper", "<f8"),
        ("lower", "<f8"),
    ]
)
_HELD: Final = ("t", "bits", "status", "v")


class SwingingDoor:
    """Tags kept by swinging door.

    Args:
        tags: Of this way.
    """

    def __init__(self, tags: Sequence[Tag]) -> None:
        self._deviation = np.array([tag.history.deviation for tag in tags], np.float64)
        self._gap = np.array([tag.history.max_gap_ns or _NO_GAP for tag in tags], np.int64)
        self._state = np.zeros(len(tags), STATE)
        self._state["tag"] = [tag.id for tag in tags]
        self._state["t"] = self._state["anchor_t"] = NEVER
        self._open(np.arange(len(tags)))

    def start(self, last: Fresh) -> None:
        """Takes what was kept last of each tag as its anchor."""
        self._hold(last)
        self._anchor(last.at)

    def remember(self, state: Rows, at: Indices) -> None:
        """Goes on with samples that were not kept yet; after `start`.

        Args:
            state: Dtype `STATE`.
            at: Places of its tags.
        """
        mine = self._state["anchor_t"][at] == state["anchor_t"]  # kept meanwhile: the door is another one
        self._state[at[mine]] = state[mine]

    def memory(self) -> Rows:
        """What `remember` wants, dtype `STATE`."""
        found: Rows = self._state[self._pending(np.arange(len(self._state)))]
        return found

    def keep(self, fresh: Fresh) -> Fresh:
        """What is kept now that these samples have come, in order of each tag's time."""
        order, bounds, _ = Turns.of(fresh.at)
        parts = [self._turn(fresh[order[a:b]]) for a, b in pairwise(bounds)]
        return _joined(fresh, parts)

    def _turn(self, now: Fresh) -> list[Fresh]:
        """Samples of different tags."""
        held = self.last(now.at)
        late = now.t <= held.t
        same = now.status == held.status
        now.t = np.where(late, np.maximum(now.t, now.published), now.t)
        now, held, same = (part[~(late & same & (now.bits == held.bits))] for part in (now, held, same))
        late = now.t <= held.t
        passed = [now[late]] if late.any() else []
        now, held, same = now[~late], held[~late], same[~late]
        at = now.at
        state = self._state[at]
        pending = self._pending(at)
        plain = same & (held.t != NEVER) & np.isfinite(now.v) & np.isfinite(held.v)
        with np.errstate(invalid="ignore", over="ignore"):
            slope = (now.v - state["anchor_v"]) / (now.t - state["anchor_t"])
            shut = plain & ~((slope >= state["upper"]) & (slope <= state["lower"]))
        overdue = plain & (now.t - state["anchor_t"] >= self._gap[at])
        keep_held = pending & (shut | overdue | ~plain)
        keep_now = ~plain | overdue
        self._anchor(at[keep_held])
        self._hold(now)
        self._anchor(at[keep_now])
        self._swing(at[~keep_now])
        return [*passed, held[keep_held], now[keep_now]]

    def _swing(self, at: Indices) -> None:
        """Moves the doors of tags to their newest samples."""
        state = self._state[at]
        past = (state["t"] - state["anchor_t"]).astype(np.float64)
        rise, deviation = state["v"] - state["anchor_v"], self._deviation[at]
        with np.errstate(over="ignore", invalid="ignore"):
            self._state["upper"][at] = np.maximum(state["upper"], (rise - deviation) / past)
            self._state["lower"][at] = np.minimum(state["lower"], (rise + deviation) / past)

    def due(self, now_ns: int) -> Indices:
        """Places of tags whose last kept sample is as old as their longest gap at a time (UTC, ns), or ahead by as much.

        What lies ahead has its time from a clock that was wrong: it must not keep a quiet tag silent until then.
        """
        limited = (self._state["anchor_t"] != NEVER) & (self._gap != _NO_GAP)
        old = self._state["anchor_t"] <= now_ns - np.where(limited, self._gap, 0)
        return np.flatnonzero((limited & old) | self._ahead(now_ns))

    def take(self, fresh: Fresh, now_ns: int) -> Fresh:
        """Keeps samples of different tags whatever they are, or those held when there is nothing newer."""
        back = self._ahead(now_ns)[fresh.at] & (fresh.t <= now_ns)
        again = fresh[back]
        held = self._shut(again.at)
        self._hold(again)
        self._anchor(again.at)
        fresh = fresh[~back]
        newer = fresh.t > self.last(fresh.at).t
        old = self._shut(fresh.at[~newer])
        parts = self._turn(fresh[newer])
        return _joined(fresh, [[held, again, *parts, old, self._shut(fresh.at[newer])]])

    def _ahead(self, now_ns: int) -> Mask:
        gap = np.where(self._gap == _NO_GAP, 0, self._gap)
        mask: Mask = (self._gap != _NO_GAP) & (self._state["t"] > now_ns + gap)
        return mask

    def last(self, at: Indices) -> Fresh:
        """The newest sample; its time is `NEVER` where there is none."""
        state = self._state[at]
        t = state["t"].copy()
        return Fresh(at, t, state["bits"].copy(), state["status"].copy(), state["v"].copy(), t)

    def lost(self, marks: Fresh) -> Fresh:
        """Samples are missing from these marks on: what was held is kept, and the mark."""
        held = self._shut(marks.at)
        self._hold(marks)
        self._anchor(marks.at)
        return _joined(marks, [[held, marks]])

    def _shut(self, at: Indices) -> Fresh:
        """Keeps what these tags hold."""
        at = at[self._pending(at)]
        held = self.last(at)
        self._anchor(at)
        return held

    def _pending(self, at: Indices) -> Mask:
        """Which hold a sample that is not kept yet."""
        mask: Mask = self._state["t"][at] != self._state["anchor_t"][at]
        return mask

    def _hold(self, fresh: Fresh) -> None:
        for name in _HELD:
            self._state[name][fresh.at] = getattr(fresh, name)

    def _anchor(self, at: Indices) -> None:
        """The newest sample is kept: lines begin there."""
        self._state["anchor_t"][at] = self._state["t"][at]
        self._state["anchor_v"][at] = self._state["v"][at]
        self._open(at)

    def _open(self, at: Indices) -> None:
        self._state["upper"][at], self._state["lower"][at] = -np.inf, np.inf


def _joined(empty: Fresh, turns: list[list[Fresh]]) -> Fresh:
    parts = [part for turn in turns for part in turn if len(part)]
    if not parts:
        return empty[:0]
    columns = ("at", *_HELD, "published")
    return Fresh(*(np.concatenate([getattr(part, name) for part in parts]) for name in columns))
