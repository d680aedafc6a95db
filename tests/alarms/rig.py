"""Alarms over signals that the test sets, without blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scada.alarms import Alarms, Order, Transition
from scada.blocks.base import Binder, Context, Outputs, Tick
from tags import model
from tags.quality import GOOD

SECOND = 1_000_000_000


class Rig:
    """Watched tags at 1 s a scan."""

    def __init__(self, alarms: Sequence[model.Alarm], types: Mapping[str, str] | None = None) -> None:
        """`types` gives types of tags that are not float64; others are made as the alarms name them."""
        tags: dict[str, model.Tag] = {}

        def make(path: str, type_: str, kind: str) -> None:
            tags.setdefault(
                path,
                model.Tag(
                    id=len(tags) + 1, path=path, type=type_, kind=kind, writer="control", row=len(tags)
                ),
            )

        for path, type_ in (types or {}).items():
            make(path, type_, "memory")
        for alarm in alarms:
            make(alarm.tag, "float64", "memory")
            make(alarm.path, "int32", "alarm")
        binder = Binder(tags, SECOND)
        self.alarms = Alarms.build(alarms, binder)
        self.index = binder.index
        self.signals = binder.signals()
        self.ctx = Context(self.signals, Outputs([], []))
        self.number = 0
        self.events: list[dict[str, Any]] = []

    def set(self, path: str, value: Any, status: int = GOOD) -> None:
        slot = self.index[path]
        self.signals.value[slot], self.signals.status[slot] = value, status

    def begin(self, periods: int = 1) -> None:
        self.number += 1
        self.ctx.begin(Tick(self.number, periods, SECOND, self.number * SECOND))

    def scan(self, count: int = 1, periods: int = 1) -> list[Transition]:
        transitions = []
        for _ in range(count):
            self.begin(periods)
            transitions += self.alarms.step(self.ctx)
            self.events += self.ctx.events
            self.ctx.events.clear()
        return transitions

    def bits(self, path: str) -> int:
        value: int = self.signals.value[self.index[path]]
        assert value == self.alarms.bits(path)
        return value

    def order(self, kind: str, path: str, **more: Any) -> str | None:
        refused = self.alarms.order(path, Order(kind, **{"user": "anna", **more}), self.ctx)
        self.events += self.ctx.events
        self.ctx.events.clear()
        return refused

    def acknowledge(self, path: str) -> str | None:
        return self.order("acknowledge", path)


def limit(
    path: str, value: float, *, on_s: int = 0, off_s: int = 0, deadband: float = 0.0, **fields: Any
) -> model.Alarm:
    """A limit alarm; its name says its kind."""
    tag, name = path.rsplit("/", 1)
    return model.Alarm(
        path=path, tag=tag, kind="high" if name[0] == "H" else "low", limit=value, deadband=deadband,
        on_delay_ns=on_s * SECOND, off_delay_ns=off_s * SECOND, message=f"{path} message", **fields,
    )  # fmt: skip


def comms(device: str = "PLC1", *, on_s: int = 0, off_s: int = 0) -> model.Alarm:
    """The communication alarm of a device."""
    return model.Alarm(
        path=f"system/{device}/COMMS", tag=f"system/{device}/connected", kind="quality", device=device, priority="high",
        on_delay_ns=on_s * SECOND, off_delay_ns=off_s * SECOND,
    )  # fmt: skip
