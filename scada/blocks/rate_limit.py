"""Rate limiter: a value that moves at a limited speed.

    y += clamp(x - y, -down dt, up dt)                   engineering units of the input, rates per second

It begins at the first usable sample. After a pause of the machine it moves on from where it was. The value survives a
restart within ten minutes. Bad or stale input: OUT stands, with the quality of the input, and moves on from there.

Source: K. J. Åström, T. Hägglund, Advanced PID Control (ISA 2006), jump and rate limiters.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scada.blocks.analog import Analog
from scada.blocks.base import Binder, Context, number
from tags import model


class RateLimit(Analog):
    """See the module. Points: OUT, at the path of the block."""

    __slots__ = ("_down", "_up", "_y")
    type = "rate_limit"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        self._up, self._down = float(config.config["up"]), float(config.config["down"])
        self._y: float | None = None

    def follow(self, value: float, ctx: Context) -> float:
        if self._y is None:
            self._y = value
        dt = ctx.seen_ns * 1e-9
        self._y = min(max(value, self._y - self._down * dt), self._y + self._up * dt)
        return self._y

    def forget(self) -> None:
        self._y = None

    def retained(self) -> dict[str, Any]:
        return {"y": self._y}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        self._y = number(state.get("y")) if fresh else None
