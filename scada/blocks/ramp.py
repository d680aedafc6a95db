"""Set point that moves one or several outputs at a limited rate.

    out += clamp(SP - out, ± rate dt)                       engineering units of the outputs, rate per second

Each output starts from what is applied, so nothing jumps at start, when an interlock lets go or when the unit comes
back from Local; after a pause of the machine it goes on from where it was. SP (retained) starts at `sp_initial`, or at the first output's value when there is none. The block
has no measured input; an output whose value is not known is left alone.

Source: FOUNDATION Fieldbus FF-891, PID block (SP_RATE_UP, SP_RATE_DN), for several outputs at once.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scada.blocks.base import NOT_OURS, Binder, Context, FunctionBlock, number
from tags import model


class Ramp(FunctionBlock):
    """See the module. Points: SP."""

    __slots__ = ("_high", "_low", "_outs", "_point", "_rate", "_sp", "_value")
    type = "ramp"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._outs = [binder.output(path, self) for path in c["out"]]
        self._value: list[float | None] = [None] * len(self._outs)
        self._point = binder.point(config, "SP")
        self._sp, self._low, self._high = (
            number(c.get("sp_initial")),
            number(c.get("sp_low")),
            number(c.get("sp_high")),
        )
        self._rate = float(c.get("rate") or 0.0)

    def step(self, ctx: Context) -> None:
        outputs = ctx.outputs
        most = self._rate * ctx.seen_ns * 1e-9 if self._rate > 0.0 else float("inf")
        for i, out in enumerate(self._outs):
            value = self._value[i]
            if value is None or outputs.tracking[out] & NOT_OURS:
                value = self._value[i] = number(outputs.applied[out])
                if value is None:
                    continue
                if self._sp is None:
                    self._sp = value
            if self._sp is not None and not outputs.tracking[out] & NOT_OURS:
                self._value[i] = value = min(max(self._sp, value - most), value + most)
            ctx.drive(out, value)
        if self._sp is not None:
            ctx.put(self._point, self._sp)

    def write(self, point: str, value: Any) -> str | None:
        wanted = number(value)
        if point != "SP" or wanted is None:
            return f"{self.path} takes a number for SP only"
        if (self._low is not None and wanted < self._low) or (self._high is not None and wanted > self._high):
            return f"{self.path}/SP is limited to {self._low} … {self._high}"
        self._sp = wanted
        return None

    def write_output(self, output: int, value: Any) -> str | None:
        del output, value
        return f"{self.path} drives this output: write {self.path}/SP"

    def retained(self) -> dict[str, Any]:
        return {"sp": self._sp}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        del fresh  # a set point does not grow old
        sp = number(state.get("sp"))
        if sp is not None:
            self.write("SP", sp)
