"""What sort of alarm one is: its level, its severity, and what a protocol calls it."""

from __future__ import annotations

from typing import Final

from tags.model import Alarm, Tag
from tags.types import BOOL

LIMIT, DISCRETE, SYSTEM = "limit", "discrete", "system"

# OPC 10000-5 §6.4.2: 1 to 1000; the thirds of OPC 10000-9 annex A are low, medium, high.
SEVERITY: Final[dict[str, int]] = {"critical": 900, "high": 700, "medium": 500, "low": 200}
_LEVELS: Final = {"HH": "high", "H": "high", "L": "low", "LL": "low"}


def condition_kind(alarm: Alarm, tag: Tag) -> str:
    """`limit` for a number beyond a limit, `system` for one of a device or of this software, else `discrete`.

    Args:
        alarm: The alarm.
        tag: The tag that it watches.
    """
    if alarm.kind == "quality" or alarm.path.startswith("system/"):
        return SYSTEM
    return LIMIT if alarm.kind in ("high", "low") and tag.type != BOOL else DISCRETE


def level(alarm: Alarm, tag: Tag) -> str:
    """`HH`, `H`, `L` or `LL` of a limit alarm, by its name or else by its side; "" for others.

    Args:
        alarm: The alarm.
        tag: The tag that it watches.
    """
    if condition_kind(alarm, tag) != LIMIT:
        return ""
    name = alarm.path.rpartition("/")[2]
    if _LEVELS.get(name) == alarm.kind:
        return name
    return "H" if alarm.kind == "high" else "L"
