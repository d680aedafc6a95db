"""What may be written about a site, its devices, tags, alarms, templates, schedules and displays."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from tags.site.fields import (
    Address,
    Age,
    Array,
    Condition,
    Disk,
    Duration,
    Flag,
    Limits,
    Measure,
    Model,
    Period,
    Plain,
    Quantity,
    Rate,
    Reach,
    Shelf,
    States,
    UnitName,
    Whole,
)

Role = Literal["viewer", "operator", "engineer", "admin"]
Caller = Literal["anonymous", "viewer", "operator", "engineer", "admin"]
Priority = Literal["critical", "high", "medium", "low"]
TypeName = Literal[
    "bool", "int16", "int32", "int64", "uint16", "uint32", "uint64", "float32", "float64", "string"
]

StoredName = Literal[
    "bool",
    "int16",
    "int32",
    "int64",
    "uint16",
    "uint32",
    "uint64",
    "float32",
    "float64",
    "string",
    "bcd16",
    "bcd32",
    "bcd64",
]
Order = Literal["ABCD", "CDAB", "BADC", "DCBA"]
Curve = Annotated[
    list[Annotated[list[Measure], Field(min_length=2, max_length=2)]], Field(min_length=2, max_length=1024)
]

_DAY_NS = 86_400_000_000_000


def _history(data: Any) -> Any:
    if data == "on change" or data is True:
        return {"deadband": 0}
    if data in ("off", "no") or data is False:
        return {"keep": False}
    if isinstance(data, str):
        text = (
            f"{data!r} is not a history. Write on change, off, {{deadband: 0.1 %, max_gap: 10 min}}, "
            "{every: 10 s}, or {swinging_door: 0.5 %, max_gap: 10 min}"
        )
        raise ValueError(text)  # noqa: TRY004 - pydantic takes ValueError
    return data


def _write(data: Any) -> Any:
    if not isinstance(data, str):
        return data
    mode, _, time = data.partition(" ")
    return {"mode": mode, "time": time.strip()} if time.strip() else {"mode": mode}


def _simulate(data: Any) -> Any:
    return {"plant": data} if isinstance(data, str) else data


def _on_loss(data: Any) -> Any:
    if isinstance(data, str):
        if data not in ("hold", "release"):
            raise ValueError(
                f"{data!r} is not a fail action. Write hold, release, or {{hold: 30 s, then: 0 %}}"
            )
        return {"then": data}
    return data


class History(Model):
    """What the historian keeps."""

    keep: Flag = True
    deadband: Measure | None = Field(
        default=None, description="Smaller changes are not kept; % is of the range."
    )
    every: Period | None = Field(default=None, description="The value at each multiple of this is kept.")
    swinging_door: Measure | None = Field(
        default=None,
        description="Kept is what straight lines need that miss no sample by more; % is of the range.",
    )
    max_gap: Duration | None = Field(default=None, description="A sample is kept at least this often.")


class Write(Model):
    """How a command reaches its device."""

    mode: Literal["maintained", "pulse", "refresh"] = "maintained"
    time: Period | None = Field(default=None, description="Length of a pulse, or period of refresh.")
    min_interval: Duration | None = None
    deadband: Measure | None = Field(default=None, description="Smaller differences are not written.")
    tolerance: Measure | None = Field(default=None, description="A read back this near is a confirmation.")
    stop: Flag = Field(default=False, description="It stops or closes something: it goes first.")


class OnLoss(Model):
    """What an output does when control is lost."""

    hold: Duration = Field(default=10_000_000_000, description="The last command is held this long first.")
    then: Plain = Field(default="hold", description="hold, release, or a value.")


class AlarmDefaults(Model):
    """Defaults of alarms."""

    deadband: Measure | None = None
    on_delay: Duration | None = None
    off_delay: Duration | None = None
    priority: Priority | None = None
    confirm: Flag | None = Field(
        default=None,
        description="After the acknowledgement somebody must confirm that what was to be done is done.",
    )
    shelve_max: Shelf | None = Field(
        default=None, description="An operator may shelve it this long (8 h); 0 s: not at all."
    )


class Alarm(AlarmDefaults):
    """One alarm of a tag."""

    above: Measure | None = None
    below: Measure | None = None
    when: Flag | None = Field(default=None, description="For a bool: the value that is the alarm.")
    message: str | None = None
    response: str = Field(default="", description="What the operator should do.")
    unless: Condition | None = Field(
        default=None, description="While true the alarm is suppressed by design."
    )


HistoryField = Annotated[History, BeforeValidator(_history)]
WriteField = Annotated[Write, BeforeValidator(_write)]
OnLossField = Annotated[OnLoss, BeforeValidator(_on_loss)]


class Tag(Model):
    """One point of the plant."""

    type: StoredName = Field(description="Of the value; with a device, how the device stores it.")
    device: str | None = None
    address: Address | None = None
    array: Array | None = Field(
        default=None, description="Several tags, <path>/1 and so on, from this address on."
    )
    step: Annotated[Whole, Field(ge=1, le=65535)] | None = Field(
        default=None, description="Addresses from one element of the array to the next."
    )
    order: Order | None = Field(
        default=None, description="Of the bytes of the value, A the most significant; else the device's."
    )
    raw: Limits | None = Field(default=None, description="Raw values at the ends of the range.")
    range: Limits | None = Field(default=None, description="Engineering range.")
    scale: float | None = Field(default=None, description="Engineering units per raw count.")
    offset: float | None = Field(default=None, description="Engineering value at raw 0.")
    scaling: Literal["linear", "square root"] | None = Field(
        default=None, description="square root: the flow of a differential pressure, over raw: and range:."
    )
    cutoff: Measure | None = Field(
        default=None, description="Of a square root: values nearer to the low end are it; % is of the range."
    )
    curve: Curve | None = Field(
        default=None, description="Points [raw, value], raw rising, straight lines between them."
    )
    bad_outside: Limits | None = Field(
        default=None, description="Raw values outside are a sensor failure (NAMUR NE 43)."
    )
    unit: UnitName | None = None
    description: str = ""
    display: str | None = None
    decimals: Annotated[Whole, Field(ge=0, le=9)] | None = None
    states: States | None = None
    scan: Period | None = Field(default=None, description="How often its device is asked.")
    history: HistoryField | None = None
    alarms: dict[str, Alarm] = Field(default_factory=dict)
    owner: Literal["scada", "plc", "shared"] | None = None
    write: WriteField | None = None
    stop: Flag | None = None
    on_loss: OnLossField | None = None
    limits: Limits | None = None
    rate: Rate | None = None
    write_role: Role = "operator"
    remote: str | Flag | None = Field(
        default=None, description="The unit's Local/Remote selector; false for none."
    )
    initial: Plain = None
    retain: Flag | None = None
    writable: Flag | None = None
    was: str | None = Field(default=None, description="Its earlier path, whose history it continues.")


class Use(Model):
    """A tag or unit made from a template; every other key overrides what the template says."""

    model_config = ConfigDict(extra="allow")

    use: str
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")


class Template(Model):
    """What several tags or units have in common; `$name` stands for a parameter."""

    parameters: list[str] | dict[str, Any] = Field(default_factory=list)
    tag: dict[str, Any] | None = None
    tags: dict[str, dict[str, Any]] | None = None
    supervise: dict[str, Any] | None = None
    description: str = ""


class AnalogDefaults(Model):
    """Defaults of numbers, or of everything else."""

    scan: Period | None = None
    history: HistoryField | None = None


class OutputDefaults(Model):
    """Defaults of outputs; there is no default fail action."""

    deadband: Measure | None = None
    tolerance: Measure | None = None
    min_interval: Duration | None = None


class Defaults(Model):
    """What tags have that do not say otherwise."""

    analog: AnalogDefaults = AnalogDefaults()
    discrete: AnalogDefaults = AnalogDefaults()
    alarm: AlarmDefaults = AlarmDefaults()
    output: OutputDefaults = OutputDefaults()


class OpcuaAccess(Model):
    """Who may do what over OPC UA with a folder of tags: the least role; the deepest rule that names it counts."""

    browse: Caller | None = Field(default=None, description="Sees the nodes; everybody.")
    read: Caller | None = Field(default=None, description="Reads and subscribes; everybody.")
    write: Caller | None = Field(
        default=None, description="Requests writes; operator, and the tag's write_role."
    )
    call: Caller | None = Field(default=None, description="Calls methods; as write.")
    history: Caller | None = Field(default=None, description="Reads history; as read.")
    edit: Caller | None = Field(default=None, description="Corrects history; engineer.")
    events: Caller | None = Field(default=None, description="Hears events and alarms; as read.")
    encrypted: Flag | None = Field(default=None, description="Takes an encrypted channel for all of it.")


class Opcua(Model):
    """The OPC UA server."""

    endpoint: str = "opc.tcp://127.0.0.1:4840"
    unencrypted: Literal["never", "loopback", "read only"] = Field(
        default="never",
        description="SecurityPolicy None, which reads and does nothing else: for programs on this machine, or for all.",
    )
    anonymous: Flag = Field(default=True, description="Who has no name may connect, to read.")
    discovery: str | None = Field(
        default=None,
        description="Discovery server to register at, opc.tcp://host:4840; its certificate must be trusted.",
    )
    key_bits: Literal[2048, 3072, 4096] = Field(default=2048, description="Of the server's own certificate.")
    access: dict[str, OpcuaAccess] = Field(
        default_factory=dict, description="Rules by folder (area/**), tag or everything ('**')."
    )


class Hmi(Model):
    """The web pages."""

    host: str = "127.0.0.1"
    port: Annotated[Whole, Field(ge=1, le=65535)] = 8080


class Historian(Model):
    """How long history is kept, and how much of the disk it may take."""

    keep: Age = Field(default=400 * _DAY_NS, description="Samples and texts.")
    minutes: Age | None = Field(
        default=None, description="Summaries of a minute, when the samples are gone; 5 years."
    )
    hours: Age | None = Field(default=None, description="Summaries of an hour; for ever.")
    events: Age | None = Field(default=None, description="Events and annotations; 5 years.")
    disk: Disk | None = Field(default=None, description="The oldest days go first when it is more; 50 %.")


class Task(Model):
    """When the blocks that name it run."""

    period: Period | None = Field(
        default=None, description="10 ms to 10 s, a whole multiple of the shortest period of the site."
    )
    priority: Annotated[Whole, Field(ge=0, le=31)] = Field(
        default=5, description="Of the tasks that are due together the smallest number runs first."
    )


class Realtime(Model):
    """What control asks of the machine that it runs on."""

    cpu: Annotated[Whole, Field(ge=0, le=1023)] | None = Field(
        default=None, description="Processor that control has for itself; the other services keep off it."
    )
    priority: Annotated[Whole, Field(ge=1, le=99)] = Field(
        default=80, description="Of SCHED_FIFO; interrupts of the kernel have 50."
    )


class Head(Model):
    """What is said once about a site."""

    site: str
    timezone: str
    scan: Period = Field(default=100_000_000, description="Period of blocks that name no task; 100 ms.")
    tasks: dict[str, Task] = Field(default_factory=dict, description="Further periods, by name.")
    realtime: Realtime = Realtime()
    opcua: Opcua = Opcua()
    hmi: Hmi = Hmi()
    historian: Historian = Historian()
    services: list[str] | None = None
    defaults: Defaults = Defaults()


class Heartbeat(Model):
    """A counter that we write while control lives, so that the PLC knows."""

    address: Address
    every: Period


class CommsAlarm(Model):
    """The one alarm of a device that does not answer."""

    priority: Priority = "high"
    response: str = ""


class SimulateTls(Model):
    """The simulated device's end of Modbus/TCP Security; files are relative to the site's folder."""

    ca: str = Field(description="Certificates that a client's must be signed by, PEM.")
    certificate: str = Field(description="Of the simulated device, PEM.")
    key: str = Field(description="Of its certificate, PEM.")
    roles: dict[str, Literal["read", "write"]] | None = Field(
        default=None,
        description="What a client may do, by the role in its certificate; others may do nothing. Absent: all may write.",
    )


class Simulate(Model):
    """What plays a device."""

    plant: Literal["water", "air", "truck", "memory"] | None = Field(
        default=None, description="water, air, truck, or memory: registers that keep what is written."
    )
    dump: str | None = Field(
        default=None, description="A file of `scada modbus dump`, relative to the site's folder."
    )
    tls: SimulateTls | None = None


class Device(Model):
    """One device; further keys belong to its driver."""

    model_config = ConfigDict(extra="allow")

    driver: str
    service: str = "field"
    heartbeat: Heartbeat | None = None
    comms_alarm: CommsAlarm = CommsAlarm()
    simulate: Annotated[
        Simulate | None, BeforeValidator(_simulate, json_schema_input_type=str | Simulate | None)
    ] = Field(default=None, description="Played on this machine: water, air, truck, memory, or keys below.")


Day = dict[str, str]


class Schedule(Model):
    """A week: times of day and what holds from then on."""

    weekdays: Day = Field(default_factory=dict)
    monday: Day | None = None
    tuesday: Day | None = None
    wednesday: Day | None = None
    thursday: Day | None = None
    friday: Day | None = None
    saturday: Day | None = None
    sunday: Day | None = None
    otherwise: str
    holidays: list[str] | str = Field(
        default_factory=list,
        description="Days on which otherwise holds: 2026-12-25, 12-25 for each year, or a calendar file (.ics).",
    )


class Display(Model):
    """One picture."""

    title: str = ""
    drawing: str
    level: Annotated[Whole, Field(ge=1, le=4)] = 2
    parameters: dict[str, Plain] = Field(default_factory=dict)


class Secret(Model):
    """Where a token or password is found; it is never written in a site."""

    env: str | None = Field(default=None, description="Name of an environment variable of `scada run`.")
    file: str | None = Field(default=None, description="Absolute path of a file whose first line it is.")


class Sink(Model):
    """A database that history is forwarded to."""

    type: Literal["influxdb", "victoriametrics"] = "influxdb"
    url: str
    api: Literal["v1", "v2"] = Field(
        default="v2", description="v2 for InfluxDB 1.8 and later, v1 for older ones."
    )
    org: str = ""
    bucket: str | None = Field(default=None, description="Bucket, or database; the site's name by default.")
    token: Secret | None = None
    user: str = ""
    password: Secret | None = None
    ca: str = Field(default="", description="PEM file of the authority that signed the server's certificate.")
    measurement: str | None = Field(default=None, description="The site's name by default.")
    keys: dict[str, Literal["path", "area", "point", "unit", "device", "site"]] = Field(
        default={"id": "path", "area": "area", "unit": "unit"},
        description="Tag keys and what they hold.",
    )
    quality: Literal["always", "exceptions"] = Field(
        default="always", description="exceptions leaves q out of samples that are Good."
    )
    tags: list[str] = Field(default=["*"], description="Patterns of paths, such as tank1/*.")
    batch: Annotated[Whole, Field(ge=1, le=50_000)] = Field(
        default=5000, description="Most samples in one request."
    )
    parallel: Annotated[Whole, Field(ge=1, le=16)] = Field(
        default=4, description="Most requests on their way at once."
    )
    events: Flag = Field(default=True, description="Events are forwarded too.")
    history: Reach = Field(
        default="all",
        validate_default=True,
        description="How far back a new or wiped database is filled from history.",
    )
    timeout: Period = 10_000_000_000
    create: Flag = Field(default=True, description="Make the bucket or database when it is missing.")
    retention: Duration | None = Field(
        default=None, description="How long a bucket that is made keeps samples."
    )
    spool: Measure = Field(
        default=Quantity(10.0, "%"), description="Share of the disk that waiting samples may take."
    )
