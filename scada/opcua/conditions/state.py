"""The state of all conditions: followed event by event, so that each event carries the state that it made."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol

from scada.alarms.record import EMPTY, Record, follow, number_of
from scada.alarms.state import ACTIVE
from scada.opcua.conditions.fields import Fields, Kind, fields, retained
from scada.opcua.events.event import Event, at
from scada.opcua.events.mapping import Frame, Raw
from scada.opcua.types import time_of
from tags.model import Alarm, Tag

REMEMBERED: Final = 32
"""Numbers of past events of one alarm that a method may still name."""


class Plant(Protocol):
    """What is known of the plant now."""

    def bits(self, path: str) -> int:
        """State of an alarm as shown."""

    def record(self, path: str) -> Record:
        """What control knows of it, for the start and after lost events."""

    def status(self, path: str) -> int:
        """Quality of a tag."""

    def now_ns(self) -> int:
        """UTC."""


class Conditions:
    """All conditions of a site.

    Args:
        alarms: Of the site.
        tags: By path.
        plant: For what no event says.

    Attributes:
        kinds: By path of the alarm, in the order of the site.
    """

    def __init__(
        self, alarms: list[Alarm] | tuple[Alarm, ...], tags: Mapping[str, Tag], plant: Plant
    ) -> None:
        self.kinds: dict[str, Kind] = {
            alarm.path: Kind(alarm, tags[alarm.tag]) for alarm in alarms if alarm.tag in tags
        }
        self._plant = plant
        self._records: dict[str, Record] = {}
        self._numbers: dict[str, deque[int]] = {}
        self._raised: dict[str, int] = {}
        self.on_change: Callable[[str], None] | None = None

    def record(self, path: str) -> Record:
        """What is known of an alarm."""
        found = self._records.get(path)
        if found is None:
            found = self._records[path] = self._plant.record(path)
        return found

    def bits(self, path: str) -> int:
        """Its state now."""
        return self._plant.bits(path)

    def lost(self) -> None:
        """Events were lost: what is known is asked for anew."""
        self._records.clear()

    def fields(self, path: str) -> Fields:
        """All fields of a condition as it is now."""
        return self._fields(self.kinds[path], self.bits(path), self.record(path))

    def knows(self, path: str, number: int | None) -> bool:
        """Whether an event of this number was one of the alarm since it last became active."""
        if not number:
            return False
        return number == self.record(path).number or (
            number in self._numbers.get(path, ()) and number >= self._raised.get(path, 0)
        )

    def retained(self) -> Iterator[str]:
        """Alarms that clients must know of."""
        return (path for path in self.kinds if retained(self.bits(path)))

    def make(self, frame: Frame, raw: Raw) -> list[Event]:
        """The event of an event `alarm` of the plant that happened now; keeps what it says."""
        return self.past(frame, raw) if self.keep(raw) else []

    def keep(self, raw: Raw) -> bool:
        """Keeps what an event `alarm` that happened now says; False when it is of none of ours."""
        kind, number = self._kind_of(raw)
        if kind is None:
            return False
        path = kind.alarm.path
        known = self.record(path)
        if number > known.number:
            self._records[path] = follow(known, raw)
        # What was asked for at first may know this event already.
        self._numbers.setdefault(path, deque(maxlen=REMEMBERED)).append(number)
        if int(raw["to"]) & ACTIVE and not int(raw.get("from", 0)) & ACTIVE:
            self._raised[path] = number
        if self.on_change is not None:
            self.on_change(path)
        return True

    def past(self, frame: Frame, raw: Raw) -> list[Event]:
        """As `make`, of an event that happened at some time: changes nothing."""
        kind, number = self._kind_of(raw)
        if kind is None:
            return []
        record = self.record(kind.alarm.path)
        if number != record.number:
            active = raw.get("active")
            before = EMPTY._replace(active_ns=active if isinstance(active, int) else 0)
            record = follow(before, {"from": 0, **raw, "number": number})
        return [self._event(frame, kind, raw, int(raw["to"]), record)]

    def _kind_of(self, raw: Raw) -> tuple[Kind | None, int]:
        kind = self.kinds.get(str(raw.get("path", "")))
        return (None, 0) if kind is None or not isinstance(raw.get("to"), int) else (kind, number_of(raw))

    def event(self, frame: Frame, path: str) -> Event:
        """The condition as it is now, as the event that made it so (ConditionRefresh)."""
        record = self.record(path)
        return self._event(frame, self.kinds[path], {"t": record.t_ns}, self.bits(path), record)

    def _event(self, frame: Frame, kind: Kind, raw: Raw, bits: int, record: Record) -> Event:
        found = self._fields(kind, bits, record)
        found[at("LocalTime")] = frame.local(time_of(int(raw["t"])))
        return Event(kind.type, found, path=kind.alarm.tag, condition=kind.id, t_ns=int(raw["t"]))

    def _fields(self, kind: Kind, bits: int, record: Record) -> Fields:
        status = self._plant.status(kind.alarm.tag)
        return fields(kind, bits, record, status=status, now_ns=self._plant.now_ns())
