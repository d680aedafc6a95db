"""Edges, latches and counters of IEC 61131-3.

    edge      r_trig   Q for one scan when IN rises
              f_trig   Q for one scan when IN falls
              both     Q for one scan when IN changes
    latch     sr       Q = SET or (Q and not RESET)             set wins
              rs       Q = not RESET and (SET or Q)             reset wins: stop beats start
    counter   RESET: CV = 0; else LOAD: CV = PRESET; else UP rises: CV + 1; DOWN rises: CV - 1; both together: CV stays
              QU = CV >= PRESET,  QD = CV <= 0                  CTU: only `up`; CTD: only `down`; CTUD: both

Source: IEC 61131-3:2013, §6.6.3.5.2 (tables 43: bistables), §6.6.3.5.3 (table 44: edges), §6.6.3.5.4 (table 45: counters).

One difference, for the plant's sake: what the first scan after a start finds is no edge. CV stays within 32 bits
(-2147483648 … 2147483647). States survive a restart. A bad or stale input counts as its last usable value; Q of a latch
then is UncertainLastUsableValue, an edge or a count does not happen.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from scada.blocks.base import Binder, Context, FunctionBlock, usable
from tags import model
from tags.quality import GOOD, UNCERTAIN_LAST_USABLE

CV_MIN: Final = -(2**31)
CV_MAX: Final = 2**31 - 1


class Level:
    """A condition that keeps its last usable value.

    Attributes:
        on: The last usable value; None before the first.
        rose: It became true in the scan that `read` looked at last.
        fell: It became false in it.
        sure: It was usable in it.
    """

    __slots__ = ("_condition", "fell", "on", "rose", "sure")

    def __init__(self, text: str | None, binder: Binder) -> None:
        self._condition = binder.condition(text)
        self.on: bool | None = None if text is not None else False
        self.rose = self.fell = False
        self.sure = True

    def read(self, ctx: Context) -> bool:
        """The value in this scan."""
        if self._condition is None:
            return False
        value, status = self._condition(ctx.signals.value, ctx.signals.status)
        self.sure = usable(status)
        self.rose = self.fell = False
        if self.sure:
            on = bool(value)
            self.rose, self.fell = self.on is False and on, self.on is True and not on
            self.on = on
        return self.on is True


class Edge(FunctionBlock):
    """See the module. Points: Q, at the path of the block."""

    __slots__ = ("_input", "_kind", "_point")
    type = "edge"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        self._kind = str(config.config["kind"])
        if self._kind not in ("r_trig", "f_trig", "both"):
            raise ValueError(f"{config.path}: kind {self._kind!r} is none of r_trig, f_trig, both")
        self._input, self._point = Level(config.config["input"], binder), binder.point(config, "Q")

    def step(self, ctx: Context) -> None:
        level = self._input
        level.read(ctx)
        q = (level.rose and self._kind != "f_trig") or (level.fell and self._kind != "r_trig")
        ctx.put(self._point, q, GOOD if level.sure else UNCERTAIN_LAST_USABLE)


class Latch(FunctionBlock):
    """See the module. Points: Q, at the path of the block."""

    __slots__ = ("_point", "_q", "_reset", "_set", "_set_wins")
    type = "latch"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        if c["kind"] not in ("sr", "rs"):
            raise ValueError(f"{config.path}: kind {c['kind']!r} is none of sr, rs")
        self._set_wins = c["kind"] == "sr"
        self._set, self._reset = Level(c["set"], binder), Level(c["reset"], binder)
        self._point, self._q = binder.point(config, "Q"), False

    def step(self, ctx: Context) -> None:
        on, off = self._set.read(ctx), self._reset.read(ctx)
        self._q = on or (self._q and not off) if self._set_wins else not off and (on or self._q)
        sure = self._set.sure and self._reset.sure
        ctx.put(self._point, self._q, GOOD if sure else UNCERTAIN_LAST_USABLE)

    def retained(self) -> dict[str, Any]:
        return {"q": self._q}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        del fresh  # a latch is there to remember
        self._q = state.get("q") is True


class Counter(FunctionBlock):
    """See the module. Points: CV, QU, QD."""

    __slots__ = ("_cv", "_down", "_load", "_point_cv", "_point_qd", "_point_qu", "_preset", "_reset", "_up")
    type = "counter"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._up, self._down = Level(c.get("up"), binder), Level(c.get("down"), binder)
        self._reset, self._load = Level(c.get("reset"), binder), Level(c.get("load"), binder)
        self._preset, self._cv = min(max(int(c["preset"]), CV_MIN), CV_MAX), 0
        self._point_cv = binder.point(config, "CV")
        self._point_qu, self._point_qd = binder.point(config, "QU"), binder.point(config, "QD")

    def step(self, ctx: Context) -> None:
        levels = (self._reset, self._load, self._up, self._down)
        for level in levels:
            level.read(ctx)
        if self._reset.on:
            self._cv = 0
        elif self._load.on:
            self._cv = self._preset
        elif self._up.rose != self._down.rose:
            self._cv = min(max(self._cv + (1 if self._up.rose else -1), CV_MIN), CV_MAX)
        status = GOOD if all(level.sure for level in levels) else UNCERTAIN_LAST_USABLE
        ctx.put(self._point_cv, self._cv, status)
        ctx.put(self._point_qu, self._cv >= self._preset, status)
        ctx.put(self._point_qd, self._cv <= 0, status)

    def retained(self) -> dict[str, Any]:
        return {"cv": self._cv}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        del fresh  # a count does not grow old
        cv = state.get("cv")
        if isinstance(cv, int) and not isinstance(cv, bool):
            self._cv = min(max(cv, CV_MIN), CV_MAX)
