"""What may be written about function blocks whose inputs are expressions: signals, logic, switching and selection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from tags.site import control_models, own_models, protection_models, sequence_models
from tags.site.control_models import Block, BlockAlarm, Setpoint
from tags.site.fields import Condition, Duration, Limits, Measure, Model, Period, Rate, UnitName, Whole

_Decimals = Annotated[Whole, Field(ge=0, le=9)]
_Inputs = Annotated[list[Condition], Field(min_length=2, max_length=16)]
_Paths = Annotated[list[str], Field(min_length=2, max_length=16)]


class Function(Block):
    """A block that is made from expressions and tags."""

    def texts(self) -> Iterator[str]:
        """Its expressions."""
        for key in ("input", "up", "down", "set", "reset", "load"):
            text = getattr(self, key, None)
            if isinstance(text, str):  # `up` of a rate limit is none
                yield text
        yield from getattr(self, "inputs", ())

    def tags_read(self) -> Iterator[str]:
        """Tags that it reads by name."""
        pv, setpoint = getattr(self, "pv", None), getattr(self, "setpoint", None)
        if pv is not None:
            yield pv
        if setpoint is not None and setpoint.tag is not None:
            yield setpoint.tag


class Signal(Function):
    """One numeric input, one numeric result."""

    input: Condition
    range: Limits | None = None
    decimals: _Decimals | None = None


class Filter(Signal):
    """First-order filter."""

    block: Literal["filter"]
    time: Period


class LeadLag(Signal):
    """Lead and lag of first order."""

    block: Literal["lead_lag"]
    lead: Duration = 0
    lag: Duration
    gain: float = 1.0


class DeadTime(Signal):
    """Delay by a fixed time."""

    block: Literal["dead_time"]
    time: Period


class RateLimit(Signal):
    """A value that moves at a limited speed."""

    block: Literal["rate_limit"]
    rate: Rate | None = None
    up: Rate | None = None
    down: Rate | None = None


class Characteriser(Signal):
    """A curve of straight lines."""

    block: Literal["characteriser"]
    curve: Annotated[
        list[Annotated[list[Measure], Field(min_length=2, max_length=2)]], Field(min_length=2, max_length=64)
    ]
    outside: Literal["hold", "extend"] = "hold"
    unit: UnitName | None = None


class RatioSetting(Model):
    """The ratio that can be written."""

    initial: float
    limits: Limits | None = None
    ramp: Rate | None = None


class Ratio(Signal):
    """A set point in proportion to another value."""

    block: Literal["ratio"]
    ratio: RatioSetting
    bias: Measure | None = None
    unit: UnitName | None = None


class Totaliser(Function):
    """What has flowed."""

    block: Literal["totaliser"]
    input: Condition
    unit: UnitName
    per: Period | None = Field(
        default=None, description="Unit of time of the input, where its unit does not say so."
    )
    cutoff: Measure | None = None
    direction: Literal["both", "forward"] = "both"
    on_bad: Literal["stop", "last"] = "stop"
    reset: Condition | None = None
    decimals: _Decimals | None = None


class Select(Function):
    """One value from several measurements."""

    block: Literal["select"]
    inputs: _Inputs
    kind: Literal["min", "max", "median", "average", "first"]
    least: Annotated[Whole, Field(ge=1, le=16)] = 1
    range: Limits | None = None
    decimals: _Decimals | None = None


class Vote(Function):
    """M out of N conditions."""

    block: Literal["vote"]
    inputs: _Inputs
    need: Annotated[Whole, Field(ge=1, le=16)]
    on_bad: Literal["vote", "abstain"] = "vote"
    disagree_time: Duration = 10_000_000_000
    alarm: BlockAlarm = BlockAlarm()


class Edge(Function):
    """True for one scan (IEC 61131-3)."""

    block: Literal["edge"]
    kind: Literal["r_trig", "f_trig", "both"]
    input: Condition


class Latch(Function):
    """Set and reset (IEC 61131-3)."""

    block: Literal["latch"]
    kind: Literal["sr", "rs"]
    set: Condition
    reset: Condition


class Counter(Function):
    """Up, down or both (IEC 61131-3 CTU, CTD, CTUD)."""

    block: Literal["counter"]
    up: Condition | None = None
    down: Condition | None = None
    reset: Condition | None = None
    load: Condition | None = None
    preset: Annotated[Whole, Field(ge=-(2**31), lt=2**31)]


class OnOff(Function):
    """On/off control."""

    block: Literal["on_off"]
    pv: str
    setpoint: Setpoint
    action: Literal["reverse", "direct"]
    hysteresis: Measure
    min_on: Duration = 0
    min_off: Duration = 0
    on_bad: Literal["off", "hold", "on"] = "off"


class ThreePosition(Function):
    """Raise, rest, lower."""

    block: Literal["three_position"]
    pv: str
    setpoint: Setpoint
    action: Literal["reverse", "direct"]
    band: Measure
    hysteresis: Measure
    on_bad: Literal["off", "hold"] = "off"


class SplitOut(Model):
    """One output of a split range."""

    out: str
    from_: Limits = Field(alias="from")
    to: Annotated[list[Measure], Field(min_length=2, max_length=2)]


class SplitRange(Block):
    """One controller, several outputs."""

    block: Literal["split_range"]
    input: str
    outs: Annotated[list[SplitOut], Field(min_length=1, max_length=8)]


class OverrideSelect(Block):
    """Several controllers, one output."""

    block: Literal["override_select"]
    kind: Literal["low", "high"]
    inputs: _Paths
    out: str


MODELS: dict[str, type[Block]] = {
    "filter": Filter,
    "lead_lag": LeadLag,
    "dead_time": DeadTime,
    "rate_limit": RateLimit,
    "characteriser": Characteriser,
    "ratio": Ratio,
    "totaliser": Totaliser,
    "select": Select,
    "vote": Vote,
    "edge": Edge,
    "latch": Latch,
    "counter": Counter,
    "on_off": OnOff,
    "three_position": ThreePosition,
    "split_range": SplitRange,
    "override_select": OverrideSelect,
}
BLOCKS: dict[str, type[Block]] = {
    **control_models.MODELS,
    **MODELS,
    **protection_models.MODELS,
    **own_models.MODELS,
    **sequence_models.MODELS,
}
