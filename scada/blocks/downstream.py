"""Blocks that take over what controllers want and pass it on: split range, override selection, a controller in Cascade.

A controller writes a memory tag (`out: room1/DEMAND`); these blocks read it in the same scan, drive the real outputs, and
tell the controller what came of it (`Outputs.feedback`): one that is not heard, or whose output is in Local, winds
nothing up and takes over without a bump.
"""

from __future__ import annotations

from scada.blocks.base import NOT_TAKEN, Binder, Context, number, usable
from tags.model import MEMORY


class Demand:
    """A tag that a controller writes, or any other number.

    Args:
        path: The tag.
        binder: Knows the tags.
    """

    __slots__ = ("_binder", "_follows", "_row", "_slot", "_told")

    def __init__(self, path: str, binder: Binder) -> None:
        self._slot = binder.slot(path)
        self._row = binder.output(path) if binder.tags[path].kind == MEMORY else -1
        self._binder: Binder | None = binder
        self._follows = self._told = False

    def link(self) -> None:
        """All blocks are built: a tag that a controller writes shows where it will be taken up while it is not taken.

        One that people or devices write is theirs.
        """
        if self._binder is not None:
            self._follows = self._row in self._binder.driver
            self._binder = None

    @property
    def ready(self) -> bool:
        """May be taken: its controller, if one writes it, was told once where it will be taken up."""
        return self._told or not self._follows

    def read(self, ctx: Context) -> float | None:
        """What is wanted in this scan; None when it is not usable."""
        if self._row >= 0:
            held, wanted = ctx.outputs.override[self._row], ctx.outputs.wanted[self._row]
            if held is not None or wanted is not None:
                return number(wanted if held is None else held[0])
        signals = ctx.signals
        return number(signals.value[self._slot]) if usable(signals.status[self._slot]) else None

    def answer(self, ctx: Context, value: float | None, tracking: int) -> None:
        """Says what came of it: `tracking` bits as for an output."""
        if self._row >= 0:
            ctx.outputs.feedback[self._row] = (value, tracking)
            if self._follows and tracking & NOT_TAKEN and value is not None:
                ctx.put(self._slot, value)
                self._told = True
