"""Block of one's own: a class in Python from the site folder's `blocks/`.

    OUTPUTS, STATES = step(INPUTS, SETTINGS, STATES, dt)     once in each period of its task, by the site's own equation

The file is part of the site: `scada check` checks it, and its source travels in the compiled site and in recordings. An
input is an expression of tags, converted to the unit that the class declares. `scada.blocks.own` has the declarations; the
how-to "write a block of your own" has the rules and an example.

Outputs are points; one that `drives` a tag drives it in Auto, through limits, rate and interlocks like any other. In Manual the
tag keeps what people write to it; `self.tracking` tells the block, and `self.applied` what came of its output, so that it can
take over without a bump.

Quality: an input that is Bad or stale stops the steps (`on_bad = "hold"`): outputs keep their values with the input's quality,
what is driven stays. With `on_bad = "run"` steps go on with the
last usable value, `self.good` tells, and outputs are Good once every input was usable. NaN and infinity turn an output Bad. A step
that raises, makes too many turns, or leaves a value of another type changes nothing and makes the block Bad.

States survive a restart (unless `retain=False`); a time without steps is not made up for: `dt` is at most a second, or five
periods.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from scada.blocks import own_load
from scada.blocks.base import (
    AUTO,
    MANUAL,
    MODE_TEXTS,
    NOT_OURS,
    OUT_OF_SERVICE,
    Binder,
    Condition,
    Context,
    FunctionBlock,
    number,
    usable,
)
from scada.blocks.own import OwnBlock
from tags import model
from tags.own import fits
from tags.quality import BAD_OUT_OF_RANGE, GOOD

_MODES: Final = (OUT_OF_SERVICE, MANUAL, AUTO)


class Own(FunctionBlock):
    """See the module. Points: one for each output, named as it in capitals (`OUT`, `Q` and `TOTAL` stand at the path of the block); with `drives`: MODE."""

    __slots__ = (
        "_bad", "_conditions", "_drives", "_hold", "_last", "_manual", "_mode", "_names", "_outputs",
        "_point_mode", "_points", "_restart_last", "_scales", "_settings", "_sources", "_state", "_states", "_user",
    )  # fmt: skip
    type = "own"
    NOT_STATE: ClassVar[frozenset[str]] = frozenset({"_user"})  # each step begins from `_last` and `_state`

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        declared, cls = own_load.load(c["source"], c["file"], c["class"])
        inputs = c["inputs"]
        self._names = list(declared.of("input"))
        self._conditions: list[Condition | None] = [
            binder.condition(inputs[n]["expression"]) for n in self._names
        ]
        self._sources = [
            [binder.slot(p) for p in binder.paths_of(inputs[n]["expression"])] for n in self._names
        ]
        self._scales = [
            (float(inputs[n].get("gain", 1.0)), float(inputs[n].get("offset", 0.0))) for n in self._names
        ]
        self._last: list[Any] = [None] * len(self._names)
        self._bad = [True] * len(self._names)
        self._settings = dict(c["settings"])
        self._outputs = declared.of("output")
        self._points = [binder.point(config, name.upper()) for name in self._outputs]
        self._states = declared.of("state")
        self._state = {name: member.args["default"] for name, member in self._states.items()}
        self._drives = {name: binder.output(path, self) for name, path in c.get("drives", {}).items()}
        self._manual: dict[str, Any] = {}
        self._mode = int(c.get("first_mode", MANUAL)) if self._drives else AUTO
        self._restart_last = c.get("restart", "last") == "last"
        self._point_mode = binder.point(config, "MODE")
        self._hold = declared.on_bad == "hold"
        self._user: OwnBlock = cls(**self._settings)

    # -- the scan

    def step(self, ctx: Context) -> None:
        status = self._read(ctx)
        held = self._hold and any(self._bad)
        if not held and all(value is not None for value in self._last):
            made = self._execute(ctx)
            status = status if self._hold else GOOD
            fresh = any(ctx.signals.fresh[slot] for slots in self._sources for slot in slots)
            for (name, value), point in zip(made.items(), self._points, strict=True):
                ctx.put(point, value, status, fresh=fresh)  # a controller runs once for each new sample
                if name in self._drives and self._mode == AUTO:
                    ctx.drive(self._drives[name], value)
        else:
            for point in self._points:
                ctx.put(point, ctx.signals.value[point], status)
        if self._mode == MANUAL:
            for name, row in self._drives.items():
                self._drive_manual(ctx, name, row)
        ctx.put(self._point_mode, self._mode)

    def _read(self, ctx: Context) -> int:
        """Inputs of this step; the worst quality of them."""
        value, status = ctx.signals.value, ctx.signals.status
        worst = GOOD
        for i, condition in enumerate(self._conditions):
            if condition is None:
                continue
            found, quality = condition(value, status)
            if usable(quality):
                if not isinstance(found, bool):
                    gain, offset = self._scales[i]
                    found = float(found) * gain + offset
                    if found - found != 0.0:
                        quality = BAD_OUT_OF_RANGE
                if usable(quality):
                    self._last[i] = found
            self._bad[i] = not usable(quality)
            worst = quality if quality >> 30 > worst >> 30 else worst
        return worst

    def _execute(self, ctx: Context) -> dict[str, Any]:
        """One step of the user's class: everything in, everything out, nothing of it kept there."""
        user, fresh = self._user, ctx.signals.fresh
        outs = ctx.outputs
        values = user.__dict__
        values.clear()
        values.update(self._settings)
        values.update(zip(self._names, self._last, strict=True))
        values.update(self._state)
        for (name, member), point in zip(self._outputs.items(), self._points, strict=True):
            now = ctx.signals.value[point] if point >= 0 else None
            values[name] = now if fits(now, member.type) else _ZERO[member.type]
        values["_bad"] = {name for name, bad in zip(self._names, self._bad, strict=True) if bad}
        values["_stale"] = {
            name
            for name, slots in zip(self._names, self._sources, strict=True)
            if not any(fresh[slot] for slot in slots)
        }
        values["_applied"] = {name: outs.applied[row] for name, row in self._drives.items()}
        values["_tracking"] = {
            name for name, row in self._drives.items() if self._mode != AUTO or outs.tracking[row] & NOT_OURS
        }
        own_load.begin()
        user.step(ctx.seen_ns * 1e-9)
        state = {}
        for name, member in self._states.items():
            try:
                state[name] = own_load.changed(values[name], member)
            except TypeError as error:
                raise TypeError(f"{name} = {error}") from None
        made = {}
        for name, member in self._outputs.items():
            try:
                made[name] = own_load.changed(values[name], member)
            except TypeError as error:
                raise TypeError(f"{name} = {error}") from None
        self._state = state
        return made

    def _drive_manual(self, ctx: Context, name: str, row: int) -> None:
        outs = ctx.outputs
        if outs.tracking[row] & NOT_OURS or self._manual.get(name) is None:
            self._manual[name] = outs.applied[row]
        if self._manual[name] is not None:
            ctx.drive(row, self._manual[name])

    # -- people

    def write(self, point: str, value: Any) -> str | None:
        if point != "MODE" or not self._drives:
            return super().write(point, value)
        mode = number(value)
        if mode not in _MODES:
            return f"{self.path} has the modes {', '.join(MODE_TEXTS[one] for one in _MODES)}"
        if mode != self._mode:
            self._mode = int(mode)
            self._manual = {}
        return None

    def write_output(self, output: int, value: Any) -> str | None:
        if self._mode != MANUAL:
            return f"{self.path} is in {MODE_TEXTS[self._mode]}: set {self.path}/MODE to Manual first"
        name = next((name for name, row in self._drives.items() if row == output), None)
        if name is None or number(value) is None:
            return f"{self.path} takes a number for its output"
        self._manual = {**self._manual, name: value}
        return None

    def to_manual(self) -> None:
        if self._drives:
            self._mode, self._manual = MANUAL, {}

    # -- restart

    def retained(self) -> dict[str, Any]:
        kept = {name: self._state[name] for name, one in self._states.items() if one.args.get("retain", True)}
        return {"mode": self._mode, "state": kept} if self._drives else {"state": kept} if kept else {}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        """States that are still declared so; the mode only from a fresh state, with `restart: last`."""
        kept = state.get("state")
        for name, member in self._states.items():
            value = own_load.plain(kept.get(name)) if isinstance(kept, dict) else None
            if member.args.get("retain", True) and value is not None and fits(value, member.type):
                self._state[name] = value
        if self._drives:
            mode = number(state.get("mode"))
            self._mode = int(mode) if fresh and self._restart_last and mode in _MODES else MANUAL


_ZERO: Final[dict[str, Any]] = {"float": 0.0, "int": 0, "bool": False}
