"""Override selection: several controllers, one output; the lowest or the highest of them wins.

    kind low:   out = min(inputs)                        engineering units of the output
    kind high:  out = max(inputs)

Each controller writes a memory tag of its own, and `inputs` names these. Those that are not selected are told the value
that was, as if their output were limited to it (external reset): their integral follows, so each stands ready a proportional
step away and takes over as soon as its error changes its sign. While the output is in Local, held by an interlock, forced,
disarmed or not yet read, all of them track it. SELECTED says who it is (1 …).

An input that is Bad or stale is left out; with none left the output stays where it is.

Source: K. J. Åström, T. Hägglund, Advanced PID Control (ISA 2006), selectors with tracking; D. E. Seborg, T. F. Edgar,
D. A. Mellichamp, F. J. Doyle, Process Dynamics and Control (4th ed., 2016), chapter 16 (selective control and override);
FOUNDATION Fieldbus FF-891, function block control selector.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from typing import Any

from scada.blocks.base import LIMITED, NOT_OURS, RATE_LIMITED, Binder, Context, FunctionBlock, number
from scada.blocks.downstream import Demand
from tags import model


class OverrideSelect(FunctionBlock):
    """See the module. Points: SELECTED."""

    __slots__ = ("_inputs", "_names", "_out", "_point", "_sign")
    type = "override_select"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        if c["kind"] not in ("low", "high"):
            raise ValueError(f"{config.path}: kind {c['kind']!r} is none of low, high")
        self._sign = -1.0 if c["kind"] == "high" else 1.0
        self._names = [str(path) for path in c["inputs"]]
        self._inputs = [Demand(path, binder) for path in self._names]
        self._out, self._point = binder.output(c["out"], self), binder.point(config, "SELECTED")

    def step(self, ctx: Context) -> None:
        outputs, out = ctx.outputs, self._out
        applied, tracking = number(outputs.applied[out]), outputs.tracking[out]
        wanted = [one.read(ctx) for one in self._inputs]
        best = min(
            (i for i, value in enumerate(wanted) if value is not None),
            key=lambda i: self._sign * (wanted[i] or 0.0),
            default=-1,
        )
        ctx.put(self._point, best + 1)
        if applied is None or tracking & NOT_OURS:
            for one in self._inputs:
                one.answer(ctx, applied, tracking)
            if applied is not None:
                ctx.drive(out, applied)
            return
        if best < 0:
            return
        selected = wanted[best]
        limits = tracking & (LIMITED | RATE_LIMITED)
        for i, one in enumerate(self._inputs):
            if i != best:
                one.answer(ctx, selected, LIMITED)
            elif limits:
                one.answer(ctx, applied, limits)
        ctx.drive(out, selected)

    def write_output(self, output: int, value: Any) -> str | None:
        del output, value
        return (
            f"{self.path} drives this output from {', '.join(self._names)}: set their controllers to Manual"
        )
