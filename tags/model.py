"""The compiled site: what `scada check` accepted, resolved and flat, as every service loads it.

The YAML of a site folder becomes one `Site` (`tags.site`), written once by the supervisor to `run/site.json` and
loaded by the services. Everything here is frozen, in base units (ns, engineering units), with no defaults left
open. Nothing here reads YAML; pydantic is not imported.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from tags.types import Value

# Kinds of tags: who makes their values.
DEVICE = "device"  # read from a device, by a field service
COMMAND = "command"  # <path>/command: what control wants a device tag to be
MEMORY = "memory"  # owned by control, written by requests
BLOCK = "block"  # a point of a control block (set point, mode, state, …), owned by control
ALARM = "alarm"  # an alarm's state bits (scada.alarms), owned by control
SYSTEM = "system"  # health of a service, written by that service

# Who owns a writable device tag.
OWNER_SCADA = "scada"  # we hold it
OWNER_PLC = "plc"  # we ask by pulse, the PLC decides
OWNER_SHARED = "shared"  # a panel may change it: written once per request, then followed


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Raw to engineering: value = raw * gain + offset; then a square root, or instead of it a curve.

    A square root over `root` = (low, high) makes of the linear value x: low + sqrt((x - low) * (high - low)), and
    low where x is below low. Of `root` and `curve` at most one is there; with a curve gain is 1 and offset 0.

    Attributes:
        gain: Engineering units per raw count; not 0.
        offset: Engineering value at raw 0.
        bad_below: Raw values below are a sensor failure (NAMUR NE 43), or None.
        bad_above: Raw values above are a sensor failure, or None.
        root: Engineering range over which the square root is extracted, low < high; or None.
        cutoff: Values less than this above the low end of `root` are the low end, engineering units.
        curve: Points (raw, engineering), raw rising; straight lines between them, beyond its ends the nearest end.
            Empty for none.
    """

    gain: float = 1.0
    offset: float = 0.0
    bad_below: float | None = None
    bad_above: float | None = None
    root: tuple[float, float] | None = None
    cutoff: float = 0.0
    curve: tuple[tuple[float, float], ...] = ()

    @property
    def linear(self) -> bool:
        """The value is `raw * gain + offset` and nothing more."""
        return self.root is None and not self.curve

    @property
    def plain(self) -> bool:
        """The value is the raw value itself."""
        return self.gain == 1.0 and self.offset == 0.0 and self.linear


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """How a command is written to its device.

    Attributes:
        mode: `maintained` (written when it differs from what is read back), `pulse` (true for `time_ns`, then
            false) or `refresh` (rewritten each `time_ns`).
        time_ns: Pulse length or refresh period, ns; 0 for maintained.
        min_interval_ns: At least this between two writes of the tag, ns (EEPROM wears out).
        deadband: Writes of a smaller difference are left out, engineering units.
        tolerance: A read back within this is a confirmation, engineering units.
        stop: This command stops or closes something: it goes first.
    """

    mode: str = "maintained"
    time_ns: int = 0
    min_interval_ns: int = 0
    deadband: float = 0.0
    tolerance: float = 0.0
    stop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OnLoss:
    """What field does with an output when control is lost or its command is Bad.

    Attributes:
        action: `hold`, `value` or `release` (stop writing: the PLC's watchdog takes over).
        delay_ns: The last command is held this long first, ns.
        value: The value for `value`, engineering units.
    """

    action: str
    delay_ns: int = 10_000_000_000
    value: Value | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the historian keeps of a tag.

    Attributes:
        keep: False leaves the tag out.
        deadband: A change smaller than this is not kept, engineering units; 0 keeps every change.
        max_gap_ns: A sample is kept at least this often while the tag lives, ns; 0 for never.
        policy: `change`: every change beyond the dead band; `periodic`: the value at each multiple of `period_ns`;
            `swinging door`: what is needed to draw straight lines that miss no sample by more than `deviation`.
        period_ns: For `periodic`, ns.
        deviation: For `swinging door`, engineering units.
    """

    keep: bool = True
    deadband: float = 0.0
    max_gap_ns: int = 0
    policy: str = "change"
    period_ns: int = 0
    deviation: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long the historian keeps what it stored. Times are ns, 0 for ever.

    Attributes:
        samples_ns: Samples, and texts.
        minutes_ns: Summaries of a minute, kept when the samples are gone.
        hours_ns: Summaries of an hour, likewise.
        events_ns: Events and annotations. The audit trail and edits are never deleted.
        size: Bytes that the history may take; 0 for no bound.
        share: Of the disk that it may take, 0 … 1.
    """

    samples_ns: int = 400 * 86_400 * 1_000_000_000
    minutes_ns: int = 1826 * 86_400 * 1_000_000_000
    hours_ns: int = 0
    events_ns: int = 1826 * 86_400 * 1_000_000_000
    size: int = 0
    share: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """One scalar value of the plant.

    Attributes:
        id: Persistent number of the tag, unsigned 32 bit, > 0; survives renames (`was:`) and restarts.
        path: `area/unit/point`; key in OPC UA, history, URLs. Unique ignoring case.
        type: One of `tags.types.TYPES`.
        kind: `device`, `command`, `memory`, `block`, `alarm` or `system`.
        writer: The one service that writes it, which is also the name of its image file.
        row: Its row in that writer's image.
        description: For people.
        unit: Symbol in `tags.units`, or None.
        range: Engineering range (EURange), or None.
        decimals: Digits behind the point on screens.
        states: Texts of discrete values, keyed by the decimal integer (`{"0": "Stopped"}`); empty if none.
        scan_ns: Period at which its device is asked, ns; 0 if it is not polled.
        device: Name of its device, or None.
        address: What its driver made of the address (JSON), or None.
        scaling: Raw to engineering.
        owner: `scada`, `plc`, `shared`, or None: not writable at a device.
        write: How commands reach the device; None if not writable.
        on_loss: What field does when control is lost; None if not an output.
        limits: Requests outside are refused, engineering units; None for the type's range.
        rate: Largest change of the command per second, engineering units/s; 0 for none.
        writable: People and protocols may request a write (of the tag itself; never of `…/command`).
        write_role: Least role that may request a write: viewer < operator < engineer < admin.
        command: Path of its command tag; on a command tag the path of its value; else None.
        remote: Path of the unit's Local/Remote selector (true = Remote), or None.
        initial: Value before anything is known, or None.
        retain: Its value survives restarts.
        step: Trends draw it stepped.
        history: What the historian keeps.
        display: Name of the display that shows it, or None.
        was: An earlier path, whose history it continues, or None.
        place: `file:line:column` where it is written down, or "".
    """

    id: int
    path: str
    type: str
    kind: str
    writer: str
    row: int
    description: str = ""
    unit: str | None = None
    range: tuple[float, float] | None = None
    decimals: int = 2
    states: dict[str, str] = field(default_factory=dict)
    scan_ns: int = 0
    device: str | None = None
    address: dict[str, Any] | None = None
    scaling: Scaling = Scaling()
    owner: str | None = None
    write: Write | None = None
    on_loss: OnLoss | None = None
    limits: tuple[float, float] | None = None
    rate: float = 0.0
    writable: bool = False
    write_role: str = "operator"
    command: str | None = None
    remote: str | None = None
    initial: Value | None = None
    retain: bool = False
    step: bool = False
    history: History = History()
    display: str | None = None
    was: str | None = None
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm (ISA-18.2). Its state is the tag of the same path.

    Attributes:
        path: `<tag>/<name>`, for example `tank1/LT-101/HH`; the tag that holds its state bits.
        tag: The tag watched.
        kind: `high`, `low` (limit), `state` (true is the alarm), `quality` (communication: bad is the alarm).
        limit: For `high` and `low`, engineering units.
        deadband: The value must come back by this much, engineering units.
        on_delay_ns: The condition must hold this long, ns.
        off_delay_ns: Normal must hold this long, ns.
        priority: `critical`, `high`, `medium` or `low`.
        message: What is wrong, in a few words.
        response: What the operator should do.
        unless: Expression; while true the alarm is suppressed by design, or None.
        device: The tag's device: while its communication alarm is active this alarm is suppressed. None for none.
        confirm: After the acknowledgement somebody must confirm that what was to be done is done (OPC 10000-9, 4.3.3).
        shelve_max_ns: It may be shelved this long, ns; 0 for not at all.
    """

    path: str
    tag: str
    kind: str
    limit: float = 0.0
    deadband: float = 0.0
    on_delay_ns: int = 0
    off_delay_ns: int = 0
    priority: str = "medium"
    message: str = ""
    response: str = ""
    unless: str | None = None
    device: str | None = None
    confirm: bool = False
    shelve_max_ns: int = 28_800_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """When blocks run (IEC 61131-3:2013, 6.8.2): together, once in each period.

    Attributes:
        name: For example `fast`; `scan` is that of blocks that name none.
        period_ns: A whole multiple of the site's `scan_ns`.
        priority: Of the tasks that are due in one scan the smallest number runs first.
    """

    name: str
    period_ns: int
    priority: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Realtime:
    """What the control process asks of the machine.

    Attributes:
        cpu: The processor that it runs on and that the other services keep off, or None.
        priority: Of SCHED_FIFO, 1 … 99.
    """

    cpu: int | None = None
    priority: int = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One function block of the control program, in execution order.

    Attributes:
        path: Its name; its points are tags `<path>/<POINT>`.
        type: `pid`, `valve`, `on_off_valve`, `motor`, `duty_standby`, `hysteresis`, `ramp`, `timer`, `schedule`,
            `interlock`, `calc`, or one of `tags.site.function_models.MODELS`.
        config: Its settings with quantities in engineering units and durations in ns (keys end in `_ns`); tag
            references are full paths, conditions are expressions.
        points: Point name to tag path, for example `{"SP": "tank1/LIC-101/SP"}`.
        place: `file:line:column`.
        task: Name of its task.
    """

    path: str
    type: str
    config: dict[str, Any]
    points: dict[str, str] = field(default_factory=dict)
    place: str = ""
    task: str = "scan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device as its driver needs it.

    Attributes:
        name: For example `PLC1`.
        driver: Entry point name in `scada.drivers`.
        service: The field service that polls it.
        config: The driver's `Config` as JSON.
        heartbeat: `{"address": …, "every_ns": …}`: field writes a counter there while control lives; or None.
        comms_priority: Priority of its one communication alarm.
        comms_response: What the operator should do.
        simulate: The simulator that plays it (`water`, `air`, `truck`, `memory`, `dump`), or None. `scada demo` arms only
            such devices.
        simulation: Settings of the simulator, paths absolute.
    """

    name: str
    driver: str
    service: str
    config: dict[str, Any]
    heartbeat: dict[str, Any] | None = None
    comms_priority: str = "high"
    comms_response: str = ""
    simulate: str | None = None
    simulation: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """One picture: an SVG whose elements carry `data-tag`.

    Attributes:
        name: For example `tank1`.
        title: Shown above it.
        svg: The drawing, parameters filled in, checked.
        tags: Paths of the tags it shows.
        level: ISA-101 level 1 … 4.
    """

    name: str
    title: str
    svg: str
    tags: tuple[str, ...] = ()
    level: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """Where a token or password is found; never the secret itself. One of the two is set.

    Attributes:
        env: Name of an environment variable, or "".
        file: Absolute path of a file whose first line it is, or "".
    """

    env: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
    """A database that history is forwarded to.

    Attributes:
        name: Of the sink; its health is `system/forward/<name>_…`.
        type: `influxdb` or `victoriametrics`.
        url: `http://host:port` or `https://…`.
        api: `v2` (`/api/v2/write`) or `v1` (`/write`).
        org: Organisation; "" where there are none.
        bucket: Bucket (v2) or database (v1).
        token: Token, or None.
        user: Database user, or "".
        password: The user's password, or None.
        ca: File of the authority that signed the server's certificate; "" for the system's.
        measurement: Measurement of all samples.
        keys: Tag keys and what they hold: `path`, `area`, `point`, `unit`, `device` or `site`.
        quality: `always`: each line has `q`; `exceptions`: it is left out of those that are Good.
        tags: Patterns of paths that are forwarded.
        batch: Most samples in one request.
        parallel: Most requests on their way at once.
        events: Events are forwarded too.
        history_ns: How far back a new or wiped database is filled from history, ns; 0 for all, -1 for not at all.
        timeout_ns: How long a request may take, ns.
        create: Make the bucket or database when it is missing.
        retention_ns: How long a bucket or database that is made keeps samples, ns; 0 for ever.
        spool: Share of the disk that waiting samples may take, 0 … 1.
    """

    name: str
    type: str
    url: str
    api: str
    org: str
    bucket: str
    token: Secret | None = None
    user: str = ""
    password: Secret | None = None
    ca: str = ""
    measurement: str
    keys: dict[str, str]
    quality: str = "always"
    tags: tuple[str, ...] = ("*",)
    batch: int = 5000
    parallel: int = 4
    events: bool = True
    history_ns: int = 0
    timeout_ns: int = 10_000_000_000
    create: bool = True
    retention_ns: int = 0
    spool: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRule:
    """Who may do what over OPC UA with a folder of tags and all that lies below it.

    Attributes:
        folder: Path of a folder or of a tag; "" for everything.
        least: Operation (`browse`, `read`, `write`, `call`, `history`, `edit`, `events`) to the least of `anonymous`,
            `viewer`, `operator`, `engineer`, `admin`. What is not named is as in the folder above.
        encrypted: An encrypted channel is needed for all of it; None is as in the folder above.
    """

    folder: str
    least: dict[str, str] = field(default_factory=dict)
    encrypted: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpcuaSecurity:
    """Who may connect over OPC UA.

    Attributes:
        unencrypted: Whether SecurityPolicy None is offered, which only reads: `off`, `loopback` or `read only` (also to
            other machines).
        anonymous: Callers without a name may connect, to read.
        key_bits: Length of the RSA key of the server's certificate.
        access: Rules, sorted by folder.
    """

    unencrypted: str = "off"
    anonymous: bool = True
    key_bits: int = 2048
    access: tuple[AccessRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What one use of a template with several tags made: a piece of equipment (ISA-88: a control module).

    Attributes:
        path: Of the entry; its tags lie below it, and the block that supervises it has this path.
        template: Name of the template.
        tags: Tag path by name, of all tags that the entry made.
        description: For people.
    """

    path: str
    template: str
    tags: dict[str, str]
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A whole plant.

    Attributes:
        name: Of the site; also in the OPC UA namespace `urn:closedloop:<name>`.
        timezone: IANA name.
        folder: Where it was read from.
        digest: SHA-256 of the site's files, hex.
        scan_ns: Period of the scan, ns: that of the fastest task.
        opcua_endpoint: `opc.tcp://host:port`.
        hmi_host: Address that the HMI binds.
        hmi_port: Its port.
        services: Services to run, in start order.
        tags: In order of writer, then row.
        alarms: In order of path.
        blocks: In execution order.
        devices: In order of name.
        displays: In order of name.
        sinks: Databases that history is forwarded to, in order of name.
        retention: How long history is kept.
        tasks: In order of priority; empty for one task `scan` in each scan.
        realtime: What control asks of the machine.
        opcua_security: Who may connect over OPC UA, and what with.
        opcua_discovery: Discovery server that the OPC UA server registers at, or "".
        units: What templates with several tags made, in order of path.
    """

    name: str
    timezone: str
    folder: str
    digest: str
    scan_ns: int
    opcua_endpoint: str
    hmi_host: str
    hmi_port: int
    services: tuple[str, ...]
    tags: tuple[Tag, ...]
    alarms: tuple[Alarm, ...]
    blocks: tuple[Block, ...]
    devices: tuple[Device, ...]
    displays: tuple[Display, ...]
    sinks: tuple[Sink, ...] = ()
    retention: Retention = Retention()
    tasks: tuple[Task, ...] = ()
    realtime: Realtime = Realtime()
    opcua_security: OpcuaSecurity = OpcuaSecurity()
    opcua_discovery: str = ""
    units: tuple[Unit, ...] = ()

    def by_path(self) -> dict[str, Tag]:
        """All tags by path; make it once, keep it."""
        return {tag.path: tag for tag in self.tags}

    def of_writer(self, writer: str) -> tuple[Tag, ...]:
        """The tags of one writer in row order: `result[i].row == i`."""
        return tuple(tag for tag in self.tags if tag.writer == writer)

    def writers(self) -> tuple[str, ...]:
        """Names of all services that have an image, in a fixed order."""
        return tuple(sorted({tag.writer for tag in self.tags}))


def dump(site: Site) -> bytes:
    """A site as JSON without what is as it is by default; `load` gives an equal one back."""
    return orjson.dumps(site, default=_changed, option=orjson.OPT_INDENT_2 | orjson.OPT_PASSTHROUGH_DATACLASS)


def _changed(part: Any) -> dict[str, Any]:
    """The fields of a dataclass that are not as they are by default.

    A site may have a hundred thousand tags, each with thirty fields of which it uses eight.
    """
    kind: Any = type(part)
    return {name: value for name, default in _defaults(kind) if (value := getattr(part, name)) != default}


@functools.cache
def _defaults(kind: Any) -> tuple[tuple[str, Any], ...]:
    """Names and defaults of a dataclass's fields; `MISSING`, which nothing equals, where there is none."""
    return tuple(
        (one.name, one.default if one.default_factory is dataclasses.MISSING else one.default_factory())
        for one in dataclasses.fields(kind)
    )


