"""Devices and their drivers: settings, addresses, heartbeats, and what only shows when all tags are seen together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

from tags.model import OWNER_SCADA, Device, Tag
from tags.site import models, system
from tags.site.arrays import Element
from tags.site.building import Building, Scope, sentence
from tags.site.sources import Source
from tags.site.validate import keys_at, unknown_key, validate
from tags.types import UINT16
from tags.units import did_you_mean

ENTRY_POINTS = "scada.drivers"


class Driver(Protocol):
    """What a driver's class tells about itself."""

    Config: type[BaseModel]

    @staticmethod
    def parse_address(text: str, type: str, config: Any) -> dict[str, Any]:  # noqa: A002 - the model's word
        """The address as JSON; raises ValueError that says what is wrong and what to write."""
        ...

    @staticmethod
    def check(config: Any, tags: Sequence[Tag]) -> list[tuple[str, str]]:
        """(tag path, what is wrong and what to do) over all tags of one device."""
        ...


@dataclass(slots=True)
class DeviceBuild:
    """A device in the making.

    Attributes:
        device: Compiled.
        driver: Its driver.
        config: The driver's settings.
        scope: For problems.
        tags: Its tags, addresses parsed.
    """

    device: Device
    driver: Driver
    config: BaseModel
    scope: Scope
    tags: list[Tag] = field(default_factory=list)


def installed() -> dict[str, Any]:
    """Entry points of all installed drivers, by name; loaded when used."""
    return {point.name: point for point in metadata.entry_points(group=ENTRY_POINTS)}


def compile_device(
    build: Building,
    name: str,
    data: Any,
    source: Source,
    drivers: Mapping[str, Any],
    services: Sequence[str],
) -> DeviceBuild | None:
    """One device, or None with its problems reported."""
    scope = Scope(build, source, f"device {name}")
    model = validate(models.Device, data, source, scope.subject, build.problems)
    if model is None:
        return None
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii() or not name[0].isalpha():
        scope.report(
            (), "a device's name has letters, digits, '-' and '_' and begins with a letter. Rename it."
        )
        return None
    if name in (*services, system.SUPERVISOR, "simulate"):
        scope.report((), f"{name} is the name of a service. Rename the device.")
        return None
    if model.service not in services or not model.service.startswith("field"):
        hint = (
            did_you_mean(model.service, services)
            or ". Name it field, or field2 … and list it under services:."
        )
        scope.report(("service",), f"{model.service!r} is not one of the site's field services{hint}")
    driver = _load(scope, model.driver, drivers)
    if driver is None:
        return None
    config = _config(scope, driver, dict(model.model_extra or {}))
    if config is None:
        return None
    return DeviceBuild(
        Device(
            name=name,
            driver=model.driver,
            service=model.service,
            config=config.model_dump(mode="json"),
            heartbeat=_heartbeat(scope, driver, config, model.heartbeat),
            comms_priority=model.comms_alarm.priority,
            comms_response=model.comms_alarm.response,
            simulate=_simulator(model.simulate),
            simulation=_simulation(scope, model.simulate),
        ),
        driver,
        config,
        scope,
    )


def _load(scope: Scope, name: str, drivers: Mapping[str, Any]) -> Driver | None:
    found = drivers.get(name)
    if found is None:
        hint = did_you_mean(name, drivers) or f". Installed: {', '.join(sorted(drivers)) or 'none'}."
        scope.report(("driver",), f"there is no driver {name!r}{hint}")
        return None
    if isinstance(found, metadata.EntryPoint):
        found = found.load()
    driver: Driver = found
    return driver


def _config(scope: Scope, driver: Driver, data: dict[str, Any]) -> BaseModel | None:
    known = [*keys_at(models.Device, ()), *keys_at(driver.Config, ())]
    unknown = [key for key in data if key not in known]
    for key in unknown:
        scope.report((key,), unknown_key(key, known), key=True)
    rest = {key: value for key, value in data.items() if key not in unknown}
    context = (
        {"folder": scope.build.root} if scope.build.root else None
    )  # files of a device lie beside its site
    config = validate(driver.Config, rest, scope.source, scope.subject, scope.build.problems, context)
    return None if unknown else config


def _simulator(model: models.Simulate | None) -> str | None:
    """Name of what plays a device."""
    if model is None:
        return None
    return "dump" if model.dump is not None else model.plant


