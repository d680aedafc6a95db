"""The plant as the page wants it: tags with their blocks, who wrote last, alarms, the state of the system."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from hmi.models import (
    AlarmInfo,
    AlarmList,
    BlockInfo,
    BypassInfo,
    Counts,
    DeviceInfo,
    DisplayDetail,
    ForceInfo,
    LastWrite,
    LimitInfo,
    Reading,
    Remark,
    ServiceInfo,
    Status,
    TagDetail,
    TagInfo,
    TagList,
    TagWithReading,
)
from scada.client import AlarmState, Client, Note, Sample
from tags.model import Block, Device, Display, Tag

PRIORITIES: Final = ("critical", "high", "medium", "low")
RELATED_MAX: Final = 200
_BOUND: Final = re.compile(r"data-(?:tag|mode|remote|trip)\s*=\s*[\"']([^\"']+)[\"']")
_FINAL_WRITES: Final = ("confirmed", "timed out", "mismatched")


class View:
    """Answers from the client's last refresh.

    Args:
        client: The open client.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self._blocks = {block.path: _block(block, client.tags) for block in client.site.blocks}
        self._of: dict[str, list[str]] = {}
        self._mode: dict[str, str] = {}
        for block in self._blocks.values():
            driven = [
                *block.points.values(),
                *(path for role, path in block.links.items() if role.startswith(("out", "start", "stop"))),
            ]
            for path in dict.fromkeys((*block.points.values(), *block.links.values())):
                self._of.setdefault(path, []).append(block.path)
            if "MODE" in block.points:
                for path in driven:
                    self._mode.setdefault(path, block.points["MODE"])
                    if command := client.tags[path].command:
                        self._mode.setdefault(command, block.points["MODE"])
        self._with_outputs = sorted({tag.device for tag in client.site.tags if tag.owner and tag.device})
        self._health_of: dict[str, dict[str, str]] = {device.name: {} for device in client.site.devices}
        for path, tag in client.tags.items():
            folder, _, name = path.removeprefix("system/").partition("/")
            if tag.kind == "system" and path.startswith("system/") and folder in self._health_of:
                self._health_of[folder][name] = path
        self.last_writes: dict[str, LastWrite] = {}

    def blocks(self) -> list[BlockInfo]:
        """The whole program."""
        return list(self._blocks.values())

    def note(self, event: Mapping[str, Any], *, old: bool = False) -> None:
        """Takes a `request` event, for who wrote last.

        Args:
            event: From control.
            old: From history: it does not replace what is known already.
        """
        if event.get("request") != "write" or event.get("status") not in _FINAL_WRITES:
            return
        for item in event.get("items", ()):
            path, value = item[0], item[1]
            if path not in self.client.tags or (old and path in self.last_writes):
                continue
            self.last_writes[path] = LastWrite(
                user=str(event.get("user", "")),
                source=str(event.get("source", "")),
                status=str(event["status"]),
                utc_ms=int(event["t"]) // 1_000_000,
                value=value,
                reason=str(event.get("reason", "")),
            )

    def info(self, tag: Tag) -> dict[str, Any]:
        """The fields of `TagInfo`."""
        block = self._of.get(tag.path)
        return {
            "path": tag.path,
            "type": tag.type,
            "kind": tag.kind,
            "description": tag.description,
            "unit": tag.unit,
            "range": tag.range,
            "decimals": tag.decimals,
            "states": tag.states,
            "scan_s": tag.scan_ns / 1e9,
            "device": tag.device,
            "owner": tag.owner,
            "writable": tag.writable,
            "write_role": tag.write_role,
            "limits": tag.limits,
            "step": tag.step,
            "display": tag.display,
            "command": tag.command,
            "remote": tag.remote,
            "mode": self._mode.get(tag.path),
            "block": block[0] if block else None,
            "history": tag.history.keep,
        }

    def tag_info(self, path: str) -> TagInfo:
        """What a tag is."""
        return TagInfo(**self.info(self.client.tags[path]))

    def with_reading(self, tag: Tag) -> TagWithReading:
        """A tag and its value."""
        return TagWithReading(**self.info(tag), reading=reading(self.client.read(tag.path)))

    def search(self, text: str, kind: str, limit: int) -> TagList:
        """Tags that contain all words of a text in their path or description, and are of a kind ("" for all)."""
        words = text.lower().split()
        found = [
            tag
            for tag in self.client.site.tags
            if (not kind or tag.kind == kind)
            and all(word in tag.path.lower() or word in tag.description.lower() for word in words)
        ]
        found.sort(key=lambda tag: (tag.kind in {"alarm", "system"}, tag.path.lower()))
        return TagList(tags=[self.with_reading(tag) for tag in found[:limit]], total=len(found))

    def detail(self, path: str) -> TagDetail:
        """Everything about a tag.

        Raises:
            KeyError: No such tag.
        """
        tags = self.client.tags
        tag = tags[path]
        blocks = [self._blocks[name] for name in self._of.get(path, ())]
        near = [p for block in blocks for p in (*block.points.values(), *block.links.values())]
        near += [p for p in (tag.command, tag.remote, self._mode.get(path)) if p]
        near += [alarm.path for alarm in self.client.site.alarms if alarm.tag == path]
        related = [p for p in dict.fromkeys(near) if p in tags and p != path][:RELATED_MAX]
        limits = [
            LimitInfo(path=alarm.path, kind=alarm.kind, limit=alarm.limit, priority=alarm.priority)
            for alarm in self.client.site.alarms
            if alarm.tag == path and alarm.kind in {"high", "low"}
        ]
        return TagDetail(
            **self.info(tag),
            reading=reading(self.client.read(path)),
            last_write=self.last_writes.get(path),
            blocks=blocks,
            related=[self.tag_info(p) for p in related],
            limit_alarms=limits,
            alarms=[
                alarm_info(self.client.alarm(alarm.path))
                for alarm in self.client.site.alarms
                if path in (alarm.tag, alarm.path)
            ],
        )

    def display(self, display: Display) -> DisplayDetail:
        """A picture, its tags and the blocks that they belong to."""
        tags = self.client.tags
        bound = dict.fromkeys((*display.tags, *_BOUND.findall(display.svg)))
        names = dict.fromkeys(name for path in bound for name in self._of.get(path, ()))
        blocks = [self._blocks[name] for name in self._blocks if name in names]
        near = [p for block in blocks for p in (*block.points.values(), *block.links.values())]
        return DisplayDetail(
            name=display.name,
            title=display.title,
            level=display.level,
            svg=display.svg,
            tags=[self.tag_info(p) for p in dict.fromkeys((*bound, *near)) if p in tags],
            blocks=blocks,
        )

    def alarms(self) -> AlarmList:
        """All alarms that are not at rest."""
        states = self.client.alarms(hidden=True)
        return AlarmList(alarms=[alarm_info(state) for state in states], counts=counts(states))

    def down(self) -> list[str]:
        """Services that do not run and are not just starting."""
        return [s.name for s in self.client.services() if s.state not in {"running", "starting"}]

    def unarmed(self) -> list[str]:
        """Devices with outputs that field may not write to."""
        armed = ((name, self._health_of[name].get("armed")) for name in self._with_outputs)
        return [name for name, path in armed if path is not None and self._health(path) is False]

    def status(self, epoch: int, utc_ns: int, clients: int) -> Status:
        """The system itself.

        Args:
            epoch: Of this service.
            utc_ns: Now.
            clients: Open WebSockets.
        """
        client = self.client
        services = [
            ServiceInfo(
                name=service.name,
                state=service.state,
                heartbeat_age_s=service.heartbeat_age_s,
                memory_mb=service.memory,
            )
            for service in client.services()
        ]
        forces = [
            ForceInfo(
                path=force.path,
                value=force.value,
                expires_ms=None if force.expires_utc_ns is None else force.expires_utc_ns // 1_000_000,
                user=force.user,
                reason=force.reason,
            )
            for force in client.forces()
        ]
        reasons = client.why_not_connected()
        bypasses = [
            BypassInfo(
                path=bypass.path,
                until_ms=bypass.until_ns // 1_000_000,
                since_ms=bypass.since_ns // 1_000_000,
                user=bypass.user,
                reason=bypass.reason,
            )
            for bypass in client.bypasses()
        ]
        return Status(
            site=client.site.name,
            version=our_version(),
            epoch=epoch,
            utc_ms=utc_ns // 1_000_000,
            tags=len(client.tags),
            services=services,
            devices=[self._device(device, reasons) for device in client.site.devices],
            forces=forces,
            bypasses=bypasses,
            alarms=counts(client.alarms(hidden=True)),
            clients=clients,
        )

    def _device(self, device: Device, reasons: Mapping[str, str]) -> DeviceInfo:
        name = device.name
        values = {key: self._health(path) for key, path in self._health_of[name].items()}
        connected, armed = values.pop("connected", None), values.pop("armed", None)
        return DeviceInfo(
            name=name,
            driver=device.driver,
            connected=connected if isinstance(connected, bool) else None,
            reason=reasons.get(name, "") if connected is False else "",
            outputs=name in self._with_outputs,
            armed=armed if isinstance(armed, bool) else None,
            simulated=device.simulate is not None,
            values=values,
        )

    def _health(self, path: str) -> bool | float | None:
        sample = self.client.read(path)
        return sample.value if sample.good and not isinstance(sample.value, str) else None


