"""What may be asserted again after a break of the link, and what waits until control has spoken anew: pure.

While nobody sees a device, its program or a panel may change its outputs. So the first reading after a break is compared
with what the device held when it was last known. An analogue maintained output that holds what it held gets what is
wanted of it. A discrete one that was commanded before the break, and any output that was changed meanwhile, is left as
it is: control sees it, takes it over and speaks anew.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.intp]


class Absence:
    """The levels of one device and what became of them while nobody looked.

    Args:
        level: Shape (n,), outputs that follow their command as a level.
        analogue: Shape (n,), maintained numbers that stand for a quantity.
        near: `near(positions, bits, bits)`: equal, or within the output's tolerance.

    Attributes:
        away: Shape (n,), not read back since the link broke.
    """

    def __init__(self, level: Flags, analogue: Flags, near: Callable[[Positions, Bits, Bits], Flags]) -> None:
        n = len(level)
        self._level = level
        self._analogue = analogue
        self._near = near
        self._expected = np.zeros(n, np.uint64)  # what the device held when it was last known …
        self._known = np.zeros(n, np.bool_)  # … if it ever was
        self._sent = np.zeros(n, np.uint64)  # … or this, written since …
        self._open = np.zeros(n, np.bool_)  # … and nobody knows which
        self.away = np.zeros(n, np.bool_)
        self._spoken = np.zeros(n, np.bool_)  # control has spoken anew since
        self.version = np.zeros(n, np.uint64)  # control's word when the link broke

    def begin(self, told: Bits) -> None:
        """The link broke.

        Args:
            told: Version of each command at that moment.
        """
        new = self._level & self._known & ~self.away
        self._spoken[new] = False
        self.version[new] = told[new]
        self.away |= new

    def heard(self, live: Flags, drive: Flags, version: Bits) -> None:
        """Control's commands: one that drives no longer, or has a new version, is a new word."""
        self._spoken |= live & (~drive | (version != self.version))

    def wrote(self, i: int, bits: int, done: bool | None) -> None:
        """A value was written.

        Args:
            i: To which output.
            bits: What.
            done: None when nobody knows whether it arrived.
        """
        self._sent[i] = bits
        self._open[i] = done is None
        if done:
            self._expected[i] = bits

    def read(self, where: Positions, back: Bits, wanted: Bits, new: Flags) -> Positions:
        """Takes good readings.

        Args:
            where: Positions of outputs.
            back: What they hold.
            wanted: What their commands say.
            new: Their commands were not acted on yet.

        Returns:
            Positions of those that must not be written until control has spoken anew.
        """
        away = self.away[where]
        hold = where[:0]
        if away.any():
            kept = self._near(where, back, self._expected[where])
            kept |= self._open[where] & self._near(where, back, self._sent[where])
            again = kept & (self._analogue[where] | new)
            hold = where[away & ~again & ~self._spoken[where] & (back != wanted)]
            self.away[where] = False
        self._expected[where] = back
        self._known[where] = True
        self._open[where] = False
        return hold
