"""Bypasses: protections out of action for a time, listed, alarmed, and ending by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from scada.blocks.bypass import Permit

# UTC that moved by more against control's own time was set: the ends are told anew.
STEP_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Bypass:
    """One bypass.

    Attributes:
        path: What is bypassed: an interlock, or `<matrix>/<cause>`.
        until_ns: When it ends, ns UTC.
        user: Who asked for it.
        reason: In their words.
        since_ns: When, ns UTC.
        for_ns: How long it was asked for, ns.
        ends_ns: When it ends in control's own time (`State.elapsed_ns`), which no clock step moves.
    """

    path: str
    until_ns: int
    user: str
    reason: str
    since_ns: int
    for_ns: int
    ends_ns: int

    def to_json(self) -> dict[str, Any]:
        """As the event tells it."""
        return {
            "path": self.path,
            "until": self.until_ns,
            "user": self.user,
            "reason": self.reason,
            "since": self.since_ns,
            "for": self.for_ns,
        }


class Bypasses:
    """The table of bypasses.

    Args:
        permits: What the site allows, by path.
        slot: Of the tag that counts them, or -1.

    Attributes:
        permits: As given.
        slot: As given.
        table: By path.
    """

    __slots__ = ("permits", "slot", "table")

    def __init__(self, permits: Mapping[str, Permit], slot: int = -1) -> None:
        self.permits = permits
        self.slot = slot
        self.table: dict[str, Bypass] = {}

    def __len__(self) -> int:
        return len(self.table)

    def expire(self, elapsed_ns: int, utc_ns: int) -> list[Bypass]:
        """Ends those whose time is over, in order of their making; those that go on are dated anew after a clock step.

        Args:
            elapsed_ns: Control's own time.
            utc_ns: Now, ns UTC.
        """
        if not self.table:
            return []
        over = []
        for one in list(self.table.values()):
            until_ns = utc_ns + one.ends_ns - elapsed_ns
            if one.ends_ns <= elapsed_ns:
                over.append(self.table.pop(one.path))
            elif abs(until_ns - one.until_ns) > STEP_NS:
                self.table[one.path] = replace(one, until_ns=until_ns)
        return over

    def retained(self, elapsed_ns: int) -> list[dict[str, Any]]:
        """As JSON, in order of their making, each with the time that it has left, ns."""
        return [{**one.to_json(), "left": one.ends_ns - elapsed_ns} for one in self.table.values()]

    def restore(self, rows: Any, utc_ns: int) -> None:
        """Takes back what `retained` gave; what the site does not allow any more is left out.

        A bypass ends at the time it was given, also while control is away; whatever was done to the clock meanwhile, it
        never lasts longer than it had left, nor longer than the site allows now.

        Args:
            rows: From `retained`.
            utc_ns: Now, ns UTC.
        """
        for row in rows if isinstance(rows, list) else ():
            try:
                path, until_ns = str(row["path"]), int(row["until"])
                left_ns = min(until_ns - utc_ns, int(row["left"]), self.permits[path].max_ns)
                self.table[path] = Bypass(
                    path=path,
                    until_ns=utc_ns + left_ns,
                    user=str(row["user"]),
                    reason=str(row["reason"]),
                    since_ns=int(row["since"]),
                    for_ns=int(row["for"]),
                    ends_ns=left_ns,
                )
            except (KeyError, TypeError, ValueError):
                continue
