"""Scan groups that are complete in the same turn of the event loop are decoded and published together.

One decoding of all costs less than one of each from a few on. It is for groups without outputs and texts, of devices
without a heartbeat register: nobody else looks at what they bring.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from scada.field.driver import Reading
from scada.field.samples import Samples

if TYPE_CHECKING:
    from scada.field.poller import Poller

FEW: Final = 4
FAST_NS: Final = 250_000_000
"""Groups with longer periods are spread so far that they seldom meet."""
SHARE: Final = 20
"""All are decoded together when at least one in so many is complete, and no fewer than FEW."""


class Joint(Protocol):
    """What a driver offers: groups of its sessions, decoded together."""

    @property
    def slices(self) -> Sequence[slice]:
        """Where the tags of each group stand in a reading."""
        ...

    def reading(self) -> Reading:
        """What the last fetches of all groups brought, one group after the other."""
        ...

    def members(self, number: int) -> npt.NDArray[np.intp]:
        """Positions of the tags of one group in its device's tags, in that order."""
        ...

    def usable(self, number: int) -> bool:
        """Whether a group still is what it was, and all its requests were answered with values."""
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """One group.

    Attributes:
        first: Position of its device's tags in the columns of all.
        connected: Whether its device is; what was read of one that is lost since is not published.
        alone: Publishes it by itself; gets the monotonic time, ns.
    """

    first: int
    connected: Callable[[], bool]
    alone: Callable[[int], object]


class Batch:
    """Groups of one driver in one service.

    Args:
        whole: The tags of all devices.
        joint: The groups.
        parts: Of each group.
    """

    def __init__(self, whole: Samples, joint: Joint, parts: Sequence[Part]) -> None:
        self._whole = whole
        self._joint = joint
        self._parts = parts
        self._places = [joint.members(number) + part.first for number, part in enumerate(parts)]
        self._where = whole.side_by_side(np.concatenate(self._places))
        self._enough = max(FEW, len(parts) // SHARE)
        self._complete: list[int] = []
        self._now_ns = 0
        self._error: Exception | None = None

    def add(self, number: int, now_ns: int) -> bool:
        """A group is complete; published within this turn of the event loop.

        Args:
            number: Of the group.
            now_ns: Monotonic, ns.

        Returns:
            False when it must be published by itself.

        Raises:
            Exception: What was complete before could not be published. It must end the service: nobody else would see that
                values stand still.
        """
        if self._error is not None:
            raise self._error
        if not self._joint.usable(number):
            return False
        if not self._complete:
            asyncio.get_running_loop().call_soon(self._flush)
        self._complete.append(number)
        self._now_ns = now_ns
        return True

    def _flush(self) -> None:
        try:
            self.flush()
        except Exception as error:
            self._error = error
            raise

    def flush(self) -> None:
        """Publishes what is complete."""
        complete = [number for number in self._complete if self._parts[number].connected()]
        self._complete.clear()
        if len(complete) < self._enough:
            for number in complete:
                self._parts[number].alone(self._now_ns)
            return
        reading = self._joint.reading()
        if self._where is not None and len(complete) == len(self._parts):
            self._whole.take_range(self._where, reading, self._now_ns)
            return
        slices = [self._joint.slices[number] for number in complete]
        pick = np.concatenate([np.arange(one.start, one.stop) for one in slices])
        places = np.concatenate([self._places[number] for number in complete])
        self._whole.take(
            Reading(places, reading.bits[pick], reading.status[pick], reading.source_ns[pick], {}),
            self._now_ns,
        )


def join(whole: Samples, driver: Any, pollers: Sequence[tuple[Poller, int]]) -> None:
    """Lets the fast groups of the devices of one driver be published together, where the driver can do that.

    Args:
        whole: The tags of all devices.
        driver: With `joint(groups)`, or without.
        pollers: Its devices, each with the position of its first tag.
    """
    found = [
        (poller, first, number)
        for poller, first in pollers
        for number in poller.unwatched()
        if poller.session.periods[number][0] <= FAST_NS
    ]
    if len(found) < FEW or not hasattr(driver, "joint"):
        return
    parts = [
        Part(first, poller.is_connected, partial(poller.publish, number)) for poller, first, number in found
    ]
    batch = Batch(whole, driver.joint([(poller.session, number) for poller, _, number in found]), parts)
    for part, (poller, _, number) in enumerate(found):
        poller.together[number] = partial(batch.add, part)
