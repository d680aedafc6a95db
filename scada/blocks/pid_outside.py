"""What acts on a controller from outside: the set point in Cascade and Remote cascade, and output tracking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scada.blocks.analog import Input
from scada.blocks.base import (
    AUTO,
    CASCADE,
    NOT_INITIALISED,
    REMOTE_CASCADE,
    Binder,
    Context,
    number,
    usable,
)
from scada.blocks.downstream import Demand
from tags import model


class OutsideSetPoint:
    """The set point that another block or a remote computer gives, and what its giver is told.

    Attributes:
        clamped: What was given last is beyond the limits of the set point.

    Args:
        config: With `cascade` (path of the tag that holds the set point in Cascade) and `remote`
            (`timeout_ns`, `then`: the mode that follows when nothing is written for so long), each or None.
        binder: Knows the tags.
    """

    __slots__ = (
        "_age_ns", "_bad_ns", "_demand", "_hold_ns", "_name", "_point", "_remote", "_shed", "_taken", "_timeout_ns",
        "_told", "clamped",
    )  # fmt: skip

    def __init__(self, config: model.Block, binder: Binder) -> None:
        c = config.config
        cascade, remote = c.get("cascade"), c.get("remote")
        self._demand = None if cascade is None else Demand(str(cascade), binder)
        self._name = f"{config.path}/RSP" if cascade is None else str(cascade)
        self._point = binder.point(config, "RSP")
        self._hold_ns = int((c.get("on_bad_pv") or {}).get("hold_ns", 0))
        self._timeout_ns = 0 if remote is None else int(remote["timeout_ns"])
        self._shed = AUTO if remote is None else int(remote["then"])
        self._remote: float | None = None
        self._age_ns = self._bad_ns = 0
        self._told = self._taken = False
        self.clamped = False

    def link(self) -> None:
        """All blocks are built."""
        if self._demand is not None:
            self._demand.link()

    def watch(self, ctx: Context) -> None:
        """Time passes for what the remote computer wrote; once per scan."""
        if self._age_ns <= self._timeout_ns:
            self._age_ns += ctx.dt_ns

    def take(self, ctx: Context, mode: int) -> tuple[float | None, bool]:
        """The set point of this scan.

        Returns:
            The value, None while there is none to be taken: the controller keeps the one it has; and True in the
            first scan in which one is taken after it was not.
        """
        value = None
        if mode == CASCADE and self._demand is not None:
            # After a start the giver first learns where the controller is: until then its tag holds something old.
            value = self._demand.read(ctx) if self._told else None
            self._bad_ns = self._bad_ns + ctx.dt_ns if self._told and value is None else 0
        elif mode == REMOTE_CASCADE and self._age_ns <= self._timeout_ns:
            value = self._remote
        first = value is not None and not self._taken
        self._taken = value is not None
        return value, first

    def shed(self, mode: int) -> tuple[int, str] | None:
        """The mode to fall back to and why, None while the set point stands or may come back."""
        if mode == CASCADE and self._bad_ns > self._hold_ns:
            return AUTO, f"{self._name} is not Good"
        if mode == REMOTE_CASCADE and self._age_ns > self._timeout_ns:
            return self._shed, f"no set point was written for {self._timeout_ns / 1e9:g} s"
        return None

    @property
    def taken(self) -> bool:
        """The controller took a set point from outside in this scan."""
        return self._taken

    def left(self) -> None:
        """The mode takes no set point from outside."""
        self._taken, self._bad_ns, self.clamped = False, 0, False

    def write(self, value: float) -> None:
        """A remote computer wrote RSP."""
        self._remote, self._age_ns = value, 0

    def remote_refusal(self, path: str) -> str | None:
        """Why Remote cascade cannot begin, or None."""
        if self._remote is not None and self._age_ns <= self._timeout_ns:
            return None
        return f"{path}/RSP was not written in the last {self._timeout_ns / 1e9:g} s: its writer has to begin"

    def put(self, ctx: Context) -> None:
        """Publishes RSP."""
        if self._remote is not None:
            ctx.put(self._point, self._remote)

    def answer(self, ctx: Context, value: float | None, tracking: int) -> None:
        """Tells the giver what came of it in this scan: 0: taken; else bits as for an output."""
        if self._demand is None:
            return
        if value is None:
            self._demand.answer(ctx, None, NOT_INITIALISED)
            return
        if tracking:
            self._told = True
            self._demand.answer(ctx, value, tracking)


class Track:
    """Output tracking: while a condition holds, the output follows a value.

    Args:
        config: With `track`: `when` and `value`, expressions, or None.
        binder: Knows the tags.
    """

    __slots__ = ("_active", "_last", "_point", "_value", "_when")

    def __init__(self, config: model.Block, binder: Binder) -> None:
        track: Mapping[str, Any] = config.config["track"]
        self._when = binder.condition(str(track["when"]))
        self._value = Input(str(track["value"]), binder)
        self._point = binder.point(config, "TRACKING")
        self._active = False
        self._last: float | None = None

    def read(self, ctx: Context) -> tuple[bool, float | None]:
        """Does it hold, and the last usable value; a condition that is not usable keeps what it was."""
        if self._when is not None:
            held, status = self._when(ctx.signals.value, ctx.signals.status)
            if usable(status):
                self._active = bool(held)
        value, _ = self._value.read(ctx)
        if value is not None:
            self._last = number(value)
        ctx.put(self._point, self._active)
        return self._active, self._last