def load(data: bytes) -> Site:
    """The site that `dump` wrote.

    Raises:
        ValueError: Not JSON, or not of this version's shape.
    """
    try:
        return typing.cast("Site", _class_maker(Site)(orjson.loads(data)))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a compiled site of this version: {error}") from error


Maker = Callable[[Any], Any]


@functools.cache
def _maker(kind: Any) -> Maker | None:
    """What makes a dataclass, a tuple, a float or None by its type hint from JSON; None where JSON has it as it is.

    Worked out once for each hint: a site may have a hundred thousand tags.
    """
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _class_maker(kind)
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        inner = [arm for arm in typing.get_args(kind) if arm is not types.NoneType]
        make = _maker(inner[0]) if len(inner) == 1 else None
        return None if make is None else lambda data: None if data is None else make(data)
    if origin is tuple:
        return _tuple_maker(typing.get_args(kind))
    return float if kind is float else None


def _class_maker(kind: type) -> Maker:
    made = [(name, make) for name, hint in typing.get_type_hints(kind).items() if (make := _maker(hint))]

    def of_class(data: Any) -> Any:
        for name, make in made:
            if name in data:
                data[name] = make(data[name])
        return kind(**data)

    return of_class


def _in_place(make: Maker, data: list[Any]) -> list[Any]:
    """Makes each element and lets go of what it was made from: both together take too much memory."""
    for place, one in enumerate(data):
        data[place] = make(one)
    return data


def _tuple_maker(arms: tuple[Any, ...]) -> Maker:
    makers = [_maker(arm) for arm in arms if arm is not ...]
    if len(arms) == 2 and arms[1] is ...:
        make = makers[0]
        return tuple if make is None else lambda data: tuple(_in_place(make, data))

    def of_tuple(data: Any) -> Any:
        pairs = zip(makers, data, strict=True)
        return tuple(item if make is None else make(item) for make, item in pairs)

    return of_tuple
