"""Cause-and-effect matrix: what each cause stops, holds or closes; first-out, delays, latches, bypasses.

    present = condition, not bypassed, for its time `for`
    ACTIVE  = present; with `reset: manual` it stays until RESET                      of a cause
    demand  = a cause that trips it has been ACTIVE for the delay of their crossing   of an effect
    ACTIVE  = demand; with `reset: manual` (by itself) it stays until RESET           of an effect

Rows are causes, columns effects; `trips` names the crossings, with the delay of each where there is one:
`trips: {pumps: 0 s, inlet: 10 s}`. M out of N causes are written with the block `vote`, whose Q is the condition.

An active effect holds its target like an interlock: an output tag at `value` by the output stage, whatever blocks and
requests want; a motor or an on/off valve is stopped or closed and kept so. Without a target there is its point ACTIVE
only, for others to read. It acts in the scan in which the cause is seen, wherever the block stands in the order.

First-out: FIRST_OUT is the cause that came first since everything was normal; CAUSE of an effect is the first cause of
the present trip. Of causes that come in one scan the one that is written first counts as first: what comes between two scans
cannot be told apart.

RESET: writing true lets go of everything that is latched and whose cause is gone; the rest stays, and it is refused when
nothing could be reset, with the names of what still stands. Writing false to ACTIVE of an effect resets that one.

Quality of a condition, as of an interlock: Bad counts as the condition itself (a failed sensor must not disable a
protection), except lost communication and values not yet read, which keep the state, as uncertain ones do.

Bypass: an engineer may put a cause with `bypass` out of action, for at most its `max`, with a reason (`scada bypass`). Its
condition then counts as not there; what is latched stays until it is reset; BYPASSED has an alarm. STATE of a cause: Normal,
Delayed, Active, Latched, Bypassed, Bypassed and present.

Everything survives a restart: causes and effects that were active are so before the first input is read. An output waits
for the inputs of those causes only that trip it.

Source: IEC 62881:2018 (cause and effect matrix); ISA-84.00.01 / IEC 61511-1:2016, 11.3, 11.7, 16.2 (bad inputs, reset,
bypasses); ISA-18.1 (first-out). This is no safety system.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from scada.blocks.base import Binder, Condition, Context, FunctionBlock, Inhibitable, number, usable
from scada.blocks.bypass import Bypassable
from tags import model
from tags.quality import BAD_NO_COMMUNICATION, BAD_WAITING_FOR_INITIAL_DATA, is_bad

_KEEPS = (BAD_NO_COMMUNICATION, BAD_WAITING_FOR_INITIAL_DATA)
NORMAL, DELAYED, ACTIVE, LATCHED, BYPASSED, BYPASSED_PRESENT = range(6)


class CauseEffect(FunctionBlock, Bypassable):
    """See the module. Points: TRIPPED, FIRST_OUT, RESET; of each cause ACTIVE, STATE, with `bypass` BYPASSED; of each effect ACTIVE, CAUSE."""

    __slots__ = (
        "_active", "_blocks", "_bypassed", "_causes", "_conditions", "_effects", "_first", "_first_out", "_for_ns",
        "_held_ns", "_inputs", "_latch", "_latch_effect", "_longest_ns", "_outs", "_point_active", "_point_bypassed", "_point_cause", "_point_first",
        "_point_reset", "_point_state", "_point_tripped", "_points_effect", "_since_ns", "_targets", "_texts", "_told",
        "_trip", "_trips", "_true", "_values",
    )  # fmt: skip
    type = "cause_effect"

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        causes, effects = config.config["causes"], config.config["effects"]
        self._causes = [str(one["name"]) for one in causes]
        self._texts = [str(one.get("description") or one["name"]) for one in causes]
        self._conditions: list[Condition | None] = [binder.condition(str(one["when"])) for one in causes]
        self._inputs = [[binder.slot(path) for path in binder.paths_of(str(one["when"]))] for one in causes]
        self._for_ns = [int(one.get("for_ns") or 0) for one in causes]
        self._latch = [one.get("reset") == "manual" for one in causes]
        self._effects = [str(one["name"]) for one in effects]
        self._targets = [one.get("target") for one in effects]
        self._values = [one.get("value") for one in effects]
        self._latch_effect = [one.get("reset", "manual") == "manual" for one in effects]
        self._outs = [
            binder.output(target) if target is not None and target in binder.tags else -1
            for target in self._targets
        ]
        # By effect: (cause, delay ns), in the order of the causes.
        self._trips: list[list[tuple[int, int]]] = [[] for _ in effects]
        self._longest_ns = [0] * len(causes)  # longest delay of its crossings
        for cause, one in enumerate(causes):
            for effect, delay_ns in one["trips"]:
                self._trips[effect].append((cause, int(delay_ns)))
                self._longest_ns[cause] = max(self._longest_ns[cause], int(delay_ns))
        self._blocks: list[Inhibitable | None] = [None] * len(effects)

        count = len(causes)
        self._true = [False] * count  # the condition as it was usable last
        self._told = [False] * count  # the same as it was told last, while bypassed
        self._bypassed = [False] * count
        self._since_ns = [-1] * count  # how long it has been present; -1: it is not
        self._active = [False] * count
        self._held_ns = [0] * count  # how long it has been active
        self._trip = [False] * len(effects)
        self._first = [0] * len(effects)  # 1 + cause; 0: none
        self._first_out = 0

        point = binder.point
        self._point_tripped, self._point_first = point(config, "TRIPPED"), point(config, "FIRST_OUT")
        self._point_reset = point(config, "RESET")
        self._point_active = [point(config, f"{name}/ACTIVE") for name in self._causes]
        self._point_state = [point(config, f"{name}/STATE") for name in self._causes]
        self._point_bypassed = [point(config, f"{name}/BYPASSED") for name in self._causes]
        self._points_effect = [point(config, f"{name}/ACTIVE") for name in self._effects]
        self._point_cause = [point(config, f"{name}/CAUSE") for name in self._effects]

    def link(self, blocks: Mapping[str, FunctionBlock]) -> None:
        """Finds the blocks that it holds off.

        Raises:
            ValueError: A target is neither a tag nor a block that can be held off.
        """
        for effect, target in enumerate(self._targets):
            if target is None or self._outs[effect] >= 0:
                continue
            block = blocks.get(target)
            if not isinstance(block, Inhibitable):
                raise ValueError(  # noqa: TRY004 - what the site says, not what we were given
                    f"{self.path}: target {target} is neither a writable tag, a motor nor a valve"
                )
            self._blocks[effect] = block

    def needed_by(self, output: int) -> Collection[int] | None:
        return {
            slot
            for effect, row in enumerate(self._outs)
            if row == output
            for cause, _ in self._trips[effect]
            for slot in self._inputs[cause]
        }

    # -- the scan

    def step(self, ctx: Context) -> None:
        for cause in range(len(self._causes)):
            self._watch(ctx, cause)
        for effect in range(len(self._effects)):
            self._hold(ctx, effect)
        if not any(self._active) and not any(self._trip):
            self._first_out = 0
        self._put(ctx)

    def _watch(self, ctx: Context, cause: int) -> None:
        """One cause: its condition, delay, latch, and the first-out."""
        condition = self._conditions[cause]
        if condition is not None:
            value, status = condition(ctx.signals.value, ctx.signals.status)
            if usable(status):
                self._true[cause] = bool(value)
            elif is_bad(status) and (status & 0xFFFF_0000) not in _KEEPS:
                self._true[cause] = True
        if self._bypassed[cause] and self._told[cause] != self._true[cause]:
            self._told[cause] = self._true[cause]
            if self._true[cause]:
                self._tell_cause(ctx, cause, bypassed=True)
        limit_ns = self._for_ns[cause]
        if not self._there(cause):
            self._since_ns[cause] = -1
        elif self._since_ns[cause] < 0:
            self._since_ns[cause] = 0
        else:
            self._since_ns[cause] = min(self._since_ns[cause] + ctx.seen_ns, limit_ns)
        present = self._since_ns[cause] >= limit_ns
        if present and not self._active[cause]:
            self._active[cause], self._held_ns[cause] = True, 0
            if not self._first_out:
                self._first_out = cause + 1
            self._tell_cause(ctx, cause, first_out=self._first_out == cause + 1)
        elif self._active[cause]:
            self._held_ns[cause] = min(self._held_ns[cause] + ctx.seen_ns, self._longest_ns[cause])
            if not present and not self._latch[cause]:
                self._active[cause] = False
                self._tell_cause(ctx, cause)

    def _there(self, cause: int) -> bool:
        return self._true[cause] and not self._bypassed[cause]

    def _demand(self, effect: int) -> int:
        """The first cause that trips an effect now, from 1; 0 for none."""
        for cause, delay_ns in self._trips[effect]:
            if self._active[cause] and self._held_ns[cause] >= delay_ns:
                return cause + 1
        return 0

    def _hold(self, ctx: Context, effect: int) -> None:
        """One effect: tripped, latched, let go; and its target."""
        demand = self._demand(effect)
        if demand and not self._trip[effect]:
            self._trip[effect], self._first[effect] = True, demand
            self._tell_effect(ctx, effect)
        elif self._trip[effect] and not demand and not self._latch_effect[effect]:
            self._trip[effect] = False
            self._tell_effect(ctx, effect)
            self._first[effect] = 0
        block = self._blocks[effect]
        if block is not None:
            block.inhibit(ctx, f"{self.path}/{self._effects[effect]}", active=self._trip[effect])
        elif self._trip[effect] and self._outs[effect] >= 0:
            ctx.override(self._outs[effect], self._values[effect], f"{self.path}/{self._effects[effect]}")

    def failed(self, ctx: Context) -> None:
        for effect, row in enumerate(self._outs):
            if self._trip[effect] and row >= 0:
                ctx.override(row, self._values[effect], f"{self.path}/{self._effects[effect]}")

    def _state(self, cause: int) -> int:
        if self._bypassed[cause]:
            return BYPASSED_PRESENT if self._true[cause] else BYPASSED
        if self._active[cause]:
            return ACTIVE if self._true[cause] else LATCHED
        return DELAYED if self._true[cause] else NORMAL

    def _put(self, ctx: Context) -> None:
        for cause in range(len(self._causes)):
            ctx.put(self._point_active[cause], self._active[cause])
            ctx.put(self._point_state[cause], self._state(cause))
            ctx.put(self._point_bypassed[cause], self._bypassed[cause])
        for effect in range(len(self._effects)):
            ctx.put(self._points_effect[effect], self._trip[effect])
            ctx.put(self._point_cause[effect], self._first[effect])
        ctx.put(self._point_tripped, any(self._trip))
        ctx.put(self._point_first, self._first_out)
        ctx.put(self._point_reset, value=False)

    def _tell_cause(self, ctx: Context, cause: int, **more: bool) -> None:
        ctx.emit(
            "cause",
            path=f"{self.path}/{self._causes[cause]}",
            active=self._active[cause],
            message=self._texts[cause],
            **{"first_out": False, **more},
        )

    def _tell_effect(self, ctx: Context, effect: int) -> None:
        first = self._first[effect]
        ctx.emit(
            "interlock",
            path=f"{self.path}/{self._effects[effect]}",
            target=self._targets[effect] or "",
            active=self._trip[effect],
            first_out=self._trip[effect] and first == self._first_out,
            message=self._texts[first - 1] if first else "",
        )

    # -- people

    def bypass(self, name: str, *, on: bool) -> None:
        if name in self._causes:
            cause = self._causes.index(name)
            self._bypassed[cause], self._told[cause] = on, self._true[cause]

    def write(self, point: str, value: Any) -> str | None:
        wanted = number(value)
        if point == "RESET":
            return self._reset_all() if wanted else None
        name, _, what = point.rpartition("/")
        if what != "ACTIVE" or name not in self._effects or wanted != 0.0:
            return f"{self.path} takes RESET = true, and ACTIVE = false of an effect, which resets it"
        effect = self._effects.index(name)
        demand = self._demand(effect)
        if self._trip[effect] and demand:
            return f"{self.path}/{name} is still tripped: {self._texts[demand - 1]}"
        self._trip[effect], self._first[effect] = False, 0
        return None

    def _reset_all(self) -> str | None:
        """Lets go of what is latched; why nothing could be, or None."""
        stood = [*self._active, *self._trip]
        for cause in range(len(self._causes)):
            if self._active[cause] and not self._there(cause):
                self._active[cause] = False
        for effect in range(len(self._effects)):
            if self._trip[effect] and not self._demand(effect):
                self._trip[effect], self._first[effect] = False, 0
        if any(stood) and stood == [*self._active, *self._trip]:
            names = ", ".join(self._texts[cause] for cause, active in enumerate(self._active) if active)
            return f"{self.path} cannot be reset: {names} still there"
        return None

    # -- restart

    def retained(self) -> dict[str, Any]:
        causes = {
            name: [self._true[i], self._active[i], self._since_ns[i], self._held_ns[i]]
            for i, name in enumerate(self._causes)
        }
        effects = {
            name: self._causes[self._first[i] - 1] if self._first[i] else ""
            for i, name in enumerate(self._effects)
            if self._trip[i]
        }
        return {"causes": causes, "effects": effects, "first_out": self._name(self._first_out)}

    def _name(self, first: int) -> str:
        return self._causes[first - 1] if first else ""

    def _number(self, name: object) -> int:
        return self._causes.index(name) + 1 if isinstance(name, str) and name in self._causes else 0

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        del fresh  # a protection does not expire
        causes, effects = state.get("causes"), state.get("effects")
        for i, name in enumerate(self._causes):
            kept = causes.get(name) if isinstance(causes, dict) else None
            if not isinstance(kept, list) or len(kept) != 4:
                continue
            since, held = number(kept[2]), number(kept[3])
            self._true[i], self._active[i] = kept[0] is True, kept[1] is True
            self._since_ns[i] = -1 if since is None else min(max(int(since), -1), self._for_ns[i])
            self._held_ns[i] = 0 if held is None else max(int(held), 0)
        for i, name in enumerate(self._effects):
            if isinstance(effects, dict) and name in effects:
                self._trip[i], self._first[i] = True, self._number(effects[name])
        self._first_out = self._number(state.get("first_out"))
