"""One alarm at work, and its condition: what it watches, when that is true."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from tags import model
from tags.quality import BAD_WAITING_FOR_INITIAL_DATA, GOOD, UNCERTAIN, UNCERTAIN_EU_EXCEEDED, is_bad

HIGH, LOW, STATE, QUALITY = range(4)
KINDS: Final = {"high": HIGH, "low": LOW, "state": STATE, "quality": QUALITY}


class Index(Protocol):
    """What binds paths: `scada.blocks.base.Binder`."""

    def slot(self, path: str) -> int:
        """Slot of a tag."""

    def condition(self, text: str | None) -> Callable[[Sequence[Any], Sequence[int]], tuple[Any, int]] | None:
        """A bound expression."""

    def paths_of(self, text: str | None) -> tuple[str, ...]:
        """The tags that an expression reads."""


class Signals(Protocol):
    """`scada.blocks.base.Signals`."""

    value: list[Any]

    @property
    def status(self) -> Sequence[int]:
        """Status codes."""


class Moment(Protocol):
    """`scada.blocks.base.Tick`."""

    @property
    def utc_ns(self) -> int:
        """UTC, ns."""


class Scan(Protocol):
    """`scada.blocks.base.Context`."""

    dt_ns: int

    @property
    def tick(self) -> Moment:
        """Its time."""

    @property
    def signals(self) -> Signals:
        """The working set."""

    def put(self, slot: int, value: Any, status: int = GOOD) -> None:
        """Sets a tag."""

    def emit(self, kind: str, **fields: Any) -> None:
        """Records an event."""


class Watched:
    """One alarm at work."""

    __slots__ = (
        "active", "bits", "clear_at", "device", "down", "elapsed_ns", "is_system", "kind", "model", "off_ns", "on_ns",
        "out", "raise_at", "record", "sign", "slot", "unless", "unless_on",
    )  # fmt: skip

    def __init__(self, alarm: model.Alarm, index: Index) -> None:
        self.model, self.kind = alarm, KINDS[alarm.kind]
        self.slot, self.out = index.slot(alarm.tag), index.slot(alarm.path)
        self.sign = -1.0 if self.kind == LOW else 1.0
        self.raise_at = self.sign * alarm.limit
        self.clear_at = self.raise_at - abs(alarm.deadband)
        self.on_ns, self.off_ns = alarm.on_delay_ns, alarm.off_delay_ns
        self.unless, self.unless_on = index.condition(alarm.unless), False
        self.device = alarm.device
        self.is_system = alarm.tag.startswith("system/")
        self.bits, self.active = 0, False
        self.elapsed_ns = -1  # of the delay that runs; -1: none
        self.down = False  # quality: the condition as it is now, before delays
        self.record: tuple[Any, ...] | None = None  # a `Record`, or None for one that is empty


def is_comms(alarm: model.Alarm) -> bool:
    """True for the communication alarm of a device."""
    return alarm.kind == "quality" and alarm.path.startswith("system/") and alarm.path.endswith("/COMMS")


def condition(alarm: Watched, value: Any, status: int) -> bool | None:
    """True or False; None: not known, the state stays."""
    kind = alarm.kind
    if kind == QUALITY:
        if is_bad(status):
            return None if (status & 0xFFFF_0000) == BAD_WAITING_FOR_INITIAL_DATA else True
        return alarm.is_system and not value
    if status >= UNCERTAIN and (status & 0xFFFF_0000) != UNCERTAIN_EU_EXCEEDED:
        return None
    if kind == STATE:
        return bool(value)
    if not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - NaN
        return None
    return bool(value * alarm.sign > (alarm.clear_at if alarm.active else alarm.raise_at))
