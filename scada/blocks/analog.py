"""What blocks with one measured input and one result have in common.

The input is a numeric expression, most often one tag. OUT stands at the path of the block; it is a new sample whenever
the input is one (so that a PID may take it for its PV) or when it changes.

Bad or stale input: OUT keeps its value with the quality of the input, nothing goes on; when the input is back the block
goes on from the value that it kept, without a jump. A result beyond all numbers is BadOutOfRange, and the block starts
anew with the next sample.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from abc import abstractmethod

from scada.blocks.base import Binder, Context, FunctionBlock, number, usable
from tags import model
from tags.quality import BAD_CONFIGURATION_ERROR, BAD_OUT_OF_RANGE


class Input:
    """A numeric expression as an input.

    Args:
        text: The expression.
        binder: Knows the tags.
    """

    __slots__ = ("_expression", "_slots")

    def __init__(self, text: str, binder: Binder) -> None:
        self._expression = binder.condition(text)
        self._slots = [binder.slot(path) for path in binder.paths_of(text)]

    def read(self, ctx: Context) -> tuple[float | None, int]:
        """The value, None when it is not usable, and its status."""
        if self._expression is None:
            return None, BAD_CONFIGURATION_ERROR
        value, status = self._expression(ctx.signals.value, ctx.signals.status)
        if not usable(status):
            return None, status
        found = number(value)
        return found, status if found is not None else BAD_OUT_OF_RANGE

    def fresh(self, ctx: Context) -> bool:
        """One of its tags has a new sample in this scan."""
        fresh = ctx.signals.fresh
        return any(fresh[slot] for slot in self._slots)


class Analog(FunctionBlock):
    """See the module. Points: OUT, at the path of the block."""

    __slots__ = ("_input", "_point")

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        self._input = Input(str(config.config["input"]), binder)
        self._point = binder.point(config, "OUT")

    def step(self, ctx: Context) -> None:
        value, status = self._input.read(ctx)
        fresh = self._input.fresh(ctx)
        if value is None:
            self.lost()
            ctx.put(self._point, ctx.signals.value[self._point], status, fresh=fresh)
            return
        out = self.follow(value, ctx)
        if out - out != 0.0:
            self.forget()
        ctx.put(self._point, out, self.quality(status), fresh=fresh)

    @abstractmethod
    def follow(self, value: float, ctx: Context) -> float:
        """The result for a usable input in this scan."""

    def quality(self, status: int) -> int:
        """Status of the result that `follow` just gave, from that of the input."""
        return status

    def lost(self) -> None:
        """The input is not usable in this scan."""

    def forget(self) -> None:
        """The result left all numbers: begins anew with the next sample."""
