"""Kinds of values in YAML that more than one model uses: durations, quantities, rates, ranges, conditions."""

from __future__ import annotations

import re
from typing import Annotated, Any, NamedTuple

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainValidator,
    StrictBool,
    StrictInt,
    WithJsonSchema,
)

from tags import units


class Model(BaseModel):
    """Base of everything that is written in YAML: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class Quantity(NamedTuple):
    """A number as written.

    Attributes:
        value: In `unit`.
        unit: Canonical symbol, or None for a bare number.
    """

    value: float
    unit: str | None = None


class Pair(NamedTuple):
    """Lowest and highest, low < high."""

    low: Quantity
    high: Quantity


class Space(NamedTuple):
    """Room on a disk: one of the two is not 0.

    Attributes:
        size: Bytes.
        share: Of the disk, 0 … 1.
    """

    size: int = 0
    share: float = 0.0


class RateValue(NamedTuple):
    """A speed of change.

    Attributes:
        value: In `unit` per second.
        unit: Canonical symbol, or None.
    """

    value: float
    unit: str | None = None


def quantity(data: Any) -> Quantity:
    """A number with or without a unit."""
    return Quantity(*units.quantity(data))


def pair(data: Any) -> Pair:
    """Two numbers in a list, the lower one first."""
    if not isinstance(data, list) or len(data) != 2:
        raise ValueError(f"{data!r} is not two numbers. Write [lowest, highest]")
    low, high = quantity(data[0]), quantity(data[1])
    if low.unit is None and high.unit is not None:
        low = Quantity(low.value, high.unit)
    if high.unit is None and low.unit is not None:
        high = Quantity(high.value, low.unit)
    in_low = units.convert(high.value, high.unit, low.unit)
    if not low.value < in_low:
        raise ValueError(f"{data[0]} is not below {data[1]}. Write the lower one first")
    return Pair(low, high)


def rate(data: Any) -> RateValue:
    """A quantity per time."""
    found = RateValue(*units.rate(data))
    if found.value < 0:
        raise ValueError(f"{data} is negative. Write how fast it may change in either direction")
    return found


def period(data: Any) -> int:
    """A duration that is not 0."""
    ns = units.duration_ns(data)
    if ns < 1_000_000:
        raise ValueError(f"{data} is shorter than 1 ms. Write for example 500 ms")
    return ns


_DAY_NS = 86_400_000_000_000


def shelf(data: Any) -> int:
    """How long an alarm may be shelved: no longer than a request can ask for."""
    ns = units.duration_ns(data)
    if ns > 7 * _DAY_NS:
        raise ValueError(f"{data} is longer than 7 d: nothing is shelved for longer. Write a shorter time")
    return ns


# The longest month and the longest year: what is promised for a year is there for the whole of any year.
_AGES = {
    "day": _DAY_NS,
    "days": _DAY_NS,
    "week": 7 * _DAY_NS,
    "weeks": 7 * _DAY_NS,
    "month": 31 * _DAY_NS,
    "months": 31 * _DAY_NS,
    "year": 366 * _DAY_NS,
    "years": 366 * _DAY_NS,
}
_BYTES = {
    **{unit: 1000**i for i, unit in enumerate(("kB", "MB", "GB", "TB"), 1)},
    **{unit: 1024**i for i, unit in enumerate(("KiB", "MiB", "GiB", "TiB"), 1)},
}


def age(data: Any) -> int:
    """How long something is kept, ns; 0 for ever."""
    if data == "forever":
        return 0
    number, unit = _number_of(data)
    try:
        ns = round(number * _AGES[unit]) if unit in _AGES else units.duration_ns(data)
    except (units.UnitError, OverflowError):
        raise ValueError(f"{data!r} is not an age. Write for example 400 days, 5 years, or forever") from None
    if not _DAY_NS <= ns < 2**62:
        raise ValueError(f"{data!r} is not between a day and 146 years. Write forever for no end")
    return ns


def reach(data: Any) -> int:
    """How far back history is sent, ns; 0 for all of it, -1 for none."""
    words = {"all": 0, "none": -1}
    if isinstance(data, str) and data in words:
        return words[data]
    try:
        return age(data)
    except ValueError:
        raise ValueError(
            f"{data!r} is not a part of history. Write all, none, or for example 400 days"
        ) from None


def space(data: Any) -> Space:
    """Room on a disk."""
    number, unit = _number_of(data)
    if unit == "%" and 0 < number <= 90:
        return Space(share=number / 100)
    if unit == "%":
        raise ValueError(f"{data!r} is not above 0 and up to 90 %. Write for example 50 %")
    if unit in _BYTES and 1e8 <= number * _BYTES[unit] < 2**60:
        return Space(size=round(number * _BYTES[unit]))
    if unit in _BYTES:
        raise ValueError(f"{data!r} is not 100 MB or more. Write for example 10 GB")
    raise ValueError(f"{data!r} is not room on a disk. Write for example 50 % or 10 GB")


def _number_of(data: Any) -> tuple[float, str]:
    """Number and unit of a text; (0, "") for what is none."""
    match = re.fullmatch(rf"\s*({units.NUMBER})\s*(\S+)\s*", data) if isinstance(data, str) else None
    return (float(match[1]), match[2]) if match else (0.0, "")


def condition(data: Any) -> str:
    """An expression; a bare true, false or number is one too."""
    if isinstance(data, bool):
        return "true" if data else "false"
    if isinstance(data, int | float):
        return repr(data)
    if not isinstance(data, str):
        raise ValueError(f"{data!r} is not an expression such as tank1/LT-101 > 0.8 m")  # noqa: TRY004
    return data


def plain(data: Any) -> Any:
    """A single value of any type."""
    if isinstance(data, dict | list):
        raise ValueError("a single value is wanted here, not a list or keys")  # noqa: TRY004
    return data


def address(data: Any) -> str:
    """A device address; its driver reads it as text, and knows what a fraction may mean."""
    if isinstance(data, bool) or not isinstance(data, str | int | float):
        raise ValueError(f"{data!r} is not an address. Write it as the driver wants it, in quotes if need be")  # noqa: TRY004
    return str(data)


class Bounds(NamedTuple):
    """First and last index of an array."""

    first: int
    last: int


def bounds(data: Any) -> Bounds:
    """Indices of an array as IEC 61131-3 writes them: `1..8`."""
    match = re.fullmatch(r" *([0-9]{1,5}) *\.\. *([0-9]{1,5}) *", data) if isinstance(data, str) else None
    if match is None:
        text = f"{data!r} is not an array's first and last index. Write for example 1..8"
        if isinstance(data, int) and not isinstance(data, bool) and data > 0:
            text = f"{data} may count from 0 or from 1. Write 0..{data - 1}, or 1..{data}"
        raise ValueError(text)
    first, last = int(match[1]), int(match[2])
    if not first <= last < first + ARRAY_MAX:
        raise ValueError(f"{data} is not a lower and an upper index, with at most {ARRAY_MAX} elements")
    return Bounds(first, last)


def states(data: Any) -> Any:
    """Texts of discrete values: a list from 0, or a mapping; true and false are 1 and 0."""
    if isinstance(data, list):
        data = dict(enumerate(data))
    if not isinstance(data, dict):
        return data
    numbers = {"true": "1", "false": "0"}
    found = {}
    for key, text in data.items():
        number = numbers.get(str(key), str(key))
        if not number.lstrip("-").isdecimal():
            raise ValueError(f"{key!r} is not a whole number. Write {{0: Stopped, 1: Running}}")
        if not isinstance(text, str):
            raise ValueError(f"{text!r} is not a text. Put it in quotes")  # noqa: TRY004
        found[number] = text
    return found


ARRAY_MAX = 10_000
_NUMBER_OR_TEXT = {"type": ["number", "string"]}
_DURATION = {
    "type": "string",
    "pattern": r"^\s*[0-9.]+\s*(ns|us|µs|ms|s|min|h|d)\s*$",
    "description": "A duration with its unit, such as 500 ms or 10 min.",
}

Duration = Annotated[int, PlainValidator(units.duration_ns), WithJsonSchema(_DURATION)]
Period = Annotated[int, PlainValidator(period), WithJsonSchema(_DURATION)]
Shelf = Annotated[int, PlainValidator(shelf), WithJsonSchema(_DURATION)]
Age = Annotated[
    int,
    PlainValidator(age),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\s*[0-9.]+\s*(h|d|days?|weeks?|months?|years?)\s*$|^forever$",
            "description": "How long, such as 400 days, 5 years or forever.",
        }
    ),
]
Reach = Annotated[
    int,
    PlainValidator(reach),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\s*[0-9.]+\s*(h|d|days?|weeks?|months?|years?)\s*$|^all$|^none$",
            "description": "How much of history: all, none, or such as 400 days.",
        }
    ),
]
Disk = Annotated[
    Space,
    PlainValidator(space),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\s*[0-9.]+\s*(%|[kMGT]B|[KMGT]iB)\s*$",
            "description": "A share of the disk, such as 50 %, or a size, such as 10 GB.",
        }
    ),
]
Measure = Annotated[
    Quantity,
    PlainValidator(quantity),
    WithJsonSchema({**_NUMBER_OR_TEXT, "description": "A number with its unit, such as 4.6 m."}),
]
Limits = Annotated[
    Pair,
    PlainValidator(pair),
    WithJsonSchema(
        {
            "type": "array",
            "items": _NUMBER_OR_TEXT,
            "minItems": 2,
            "maxItems": 2,
            "description": "[lowest, highest]",
        }
    ),
]
Rate = Annotated[
    RateValue,
    PlainValidator(rate),
    WithJsonSchema({"type": "string", "description": "A speed of change, such as 0.1 m/min or 5 %/s."}),
]
Condition = Annotated[
    str,
    PlainValidator(condition),
    WithJsonSchema(
        {
            "type": ["string", "boolean", "number"],
            "description": "An expression, such as tank1/LT-101 > 0.8 m.",
        }
    ),
]
Plain = Annotated[
    Any, PlainValidator(plain), WithJsonSchema({"type": ["string", "number", "boolean", "null"]})
]
Array = Annotated[
    Bounds,
    PlainValidator(bounds),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\s*[0-9]+\s*\.\.\s*[0-9]+\s*$",
            "description": "First and last index of several tags, such as 1..8.",
        }
    ),
]
Address = Annotated[str, PlainValidator(address), WithJsonSchema({"type": ["string", "integer"]})]
States = Annotated[
    dict[str, str],
    BeforeValidator(states),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": {"type": "string"}},
                {"type": "object", "additionalProperties": {"type": "string"}},
            ],
            "description": "Texts of discrete values, such as {0: Stopped, 1: Running}.",
        }
    ),
]
UnitName = Annotated[str, WithJsonSchema({"type": "string", "enum": sorted(units.UNITS)})]
Flag = StrictBool
Whole = StrictInt
