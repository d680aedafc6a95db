"""Many interlocks at once: which of them need not be looked at in a scan.

An interlock of a tag that is let go, whose condition is false and whose inputs are fine does nothing in a scan. The
columns compute the conditions of all such ones together; an interlock whose condition is true, or whose inputs are not
fine, is stepped by its object, which keeps all state.
"""

# ruff: noqa: SLF001 - the columns look at the state of `Interlock`
from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from scada.blocks import base
from scada.blocks.base import Context, view
from scada.blocks.interlock import Interlock
from scada.blocks.lanes import Lanes, Mask
from scada.blocks.pid_columns import usable
from tags import expression, model
from tags.expression.columns import Shape, function, shape
from tags.quality import GOOD


def shape_of(text: str, tags: Mapping[str, model.Tag]) -> Shape | None:
    """The shape of a condition; None when columns cannot compute it."""
    parsed = expression.parse(text)
    units = {path: tags[path].unit for path in parsed.paths}
    return shape(parsed, units, {path: tags[path].type for path in parsed.paths})


class InterlockColumns:
    """The columns of interlocks with conditions of one shape.

    Args:
        blocks: The interlocks that may ever be in them: of a tag, with an ACTIVE point and a condition over tags of other
            services only. A key is a position in this sequence.
        shapes: Of their conditions, all with one key.
        index: Slot of each tag.
    """

    __slots__ = ("_blocks", "_function", "_numbers", "_slots", "_tags", "lanes")

    def __init__(
        self, blocks: Sequence[Interlock], shapes: Sequence[Shape], index: Mapping[str, int]
    ) -> None:
        self._blocks = blocks
        self._function = function(shapes[0].key)
        self._tags = len(shapes[0].tags)
        self._slots = [
            (block._point, max(block._point, block._point_bypassed), *(index[path] for path in one.tags))
            for block, one in zip(blocks, shapes, strict=True)
        ]
        self._numbers = [one.numbers for one in shapes]
        self.lanes = Lanes(len(blocks), len(shapes[0].numbers), 2 + self._tags)

    def plain(self, key: int, ctx: Context) -> bool:
        """Its next step may be left out, as far as its own state says."""
        block, signals = self._blocks[key], ctx.signals
        return (
            not block._active
            and not block._true
            and not block._bypassed
            and all(
                slot < 0 or (signals.value[slot] is False and signals.status[slot] == GOOD)
                for slot in (block._point, block._point_bypassed)
            )
            and all(base.usable(signals.status[slot]) for slot in self._slots[key][2:])
        )

    def take(self, keys: Sequence[int], ctx: Context) -> None:
        """Takes plain ones in."""
        for key in keys:
            for slot in self._slots[key][2:]:
                ctx.signals.refresh(slot)
        self.lanes.add(keys, [self._numbers[key] for key in keys], [self._slots[key] for key in keys])

    def release(self, key: int, ctx: Context) -> None:
        """Takes one out."""
        del ctx
        lane = self.lanes.at(key)
        if lane >= 0:
            self.lanes.drop(lane)

    def settle(self) -> None:
        """The objects have all state anyway."""

    def step(self, ctx: Context) -> list[int]:
        """One scan of all that are in.

        Returns:
            Keys of those that must be stepped: they left.
        """
        lanes, signals = self.lanes, ctx.signals
        count = lanes.count
        if not count:
            return []
        slots = lanes.integers[:, :count]
        tags = []
        quiet: Mask = np.ones(count, np.bool_)
        for slot in slots[2:]:
            quiet &= usable(signals.statuses[slot])
            value = signals.number[slot]
            quiet &= np.isfinite(value)
            tags.append(value)
        with np.errstate(all="ignore"):
            quiet &= ~self._function(tags, lanes.floats[:, :count])
        fresh = view(signals.fresh, np.bool_)
        for slot in slots[:2]:  # somebody put a point of it: it says what it is
            quiet &= (signals.statuses[slot] == GOOD) & ~fresh[slot]
        if quiet.all():
            return []
        left: list[int] = lanes.keys[np.flatnonzero(~quiet)].tolist()
        lanes.keep(np.flatnonzero(quiet))
        return left
