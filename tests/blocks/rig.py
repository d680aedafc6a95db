"""A scan for blocks under test: tags by hand, an ideal output stage whose gates the test sets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from scada.blocks import registry
from scada.blocks.base import NOT_OURS, Binder, Context, FunctionBlock, Tick
from tags import model
from tags.model import MEMORY
from tags.quality import GOOD

MS = 1_000_000
SECOND = 1_000_000_000
POINT_TYPES = {
    **dict.fromkeys(("SP", "RSP", "GAIN", "TI", "TD", "ET", "HOURS"), "float64"),
    **dict.fromkeys(("MODE", "STATE", "DUTY"), "int32"),
    "STARTS": "int64",
    **dict.fromkeys(("STROKES", "LEFT", "HEAT", "SPEED", "RATE", "LEAD", "SHIFT"), "float64"),
    **dict.fromkeys(("OVERRIDE", "SELECT", "STAGES"), "int32"),
    **dict.fromkeys(("RATIO", "TOTAL", "LAST"), "float64"),
    **dict.fromkeys(("USED", "SELECTED", "VOTES", "CV"), "int32"),
}
ANALOG = (
    "filter",
    "lead_lag",
    "dead_time",
    "rate_limit",
    "characteriser",
    "ratio",
    "select",
)  # whose OUT is a number


def block(path: str, type_: str, points: str = "", at_path: str = "", **config: Any) -> model.Block:
    """A compiled block; `points` are names, `at_path` the one that stands at the block's own path."""
    named = {name: f"{path}/{name}" for name in points.split()}
    if at_path:
        named[at_path] = path
    return model.Block(path=path, type=type_, config=config, points=named)


def pid(path: str = "t/LIC", **config: Any) -> model.Block:
    """A PI controller of `t/PV` (0 … 100 %) on `t/OUT`."""
    settings: dict[str, Any] = {
        "pv": "t/PV", "out": "t/OUT", "action": "reverse", "gain": 2.0, "ti_ns": 10 * SECOND, "td_ns": 0,
        "setpoint_tag": None, "sp_low": 0.0, "sp_high": 100.0, "sp_initial": 50.0, "ramp": 0.0, "out_low": 0.0,
        "out_high": 100.0, "first_mode": 2, "restart": "last", "on_bad_pv": {"hold_ns": 5 * SECOND, "then": "manual"},
    }  # fmt: skip
    return block(path, "pid", "SP MODE GAIN TI TD", **(settings | config))


def motor(path: str = "t/P", **config: Any) -> model.Block:
    """A motor with all its tags."""
    settings: dict[str, Any] = {
        "start": f"{path}/START", "stop": f"{path}/STOP", "run": f"{path}/RUN", "remote": f"{path}/REM",
        "fault": f"{path}/FLT", "start_permit": None, "trip": None, "auto": None, "group": None,
        "start_time_ns": 5 * SECOND, "min_off_ns": 0, "starts_per_hour": 0, "after_power_loss": "stay off",
        "first_mode": 2 if config.get("auto") or config.get("group") else 1,
    }  # fmt: skip
    return block(path, "motor", "MODE CMD AUTO STATE TRIP RESET HOURS STARTS", **(settings | config))


