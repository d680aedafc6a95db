"""Interlock: while its condition holds, a target is held, whatever blocks and requests want.

The target is a writable tag, held at `value` by the output stage, or a motor or on/off valve, which is stopped or
closed and kept so. It acts in the scan in which the condition is seen, wherever it stands in the order.

`reset: auto` lets go with the condition. `reset: manual` stays until ACTIVE is written false with the condition
gone. The first active interlock of a target is its first-out: the event says so, and its value wins. An active one
survives a restart.

Quality of the condition: Bad counts as the condition itself (a failed sensor must not disable a protection) except
lost communication or a value not yet read, which keep the state, as uncertain ones do: with the device away nothing
can be commanded, and its return must not find everything tripped.

Bypass: where the site declares `bypass: {max: 8 h}`, an engineer may put the condition out of action for at most that time,
with a reason (`scada bypass`). A bypassed condition counts as not there; one that is latched stays until it is reset. BYPASSED
has an alarm; a condition that comes meanwhile is an event.
"""

# ruff: noqa: D102 - FunctionBlock says what its methods do
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scada.blocks.base import Binder, Context, FunctionBlock, Inhibitable, number, usable
from scada.blocks.bypass import Bypassable
from tags import model
from tags.quality import BAD_NO_COMMUNICATION, BAD_WAITING_FOR_INITIAL_DATA, is_bad

_KEEPS = (BAD_NO_COMMUNICATION, BAD_WAITING_FOR_INITIAL_DATA)


class Interlock(FunctionBlock, Bypassable):
    """See the module. Points: ACTIVE (bool; writing false resets); with `bypass`: BYPASSED."""

    __slots__ = (
        "_active", "_block", "_bypassed", "_condition", "_description", "_latch", "_others", "_out", "_point", "_point_bypassed",
        "_target", "_told", "_true", "_value",
    )  # fmt: skip
    type = "interlock"
    RETAINED_OF = ("_active",)

    def __init__(self, config: model.Block, binder: Binder) -> None:
        super().__init__(config, binder)
        c = config.config
        self._target = str(c["target"])
        self._condition = binder.condition(str(c["when"]))
        self._out = binder.output(self._target) if self._target in binder.tags else -1
        self._value, self._latch = c.get("value"), c.get("reset", "auto") == "manual"
        self._description = str(c.get("description") or "")
        self._point, self._point_bypassed = binder.point(config, "ACTIVE"), binder.point(config, "BYPASSED")
        self._block: Inhibitable | None = None
        self._others = binder.peers(f"interlock of {self._target}")
        self._others.append(self)
        self._active = self._true = self._bypassed = False
        self._told = False  # the condition as it was told last while it is bypassed

    def link(self, blocks: Mapping[str, FunctionBlock]) -> None:
        """Finds the target block.

        Raises:
            ValueError: The target is neither a tag nor a block that can be held off.
        """
        if self._out < 0:
            block = blocks.get(self._target)
            if not isinstance(block, Inhibitable):
                raise ValueError(
                    f"{self.path}: target {self._target} is neither a writable tag, a motor nor a valve"
                )
            self._block = block

    @property
    def active(self) -> bool:
        """It holds its target."""
        return self._active

    def step(self, ctx: Context) -> None:
        if self._condition is not None:
            value, status = self._condition(ctx.signals.value, ctx.signals.status)
            if usable(status):
                self._true = bool(value)
            elif is_bad(status) and (status & 0xFFFF_0000) not in _KEEPS:
                self._true = True
        true = self._true and not self._bypassed
        if self._bypassed and self._told != self._true:
            self._told = self._true
            if self._true:
                self._tell(ctx, first_out=False, bypassed=True)
        if true and not self._active:
            self._active = True
            first = not any(other.active for other in self._others if other is not self)
            self._tell(ctx, first_out=first)
        elif self._active and not true and not self._latch:
            self._active = False
            self._tell(ctx, first_out=False)
        if self._block is not None:
            self._block.inhibit(ctx, self.path, active=self._active)
        elif self._active:
            ctx.override(self._out, self._value, self.path)
        ctx.put(self._point, self._active)
        ctx.put(self._point_bypassed, self._bypassed)

    def failed(self, ctx: Context) -> None:
        if self._active and self._block is None:
            ctx.override(self._out, self._value, self.path)

    def bypass(self, name: str, *, on: bool) -> None:
        del name
        self._bypassed, self._told = on, self._true

    def _tell(self, ctx: Context, *, first_out: bool, **more: bool) -> None:
        ctx.emit(
            "interlock",
            path=self.path,
            target=self._target,
            active=self._active,
            first_out=first_out,
            message=self._description,
            **more,
        )

    def write(self, point: str, value: Any) -> str | None:
        if point != "ACTIVE" or number(value) != 0.0:
            return f"{self.path} takes only ACTIVE = false, which resets it"
        if self._active and self._true and not self._bypassed:
            return f"{self.path} is still active: {self._description or 'its condition holds'}"
        self._active = False
        return None

    def retained(self) -> dict[str, Any]:
        return {"active": self._active}

    def restore(self, state: Mapping[str, Any], *, fresh: bool = True) -> None:
        del fresh  # a protection does not expire
        self._active = self._true = state.get("active") is True
