"""A line to Modbus devices for commissioning: the same transports, rules and checks as the field service."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Self

from scada.cli.modbus_values import BIT_TABLES, Range
from scada.clock import SystemClock
from scada.field.driver import NoReplyError, RefusedError
from scada.field.modbus import Modbus
from scada.field.modbus.config import Config
from scada.field.modbus.link import Link
from scada.modbus import wire
from scada.modbus.wire import Pdu

NOBODY: Final = frozenset({10, 11})
_HOLES: Final = frozenset({2, 3})
_LOOK_CLOSER: Final = 8
_TRIES: Final = 3
_PAUSE_S: Final = 1.0


class NoConnectionError(Exception):
    """Nobody can be asked at this endpoint."""


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive addresses as they were read.

    Attributes:
        range: Which.
        values: 0 … 65535, or 0 and 1; empty when the device refused them.
        exception: The device's exception code, or None.
    """

    range: Range
    values: tuple[int, ...]
    exception: int | None = None


class Line:
    """Asks the units behind one endpoint, one request at a time.

    Args:
        config: Endpoint, time-out, unit that is meant when none is named.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._driver = Modbus(SystemClock())
        self._links: dict[int, Link] = {}

    async def ask(self, pdu: Pdu, unit: int | None = None) -> bytes:
        """Sends a request; connects first where that is needed.

        Returns:
            The data of the right reply, behind the function code.

        Raises:
            NoConnectionError: There is no connection.
            RefusedError: The device answered with an exception.
            NoReplyError: Nothing right came in time.
        """
        link = self._link(self.config.unit_id if unit is None else unit)
        if not link.open:
            for _ in range(_TRIES):
                if await link.connect():
                    break
            else:
                raise NoConnectionError(f"{self.config.endpoint}: {link.reason or 'no connection'}")
        return await link.ask(link.prepare(pdu))

    def _link(self, unit: int) -> Link:
        if unit not in self._links:
            config = self.config.model_copy(update={"unit_id": unit})
            self._links[unit] = self._driver.session(config, ()).link
        return self._links[unit]

    def close(self) -> None:
        """Drops the connection."""
        for link in self._links.values():
            link.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


async def read(line: Line, wanted: Range, *, fine: bool = False) -> list[Part]:
    """Reads a range in as few requests as the device takes; what it refuses is narrowed down.

    Args:
        line: To the device.
        wanted: Any length.
        fine: Every single address of what is refused is looked at. Otherwise a block whose first, middle and last
            address are refused is taken to be refused as a whole.

    Returns:
        Parts that cover the range in order, refused ones with their exception.

    Raises:
        NoConnectionError: There is no connection.
        NoReplyError: A request had no right reply.
    """
    limit = line.config.max_coils if wanted.table in BIT_TABLES else line.config.max_registers
    parts: list[Part] = []
    for first in range(wanted.first, wanted.first + wanted.count, limit):
        count = min(limit, wanted.first + wanted.count - first)
        parts += await _block(line, Range(wanted.table, first, count), fine)
    return list(_joined(parts))


async def _block(line: Line, block: Range, fine: bool) -> list[Part]:
    try:
        data = await line.ask(wire.read(block.table, block.first, block.count))
    except RefusedError as error:
        refused = Part(block, (), error.code)
    else:
        return [Part(block, _values(block, data[1:]))]
    if refused.exception not in _HOLES or block.count == 1:
        return [refused]
    if not fine and block.count >= _LOOK_CLOSER:
        probes = (block.first, block.first + block.count // 2, block.first + block.count - 1)
        if all([(await _block(line, Range(block.table, at, 1), fine))[0].exception for at in probes]):
            return [refused]
    half = block.count // 2
    return [
        *await _block(line, Range(block.table, block.first, half), fine),
        *await _block(line, Range(block.table, block.first + half, block.count - half), fine),
    ]


def _values(block: Range, data: bytes) -> tuple[int, ...]:
    if block.table in BIT_TABLES:
        return tuple(data[i // 8] >> i % 8 & 1 for i in range(block.count))
    return struct.unpack(f">{block.count}H", data)


def _joined(parts: list[Part]) -> Iterator[Part]:
    """Neighbours of one kind as one."""
    last: Part | None = None
    for part in parts:
        if last is not None and last.exception == part.exception:
            both = Range(last.range.table, last.range.first, last.range.count + part.range.count)
            last = Part(both, last.values + part.values, part.exception)
            continue
        if last is not None:
            yield last
        last = part
    if last is not None:
        yield last


IDENTITY: Final = ("VendorName", "ProductCode", "MajorMinorRevision", "VendorUrl", "ProductName", "ModelName", "UserApplicationName")  # fmt: skip
"""Objects 0 … 6 of function code 43/14 (Modbus Application Protocol 1.1b3, 6.21)."""
_BASIC, _REGULAR = 1, 2
_OBJECTS_MOST: Final = 32
_ASKED_MOST: Final = 16


async def identity(line: Line, unit: int) -> dict[str, str]:
    """What a device says about itself: function code 43/14, else 17; empty where it says nothing.

    Raises:
        NoConnectionError: There is no connection.
        NoReplyError: A request had no right reply.
    """
    for code in (_REGULAR, _BASIC):
        try:
            if found := await _objects(line, unit, code):
                return found
        except RefusedError:
            continue
    try:
        data = await line.ask(Pdu(17, b"", b"", None), unit)
    except RefusedError:
        return {}
    text = "".join(chr(byte) if 32 <= byte < 127 else " " for byte in data[1:]).strip()
    return {"ServerId": text} if text else {}


async def _objects(line: Line, unit: int, code: int) -> dict[str, str]:
    found: dict[str, str] = {}
    start = 0
    for _ in range(_ASKED_MOST):
        data = await line.ask(Pdu(43, bytes((14, code, start)), bytes((14, code)), None), unit)
        more, start, objects = parse_objects(data)
        found |= {name_of(number): text for number, text in objects}
        if not more or len(found) >= _OBJECTS_MOST:
            break
    return found


def parse_objects(data: bytes) -> tuple[bool, int, list[tuple[int, str]]]:
    """The objects in a reply to 43/14, behind the function code; what is cut off is left out.

    Returns:
        Whether there are more, the object to ask for next, and (number, text).
    """
    if len(data) < 6:
        return False, 0, []
    objects, at = [], 6
    for _ in range(data[5]):
        if at + 2 > len(data) or at + 2 + data[at + 1] > len(data):
            break
        number, end = data[at], at + 2 + data[at + 1]
        objects.append((number, data[at + 2 : end].decode("utf-8", "replace").strip("\0 ")))
        at = end
    return data[3] == 0xFF and bool(objects), data[4], objects


def name_of(number: int) -> str:
    """Name of an object of 43/14."""
    return IDENTITY[number] if number < len(IDENTITY) else f"object {number}"


@dataclass(frozen=True, slots=True)
class Found:
    """A unit that answers.

    Attributes:
        unit: Its identifier.
        tables: The tables that it has: those whose function code is not refused as such.
        identity: What it says about itself.
    """

    unit: int
    tables: tuple[str, ...]
    identity: dict[str, str]


async def scan(line: Line, units: list[int], seen: Callable[[int], None]) -> tuple[list[Found], int]:
    """Finds the units that answer: with a value or with an exception of their own.

    Args:
        line: To the endpoint.
        units: Identifiers to try.
        seen: Called with each identifier before it is tried.

    Returns:
        What was found, and how many were tried: fewer than all when the endpoint did not take connections any more.

    Raises:
        NoConnectionError: There was no connection at all.
    """
    found: list[Found] = []
    for number, unit in enumerate(units):
        seen(unit)
        try:
            one = await _look(line, unit)
        except NoConnectionError:
            if number == 0:
                raise
            await asyncio.sleep(_PAUSE_S)  # some endpoints want a rest between two connections
            try:
                one = await _look(line, unit)
            except NoConnectionError:
                return found, number
        if one is not None:
            found.append(one)
    return found, len(units)


async def _look(line: Line, unit: int) -> Found | None:
    tables = []
    try:
        for table in ("holding", "input", "coil", "discrete"):
            try:
                await line.ask(wire.read(table, 0, 1), unit)
            except RefusedError as error:
                if error.code in NOBODY:
                    return None
                if error.code == 1:
                    continue
            tables.append(table)
    except NoReplyError:
        return None if not tables else Found(unit, tuple(tables), {})
    try:
        return Found(unit, tuple(tables), await identity(line, unit))
    except NoReplyError:  # some devices do not answer what they do not know
        return Found(unit, tuple(tables), {})
