"""The counter that field writes into a device, and what it says about the device when it is read back: pure.

It tells the PLC that somebody is there. Read back, it tells us that the PLC is the same: one that lost its power has
forgotten the counter, so its register holds another value than the one we wrote, however short the loss was.

A device that never keeps the register (its program clears it, or it cannot be read) says nothing about restarts: the
register counts once it was seen to keep its value `KEEPS` times in a row.
"""

from __future__ import annotations

from typing import Final

KEEPS: Final = 3
MOST: Final = 0xFFFF
_KEPT_SHIFT: Final = 16


class Heartbeat:
    """The counter of one device.

    Args:
        restarts: Restarts of the device that are known from an earlier life of the service.
        word: What `word` was then; 0 for none.

    Attributes:
        restarts: Restarts of the device that were noticed.
    """

    __slots__ = ("_kept", "_last", "restarts")

    def __init__(self, restarts: int = 0, word: int = 0) -> None:
        self.restarts = restarts
        self._last = (
            word & MOST
        )  # 0: nothing was written yet; also what a PLC holds after power-up, so never written
        self._kept = min(word >> _KEPT_SHIFT, KEEPS)

    @property
    def word(self) -> int:
        """What a later life of the service must know to go on."""
        return self._last | self._kept << _KEPT_SHIFT

    @property
    def written(self) -> bool:
        """Something was written that can be looked for."""
        return self._last != 0

    @property
    def trusted(self) -> bool:
        """The device was seen to keep what was written."""
        return self._kept >= KEEPS

    def trust(self) -> None:
        """The device kept the register before the plant was stopped: there is nothing to learn."""
        self._kept = KEEPS

    @property
    def next(self) -> int:
        """What to write next, 1 … 65535."""
        return self._last % MOST + 1

    def wrote(self) -> None:
        """`next` was written, or perhaps it was: a register with the value before it is accepted too."""
        self._last = self.next

    def read(self, value: int) -> bool:
        """Takes what the register holds.

        Args:
            value: 0 … 65535.

        Returns:
            True when the device has restarted since the last write.
        """
        if not self._last:
            return False
        # Around the last one: the outcome of a write may not be known, and a killed service may not have noted it.
        if value in (self._last, self.next, (self._last - 2) % MOST + 1):
            self._last, self._kept = value, min(self._kept + 1, KEEPS)
            return False
        trusted, self._kept = self.trusted, 0
        self.restarts += trusted
        return trusted

    def unreadable(self) -> None:
        """The device refuses to show the register."""
        self._kept = 0
