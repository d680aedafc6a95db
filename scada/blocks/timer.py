"""On-delay (TON), off-delay (TOF) and pulse (TP) timers.

Source: IEC 61131-3:2013, §6.6.3.5.5, table 46 and figure 15. PT = `time_ns`, Q at the path of the block, ET in s::

    TON  Q = IN held for PT;             ET runs while IN, stays at PT, 0 when not IN
    TOF  Q = IN, and for PT after it;    ET runs while not IN after IN was on, stays at PT, 0 while IN
    TP   Q for PT after IN rises;        cannot be started again meanwhile; ET stays at PT until not IN

Time is the scan's whole periods; the scan of the edge is time 0. State and ET survive a restart. A bad or stale
input counts as its last usable value; Q then is uncertain.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scada.blocks.base import Binder, Context, FunctionBlock, number, usable
from tags import model
from tags.quality import GOOD, UNCERTAIN_LAST_USABLE


class Timer(FunctionBlock):
    """See the module. Points: Q (bool), ET (s)."""

    __slots__ = ("_condition", "_et_ns", "_in", "_kind", "_point_et", "_point_q", "_pt_ns", "_q", "_running")
    type = "timer"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._kind, self._pt_ns = str(c["kind"]).lower(), int(c["time_ns"])
        if self._kind not in ("ton", "tof", "tp"):
            raise ValueError(f"{config.path}: kind {c['kind']!r} is none of ton, tof, tp")
        self._condition = binder.condition(c["input"])
        self._point_q, self._point_et = binder.point(config, "Q"), binder.point(config, "ET")
        self._in = self._q = self._running = False
        self._et_ns = 0

    def step(self, ctx: Context) -> None:
        status, on = GOOD, self._in
        if self._condition is not None:
            value, quality = self._condition(ctx.signals.value, ctx.signals.status)
            if usable(quality):
                on = bool(value)
            else:
                status = UNCERTAIN_LAST_USABLE
        edge = on is not self._in
        self._in = on
        getattr(self, "_" + self._kind)(on, edge, ctx.dt_ns)
        ctx.put(self._point_q, self._q, status)
        ctx.put(self._point_et, self._et_ns * 1e-9, status)

    def _ton(self, on: bool, edge: bool, dt_ns: int) -> None:
        if not on or edge:
            self._et_ns = 0
        elif self._et_ns < self._pt_ns:
            self._et_ns = min(self._et_ns + dt_ns, self._pt_ns)
        self._q = on and self._et_ns >= self._pt_ns

    def _tof(self, on: bool, edge: bool, dt_ns: int) -> None:
        if on:
            self._q, self._et_ns = True, 0
        elif self._q:
            self._et_ns = 0 if edge else min(self._et_ns + dt_ns, self._pt_ns)
            self._q = self._et_ns < self._pt_ns

    def _tp(self, on: bool, edge: bool, dt_ns: int) -> None:
        if self._running:
            self._et_ns = min(self._et_ns + dt_ns, self._pt_ns)
            self._running = self._et_ns < self._pt_ns
        if not self._running and on and edge:
            self._et_ns = 0
            self._running = self._pt_ns > 0
        self._q = self._running
        if not self._running and not on:
            self._et_ns = 0

    def retained(self) -> dict[str, Any]:
        return {"in": self._in, "q": self._q, "running": self._running, "et_ns": self._et_ns}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        del fresh  # time stands still while the scan does
        elapsed = number(state.get("et_ns"))
        if elapsed is not None:
            self._et_ns = min(max(int(elapsed), 0), self._pt_ns)
            self._in, self._q = state.get("in") is True, state.get("q") is True
            self._running = state.get("running") is True and self._kind == "tp"
