"""Values, times and reasons as people read them."""

from __future__ import annotations

from typing import Any, Final

from scada.blocks.base import (
    DISARMED,
    FORCED,
    INTERLOCKED,
    LIMITED,
    LOCAL,
    NOT_INITIALISED,
    NOT_TAKEN,
    RATE_LIMITED,
)
from scada.scan.outputs import Output
from tags import quality
from tags.model import ALARM, Tag
from tags.types import FLOATS

_WHY: Final = (
    (NOT_INITIALISED, "not initialised"),
    (LOCAL, "Local"),
    (DISARMED, "not armed"),
    (FORCED, "forced"),
    (NOT_TAKEN, "not taken on by the controller that follows it"),
    (LIMITED, "limited"),
    (RATE_LIMITED, "on its way at its rate"),
)
_MASKS: Final = ((4, "suppressed"), (8, "shelved"), (16, "out of service"), (64, "disabled"))
_ALARM: Final = {1: "acknowledged", 2: "returned", 3: "unacknowledged"}


def time(ns: int) -> str:
    """A duration, to the nanosecond: `12.3 s`."""
    return f"{ns // 1_000_000_000}.{ns % 1_000_000_000:09d}".rstrip("0").rstrip(".") + " s"


def value(tag: Tag | None, held: Any, status: int = 0) -> str:
    """A value with its state's text or unit, and its quality when that is not Good."""
    bad = "" if quality.is_good(status) else f" ({quality.name(status)})"
    return f"{_plain(tag, held)}{bad}"


def _plain(tag: Tag | None, held: Any) -> str:
    if held is None:
        return "unknown"
    if tag is not None and tag.kind == ALARM:
        return alarm(int(held))
    if tag is not None and tag.states and not isinstance(held, str):
        text = tag.states.get(str(int(held)))
        if text is not None:
            return text
    if isinstance(held, bool):
        return "true" if held else "false"
    if isinstance(held, str):
        return repr(held)
    number = f"{held:.6g}" if tag is None or tag.type in FLOATS else str(held)
    return f"{number} {tag.unit}" if tag is not None and tag.unit else number


def alarm(bits: int) -> str:
    """The state of an alarm."""
    masks = [name for bit, name in _MASKS if bits & bit]
    if masks:
        return ", ".join(masks)
    return f"{_ALARM.get(bits & 3, 'normal')}{', to be confirmed' if bits & 32 else ''}"


def why(output: Output) -> str:
    """Why an output is not where its block wants it, or ""."""
    said = [text for bit, text in _WHY if output.why & bit]
    if output.why & INTERLOCKED and output.lock is not None:
        said.insert(0, f"held by interlock {output.lock[1]}")
    return ", ".join(said)
