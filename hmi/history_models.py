"""What the routes of history answer, for OpenAPI. Answers are encoded from arrays and not validated again."""

from __future__ import annotations

from pydantic import BaseModel

from hmi.models import Value


class Samples(BaseModel):
    """Stored samples of one tag.

    Attributes:
        t_ns: Source times, UTC, ns, in the order that was asked for. JavaScript rounds them to 256 ns.
        v: Values by the tag's type; None where the status is Bad or the number is not finite.
        status: OPC UA StatusCodes.
        next: Give this as `cursor`, with the same `start` and `end`, for the samples after these; None at the end.
    """

    path: str
    type: str
    unit: str | None
    t_ns: list[int]
    v: list[Value]
    status: list[int]
    next: str | None


class Moments(BaseModel):
    """What a tag was at given times; fields as `Samples`."""

    path: str
    unit: str | None
    t_ns: list[int]
    v: list[float | None]
    status: list[int]


class Intervals(BaseModel):
    """One value for each interval.

    Attributes:
        start_ns: Begin, UTC, ns.
        end_ns: End, not included.
        v: None where there is none.
        status: OPC UA StatusCodes, with the bits for calculated, interpolated and partial.
        percent_good: Share of the time with a Good value.
        count: Usable samples.
    """

    path: str
    aggregate: str
    unit: str | None
    start_ns: list[int]
    end_ns: list[int]
    v: list[float | None]
    status: list[int]
    percent_good: list[float]
    count: list[int]


class Column(BaseModel):
    """One tag of a grid; None in gaps."""

    unit: str | None
    v: list[float | None]
    status: list[int]


class Grid(BaseModel):
    """Several tags at the same times."""

    t_ns: list[int]
    tags: dict[str, Column]


class AggregateInfo(BaseModel):
    """One aggregate.

    Attributes:
        name: As `aggregate` takes it.
        opcua: BrowseName in OPC 10000-13 of the same rule; also taken.
    """

    name: str
    opcua: str | None


class AggregateList(BaseModel):
    """All aggregates."""

    aggregates: list[AggregateInfo]