class Rig:
    """Blocks, their tags, and scans one after the other."""

    def __init__(
        self, blocks: Sequence[model.Block], tags: Mapping[str, Mapping[str, Any]], period_ns: int = 100 * MS
    ) -> None:
        """`tags` maps paths to fields of `tags.model.Tag`; points of blocks are made here."""
        made: dict[str, model.Tag] = {}
        for path, fields in tags.items():
            made[path] = model.Tag(
                id=len(made) + 1, path=path, writer="field", row=len(made),
                **{"type": "float64", "kind": "device", **fields},
            )  # fmt: skip
        for config in blocks:
            for name, path in config.points.items():
                made.setdefault(
                    path,
                    model.Tag(
                        id=len(made) + 1, path=path, kind="block", writer="control", row=len(made),
                        type="float64" if name == "OUT" and config.type in ANALOG else POINT_TYPES.get(name, "bool"),
                    ),
                )  # fmt: skip
        self.binder = Binder(made, period_ns)
        self.list = registry.build_all(tuple(blocks), self.binder)
        for path in made:
            self.binder.slot(path)
        self.blocks: dict[str, FunctionBlock] = {b.path: b for b in self.list}
        self.signals, self.outputs = self.binder.signals(), self.binder.outputs()
        self.ctx = Context(self.signals, self.outputs)
        self.number = 0
        self.gates: dict[str, int] = {}  # output path -> tracking flags that the test wants
        self.events: list[dict[str, Any]] = []
        self.second_of_day, self.weekday, self.date = 0, 0, "2026-11-23"

    def set(self, path: str, value: Any, status: int = GOOD) -> None:
        """A new sample for the next scan."""
        slot = self.binder.index[path]
        self.signals.value[slot], self.signals.status[slot] = value, status
        self.signals.time_ns[slot] = self.number * self.binder.period_ns + 1
        self.signals.fresh[slot] = True

    def ready(self, **values: Any) -> None:
        """All outputs were read back: `ready(**{"t/OUT": 40.0})`; others as their tags are now."""
        for row, path in enumerate(self.outputs.path):
            slot = self.outputs.slot[row]
            self.outputs.applied[row] = values.get(path, self.signals.value[slot])
            self.outputs.tracking[row] = 0

    def scan(self, count: int = 1, periods: int = 1) -> None:
        """Runs scans: blocks, then the output stage: override, else gate, else what was wanted."""
        for _ in range(count):
            self.number += 1
            period = self.binder.period_ns
            self.ctx.begin(
                Tick(
                    self.number,
                    periods,
                    period,
                    self.number * period,
                    self.weekday,
                    self.second_of_day,
                    self.date,
                )
            )
            for item in self.list:
                item.step(self.ctx)
            outputs = self.outputs
            for row, path in enumerate(outputs.path):
                override, gate = outputs.override[row], self.gates.get(path, 0)
                if override is not None:
                    outputs.applied[row], outputs.tracking[row] = override[0], 8 | gate
                elif gate & NOT_OURS:
                    outputs.tracking[row] = gate
                elif (feedback := outputs.feedback[row]) is not None:
                    if outputs.wanted[row] is not None:
                        self.signals.value[outputs.slot[row]] = outputs.wanted[row]
                    outputs.applied[row], outputs.tracking[row] = feedback
                elif outputs.applied[row] is not None:
                    outputs.tracking[row] = gate
                    if outputs.wanted[row] is not None and not gate:
                        outputs.applied[row] = outputs.wanted[row]
                        if self.binder.tags[path].kind == MEMORY:
                            self.signals.value[outputs.slot[row]] = outputs.wanted[row]
            self.events += self.ctx.events
            self.ctx.events.clear()
            self.signals.fresh[:] = [False] * len(self.signals.fresh)

    def applied(self, path: str) -> Any:
        """The command of an output."""
        return self.outputs.applied[self.outputs.path.index(path)]

    def move(self, path: str, value: Any) -> None:
        """Somebody else moves an output (Local, or a gate that the test set)."""
        self.outputs.applied[self.outputs.path.index(path)] = value

    def get(self, path: str) -> Any:
        """A tag's value."""
        return self.signals.value[self.binder.index[path]]

    def status(self, path: str) -> int:
        """A tag's status."""
        return self.signals.status[self.binder.index[path]]

    def write(self, path: str, value: Any) -> str | None:
        """A request to write a point."""
        owner, _, point = path.rpartition("/")
        return self.blocks[owner].write(point, value)

    def retained(self) -> dict[str, Any]:
        """What all blocks keep, through JSON."""
        kept: dict[str, Any] = json.loads(json.dumps({b.path: b.retained() for b in self.list}))
        return kept

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        """A restart with a kept state."""
        for path, kept in state.items():
            self.blocks[path].restore(kept, fresh=fresh)
