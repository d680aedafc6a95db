"""Register dumps: what a device held, as text that a person can read and the simulator can play.

JSON Lines. The first line says whose registers these are, each further line is one range at one time:

    {"modbus_dump": 1, "device": "PLC1", "endpoint": "tcp://192.168.10.11:502", "unit": 1, "utc": "2026-11-22T23:00:00Z", "every": 1.0}
    {"t": 0.0, "table": "holding", "address": 100, "values": [2048, 17]}
    {"t": 0.0, "table": "input", "address": 7, "count": 2, "exception": 2}

`t` is seconds since the first line was made, bits are 0 and 1, and a range with `exception` was refused by the device. The
first line may hold more, for people.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

VERSION: Final = 1
TABLES: Final = ("coil", "discrete", "holding", "input")
BIT_TABLES: Final = frozenset({"coil", "discrete"})
RANGES_MAX: Final = 1_000_000
"""Most ranges in one dump: an hour of 100 ranges every 0.4 s."""
_RANGE_KEYS: Final = {"t", "table", "address", "values", "count", "exception"}
_EXAMPLE: Final = 'Write for example {"t": 0.0, "table": "holding", "address": 100, "values": [1, 2]}'


@dataclass(frozen=True, slots=True)
class Header:
    """Whose registers a dump holds.

    Attributes:
        device: Name in its site, or empty.
        endpoint: Where it was read, or empty.
        unit: Unit identifier, 0 … 255.
        utc: When, ISO 8601, or empty.
        every_s: Period of the recording, s; a dump that is played begins again so long after its last range.
        identification: What the device says about itself (function code 43/14), by name of the object.
    """

    device: str = ""
    endpoint: str = ""
    unit: int = 1
    utc: str = ""
    every_s: float = 1.0
    identification: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Range:
    """Consecutive addresses at one time: their values, or that the device refused them.

    Attributes:
        t_s: Seconds since the start, to the microsecond.
        table: One of `TABLES`.
        address: First, zero-based.
        values: 0 … 65535, or 0 and 1 for bits; empty when it was refused.
        count: How many addresses.
        exception: The device's exception code, 1 … 255, or None.
    """

    t_s: float
    table: str
    address: int
    values: tuple[int, ...]
    count: int
    exception: int | None = None


@dataclass(frozen=True, slots=True)
class Dump:
    """A whole dump.

    Attributes:
        header: Whose.
        ranges: Ordered by time.
    """

    header: Header
    ranges: tuple[Range, ...] = field(default=())

    @property
    def length_s(self) -> float:
        """Time from its start until it begins again, s."""
        return (self.ranges[-1].t_s if self.ranges else 0.0) + self.header.every_s


def lines(header: Header, ranges: Iterable[Range]) -> Iterator[str]:
    """The text of a dump, line by line, each with its end of line."""
    head: dict[str, Any] = {"modbus_dump": VERSION, "device": header.device, "endpoint": header.endpoint}
    head |= {"unit": header.unit, "utc": header.utc, "every": header.every_s}
    if header.identification:
        head["identification"] = dict(header.identification)
    yield json.dumps(head) + "\n"
    for part in ranges:
        line: dict[str, Any] = {"t": round(part.t_s, 6), "table": part.table, "address": part.address}
        line |= (
            {"values": list(part.values)}
            if part.exception is None
            else {"count": part.count, "exception": part.exception}
        )
        yield json.dumps(line) + "\n"


def parse(text: str) -> Dump:
    """The dump that a text holds.

    Args:
        text: Of a whole file.

    Raises:
        ValueError: `line 3: what is wrong. What to do.`
    """
    header: Header | None = None
    ranges: list[Range] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            data = _object(line)
            if header is None:
                header = _header(data)
            else:
                ranges.append(_following(_range(data), ranges))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
    if header is None:
        raise ValueError("line 1: there is nothing in it. Record one with: scada modbus dump")
    return Dump(header, tuple(ranges))


def _following(part: Range, before: list[Range]) -> Range:
    if len(before) == RANGES_MAX:
        raise ValueError(f"more than {RANGES_MAX} ranges. Record for a shorter time, or less often.")
    if before and part.t_s < before[-1].t_s:
        raise ValueError("t is smaller than in the line before. Put the lines in order of time.")
    return part


def _object(line: str) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError(f"this is not JSON. {_EXAMPLE}.") from None
    if not isinstance(data, dict):
        raise ValueError(f"this is no JSON object. {_EXAMPLE}.")  # noqa: TRY004 - one kind of error for a bad dump
    return data


def _header(data: dict[str, Any]) -> Header:
    if data.get("modbus_dump") != VERSION or isinstance(data["modbus_dump"], bool):
        raise ValueError(
            'this is no dump: its first line begins {"modbus_dump": 1. Record one with: scada modbus dump'
        )
    texts = {key: data.get(key, "") for key in ("device", "endpoint", "utc")}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise ValueError(f"{key}: {value!r} is not a text. Put it in quotes.")  # noqa: TRY004 - as above
    every = _seconds(data, "every", 1.0)
    if every <= 0.0:
        raise ValueError("every: it must be above 0 s.")
    names = data.get("identification", {})
    if not isinstance(names, dict) or not all(isinstance(value, str) for value in names.values()):
        raise ValueError('identification: write names and texts: {"VendorName": "ACME"}.')
    return Header(unit=_whole(data, "unit", 0, 255, 1), every_s=every, identification=names, **texts)


def _range(data: dict[str, Any]) -> Range:
    _only(data, _RANGE_KEYS)
    table = data.get("table")
    if table not in TABLES:
        raise ValueError(f"table: {table!r} is not one of {', '.join(TABLES)}.")
    address = _whole(data, "address", 0, 65535)
    t_s = round(_seconds(data, "t", 0.0), 6)  # as it is written
    if "exception" in data:
        if "values" in data:
            raise ValueError("it has values and an exception. Keep one of them.")
        count = _whole(data, "count", 1, 65536 - address, 1)
        return Range(t_s, table, address, (), count, _whole(data, "exception", 1, 255))
    values = data.get("values")
    most = 1 if table in BIT_TABLES else 65535
    if not isinstance(values, list) or not values:
        raise ValueError(f"values: a list with at least one number is missing. {_EXAMPLE}.")
    if not all(type(value) is int and 0 <= value <= most for value in values):
        raise ValueError(f"values: whole numbers 0 … {most} are needed in a {table} range.")
    if address + len(values) > 65536:
        raise ValueError("values: they reach beyond address 65535.")
    if "count" in data and data["count"] != len(values):
        raise ValueError(f"count: there are {len(values)} values. Leave count out.")
    return Range(t_s, table, address, tuple(values), len(values))


def _only(data: dict[str, Any], known: set[str]) -> None:
    for key in data:
        if key not in known:
            raise ValueError(f"unknown key {key[:40]!r}. There are {', '.join(sorted(known))}.")


def _whole(data: dict[str, Any], key: str, low: int, high: int, default: int | None = None) -> int:
    value = data.get(key, default)
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{key}: {_short(value)} is not a whole number in {low} … {high}.")
    return value


def _seconds(data: dict[str, Any], key: str, default: float) -> float:
    value = data.get(key, default)
    if type(value) not in (int, float) or not 0 <= value <= 1e7 or not math.isfinite(value):
        raise ValueError(f"{key}: {_short(value)} is not a number of seconds, 0 or more.")
    return float(value)


def _short(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # a number with thousands of digits
        return "this"
    return text if len(text) <= 40 else text[:40] + "…"
