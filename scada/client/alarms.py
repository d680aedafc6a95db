"""The alarm list, from the state bits in the image; since when, from control's events."""

from __future__ import annotations

from typing import Final

from scada.client.events import EventFollower
from scada.client.images import Images
from scada.client.types import ACTIVE, AlarmState
from scada.datadir import DataDir
from tags.model import Site

PRIORITIES: Final = {"critical": 0, "high": 1, "medium": 2, "low": 3}


class Alarms:
    """The alarms of a site."""

    def __init__(self, site: Site, data: DataDir) -> None:
        self._alarms = site.alarms
        self._events = EventFollower(data, ("control",), {"alarm"}, oldest=True)
        self._since: dict[str, int] = {}

    def current(self, images: Images, *, hidden: bool) -> list[AlarmState]:
        """See `Client.alarms`."""
        for event in self._events.poll():
            if event["kind"] == "alarm" and event.get("to", 0) & ACTIVE and not event.get("from", 0) & ACTIVE:
                self._since[event["path"]] = event["t"]
        found = []
        for alarm in self._alarms:
            i = images.index.get(alarm.path)
            if i is None:
                continue
            bits = int(images.bits[i])
            if not bits & 3:
                continue
            watched = images.index.get(alarm.tag)
            state = AlarmState(
                alarm.path,
                alarm.tag,
                bits,
                self._since.get(alarm.path, int(images.source_ns[i])),
                alarm.priority,
                alarm.message,
                alarm.response,
                images.value(watched) if watched is not None else 0,
            )
            if hidden or not state.hidden:
                found.append(state)
        found.sort(key=lambda s: (not s.unacknowledged, PRIORITIES.get(s.priority, 9), -s.since_ns, s.path))
        return found

    def close(self) -> None:
        """Forgets the mappings."""
        self._events.close()
