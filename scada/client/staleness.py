"""The one rule of what a sample's status is when its writer is silent; every screen and protocol shows this.

Pure arrays in, arrays out. A device's tag is stale when it was not published for 1.5 of its scan periods and 1 s; a
tag that nobody polls is as fresh as its writer is alive.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from tags import quality
from tags.model import DEVICE, Tag

SLACK_NS: Final = 1_000_000_000
NEVER_STALE_NS: Final = 2**62

DEAD_AFTER_NS: Final = 2_000_000_000
LONGEST_LOOK_NS: Final = 1_000_000_000


def limits(tags: Sequence[Tag]) -> npt.NDArray[np.int64]:
    """The publish age at which each tag is stale, ns, shape (n,)."""
    return np.array(
        [
            tag.scan_ns * 3 // 2 + SLACK_NS if tag.kind == DEVICE and tag.scan_ns else NEVER_STALE_NS
            for tag in tags
        ],
        dtype=np.int64,
    )


def shown(
    status: npt.NDArray[np.uint32],
    publish_ns: npt.NDArray[np.int64],
    limit_ns: npt.NDArray[np.int64],
    dead: npt.NDArray[np.bool_],
    now_ns: int,
) -> npt.NDArray[np.uint32]:
    """The status to show for each tag.

    Args:
        status: As published, shape (n,).
        publish_ns: When, monotonic, ns; 0 for never.
        limit_ns: What `limits` gave.
        dead: True where the tag's writer is dead.
        now_ns: Monotonic, ns.

    Returns:
        Shape (n,): BadNoCommunication where the writer is dead, BadWaitingForInitialData where nothing was ever
        published, UncertainLastUsableValue where a value that is not bad is too old, else the published status.
    """
    result = status.copy()
    old = (now_ns - publish_ns > limit_ns) & (status >> np.uint32(31) == 0)
    result[old] = quality.UNCERTAIN_LAST_USABLE
    result[publish_ns == 0] = quality.BAD_WAITING_FOR_INITIAL_DATA
    result[dead] = quality.BAD_NO_COMMUNICATION
    return result


class Heartbeats:
    """Which writers are dead, by counting our own looks.

    Silence is added up from look to look, and a long time without a look counts as at most 1 s: a watcher that
    was itself stopped (a debugger, a paused machine) declares nobody dead when it comes back.
    """

    def __init__(self, writers: int) -> None:
        self._seen: list[int | None] = [None] * writers
        self._silence_ns = [0] * writers
        self._looks = 0
        self._last_ns = 0

    def look(self, heartbeats: Sequence[int], now_ns: int) -> list[bool]:
        """Takes the writers' heartbeat counters at a time (monotonic, ns); returns which writers are dead."""
        step = min(now_ns - self._last_ns, LONGEST_LOOK_NS) if self._looks else 0
        self._last_ns = now_ns
        self._looks += 1
        for i, beat in enumerate(heartbeats):
            if beat != self._seen[i]:
                self._seen[i] = beat
                self._silence_ns[i] = 0
            else:
                self._silence_ns[i] += step
        return self.dead

    @property
    def dead(self) -> list[bool]:
        """True for each writer whose heartbeat stood still for 2 s of watching."""
        return [silence >= DEAD_AFTER_NS for silence in self._silence_ns]

    @property
    def watched(self) -> bool:
        """At least two looks were taken, so that silence means something."""
        return self._looks > 1

    def silence_s(self, writer: int) -> float:
        """How long a writer has been silent while we watched, s."""
        return self._silence_ns[writer] / 1e9
