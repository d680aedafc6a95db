"""One Modbus device at work: its plan, its link, its decoders and its writes behind the driver interface."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from scada.clock import Clock
from scada.field.driver import Reading
from scada.field.modbus import encode, plan, writes
from scada.field.modbus.address import BIT_TABLES, TABLES, Address
from scada.field.modbus.bus import Bus
from scada.field.modbus.config import Config
from scada.field.modbus.decode import Point
from scada.field.modbus.group import Group
from scada.field.modbus.holes import Layout
from scada.field.modbus.link import Link
from scada.field.modbus.turns import HEARTBEAT, STOP, WRITE
from scada.modbus import wire
from scada.modbus.wire import Pdu
from tags.model import Tag

DEFAULT_PERIOD_NS: Final = 1_000_000_000
_ALONE: Final = 1 << 20  # added to the number of a request that is not asked in each poll


class ModbusDevice:
    """Implements `scada.field.driver.Session`.

    Args:
        config: Of the device.
        tags: Its tags, addresses parsed; positions below are positions in it.
        clock: For time stamps and latency.
        bus: Its connection, which other devices with the same endpoint share.
    """

    def __init__(self, config: Config, tags: Sequence[Tag], clock: Clock, bus: Bus) -> None:
        self._config = config
        self._window = config.window
        self._clock = clock
        self._points = [Point(Address.of(tag.address or {}), tag.type, tag.scaling) for tag in tags]
        self._stops = [tag.write is not None and tag.write.stop for tag in tags]
        periods = [tag.scan_ns or DEFAULT_PERIOD_NS for tag in tags]
        groups = plan.plan([p.address for p in self._points], periods, config)
        self.timeout_ns = config.timeout_ns
        self.link = Link(config, clock, bus)
        self.periods = tuple((group.period_ns, group.phase_ns) for group in groups)
        self._groups = [self._group(group.requests) for group in groups]
        addresses = [point.address for point in self._points]
        limits = {
            table: config.max_coils if table in BIT_TABLES else config.max_registers for table in TABLES
        }
        self._layouts = [Layout(addresses, group.requests, limits) for group in groups]
        self._probes = [range(0)] * len(groups)
        self._wanted: Callable[[], bool] = _always
        self._place: dict[int, tuple[int, int]] = {}
        for number in range(len(self._groups)):
            self._index(number)

    def count(self, group: int) -> int:
        """Number of requests of the poll of a group that begins or goes on."""
        return self._layouts[group].polled + len(self._probes[group])

    def place(self, position: int) -> tuple[int, int]:
        """Group and request that read a tag."""
        return self._place[position]

    def fetch(self, group: int, number: int, most: int = 0) -> Coroutine[Any, Any, int]:
        """Sends the next requests of a group, as many as may be on their way, and keeps their answers for `reading`.

        Args:
            group: Which.
            number: Position of the first request.
            most: Requests at most; 0 for as many as the device may have at once.

        Returns:
            How many were answered, at least 1.

        Raises:
            NoReplyError: The connection was lost or dropped.
        """
        layout, many = self._layouts[group], most or self._window
        if number >= _ALONE:
            return self._groups[group].fetch(number - _ALONE, 1)
        if number < layout.polled:
            return self._groups[group].fetch(number, min(many, layout.polled - number))
        probes = self._probes[group]
        first = probes.start + number - layout.polled
        return self._groups[group].fetch(first, min(many, probes.stop - first))

    def reading(self, group: int, only: int | None = None) -> Reading:
        """What the last fetches of a group brought.

        Args:
            group: Which.
            only: Position of one request, to leave out the others; None for all.
        """
        if only is not None:
            polled = self._layouts[group].polled
            if only >= _ALONE:
                only -= _ALONE
            elif only >= polled:
                only += self._probes[group].start - polled
            return self._groups[group].reading(only)
        reading = self._groups[group].reading(None)
        self._learn(group)
        return reading

    def quantiser(self, positions: Sequence[int]) -> encode.Quantiser:
        """Makes commands of these tags comparable with what is read back."""
        return encode.Quantiser([self._points[i] for i in positions])

    def hurry(self, urgent: Callable[[], bool]) -> None:
        """Lets a fetch that still waits for its turn give way if `urgent` says so."""
        self.link.hurry(urgent)

    def permit(self, wanted: Callable[[], bool]) -> None:
        """What is asked right before the next write is sent."""
        self._wanted = wanted

    async def write(self, position: int, bits: int, text: str) -> None:
        """Writes one value.

        Raises:
            ValueError: It cannot be written.
            RefusedError: The device refused it.
            NoReplyError: Whether it was written is unknown.
        """
        await self.write_together([(position, bits, text)])

    def together(self, positions: Sequence[int]) -> list[int]:
        """Which of some outputs go in one request with the first of them.

        Args:
            positions: Of tags that are to be written.

        Returns:
            Positions in `positions`, the first one among them, in the order in which they are written.
        """
        return writes.together([self._points[i].address for i in positions], self._config)

    async def write_together(self, values: Sequence[tuple[int, int, str]]) -> None:
        """Writes values that `together` said go in one request.

        Args:
            values: Position, bits and text of each, in the order that `together` gave.

        Raises:
            ValueError: One of them cannot be written; nothing was.
            RefusedError: The device refused them.
            NoReplyError: Whether they were written is unknown.
            WithdrawnError: They are not wanted any more; nothing was sent.
        """
        parts = [encode.part(self._points[i], bits, text, self._config) for i, bits, text in values]
        urgency = STOP if any(self._stops[i] for i, _, _ in values) else WRITE
        first, *more = writes.requests(parts, self._config)
        await self._write(first, urgency, self._wanted)
        for request in more:  # what is begun is brought to its end: half a value is worse than an old one
            await self._write(request, urgency)

    async def _write(
        self, request: Pdu | writes.Change, urgency: int, wanted: Callable[[], bool] | None = None
    ) -> None:
        if isinstance(request, writes.Change):
            data = await self.link.ask(self.link.prepare(wire.read("holding", request.offset, 1)), urgency)
            word = request.applied(int.from_bytes(data[1:3], "big"))
            (request,) = writes.registers(request.offset, word.to_bytes(2, "big"), self._config)
        await self.link.ask(self.link.prepare(request, wanted), urgency)

    async def write_counter(self, address: dict[str, Any], value: int) -> None:
        """Writes the heartbeat counter, 0 … 65535.

        Raises:
            RefusedError: The device refused it.
            NoReplyError: No right reply.
        """
        for request in writes.registers(address["offset"], value.to_bytes(2, "big"), self._config):
            await self._write(request, HEARTBEAT, self._wanted)

    async def read_counter(self, address: dict[str, Any]) -> int:
        """Reads the heartbeat counter back, 0 … 65535.

        Raises:
            RefusedError: The device refused it.
            NoReplyError: No right reply.
        """
        data = await self.link.ask(self.link.prepare(wire.read("holding", address["offset"], 1)), HEARTBEAT)
        return int.from_bytes(data[1:3], "big")

    @property
    def groups(self) -> Sequence[Group]:
        """Its scan groups, the fastest first."""
        return self._groups

    def point(self, position: int) -> Point:
        """Address and type of a tag."""
        return self._points[position]

    def _group(self, requests: Sequence[plan.Request]) -> Group:
        return Group(self.link, self._clock, self._points, requests, self._config)

    def _learn(self, group: int) -> None:
        """Remembers what the device has just refused, and asks something else from now on."""
        old, layout, now = self._groups[group], self._layouts[group], self._clock.monotonic_ns()
        if layout.learn(old.refused, self._probes[group], now):
            old.replaced = True
            new = self._groups[group] = self._group(layout.requests)
            for number in range(layout.polled, len(layout.requests)):
                _, before = self._place[layout.requests[number].members[0]]
                new.take_over(number, old, before % _ALONE)
            self._index(group)
        self._probes[group] = layout.probes(now)

    def _index(self, group: int) -> None:
        polled = self._layouts[group].polled
        for number, request in enumerate(self._layouts[group].requests):
            for position in request.members:
                self._place[position] = group, number if number < polled else number + _ALONE


def _always() -> bool:
    return True
