"""A site folder to a compiled site, in one pass that reports every problem at once."""

from __future__ import annotations

import gc
import ipaddress
import re
import zoneinfo
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tags.model import OpcuaSecurity, Realtime, Sink, Site, Task
from tags.site import (
    alarms,
    control,
    devices,
    displays,
    folder,
    history,
    identity,
    models,
    outputs,
    own_configs,
    points,
    schedules,
    sinks,
    system,
    tasks,
)
from tags.site.building import Building, Scope
from tags.site.devices import DeviceBuild
from tags.site.document import Document, find
from tags.site.opcua import compile_security
from tags.site.problems import Place, Problems
from tags.site.sources import NodeSource
from tags.site.templates import Entry, Templates
from tags.site.validate import unknown_key, validate
from tags.units import did_you_mean

FORWARD: Final = "forward"  # runs when there is something to forward to
SERVICES: Final = ("historian", "field", "control", "opcua", "hmi")
_SECTIONS: Final = ("devices", "templates", "tags", "schedules", "control", "displays", "sinks")
_HEAD: Final = tuple(models.Head.model_fields)
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_\-]{0,63}")


def read_site(
    root: Path, ids: Mapping[str, int] | None = None, drivers: Mapping[str, Any] | None = None
) -> Site:
    """Reads and checks a site folder.

    Args:
        root: The folder.
        ids: Tag ids given out earlier, by path (`state/tags.json`); new tags get ids above all of them.
        drivers: Driver classes by name; the installed ones (entry points `scada.drivers`) if None.

    Raises:
        tags.site.SiteError: With every problem of the site, each with file, line and column.
    """
    collecting = gc.isenabled()
    gc.disable()  # a large site makes a million objects that all stay: the collector would look at them over and over
    try:
        return _Compiler(root, drivers if drivers is not None else devices.installed()).site(ids or {})
    finally:
        if collecting:
            gc.enable()


