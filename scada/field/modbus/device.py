"""One Modbus device at work: its plan, its link, its decoders and its writes behind the driver interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from scada.clock import Clock
from scada.field.driver import Reading, RefusedError
from scada.field.modbus import encode, plan, writes
from scada.field.modbus.address import Address
from scada.field.modbus.bus import Bus
from scada.field.modbus.config import Config
from scada.field.modbus.decode import Decoder, Point, exception_status
from scada.field.modbus.link import Link
from scada.field.modbus.turns import HEARTBEAT, STOP, WRITE
from scada.modbus import wire
from scada.modbus.wire import Ask, Pdu
from tags import quality
from tags.model import Tag

DEFAULT_PERIOD_NS: Final = 1_000_000_000
_ADDRESS_ERRORS: Final = frozenset({2, 3})  # a hole in the block: ask for less at once


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
        self._clock = clock
        self._points = [Point(Address.of(tag.address or {}), tag.type, tag.scaling) for tag in tags]
        self._stops = [tag.write is not None and tag.write.stop for tag in tags]
        periods = [tag.scan_ns or DEFAULT_PERIOD_NS for tag in tags]
        groups = plan.plan([p.address for p in self._points], periods, config)
        self.timeout_ns = config.timeout_ns
        self.link = Link(config, clock, bus)
        self.periods = tuple((group.period_ns, group.phase_ns) for group in groups)
        self._groups = [_Group(self, group.requests) for group in groups]
        self._place: dict[int, tuple[int, int]] = {}
        for number in range(len(self._groups)):
            self._index(number)

    def count(self, group: int) -> int:
        """Number of requests of a group."""
        return len(self._groups[group].requests)

    def place(self, position: int) -> tuple[int, int]:
        """Group and request that read a tag."""
        return self._place[position]

    async def fetch(self, group: int, number: int, most: int = 0) -> int:
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
        return await self._groups[group].fetch(number, most or self._config.window, self._clock)

    def reading(self, group: int, only: int | None = None) -> Reading:
        """What the last fetches of a group brought.

        Args:
            group: Which.
            only: Position of one request, to leave out the others; None for all.
        """
        reading = self._groups[group].reading(only)
        if only is None:
            self._split(group)
        return reading

    def quantiser(self, positions: Sequence[int]) -> encode.Quantiser:
        """Makes commands of these tags comparable with what is read back."""
        return encode.Quantiser([self._points[i] for i in positions])

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
        """
        parts = [encode.part(self._points[i], bits, text, self._config) for i, bits, text in values]
        urgency = STOP if any(self._stops[i] for i, _, _ in values) else WRITE
        for request in writes.requests(parts, self._config):
            await self._write(request, urgency)

    async def _write(self, request: Pdu | writes.Change, urgency: int) -> None:
        if isinstance(request, writes.Change):
            data = await self.link.ask(self.link.prepare(wire.read("holding", request.offset, 1)), urgency)
            word = request.applied(int.from_bytes(data[1:3], "big"))
            (request,) = writes.registers(request.offset, word.to_bytes(2, "big"), self._config)
        await self.link.ask(self.link.prepare(request), urgency)

    async def write_counter(self, address: dict[str, Any], value: int) -> None:
        """Writes the heartbeat counter, 0 … 65535.

        Raises:
            RefusedError: The device refused it.
            NoReplyError: No right reply.
        """
        for request in writes.registers(address["offset"], value.to_bytes(2, "big"), self._config):
            await self._write(request, HEARTBEAT)

    async def read_counter(self, address: dict[str, Any]) -> int:
        """Reads the heartbeat counter back, 0 … 65535.

        Raises:
            RefusedError: The device refused it.
            NoReplyError: No right reply.
        """
        data = await self.link.ask(self.link.prepare(wire.read("holding", address["offset"], 1)), HEARTBEAT)
        return int.from_bytes(data[1:3], "big")

    def point(self, position: int) -> Point:
        """Address and type of a tag."""
        return self._points[position]

    def decoder(self, requests: Sequence[plan.Request]) -> Decoder:
        """A decoder of some requests of this device."""
        return Decoder(self._points, requests, self._config)

    def _split(self, group: int) -> None:
        """Remembers smaller requests for those that the device has just refused."""
        old = self._groups[group]
        if not any(old.refused):
            return
        addresses = [p.address for p in self._points]
        requests: list[plan.Request] = []
        whole: list[bool] = []
        for request, refused, is_whole in zip(old.requests, old.refused, old.whole, strict=True):
            parts = plan.split(request, addresses, self._config) if refused else [request]
            requests += parts
            whole += [is_whole or (refused and len(parts) == 1)] * len(parts)
        self._groups[group] = _Group(self, requests, whole)
        self._index(group)

    def _index(self, group: int) -> None:
        for number, request in enumerate(self._groups[group].requests):
            for position in request.members:
                self._place[position] = group, number


class _Group:
    """The requests of one period with what they brought."""

    def __init__(
        self, device: ModbusDevice, requests: Sequence[plan.Request], whole: Sequence[bool] = ()
    ) -> None:
        self.requests = tuple(requests)
        self._link = device.link
        self._asks: list[Ask] = [device.link.prepare(wire.read(r.table, r.start, r.count)) for r in requests]
        self._decoder = device.decoder(requests)
        self._stamps = np.zeros(len(requests), np.int64)
        self._failure = np.full(len(requests), quality.BAD_WAITING_FOR_INITIAL_DATA, np.uint32)
        self._got = np.zeros(len(requests), np.bool_)
        self.whole = list(whole) or [False] * len(requests)  # cannot be made smaller
        self.refused = [False] * len(requests)  # for its addresses, and not split yet

    async def fetch(self, number: int, window: int, clock: Clock) -> int:
        asks = self._asks[number : number + window]
        if len(asks) == 1:
            try:
                answers: list[bytes | int] = [await self._link.ask(asks[0])]
            except RefusedError as error:
                answers = [error.code]
        else:
            answers = await self._link.ask_all(asks)
        now = clock.utc_ns()
        for position, answer in enumerate(answers, number):
            if isinstance(answer, int):
                self._refuse(position, answer)
            else:
                self._decoder.put(position, answer[1:])
                self._failure[position] = quality.GOOD
                self._got[position] = True
                self.refused[position] = False
        self._stamps[number : number + len(answers)] = now
        return len(answers)

    def _refuse(self, number: int, code: int) -> None:
        status = exception_status(code)
        if status == quality.UNCERTAIN_LAST_USABLE and not self._got[number]:
            status = quality.BAD_DEVICE_FAILURE
        self._failure[number] = status
        self.refused[number] = code in _ADDRESS_ERRORS and not self.whole[number]

    def reading(self, only: int | None) -> Reading:
        decoder = self._decoder
        bits, status = decoder.decode()
        failure = self._failure[decoder.request_of]
        status = np.where(failure != 0, failure, status)
        stamps = self._stamps[decoder.request_of]
        members = decoder.members
        texts = {int(members[n]): decoder.text(n) for n in decoder.texts if status[n] == 0}
        if only is None:
            return Reading(members, bits, status, stamps, texts)
        mine = np.flatnonzero(decoder.request_of == only)
        return Reading(members[mine], bits[mine], status[mine], stamps[mine], texts)
