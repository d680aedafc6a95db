"""ServerStatus, ServiceLevel and the other standing values of the server object (OPC 10000-5 §6.3.1)."""

from __future__ import annotations

import importlib.metadata
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from asyncua import ua
from asyncua.server.address_space import AddressSpace

from scada.opcua.information.standard import good, live, moment, put
from tags.model import SYSTEM, Tag

O: Final = ua.ObjectIds  # noqa: E741 - the table of standard nodes
FULL: Final = 255
DEGRADED: Final = (2, 199)  # OPC 10000-4 §6.6.2.4.2, Table 105
NO_DATA: Final = 1
OLD_S: Final = 0.5
WITHOUT_CONTROL: Final = 100
"""The best level while control does not run: values are read, and nothing can be asked for."""
_CONTROL: Final = "system/control/scans"


def service_level(devices: Sequence[bool], *, control: bool) -> int:
    """How well the server can serve, 0 … 255 (OPC 10000-4 §6.6.2.4.2).

    Args:
        devices: For each device whether it is connected.
        control: Control runs.

    Returns:
        255 when all is well, 1 when no device is connected, else 2 … 199 by the share that is.
    """
    if devices and not any(devices):
        return NO_DATA
    share = sum(devices) / len(devices) if devices else 1.0
    low, high = DEGRADED
    level = FULL if share == 1.0 else low + int((high - low) * share)
    return level if control else min(level, WITHOUT_CONTROL)


class Health:
    """Reads the service level from the plant's own health tags.

    Args:
        tags: In the order of the table's rows.
        value: DataValue of a row as it is now.
        seconds: Clock; the level is worked out anew when it is `OLD_S` old, for a site may have a thousand devices.
    """

    def __init__(
        self,
        tags: Sequence[Tag],
        value: Callable[[int], ua.DataValue],
        seconds: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._value = value
        self._seconds = seconds
        self._level, self._until = FULL, -math.inf
        self._devices = [
            row
            for row, tag in enumerate(tags)
            if tag.kind == SYSTEM and tag.path.count("/") == 2 and tag.path.endswith("/connected")
        ]
        self._control = [row for row, tag in enumerate(tags) if tag.path == _CONTROL]

    def level(self) -> int:
        """The service level now."""
        if self._seconds() >= self._until:
            self._level = self._worked_out()
            self._until = self._seconds() + OLD_S
        return self._level

    def _worked_out(self) -> int:
        devices = [self._good(row, needs_true=True) for row in self._devices]
        return service_level(devices, control=all(self._good(row) for row in self._control))

    def _good(self, row: int, *, needs_true: bool = False) -> bool:
        found = self._value(row)
        status = found.StatusCode
        if status is not None and not status.is_good():
            return False
        return not needs_true or (found.Value is not None and bool(found.Value.Value))


@dataclass(slots=True)
class Status:
    """ServerStatus as it is now.

    Attributes:
        uri: ProductUri.
        started_ns: UTC.
        now_ns: UTC clock.
        state: Running until the server stops.
        reason: ShutdownReason.
        seconds: SecondsTillShutdown.
        build: BuildInfo, made once.
    """

    uri: str
    started_ns: int
    now_ns: Callable[[], int]
    state: ua.ServerState = ua.ServerState.Running
    reason: str = ""
    seconds: int = 0
    build: ua.BuildInfo = field(init=False)

    def __post_init__(self) -> None:
        version, built = _build()
        self.build = ua.BuildInfo(
            ProductUri=self.uri,
            ManufacturerName="Closedloop",
            ProductName="Closedloop",
            SoftwareVersion=version,
            BuildNumber=version,
            BuildDate=moment(built),
        )

    def whole(self) -> ua.DataValue:
        """ServerStatusDataType (OPC 10000-5 §12.10)."""
        now = self.now_ns()
        status = ua.ServerStatusDataType(
            StartTime=moment(self.started_ns),
            CurrentTime=moment(now),
            State=self.state,
            BuildInfo=self.build,
            SecondsTillShutdown=self.seconds,
            ShutdownReason=ua.LocalizedText(self.reason),
        )
        return good(status, ua.VariantType.ExtensionObject, now)

    def time(self) -> ua.DataValue:
        """CurrentTime."""
        now = self.now_ns()
        return good(moment(now), ua.VariantType.DateTime, now)

    def stop(self, reason: str, seconds: int = 0) -> None:
        """The server ends."""
        self.state, self.reason, self.seconds = ua.ServerState.Shutdown, reason, seconds


def fill(aspace: AddressSpace, status: Status, health: Health) -> None:
    """Makes the server object tell its state.

    Args:
        aspace: With the standard nodes.
        status: Told in ServerStatus.
        health: Told in ServiceLevel.
    """
    now, build = status.started_ns, status.build
    kinds = ua.VariantType
    texts = {
        O.Server_ServerStatus_BuildInfo_ProductUri: build.ProductUri,
        O.Server_ServerStatus_BuildInfo_ManufacturerName: build.ManufacturerName,
        O.Server_ServerStatus_BuildInfo_ProductName: build.ProductName,
        O.Server_ServerStatus_BuildInfo_SoftwareVersion: build.SoftwareVersion,
        O.Server_ServerStatus_BuildInfo_BuildNumber: build.BuildNumber,
    }
    for number, text in texts.items():
        put(aspace, number, text, kinds.String, now)
    put(aspace, O.Server_ServerStatus_BuildInfo, build, kinds.ExtensionObject, now)
    put(aspace, O.Server_ServerStatus_BuildInfo_BuildDate, build.BuildDate, kinds.DateTime, now)
    put(aspace, O.Server_ServerStatus_StartTime, moment(now), kinds.DateTime, now)
    put(aspace, O.Server_Auditing, value=True, kind=kinds.Boolean, utc_ns=now)
    put(aspace, O.Server_ServerRedundancy_RedundancySupport, 0, kinds.Int32, now)
    reads = {
        O.Server_ServerStatus: status.whole,
        O.Server_ServerStatus_CurrentTime: status.time,
        O.Server_ServerStatus_State: lambda: good(int(status.state), kinds.Int32, status.now_ns()),
        O.Server_ServerStatus_SecondsTillShutdown: lambda: good(
            status.seconds, kinds.UInt32, status.now_ns()
        ),
        O.Server_ServerStatus_ShutdownReason: lambda: good(
            ua.LocalizedText(status.reason), kinds.LocalizedText, status.now_ns()
        ),
        O.Server_ServiceLevel: lambda: good(health.level(), kinds.Byte, status.now_ns()),
    }
    for number, read in reads.items():
        live(aspace, number, read)


def _build() -> tuple[str, int]:
    """Version of this software and when it was installed, ns UTC."""
    try:
        version = importlib.metadata.version("closedloop")
    except importlib.metadata.PackageNotFoundError:
        version = "0"
    return version, Path(__file__).stat().st_mtime_ns
