"""Events of the plant's rings and of its history as OPC UA events (OPC 10000-5 §6.4). Pure.

The same event of the plant gives the same EventId, live and from history, before and after a restart.

==============================  =====================================================================
event of the plant              EventType
==============================  =====================================================================
`alarm`                         of the condition (`scada.opcua.conditions`)
`opcua` (what clients do)       Audit...EventType by `action` (`events.auditing`)
`request` of others, ended      AuditWriteUpdateEventType, AuditCondition...EventType
`login` of others               AuditSecurityEventType
`service`, `gap`                SystemEventType
anything else                   BaseEventType
==============================  =====================================================================
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson
from asyncua import ua

from scada.opcua.events.event import Event, at
from scada.opcua.events.types import BASE, Path
from scada.opcua.nodes.ids import node_id
from scada.opcua.types import time_of
from tags.model import Site, Tag

V = ua.VariantType
Raw = Mapping[str, Any]
Maker = Callable[["Frame", Raw], list[Event]]
"""(base of the event, event of the plant) -> events for clients."""
SERVER: Final = ua.NodeId(ua.ObjectIds.Server)
SYSTEM: Final = ua.NodeId(ua.ObjectIds.SystemEventType)
NOT_TOLD: Final = frozenset({"string"})
"""Kinds that are no news but values."""
OF_PEOPLE: Final = frozenset({"edit", "import", "backup", "opcua", "request", "login"})
"""Kinds that tell what somebody did, with his name: for those who audit, also where no maker knows better."""
_DETAILS: Final = 8
_TEXT_MAX: Final = 500
_SEVERITY: Final = {
    "block": 600, "gap": 400, "force": 400, "bypass": 500, "mode": 300, "frost": 500, "motor": 500, "interlock": 500,
}  # fmt: skip
_TROUBLE: Final = frozenset({"failed", "restarting", "not responding"})


class Frame:
    """What all events of a site have in common.

    Args:
        site: The compiled site.
        tags: Its tags by path, where somebody has them already.
    """

    def __init__(self, site: Site, tags: Mapping[str, Tag] | None = None) -> None:
        self._zone = ZoneInfo(site.timezone)
        self.tags: Mapping[str, Tag] = site.by_path() if tags is None else tags
        self._folders: set[str] = set()
        for tag in site.tags:
            head = tag.path
            while (head := head.rpartition("/")[0]) and head not in self._folders:
                self._folders.add(head)

    def place(self, path: str) -> str:
        """The path of the tag or folder that a path is of or lies in; "" for none."""
        while path and path not in self.tags and path not in self._folders:
            path = path.rpartition("/")[0]
        return path

    def local(self, when: dt.datetime) -> ua.Variant:
        """LocalTime: what the clocks of the site are ahead of UTC."""
        offset = when.astimezone(self._zone)
        minutes = int((offset.utcoffset() or dt.timedelta()).total_seconds() // 60)
        return _local(minutes, bool(offset.dst()))

    def base(
        self,
        raw: Raw,
        type_: ua.NodeId,
        message: str,
        *,
        severity: int,
        path: str = "",
        source: tuple[ua.NodeId, str] | None = None,
        event_id: bytes | None = None,
        part: int = 0,
    ) -> dict[Path, ua.Variant]:
        """The fields of BaseEventType (OPC 10000-5 §6.4.2).

        Args:
            raw: Event of the plant.
            type_: EventType.
            message: For people.
            severity: 1 to 1000.
            path: Of the tag or folder that it comes from; "" for the server.
            source: SourceNode and SourceName, if `path` does not say it.
            event_id: Else made of the whole event.
            part: Number of this one, where one event of the plant gives several.
        """
        when = time_of(int(raw["t"]))
        place = self.place(path)
        node, name = source or (
            (node_id(place), place) if place else (SERVER, str(raw.get("service", "Server")))
        )
        return {
            at("EventId"): ua.Variant(event_id or identity(raw, part), V.ByteString),
            at("EventType"): ua.Variant(type_, V.NodeId),
            at("SourceNode"): ua.Variant(node, V.NodeId),
            at("SourceName"): ua.Variant(name, V.String),
            at("Time"): ua.Variant(when, V.DateTime),
            at("ReceiveTime"): ua.Variant(when, V.DateTime),
            at("LocalTime"): self.local(when),
            at("Message"): ua.Variant(ua.LocalizedText(message[:_TEXT_MAX]), V.LocalizedText),
            at("Severity"): ua.Variant(max(1, min(1000, severity)), V.UInt16),
        }


@functools.lru_cache(16)
def _local(minutes: int, summer: bool) -> ua.Variant:
    return ua.Variant(ua.TimeZoneDataType(minutes, summer), V.ExtensionObject)


def identity(raw: Raw, part: int = 0) -> bytes:
    """An EventId of 16 bytes: the same for the same event of the plant."""
    told = {name: value for name, value in raw.items() if name not in ("service", "t")}
    text = orjson.dumps([raw["t"], part, told], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(text, digest_size=16).digest()


class Mapper:
    """Makes OPC UA events of events of the plant.

    Args:
        site: The compiled site.
        makers: By kind, for kinds that others know better; they come before what is known here.
        frame: Of the site, where somebody has it already.
    """

    def __init__(
        self, site: Site, makers: Mapping[str, Maker] | None = None, frame: Frame | None = None
    ) -> None:
        self.frame = Frame(site) if frame is None else frame
        self._makers: dict[str, Maker] = {"service": _service, "gap": _gap, **(makers or {})}

    def events(self, raw: Raw) -> list[Event]:
        """What clients are told of an event of the plant: mostly one event, at times none or several."""
        kind = str(raw["kind"])
        if kind in NOT_TOLD:
            return []
        try:
            return self._makers.get(kind, _plain)(self.frame, raw)
        except Exception:  # noqa: BLE001 - an event of another version, or damaged, is told as well as can be
            return _plain(self.frame, raw)


def _plain(frame: Frame, raw: Raw) -> list[Event]:
    kind, path = str(raw["kind"]), raw.get("path")
    path = path if isinstance(path, str) else ""
    fields = frame.base(raw, BASE, _words(raw), severity=_SEVERITY.get(kind, 100), path=path)
    return [Event(BASE, fields, path=path, audit=kind in OF_PEOPLE, t_ns=int(raw["t"]))]


def _service(frame: Frame, raw: Raw) -> list[Event]:
    state, name = str(raw.get("state", "")), str(raw.get("name", ""))
    message = str(raw.get("message") or f"Service {name}: {state} {raw.get('reason') or ''}".strip())
    fields = frame.base(
        raw, SYSTEM, message, severity=700 if state in _TROUBLE else 100, source=(SERVER, f"System/{name}")
    )
    return [Event(SYSTEM, fields, t_ns=int(raw["t"]))]


def _gap(frame: Frame, raw: Raw) -> list[Event]:
    lost = raw.get("lost")
    message = f"{lost} events of {raw.get('service', 'a service')} were lost" if lost else _words(raw)
    return [Event(SYSTEM, frame.base(raw, SYSTEM, message, severity=400), t_ns=int(raw["t"]))]


def _words(raw: Raw) -> str:
    """An event for people: its own message, or its kind and what it says."""
    message = raw.get("message")
    path = raw.get("path")
    head = f"{path}: " if isinstance(path, str) and path else ""
    if isinstance(message, str) and message:
        return head + message
    told = [
        f"{name} {value}"
        for name, value in raw.items()
        if name not in ("kind", "t", "service", "path", "number", "id")
        and isinstance(value, str | int | float)
        and value != ""
    ]
    return f"{head}{raw['kind']}" + (f" ({', '.join(told[:_DETAILS])})" if told else "")
