"""Tags that every site has: health of the services and of the devices, `system/<service or device>/<key>`.

One table; a service publishes what stands here and nothing else (`scada.service`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tags.model import SYSTEM, Device, History, Tag
from tags.types import BOOL, FLOAT64, INT32, INT64


@dataclass(frozen=True, slots=True)
class Health:
    """One health value.

    Attributes:
        key: Last part of the path.
        type: Data type.
        description: For people.
        unit: Canonical symbol, or None.
        deadband: History keeps changes from this size on, in the unit.
        decimals: Digits behind the point.
        states: Names of the values, of an enumeration.
    """

    key: str
    type: str
    description: str
    unit: str | None = None
    deadband: float = 0.0
    decimals: int = 0
    states: tuple[str, ...] = ()


MEMORY: Final = Health(
    "memory", FLOAT64, "Memory of its own, MB (not what it shares with others)", None, 1.0, 1
)

SERVICES: Final[dict[str, tuple[Health, ...]]] = {
    "field": (),
    "control": (
        Health("lateness_max", FLOAT64, "Latest start of a scan in the last second", "ms", 0.5, 2),
        Health("execution_max", FLOAT64, "Longest scan in the last second", "ms", 0.5, 2),
        Health(
            "lateness_p99", FLOAT64, "Start of a scan, 99 of 100 in the last minute are earlier", "ms", 0.5, 2
        ),
        Health("overruns", INT64, "Scans that were left out"),
        Health("overruns_minute", INT64, "Scans that were left out in the last minute"),
        Health("scans", INT64, "Scans since start", None, 1000.0),
        Health("realtime", BOOL, "Runs with real-time priority"),
        Health("locked", BOOL, "Its memory stays in RAM"),
        Health("cpu", INT32, "Processor that it has for itself; -1: none"),
        Health("selftest_p99", FLOAT64, "Lateness of the machine at start, 99 of 100 are less", "ms", 0.0, 3),
        Health(
            "selftest_max", FLOAT64, "Lateness of the machine at start, largest of two seconds", "ms", 0.0, 3
        ),
        Health("shadow", BOOL, "No device is armed: nothing is written"),
        Health("forces", INT32, "Values that are forced by hand"),
        Health("bypasses", INT32, "Protections that are bypassed"),
        Health("defects", INT32, "Blocks, outputs and alarms that stand because of an error in the program"),
    ),
    "historian": (
        Health("journal_lag", FLOAT64, "Age of the oldest change not yet on disk", "s", 1.0, 1),
        Health("rows", INT64, "Samples written since start", None, 10000.0),
        Health("gaps", INT64, "Gaps: changes that were lost before they could be written"),
        Health("disk_free", FLOAT64, "Free space for history, MB", None, 100.0),
        Health("ok", BOOL, "History reaches the disk"),
        Health("journal", INT64, "Samples that are not in the files of their days yet", None, 10000.0),
        Health(
            "size", FLOAT64, "What samples, summaries, texts and events take on the disk, MB", None, 10.0, 1
        ),
    ),
    "opcua": (
        Health("sessions", INT32, "Connected OPC UA clients"),
        Health("connections", INT32, "Open OPC UA connections, also those that nobody has signed in on"),
        Health("refusals", INT64, "Messages, connections and sessions that were refused since start"),
        Health("slow_clients", INT64, "Clients that were disconnected because they did not read"),
        Health("subscriptions", INT32, "Subscriptions of its clients"),
        Health("monitored_items", INT32, "What its clients have subscribed to", None, 100.0),
        Health("values_discarded", INT64, "Values that queues of its clients had no room for", None, 1000.0),
        Health("changes_lost", INT64, "Changes that were gone before queues of its clients got them"),
        Health("event_overflows", INT64, "Times that a queue of events was full and its client was told"),
        Health("audits_suppressed", INT64, "Audit events that were too many to be kept"),
        Health("certificate_days", FLOAT64, "Days until its certificate ends", None, 1.0, 0),
        Health("certificate_ends", BOOL, "Its certificate ends within 30 days"),
        Health("certificates_refused", INT64, "Certificates of clients that were refused since start"),
        Health("logins_throttled", INT64, "Log-ins that were refused unchecked, after too many wrong ones"),
    ),
    "forward": (),
    "hmi": (Health("clients", INT32, "Connected web pages"),),
}

TASK: Final = (
    Health("period", FLOAT64, "Period", "ms", 0.0, 0),
    Health("lateness_max", FLOAT64, "Latest start in the last second", "ms", 0.5, 2),
    Health("execution_max", FLOAT64, "Longest run in the last second", "ms", 0.5, 2),
    Health("overruns", INT64, "Runs that were left out"),
)

DEVICE: Final = (
    Health("connected", BOOL, "Answers"),
    Health(
        "state",
        INT32,
        "Whether it answers, and keeps its scan periods",
        states=("Not connected", "Connected", "Slow"),
    ),
    Health("armed", BOOL, "Outputs are written"),
    Health("period_asked", FLOAT64, "Shortest scan period asked", "s", 0.0, 3),
    Health("period_achieved", FLOAT64, "Shortest scan period achieved", "s", 0.05, 3),
    Health("latency_p50", FLOAT64, "Reply time, median", "ms", 1.0, 2),
    Health("latency_p99", FLOAT64, "Reply time, 99 of 100 are faster", "ms", 5.0, 2),
    Health("errors", INT64, "Requests that failed since start"),
    Health("errors_timeout", INT64, "Requests without a reply in time"),
    Health("errors_mismatch", INT64, "Replies that were none to what was asked"),
    Health("errors_closed", INT64, "Requests during which the connection was lost"),
    Health("errors_exception", INT64, "Requests that it refused"),
    Health("errors_connect", INT64, "Connections that failed"),
    Health("good_age", FLOAT64, "Since the last good reply, or since the start", "s", 1.0, 1),
)

RESTARTS: Final = Health(
    "restarts", INT64, "Times that it lost its power, seen by the heartbeat that it forgot"
)

LINK_LOAD: Final = Health(
    "link_load", FLOAT64, "Part of the time in which the connection that it shares is busy, %", None, 5.0, 0
)

SINK: Final = (
    Health("ok", BOOL, "Takes what it is sent"),
    Health("lag", FLOAT64, "Age of the oldest sample not yet delivered", "s", 5.0, 1),
    Health("sent", INT64, "Samples delivered since start", None, 10000.0),
    Health("quarantine", INT64, "Samples that it refuses"),
    Health("filling", INT32, "Stretches of history that it is still to get"),
    Health("lost", INT64, "Commits of history that it never got: they waited too long"),
)

LIFE: Final = {"0": "Stopped", "1": "Starting", "2": "Running", "3": "Restarting", "4": "Failed"}
SUPERVISOR: Final = "supervisor"


def table_of(service: str) -> tuple[Health, ...]:
    """Health values of a service by its name; a second field service (`field2`) has those of `field`."""
    kind = "field" if service.startswith("field") else service
    return (MEMORY, *SERVICES.get(kind, ()))


def tags(
    services: Sequence[str],
    devices: Sequence[Device],
    simulated: bool,
    sinks: Sequence[str] = (),
    tasks: Sequence[str] = (),
) -> Iterator[Tag]:
    """All system tags, without ids and rows.

    Args:
        services: Of the site.
        devices: Of the site.
        simulated: The site has devices that a simulator plays.
        sinks: Names of the databases that history is forwarded to.
        tasks: Names of the tasks of control.
    """
    for service in services:
        yield from (_tag(f"system/{service}", service, health, service) for health in table_of(service))
    for task in tasks if "control" in services else ():
        yield from (
            _tag(f"system/control/tasks/{task}", "control", health, f"task {task}") for health in TASK
        )
    ends = Counter(_end(device) for device in devices)
    for device in devices:
        table = DEVICE if device.heartbeat is None else (*DEVICE, RESTARTS)
        if ends[_end(device)] > 1:
            table = (*table, LINK_LOAD)
        yield from (_tag(f"system/{device.name}", device.service, health, device.name) for health in table)
    for sink in sinks:
        for health in SINK:
            named = replace(health, key=f"{sink}_{health.key}")
            yield _tag("system/forward", "forward", named, sink)
    yield _tag(f"system/{SUPERVISOR}", SUPERVISOR, MEMORY, SUPERVISOR)
    for service in (*services, *(("simulate",) if simulated else ())):
        yield Tag(
            id=0,
            path=f"system/{SUPERVISOR}/{service}",
            type=INT32,
            kind=SYSTEM,
            writer=SUPERVISOR,
            row=0,
            description=f"Life of the service {service}",
            decimals=0,
            states=dict(LIFE),
            step=True,
        )


def _end(device: Device) -> str:
    """The connection of a device; equal where it is shared. A device without an endpoint has one of its own."""
    return str(device.config.get("endpoint", f"of {device.name}"))


def _tag(folder: str, writer: str, health: Health, who: str) -> Tag:
    return Tag(
        id=0,
        path=f"{folder}/{health.key}",
        type=health.type,
        kind=SYSTEM,
        writer=writer,
        row=0,
        description=f"{who}: {health.description}",
        unit=health.unit,
        decimals=health.decimals,
        states={
            str(n): name
            for n, name in enumerate(health.states or (("No", "Yes") if health.type == BOOL else ()))
        },
        step=health.type != FLOAT64,
        history=History(deadband=health.deadband),
    )
