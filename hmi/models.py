"""What the HTTP interface says and takes, for OpenAPI. The page's types are in `web/src/model.ts`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Value = bool | int | float | str | None
Plain = Annotated[bool, Field(strict=True)] | Annotated[int, Field(strict=True)] | float | str | None


class Problem(BaseModel):
    """Why something was refused, in words."""

    detail: str


class Reading(BaseModel):
    """A tag's value now.

    Attributes:
        value: By the tag's type, engineering units; the last one known when the quality is not good.
        status: OPC UA StatusCode, staleness applied.
        quality: Its name.
        source_ms: When it was true at its source, UTC, ms; 0 for never.
        age_s: Since it was published, s; -1 for never.
    """

    value: Value
    status: int
    quality: str
    source_ms: int
    age_s: float


class TagInfo(BaseModel):
    """What a tag is. Fields as in `tags.model.Tag`; `mode` is the mode tag of the block that drives it."""

    path: str
    type: str
    kind: str
    description: str
    unit: str | None
    range: tuple[float, float] | None
    decimals: int
    states: dict[str, str]
    scan_s: float
    device: str | None
    owner: str | None
    writable: bool
    write_role: str
    limits: tuple[float, float] | None
    step: bool
    display: str | None
    command: str | None
    remote: str | None
    mode: str | None
    block: str | None
    history: bool


class TagWithReading(TagInfo):
    """A tag and its value now."""

    reading: Reading


class TagList(BaseModel):
    """Tags found; `total` counts those that were cut off too."""

    tags: list[TagWithReading]
    total: int


class LastWrite(BaseModel):
    """Who wrote a tag last, in what way and how it ended."""

    user: str
    source: str
    status: str
    utc_ms: int
    value: Value
    reason: str


class BlockInfo(BaseModel):
    """A function block: its points, and the tags that it reads and drives by role (`pv`, `out`, …)."""

    path: str
    type: str
    points: dict[str, str]
    links: dict[str, str]


class BlockList(BaseModel):
    """The control program, in execution order."""

    blocks: list[BlockInfo]


class LimitInfo(BaseModel):
    """A limit alarm of a tag."""

    path: str
    kind: str
    limit: float
    priority: str


class TagDetail(TagWithReading):
    """Everything about one tag."""

    last_write: LastWrite | None
    blocks: list[BlockInfo]
    related: list[TagInfo]
    limit_alarms: list[LimitInfo]
    alarms: list[AlarmInfo]


class History(BaseModel):
    """A tag's past for a trend.

    Attributes:
        t: Times, UTC, ms, rising.
        v: Values; None is a gap (bad, missing).
        samples: How many were stored in the range.
        decimated: Fewer than stored are given: first, lowest, highest and last of each pixel.
        truncated: The range holds more than is read at once; its end is missing.
    """

    path: str
    start_ms: int
    end_ms: int
    t: list[float]
    v: list[float | None]
    samples: int
    decimated: bool
    truncated: bool


class Remark(BaseModel):
    """What somebody did with an alarm: when, UTC, ms; who; the comment."""

    t_ms: int
    user: str
    text: str


class AlarmInfo(BaseModel):
    """An alarm that is not at rest, or that people have put aside.

    Attributes:
        bits: 1 active, 2 unacknowledged, 4 suppressed, 8 shelved, 16 out of service, 32 to be confirmed, 64 disabled, 128
            shelved until it is normal, 256 suppressed by a person.
        number: Of its last event; it grows.
        shelve_max_s: It may be shelved this long, s; 0 for not at all.
        unshelve_ms: When its shelf ends, UTC, ms; null when it is not shelved.
        acknowledged: Of its last activation.
        comment: The last one.
        aside: Who has put it aside and why.
    """

    path: str
    tag: str
    bits: int
    priority: str
    message: str
    response: str
    value: Value
    since_ms: int
    number: int
    shelve_max_s: float
    unshelve_ms: int | None
    acknowledged: Remark | None
    comment: Remark | None
    aside: Remark | None


class AlarmEvent(BaseModel):
    """What happened to an alarm.

    Attributes:
        t_ms: UTC, ms.
        action: `raise`, `clear`, `acknowledge`, `shelve`, ….
        before: Its state before, bits as of an alarm.
        after: Its state after.
        user: Who did it; empty for the process, and for a shelf whose time was over.
        until_ms: When a shelf ends, UTC, ms.
    """

    t_ms: int
    path: str
    action: str
    before: int
    after: int
    priority: str
    message: str
    value: Value
    user: str
    source: str
    comment: str
    until_ms: int | None


class AlarmEvents(BaseModel):
    """Events of alarms, the newest first; `more` when older ones were cut off."""

    events: list[AlarmEvent]
    more: bool


class Counts(BaseModel):
    """How many alarms by priority, hidden ones left out."""

    unacknowledged: dict[str, int]
    active: dict[str, int]


class AlarmList(BaseModel):
    """All alarms that are not at rest, the most urgent first."""

    alarms: list[AlarmInfo]
    counts: Counts


class DisplayInfo(BaseModel):
    """A picture of the site."""

    name: str
    title: str
    level: int


class DisplayList(BaseModel):
    """All pictures."""

    displays: list[DisplayInfo]


class DisplayDetail(DisplayInfo):
    """A picture with its drawing, its tags and the blocks that they belong to."""

    svg: str
    tags: list[TagInfo]
    blocks: list[BlockInfo]


class ServiceInfo(BaseModel):
    """One service of the plant."""

    name: str
    state: str
    heartbeat_age_s: float | None
    memory_mb: float | None


class DeviceInfo(BaseModel):
    """One device and what field says of it."""

    name: str
    driver: str
    connected: bool | None
    reason: str = Field(description="Why it is not connected; empty when it is, or when that is not known")
    outputs: bool = Field(description="It has outputs, so that arming it means something")
    armed: bool | None
    simulated: bool
    values: dict[str, float | bool | None]


class ForceInfo(BaseModel):
    """One value that is held by hand."""

    path: str
    value: Value
    expires_ms: int | None
    user: str
    reason: str


class BypassInfo(BaseModel):
    """A protection that is out of action."""

    path: str
    until_ms: int
    since_ms: int
    user: str
    reason: str


class Status(BaseModel):
    """The system itself."""

    site: str
    version: str
    epoch: int
    utc_ms: int
    tags: int
    services: list[ServiceInfo]
    devices: list[DeviceInfo]
    forces: list[ForceInfo]
    bypasses: list[BypassInfo]
    alarms: Counts
    clients: int


class SessionInfo(BaseModel):
    """Who is signed in with this cookie, and what the page needs to know at its start."""

    user: str | None
    role: str
    site: str
    timezone: str
    build: str


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Login(_Body):
    """Name and password."""

    name: str = Field(min_length=1, max_length=32)
    password: str = Field(min_length=1, max_length=1024)


class Empty(_Body):
    """Nothing; keeps a POST from being a simple request."""


class Ask(_Body):
    """A request to control.

    Attributes:
        id: 32 hex digits of the sender's making; repeating it returns the recorded outcome and does nothing else.
        items: Path and value; for alarms alarm path and a comment, or null for the reason as the comment.
        for_s: How long a force, a bypass or a shelf holds, s; a shelf without it ends when the alarm is normal.
        deadline_s: Control gives up after this, s.
    """

    id: str | None = Field(default=None, pattern="^[0-9a-f]{32}$")
    kind: Literal[
        "write", "force", "unforce", "bypass", "unbypass",
        "acknowledge", "confirm", "comment", "shelve", "unshelve", "suppress", "unsuppress", "remove", "return", "enable",
        "disable",
    ]  # fmt: skip
    items: list[tuple[str, Plain]] = Field(min_length=1, max_length=64)
    reason: str = Field(default="", max_length=500)
    for_s: float | None = Field(default=None, gt=0, le=604_800)
    deadline_s: float = Field(default=5.0, ge=0.1, le=60.0)


class OutcomeInfo(BaseModel):
    """What became of a request: `confirmed`, `rejected`, `timed out`, `mismatched` or `superseded`."""

    id: str
    status: str
    reasons: list[str]
    items: list[tuple[str, Value]]
    old: list[Value]
