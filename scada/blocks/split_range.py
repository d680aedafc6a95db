"""Split range: one controller, several outputs (heating and cooling, a small and a large valve).

    out_i = c + (x - a) (d - c) / (b - a)   for x in from [a, b], else the nearer end;  to [c, d], may fall

x is a memory tag that a controller writes, `input`; `from` is in its units, `to` in those of the output. Where ranges
touch there is one output at work, where they overlap there are two, and in a gap between them none moves (dead band).

While an output that x would move is in Local, held by an interlock, forced, disarmed or not yet read, the controller is
told the x that belongs to what the outputs do, and tracks it; when an output is limited, the x of the limit. So it starts,
takes over and leaves a limit without a bump. Bad or stale x: the outputs stay.

Source: K. J. Åström, T. Hägglund, Advanced PID Control (ISA 2006), split-range control; FOUNDATION Fieldbus FF-892,
function block splitter.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scada.blocks.base import LIMITED, NOT_OURS, RATE_LIMITED, Binder, Context, FunctionBlock, number
from scada.blocks.downstream import Demand
from tags import model


@dataclass(frozen=True, slots=True)
class Part:
    """One output: x from `a` to `b` becomes `c` to `d`."""

    out: int
    a: float
    b: float
    c: float
    d: float

    def forth(self, x: float) -> float:
        """What the output is at an x."""
        if x <= self.a:
            return self.c
        if x >= self.b:
            return self.d
        return self.c + (x - self.a) / (self.b - self.a) * (self.d - self.c)

    def back(self, value: float) -> float:
        """The x that belongs to a value of the output."""
        share = (value - self.c) / (self.d - self.c)
        return self.a + min(max(share, 0.0), 1.0) * (self.b - self.a)


class SplitRange(FunctionBlock):
    """See the module. It has no points."""

    __slots__ = ("_input", "_name", "_parts")
    type = "split_range"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        self._name = str(config.config["input"])
        self._input = Demand(self._name, binder)
        self._parts = [
            Part(binder.output(part["out"], self), *map(float, part["from"]), *map(float, part["to"]))
            for part in config.config["outs"]
        ]
        for part in self._parts:
            if not part.a < part.b or part.c == part.d:
                raise ValueError(f"{config.path}: a range from … to … needs two different ends")

    def step(self, ctx: Context) -> None:
        x, outputs = self._input.read(ctx), ctx.outputs
        why = limits = 0
        for part in self._parts:
            tracking, applied = outputs.tracking[part.out], number(outputs.applied[part.out])
            if x is None or part.a <= x <= part.b or applied is None:
                why |= tracking & NOT_OURS
                limits |= tracking & (LIMITED | RATE_LIMITED)
            if tracking & NOT_OURS and applied is not None:
                ctx.drive(part.out, applied)
            elif x is not None and applied is not None:
                ctx.drive(part.out, part.forth(x))
        if why | limits:
            self._input.answer(ctx, self._belongs(ctx), why | limits)

    def _belongs(self, ctx: Context) -> float | None:
        """The x that fits best to what the outputs do; None while one of them is not known."""
        applied = [number(ctx.outputs.applied[part.out]) for part in self._parts]
        done = [value for value in applied if value is not None]
        if len(done) < len(self._parts):
            return None
        candidates = [part.back(value) for part, value in zip(self._parts, done, strict=True)]
        return min(candidates, key=lambda x: self._miss(x, done))

    def _miss(self, x: float, done: list[float]) -> float:
        """How far the outputs are from those of an x, as shares of their ranges."""
        return sum(
            abs((part.forth(x) - value) / (part.d - part.c))
            for part, value in zip(self._parts, done, strict=True)
        )

    def write_output(self, output: int, value: Any) -> str | None:
        del output, value
        return f"{self.path} drives this output from {self._name}: set its controller to Manual"
