"""Forces: a value put by hand in place of what a tag would have, listed, alarmed, and ending by itself.

Forces of device tags are applied by field (`for_field`); forces of control's own tags and of commands by the scan.
A forced command still yields to interlocks, limits and the Local/Remote selector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from tags.model import DEVICE, Tag
from tags.types import STRING, Value, coerce, to_bits

STEP_NS: Final = (
    1_000_000_000  # UTC that moved by more against control's own time was set: the ends are told anew
)


@dataclass(frozen=True, slots=True)
class Force:
    """One force.

    Attributes:
        tag: The tag.
        value: Of its type.
        until_ns: When it ends, ns UTC.
        user: Who forced it.
        reason: In their words.
        since_ns: When, ns UTC.
        before: The value that it replaced, of a tag of control's own.
        for_ns: How long it was asked for, ns.
        ends_ns: When it ends in control's own time (`State.elapsed_ns`), which no clock step moves.
    """

    tag: Tag
    value: Value
    until_ns: int
    user: str
    reason: str
    since_ns: int
    before: Value | None = None
    for_ns: int = 0
    ends_ns: int = 0

    def to_json(self) -> dict[str, Any]:
        """As it is retained, and as the event tells it."""
        return {
            "path": self.tag.path,
            "value": self.value,
            "until": self.until_ns,
            "user": self.user,
            "reason": self.reason,
            "since": self.since_ns,
            "before": self.before,
            "for": self.for_ns,
        }


class Forces:
    """The table of forces.

    Attributes:
        table: By path.
        changed: Those of device tags changed since the last `for_field`.
    """

    __slots__ = ("changed", "table")

    def __init__(self) -> None:
        self.table: dict[str, Force] = {}
        self.changed = True

    def __len__(self) -> int:
        return len(self.table)

    def put(self, force: Force) -> None:
        """Adds or replaces a force."""
        self.table[force.tag.path] = force
        self.changed |= force.tag.kind == DEVICE

    def drop(self, path: str) -> Force | None:
        """Ends a force; None when there is none."""
        force = self.table.pop(path, None)
        if force is not None:
            self.changed |= force.tag.kind == DEVICE
        return force

    def expire(self, elapsed_ns: int, utc_ns: int) -> list[Force]:
        """Ends those whose time is over, in order of their making; those that go on are dated anew after a clock step.

        Args:
            elapsed_ns: Control's own time.
            utc_ns: Now, ns UTC.
        """
        if not self.table:
            return []
        over = []
        for force in list(self.table.values()):
            until_ns = utc_ns + force.ends_ns - elapsed_ns
            if force.ends_ns <= elapsed_ns:
                over.append(force)
            elif abs(until_ns - force.until_ns) > STEP_NS:
                self.put(replace(force, until_ns=until_ns))
        for force in over:
            self.drop(force.tag.path)
        return over

    def for_field(self) -> dict[str, list[int]]:
        """`{path: [value bits, until ns UTC]}` of the device tags; what `run/control.forces` holds."""
        return {
            path: [to_bits(force.tag.type, force.value), force.until_ns]
            for path, force in self.table.items()
            if force.tag.kind == DEVICE
        }

    def retained(self) -> list[dict[str, Any]]:
        """As JSON, in order of their making."""
        return [force.to_json() for force in self.table.values()]

    def restore(self, rows: Any, tags: Mapping[str, Tag], utc_ns: int) -> None:
        """Takes back what `retained` gave; rows that fit no tag any more are left out.

        While control was away only UTC says how long; whatever was done to that clock, a force never lasts longer than
        it was asked for.

        Args:
            rows: From `retained`.
            tags: Of the site, by path.
            utc_ns: Now, ns UTC.
        """
        for row in rows if isinstance(rows, list) else ():
            try:
                tag = tags[row["path"]]
                if tag.type == STRING:
                    continue
                for_ns = int(row.get("for") or row["until"] - row["since"])
                self.put(
                    Force(
                        tag=tag,
                        value=coerce(tag.type, row["value"]),
                        until_ns=int(row["until"]),
                        user=str(row["user"]),
                        reason=str(row["reason"]),
                        since_ns=int(row["since"]),
                        before=row.get("before"),
                        for_ns=for_ns,
                        ends_ns=min(int(row["until"]) - utc_ns, for_ns),
                    )
                )
            except (KeyError, TypeError, ValueError):
                continue
