"""What can be bypassed: a protection whose condition people put out of action for a time, for example to repair a sensor.

A bypassed condition counts as not there. It is an override of the input (a maintenance override switch), not of the
output: what is latched stays until it is reset, and everything else that holds the same target still holds it. Who
bypassed what, why and for how long is kept by the scan (`scada.scan.bypasses`); the block only knows that it is so.

Source: IEC 61511-1:2016 / ISA-84.00.01, 11.7 and 16.2 (bypasses: time limit, annunciation, reason).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from tags import model


class Bypassable(ABC):
    """A block with conditions that can be bypassed."""

    __slots__ = ()

    @abstractmethod
    def bypass(self, name: str, *, on: bool) -> None:
        """Puts a condition out of action, or back.

        Args:
            name: Of the cause; "" for a block that is one itself.
            on: Bypassed.
        """


@dataclass(frozen=True, slots=True)
class Permit:
    """What the site allows to be bypassed.

    Attributes:
        block: Position of the block.
        name: Of the cause; "" for a block that is one itself.
        max_ns: Longest time, ns.
        role: Least role that may do it.
    """

    block: int
    name: str
    max_ns: int
    role: str


def permits(blocks: Sequence[model.Block]) -> dict[str, Permit]:
    """What may be bypassed at a site, by path: that of an interlock, or `<matrix>/<cause>`."""
    return {
        f"{block.path}/{name}" if name else block.path: Permit(
            position, name, int(one["max_ns"]), str(one["role"])
        )
        for position, block in enumerate(blocks)
        for name, one in (block.config.get("bypass") or {}).items()
    }
