"""The alarm list: states from the image; since when, who and why from what control keeps and from its events."""

from __future__ import annotations

from typing import Any, Final

import orjson

from scada.alarms.record import EMPTY, Record, follow, number_of, parse
from scada.client.events import EventFollower
from scada.client.images import Images
from scada.client.types import ATTENTION, PUT_ASIDE, AlarmState, Condition, Note
from scada.datadir import DataDir
from tags.mapped import ImageError
from tags.model import Alarm, Site
from tags.slots import SlotReader

PRIORITIES: Final = {"critical": 0, "high": 1, "medium": 2, "low": 3}
_ACTIVE: Final = 1


class Alarms:
    """The alarms of a site.

    Control writes the record of each alarm with the state that survives, at most a second late, and tells each change
    at once: who begins now reads the first, then follows the second, and skips what he has.
    """

    def __init__(self, site: Site, data: DataDir) -> None:
        self._alarms = {alarm.path: alarm for alarm in site.alarms}
        self._data = data
        self._events = EventFollower(data, ("control",), {"alarm"}, oldest=True)
        self._records: dict[str, Record] = {}
        self._read()

    def current(self, images: Images, *, hidden: bool) -> list[AlarmState]:
        """See `Client.alarms`."""
        self._poll()
        wanted = ATTENTION | PUT_ASIDE if hidden else ATTENTION
        found = []
        for path, alarm in self._alarms.items():
            i = images.index.get(path)
            if i is None or not int(images.bits[i]) & wanted:
                continue
            state = self._state(images, alarm, i)
            if hidden or not state.hidden:
                found.append(state)
        found.sort(key=lambda s: (not s.unacknowledged, PRIORITIES.get(s.priority, 9), -s.since_ns, s.path))
        return found

    def one(self, images: Images, path: str) -> AlarmState:
        """See `Client.alarm`."""
        alarm = self._alarms.get(path)
        if alarm is None or path not in images.index:
            raise KeyError(f"there is no alarm {path!r}")
        self._poll()
        return self._state(images, alarm, images.index[path])

    def condition(self, images: Images, path: str) -> Condition:
        """See `Client.condition`."""
        return self.one(images, path).condition

    def _state(self, images: Images, alarm: Alarm, i: int) -> AlarmState:
        condition = self._condition(alarm, int(images.bits[i]))
        watched = images.index.get(alarm.tag)
        return AlarmState(
            alarm.path,
            alarm.tag,
            condition.bits,
            _since(condition) or int(images.source_ns[i]),
            alarm.priority,
            alarm.message,
            alarm.response,
            images.value(watched) if watched is not None else 0,
            condition,
        )

    def conditions(self, images: Images) -> dict[str, Condition]:
        """See `Client.conditions`."""
        self._poll()
        return {
            path: self._condition(alarm, int(images.bits[images.index[path]]))
            for path, alarm in self._alarms.items()
            if path in images.index
        }

    def _condition(self, alarm: Alarm, bits: int) -> Condition:
        record = self._records.get(alarm.path, EMPTY)
        return Condition(
            alarm, bits, *record[:5], *(None if note is None else Note(*note) for note in record[5:])
        )

    def _poll(self) -> None:
        for event in self._events.poll():
            if event["kind"] == "gap":
                self._read()
            elif event.get("path") in self._alarms:
                self._take(event)

    def _take(self, event: dict[str, Any]) -> None:
        record = self._records.get(event["path"], EMPTY)
        if number_of(event) > record.number:
            self._records[event["path"]] = follow(record, event)

    def _read(self) -> None:
        """What control keeps; what is known to be newer stays."""
        try:
            reader = SlotReader(self._data.control_state)
        except ImageError:
            return
        payload = reader.read()
        reader.close()
        try:
            kept = orjson.loads(payload)["alarms"] if payload else {}
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return
        for path, found in kept.items() if isinstance(kept, dict) else ():
            record = parse(found[2]) if isinstance(found, list) and len(found) == 3 else None
            if record is not None and record.number > self._records.get(path, EMPTY).number:
                self._records[path] = record

    def close(self) -> None:
        """Forgets the mappings."""
        self._events.close()


def _since(condition: Condition) -> int:
    """When it became active, ns UTC; 0 when the last that was told is another activation, or none."""
    if condition.active and condition.active_ns <= condition.inactive_ns:
        return 0  # it came while it was masked, which nobody is told
    return condition.active_ns
