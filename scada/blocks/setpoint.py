"""A set point: the block's own, within limits and retained, or a tag that holds it; moving at a limited speed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scada.blocks.base import Binder, Context, number, usable
from tags import model


class SetPoint:
    """The set point of a block, point SP.

    Args:
        config: With `setpoint_tag`, `sp_initial`, `sp_low`, `sp_high`, `ramp` (engineering units, per second).
        binder: Knows the tags.
    """

    __slots__ = ("_goal", "_high", "_low", "_now", "_path", "_point", "_ramp", "_slot")

    def __init__(self, config: model.Block, binder: Binder) -> None:
        c = config.config
        self._path, self._slot = config.path, binder.optional(c.get("setpoint_tag"))
        self._point = binder.point(config, "SP")
        self._goal = self._now = number(c.get("sp_initial"))
        self._low, self._high = number(c.get("sp_low")), number(c.get("sp_high"))
        self._ramp = float(c.get("ramp") or 0.0)

    def act(self, ctx: Context, pv: float | None) -> float | None:
        """What acts in this scan; None when it is not usable. Without a first value the first usable PV becomes it."""
        if self._slot >= 0:
            good = usable(ctx.signals.status[self._slot])
            goal = number(ctx.signals.value[self._slot]) if good else None
            if goal is None:
                return None
            self._goal = goal
        elif self._goal is None:
            self._goal = pv
        if self._goal is None:
            return None
        now = self._goal if self._now is None or self._ramp <= 0.0 else self._now
        most = self._ramp * ctx.seen_ns * 1e-9
        self._now = min(max(self._goal, now - most), now + most) if self._ramp > 0.0 else self._goal
        if self._slot < 0:
            ctx.put(self._point, self._goal)
        return self._now

    def write(self, value: Any) -> str | None:
        """A request to move it; why it is refused, or None."""
        wanted = number(value)
        if self._slot >= 0 or wanted is None:
            return f"{self._path} takes a number for SP only"
        if (self._low is not None and wanted < self._low) or (self._high is not None and wanted > self._high):
            return f"{self._path}/SP is limited to {self._low} … {self._high}"
        self._goal = wanted
        return None

    def retained(self) -> dict[str, Any]:
        """What survives a restart."""
        return {} if self._slot >= 0 else {"sp": self._goal}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes it back, within today's limits."""
        if self._slot < 0 and self.write(state.get("sp")) is None:
            self._now = self._goal