def reading(sample: Sample) -> Reading:
    """A sample as the page has it."""
    return Reading(
        value=sample.value,
        status=sample.status,
        quality=sample.quality,
        source_ms=sample.source_ns // 1_000_000,
        age_s=-1.0 if sample.age_s is None else round(sample.age_s, 3),
    )


def alarm_info(state: AlarmState) -> AlarmInfo:
    """An alarm as the page has it."""
    known = state.condition
    return AlarmInfo(
        path=state.path,
        tag=state.tag,
        bits=state.bits,
        priority=state.priority,
        message=state.message,
        response=state.response,
        value=state.value,
        since_ms=state.since_ns // 1_000_000,
        number=known.number,
        shelve_max_s=known.alarm.shelve_max_ns / 1e9,
        unshelve_ms=known.unshelve_ns // 1_000_000 or None,
        acknowledged=_remark(known.acknowledged),
        comment=_remark(known.comment),
        aside=_remark(known.aside),
    )


def _remark(note: Note | None) -> Remark | None:
    return None if note is None else Remark(t_ms=note.t_ns // 1_000_000, user=note.user, text=note.text)


def counts(states: Iterable[AlarmState]) -> Counts:
    """How many are active and unacknowledged, by priority; hidden ones left out."""
    shown = [state for state in states if not state.hidden]
    active = Counter(state.priority for state in shown if state.active)
    open_ = Counter(state.priority for state in shown if state.unacknowledged)
    return Counts(
        unacknowledged={priority: open_[priority] for priority in PRIORITIES},
        active={priority: active[priority] for priority in PRIORITIES},
    )


def our_version() -> str:
    """Of this package."""
    try:
        return version("closedloop")
    except PackageNotFoundError:
        return "development"


def _block(block: Block, tags: Mapping[str, Tag]) -> BlockInfo:
    """Points that exist as tags, and settings that name a tag (or another block), by role."""
    links: dict[str, str] = {}
    for role, value in block.config.items():
        if isinstance(value, str) and (value in tags or role in {"target", "group"}):
            links[role] = value
        elif isinstance(value, list):
            named = [item for item in value if isinstance(item, str) and item in tags]
            links.update({f"{role}{number}": path for number, path in enumerate(named, 1)})
            targets = [item["target"] for item in value if isinstance(item, dict) and item.get("target")]
            links.update({f"target{number}": path for number, path in enumerate(targets, 1)})
    points = {name: path for name, path in block.points.items() if path in tags}
    return BlockInfo(path=block.path, type=block.type, points=points, links=links)
