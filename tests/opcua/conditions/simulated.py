"""Control's part of conditions, played: states and records as the alarm engine makes them."""

from __future__ import annotations

import dataclasses
from typing import Any

from scada.alarms.record import EMPTY, Record, follow
from scada.alarms.state import TABLE, shown
from tags.model import Alarm, Site, Tag
from tests.support.site import make_site

T = 1_750_000_000_000_000_000
SECOND = 1_000_000_000
HH, LOW, ON, COMMS = "tank1/LT-101/HH", "tank1/LT-101/L", "tank1/P-101/RUN/ON", "system/PLC1/COMMS"


def alarms() -> Site:
    """The small site with an alarm of each kind: `HH` wants to be confirmed, `L` may not be shelved."""
    site = make_site()
    more = (
        Alarm(path=LOW, tag="tank1/LT-101", kind="low", limit=0.5, message="Tank 1 is nearly empty", shelve_max_ns=0),
        Alarm(path=ON, tag="tank1/P-101/RUN", kind="state", priority="high", message="Pump 101 runs"),
        Alarm(path=COMMS, tag="system/PLC1/errors", kind="quality", message="PLC1 does not answer"),
    )  # fmt: skip
    row = sum(tag.writer == "control" for tag in site.tags)
    tags = tuple(
        Tag(id=900 + number, path=alarm.path, type="int32", kind="alarm", writer="control", row=row + number)
        for number, alarm in enumerate(more)
    )
    known = tuple(dataclasses.replace(alarm, confirm=alarm.path == HH) for alarm in site.alarms)
    of_all = sorted((*site.tags, *tags), key=lambda tag: (tag.writer, tag.row))
    return dataclasses.replace(site, tags=tuple(of_all), alarms=(*known, *more))


class Played:
    """Knows the plant (`conditions.state.Plant`), and makes the events of what happens."""

    def __init__(self, site: Site) -> None:
        self.state = {alarm.path: 0 for alarm in site.alarms}
        self.records = {alarm.path: EMPTY for alarm in site.alarms}
        self.of = {alarm.path: alarm for alarm in site.alarms}
        self.t = T
        self.quality = 0

    def bits(self, path: str) -> int:
        return shown(self.state[path])

    def record(self, path: str) -> Record:
        return self.records[path]

    def status(self, path: str) -> int:
        del path
        return self.quality

    def now_ns(self) -> int:
        return self.t

    def happens(self, path: str, happening: str, action: str = "", **more: Any) -> dict[str, Any]:
        """Moves an alarm by the real table; returns the event."""
        self.t += SECOND
        old = shown(self.state[path])
        self.state[path] = TABLE[happening][self.state[path]]
        alarm, record = self.of[path], self.records[path]
        new = shown(self.state[path])
        event = {
            "kind": "alarm", "t": self.t, "service": "control", "path": path, "tag": alarm.tag, "type": alarm.kind,
            "action": action or happening, "from": old, "to": new, "value": 4.7, "priority": alarm.priority,
            "message": alarm.message, "number": self.t, "active": self.t if new & ~old & 1 else record.active_ns, **more,
        }  # fmt: skip
        self.records[path] = follow(record, event)
        return event