class _Compiler:
    """One reading of one site."""

    def __init__(self, root: Path, drivers: Mapping[str, Any]) -> None:
        self.root, self.drivers = root, drivers
        self.problems = Problems()
        self.folder = folder.load(root, self.problems)
        self.sections: dict[str, dict[str, tuple[Any, NodeSource]]] = {name: {} for name in _SECTIONS}
        self.templates = Templates(self.problems)
        self.build = Building(self.problems, models.Defaults(), root=root.resolve())
        self.devices: dict[str, DeviceBuild] = {}
        self.head_source: NodeSource | None = None

    def site(self, ids: Mapping[str, int]) -> Site:
        head = self._head()
        self._split()
        self.build.defaults = head.defaults
        self.build.displays = set(self.sections["displays"])
        own_configs.read(self.build, self.folder.sources)
        services = self._services(head)
        self._devices(services)
        for name, (data, source) in self.sections["templates"].items():
            self.templates.add(name, data, source)
        entries, supervised = self._entries()
        for entry in entries:
            points.compile_tag(self.build, entry, self.devices, self.sections["devices"])
        outputs.find_selectors(self.build)
        calendars = {}
        for name, (data, source) in self.sections["schedules"].items():
            calendar = schedules.compile_schedule(self.build, name, data, source, self.folder.calendars)
            if calendar is not None:
                calendars[name] = calendar
        written = [Entry(p, d, s) for p, d, s in self._dicts("control")]
        periods = tasks.compile_tasks(self.build, head, self.head_source)
        blocks = control.compile_program(
            self.build, control.merge(self.build, supervised, written), calendars, periods
        )
        kept = history.retention(self.build, head.historian, self.head_source)
        fed = self._sinks(head, services)
        if fed:
            services = (*services, FORWARD)
        self._system(services, tuple(sink.name for sink in fed), periods)
        scopes = {path: Scope(self.build, source, path) for path, source in self.build.sources.items()}
        alarms.check_unless(self.build, scopes)
        for device in self.devices.values():
            devices.check_device(self.build, device)
        devices.check_together(self.devices)
        if not self.problems.found:
            devices.check_budgets(self.devices)
        shown = [
            displays.compile_display(
                self.build, name, data, source, self.folder.drawings, self.build.displays
            )
            for name, (data, source) in self.sections["displays"].items()
        ]
        numbered = identity.number(self.build, ids)
        secured = OpcuaSecurity()
        if self.head_source is not None:
            secured = compile_security(Scope(self.build, self.head_source, "site"), head.opcua)
        self.problems.raise_if_any()
        return Site(
            name=head.site,
            timezone=head.timezone,
            folder=str(self.root.resolve()),
            digest=self.folder.digest,
            scan_ns=min(task.period_ns for task in periods),
            opcua_endpoint=head.opcua.endpoint,
            hmi_host=head.hmi.host,
            hmi_port=head.hmi.port,
            services=services,
            tags=numbered,
            alarms=tuple(sorted(self.build.alarms, key=lambda alarm: alarm.path)),
            blocks=blocks,
            devices=tuple(sorted((d.device for d in self.devices.values()), key=lambda device: device.name)),
            displays=tuple(sorted((d for d in shown if d is not None), key=lambda display: display.name)),
            sinks=fed,
            retention=kept,
            tasks=periods,
            realtime=Realtime(cpu=head.realtime.cpu, priority=head.realtime.priority),
            opcua_security=secured,
            opcua_discovery=head.opcua.discovery or "",
            units=tuple(sorted(self.templates.units, key=lambda unit: unit.path)),
        )

    def _head(self) -> models.Head:
        """What is said once; in one file, whichever."""
        data: dict[str, Any] = {}
        source: NodeSource | None = None
        for document in sorted(self.folder.documents, key=_is_less_head):
            here = {key: document.data[key] for key in _HEAD if key in document.data}
            if source is None and here:
                source = NodeSource(document, document.node)
            for key, value in here.items():
                if source is not None and source.document is not document:
                    key_node, _ = find(document.node, (key,), key=True)
                    self.problems.add(
                        document.place(key_node),
                        f"{key}: belongs into {source.document.file}, with the other settings of the site. Move it.",
                    )
                else:
                    data[key] = value
        if source is None:
            if not self.problems.found:
                self.problems.add(
                    Place("site.yaml", 1, 1), "site is missing. Write site: and timezone: into site.yaml."
                )
            return models.Head(site="", timezone="UTC")
        head = validate(models.Head, data, source, "site", self.problems)
        self._check_head(data, source)
        self.head_source = source
        return head or models.Head(site="", timezone="UTC")

    def _check_head(self, data: dict[str, Any], source: NodeSource) -> None:
        """What a model does not see; looks at the data itself, which may be wrong elsewhere."""
        scope = Scope(self.build, source, "site")
        name, zone, opcua = data.get("site"), data.get("timezone"), data.get("opcua")
        if isinstance(name, str) and not _NAME.fullmatch(name):
            scope.report(
                ("site",), f"{name!r} is not a name. Use letters, digits, '-' and '_', a letter first."
            )
        if isinstance(zone, str):
            try:
                zoneinfo.ZoneInfo(zone)
            except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
                known = zoneinfo.available_timezones()
                hint = did_you_mean(zone, known) or ". Write for example Europe/Madrid."
                scope.report(("timezone",), f"unknown time zone {zone!r}{hint}")
        for key in ("endpoint", "discovery"):
            address = opcua.get(key) if isinstance(opcua, dict) else None
            parts = re.fullmatch(r"opc\.tcp://[^/:\s]+:(\d{1,5})(/\S*)?", str(address))
            if isinstance(address, str) and (parts is None or not 0 < int(parts[1]) < 65536):
                text = f"{address!r} is not an address. Write opc.tcp://127.0.0.1:4840."
                scope.report(("opcua", key), text)
        hmi = data.get("hmi")
        host = hmi.get("host") if isinstance(hmi, dict) else None
        if isinstance(host, str) and not _is_loopback(host):
            text = f"{host!r} is not this machine. Write 127.0.0.1, and put a web server with TLS in front for others."
            scope.report(("hmi", "host"), text)
        if isinstance(data.get("services"), list):
            self._check_services(scope, data["services"])

    def _services(self, head: models.Head) -> tuple[str, ...]:
        if head.services is None:
            return SERVICES
        return tuple(sorted(dict.fromkeys(head.services), key=lambda name: (_start_order(name), name)))

    def _check_services(self, scope: Scope, names: list[Any]) -> None:
        for i, name in enumerate(names):
            if name not in SERVICES and not re.fullmatch(r"field[A-Za-z0-9_]*", str(name)):
                hint = did_you_mean(str(name), SERVICES)
                hint = hint or f". Services are {', '.join(SERVICES)}, and more field services."
                scope.report(("services", i), f"unknown service {name!r}{hint}")
        for needed in ("field", "control"):
            if not any(str(name).startswith(needed) for name in names):
                scope.report(
                    ("services",), f"{needed} is missing. Add it: nothing runs without it.", key=True
                )
        if len({str(name) for name in names}) < len(names):
            scope.report(("services",), "a service is named twice. Name each once.", key=True)

    def _split(self) -> None:
        """Top-level keys of all files to sections; a name may stand in one file only."""
        known = (*_HEAD, *_SECTIONS)
        for document in self.folder.documents:
            for key_node, node in document.node.value:
                key = str(key_node.value)
                place = document.place(key_node)
                if key not in known:
                    self.problems.add(place, unknown_key(key, list(known)))
                elif key in self.sections:
                    data = document.data[key]
                    if data is None:
                        continue
                    if not isinstance(data, dict):
                        self.problems.add(
                            place, f"{key}: has no names below it. Write name: and its keys, indented."
                        )
                        continue
                    self._section(key, data, NodeSource(document, node))

    def _section(self, section: str, data: dict[str, Any], source: NodeSource) -> None:
        taken = self.sections[section]
        for key_node, node in source.node.value:
            name = str(key_node.value)
            own = NodeSource(source.document, node, key_node)
            if (
                name in taken
                and taken[name][1].node is not node
                and taken[name][1].document is not source.document
            ):
                self.problems.add(
                    own.place(),
                    f"{name} is there twice under {section}:, first at {taken[name][1].place()}. Rename or remove one.",
                )
            elif name not in taken:
                taken[name] = (data.get(name), own)

    def _dicts(self, section: str) -> Iterator[tuple[str, dict[str, Any], NodeSource]]:
        """Entries of a section; what has no keys is reported."""
        for name, (data, source) in self.sections[section].items():
            if isinstance(data, dict):
                yield name, data, source
            else:
                self.problems.add(source.place(), f"{name} has no keys below it. Write its keys, indented.")

    def _entries(self) -> tuple[list[Entry], list[Entry]]:
        """Tags, and the blocks that templates make, as data."""
        tags: list[Entry] = []
        blocks: list[Entry] = []
        for path, data, source in self._dicts("tags"):
            if "use" in data:
                made, supervised = self.templates.expand(path, data, source)
                tags.extend(made)
                blocks.extend(supervised)
            else:
                tags.append(Entry(path, data, source))
        return tags, blocks

    def _devices(self, services: tuple[str, ...]) -> None:
        for name, data, source in self._dicts("devices"):
            made = devices.compile_device(self.build, name, data, source, self.drivers, services)
            if made is not None:
                self.devices[name] = made

    def _sinks(self, head: models.Head, services: tuple[str, ...]) -> tuple[Sink, ...]:
        entries = list(self._dicts("sinks"))
        if entries and "historian" not in services:
            self.problems.add(
                entries[0][2].place(),
                "sinks are fed from history, and historian is not among the services. Add it to services:.",
            )
        made = [sinks.compile_sink(self.build, *entry, head.site) for entry in entries]
        return tuple(sorted((sink for sink in made if sink is not None), key=lambda sink: sink.name))

    def _system(self, services: tuple[str, ...], fed: tuple[str, ...], periods: tuple[Task, ...]) -> None:
        compiled = [device.device for device in self.devices.values()]
        names = tuple(task.name for task in periods)
        for tag in system.tags(services, compiled, any(d.simulate for d in compiled), fed, names):
            if not self.build.add(tag, None):
                name = tag.path.split("/")[1]
                self.devices[name].scope.report(
                    (), f"{name} is also the name of a service. Rename the device."
                )
        if not self.problems.found:
            alarms.of_devices(self.build, compiled)


def _is_less_head(document: Document) -> tuple[bool, bool]:
    """Sorts the file first that should hold the settings of the site."""
    return "site" not in document.data, document.file != "site.yaml"


def _is_loopback(host: str) -> bool:
    """Passwords travel to the web pages, which speak plain HTTP: they stay on this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _start_order(name: str) -> int:
    return (
        SERVICES.index("field" if name.startswith("field") else name)
        if name in SERVICES or name.startswith("field")
        else 9
    )