def _simulation(scope: Scope, model: models.Simulate | None) -> dict[str, Any]:
    """Settings of what plays a device, with absolute paths."""
    if model is None:
        return {}
    if (model.plant is None) == (model.dump is None):
        text = "it has either a plant or a dump. Write plant: water, or dump: FILE from scada modbus dump."
        scope.report(("simulate",), text)
    found = model.model_dump(mode="json", exclude={"plant"}, exclude_none=True)
    files = [(found, "dump")] if "dump" in found else []
    files += [(found["tls"], key) for key in ("ca", "certificate", "key")] if "tls" in found else []
    for data, key in files:
        path = (scope.build.root or Path()) / data[key]
        data[key] = str(path)
        if not path.is_file():
            loc = ("simulate", key) if key == "dump" else ("simulate", "tls", key)
            scope.report(loc, f"there is no file {path}. Correct the path, or put the file there.")
    return found


def _heartbeat(
    scope: Scope, driver: Driver, config: BaseModel, model: models.Heartbeat | None
) -> dict[str, Any] | None:
    if model is None:
        return None
    try:
        address = driver.parse_address(model.address, UINT16, config)
    except ValueError as error:
        scope.report(("heartbeat", "address"), sentence(error))
        return None
    if address.get("limits") is not None:
        scope.report(("heartbeat", "address"), "the counter takes a whole register. Leave out the bits.")
    return {"address": address, "every_ns": model.every}


def parse_address(
    device: DeviceBuild, scope: Scope, model: models.Tag, element: Element
) -> dict[str, Any] | None:
    """A tag's address as its driver has it, or None with the problem reported."""
    driver, config = device.driver, device.config
    if model.order is not None:
        if "order" not in type(config).model_fields:
            scope.report(
                ("order",), f"driver {device.device.driver} has no orders of bytes. Leave order: out."
            )
            return None
        config = config.model_copy(update={"order": model.order})
    try:
        found = driver.parse_address(str(model.address), model.type, config)
    except ValueError as error:
        scope.report(("address",), sentence(error))
        return None
    if element.index is None:
        return found
    place = getattr(driver, "element", None)
    if place is None:
        scope.report(("array",), f"driver {device.device.driver} has no arrays. Write each tag by itself.")
        return None
    try:
        return dict(place(found, element.number, element.step))
    except ValueError as error:
        scope.report(("step" if model.step else "array",), sentence(error))
        return None


def check_together(devices: Mapping[str, DeviceBuild]) -> None:
    """Lets the drivers say what contradicts itself with all devices in view: some share a connection."""
    for name in sorted({build.device.driver for build in devices.values()}):
        mine = [build for build in devices.values() if build.device.driver == name]
        together = getattr(mine[0].driver, "together", None)
        if together is not None:
            for device, message in together([(build.device, build.config) for build in mine]):
                devices[device].scope.report((), sentence(message))


def check_budgets(devices: Mapping[str, DeviceBuild]) -> None:
    """Lets the drivers say which scan periods cannot be kept, with all devices in view: some share a connection."""
    for name in sorted({build.device.driver for build in devices.values()}):
        mine = [build for build in devices.values() if build.device.driver == name]
        budget = getattr(mine[0].driver, "budget", None)
        if budget is not None:
            for device, message in budget(
                [(build.device, build.config, build.tags) for build in mine]
            ).problems:
                devices[device].scope.report((), sentence(message))


def check_device(build: Building, device: DeviceBuild) -> None:
    """Lets the driver look at all tags of a device; its heartbeat counts as a written word."""
    tags = list(device.tags)
    heartbeat = f"{device.device.name}'s heartbeat"
    if device.device.heartbeat is not None:
        tags.append(
            Tag(
                id=0,
                path=heartbeat,
                type=UINT16,
                kind="device",
                writer="",
                row=0,
                owner=OWNER_SCADA,
                address=device.device.heartbeat["address"],
            )
        )
    for path, message in device.driver.check(device.config, tags):
        text = sentence(message)
        if path == heartbeat:
            device.scope.report(("heartbeat", "address"), text)
        elif path in build.sources:
            Scope(build, build.sources[path], path).report(("address",), text)
        else:
            device.scope.report((), text)
