"""The network between field and a simulated PLC: Modbus requests without sockets, and what can go wrong with them.

A request travels for a while, the PLC carries it out, the reply travels back. On either way it can be lost or late;
a request that was given up can still arrive, as one in the buffers of a PLC that hung. Each write is noted with the
moment when it was sent and, if ever, when it was done: that is what the judge looks at.
"""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from scada.clock import Clock
from scada.field.driver import NoReplyError, RefusedError
from scada.field.modbus.config import Config
from scada.field.modbus.transport import one_by_one
from scada.modbus.wire import (
    MASK_WRITE,
    WRITE_COIL,
    WRITE_COILS,
    WRITE_REGISTER,
    WRITE_REGISTERS,
    Ask,
    Pdu,
)
from scada.simulate.registers import Registers
from scada.virtual.world import World

ILLEGAL_ADDRESS: Final = 2
_WRITES: Final = {WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS, MASK_WRITE}
LATE_MOST_NS: Final = 400_000_000  # a request that was given up is done at most so long after it


@dataclass(slots=True)
class Written:
    """One write on the network.

    Attributes:
        device: To which device.
        function: Modbus function code.
        offset: First address.
        words: Values of coils (0 or 1) or registers; for FC22 the two masks.
        sent_ns: When field sent it, ns monotonic.
        done_ns: When the PLC carried it out, or -1: never.
        refused: The PLC answered with an exception.
    """

    device: str
    function: int
    offset: int
    words: tuple[int, ...]
    sent_ns: int
    done_ns: int = -1
    refused: bool = False


@dataclass(slots=True)
class Weather:
    """How bad the network is; chances are per request, 0 … 1.

    Attributes:
        delay_ns: Longest time to travel, each way.
        lost: The request never arrives.
        mute: The request is done, its reply is lost.
        late: The request is done after its time-out.
        reset: The connection breaks after the request was done.
        refuse: The PLC answers with an exception.
    """

    delay_ns: int = 0
    lost: float = 0.0
    mute: float = 0.0
    late: float = 0.0
    reset: float = 0.0
    refuse: float = 0.0

    @property
    def fair(self) -> bool:
        """Nothing goes wrong and nothing takes time."""
        return not (self.delay_ns or self.lost or self.mute or self.late or self.reset or self.refuse)


class Wire:
    """The way to one PLC.

    Args:
        world: Whose time counts.
        name: Of the device.
        registers: Of the PLC.
        dice: For chances.
        note: Takes each write when it is sent.

    Attributes:
        plugged: Connections are possible; without, they are refused.
        frozen: Connections are taken and nothing is ever answered.
        weather: How bad the network is.
        asked: Number of requests so far.
    """

    def __init__(
        self,
        world: World,
        name: str,
        registers: Registers,
        dice: random.Random,
        note: Callable[[Written], None],
    ) -> None:
        self.name = name
        self.plugged = True
        self.frozen = False
        self.weather = Weather()
        self.asked = 0
        self.world = world
        self.dice = dice
        self.note = note
        self._registers = registers
        self._open: list[Connection] = []

    def transport(self, config: Config, clock: Clock) -> Callable[[], Connection]:
        """What opens the connections of field."""
        del clock
        return lambda: Connection(self, config.timeout_ns)

    def unplug(self) -> None:
        """The cable is out: connections break."""
        self.plugged = False
        self.reset()

    def reset(self) -> None:
        """All connections break."""
        for connection in tuple(self._open):
            connection.broken()

    def opened(self, connection: Connection) -> None:
        """A connection stands."""
        self._open.append(connection)

    def closed(self, connection: Connection) -> None:
        """A connection has ended."""
        if connection in self._open:
            self._open.remove(connection)

    def written(self, pdu: Pdu) -> Written | None:
        """The note of a write that is being sent; None for a read."""
        if pdu.function not in _WRITES:
            return None
        written = Written(self.name, pdu.function, *_target(pdu), self.world.now_ns)
        self.note(written)
        return written

    def do(self, pdu: Pdu, written: Written | None) -> bytes | int:
        """The PLC carries a request out: the data of its reply, or an exception code."""
        answer = carry_out(self._registers, pdu)
        if written is not None:
            if isinstance(answer, int):
                written.refused = True
            else:
                written.done_ns = self.world.now_ns
        return answer


class Connection:
    """One connection of field to a PLC, as `scada.field.modbus.transport.Transport`."""

    def __init__(self, wire: Wire, timeout_ns: int) -> None:
        self._wire = wire
        self._timeout_ns = timeout_ns
        self._pending: asyncio.Future[bytes | int | None] | None = None
        self.open = False
        self.reason = ""

    async def connect(self) -> bool:
        """Connects once; it is refused at once where nothing listens."""
        wire = self._wire
        if wire.weather.delay_ns:
            await asyncio.sleep(wire.dice.randrange(2 * wire.weather.delay_ns) / 1e9)
        self.open = wire.plugged
        if self.open:
            wire.opened(self)
        return self.open

    async def ask(self, ask: Ask) -> bytes:
        """Sends a request and waits for its reply, as those of the real network do."""
        wire, pdu = self._wire, ask.pdu
        if not self.open:
            raise NoReplyError("not connected")
        wire.asked += 1
        written = wire.written(pdu)
        if wire.weather.fair and not wire.frozen:
            answer: bytes | int | None = wire.do(pdu, written)
        else:
            answer = await self._travel(pdu, written)
        if answer is None:
            self.close()
            raise NoReplyError("no reply")
        if isinstance(answer, int):
            raise RefusedError(answer)
        if not pdu.answered_by(answer):
            raise AssertionError(f"{wire.name}: the simulated PLC answers wrongly to {pdu}")
        return answer

    async def ask_all(self, asks: Sequence[Ask]) -> list[bytes | int]:
        """Asks one after the other."""
        return await one_by_one(self, asks)

    async def _travel(self, pdu: Pdu, written: Written | None) -> bytes | int | None:
        """The way there and back through bad weather; None when nothing came back in time."""
        wire, weather, dice = self._wire, self._wire.weather, self._wire.dice
        loop = asyncio.get_running_loop()
        pending: asyncio.Future[bytes | int | None] = loop.create_future()
        self._pending = pending
        there = dice.randrange(weather.delay_ns + 1)
        back = dice.randrange(weather.delay_ns + 1)
        luck = dice.random()
        lost = wire.frozen or luck < weather.lost
        mute = not lost and dice.random() < weather.mute
        refuse = dice.random() < weather.refuse
        reset = dice.random() < weather.reset
        if dice.random() < weather.late:
            lost, mute = False, True
            there = self._timeout_ns + dice.randrange(LATE_MOST_NS)

        def reply(answer: bytes | int | None) -> None:
            if not pending.done():
                loop.call_soon(_settle, pending, answer)

        def arrive() -> None:
            if not wire.plugged or wire.frozen:
                return
            if refuse:
                if written is not None:
                    written.refused = True
                answer: bytes | int = dice.choice((4, 6))
            else:
                answer = wire.do(pdu, written)
            if reset:
                self.broken()
            elif not mute:
                wire.world.after(back, lambda: reply(answer))

        if not lost:
            wire.world.after(there, arrive)
        timer = loop.call_later(self._timeout_ns / 1e9, _settle, pending, None)
        try:
            return await pending
        finally:
            timer.cancel()
            self._pending = None

    def broken(self) -> None:
        """The peer closes the connection: whoever waits learns it at once."""
        self.open = False
        self._wire.closed(self)
        pending = self._pending
        if pending is not None and not pending.done():
            pending.get_loop().call_soon(_settle, pending, None)

    def close(self) -> None:
        """Drops the connection."""
        self.open = False
        self._wire.closed(self)


def _settle(pending: asyncio.Future[bytes | int | None], answer: bytes | int | None) -> None:
    if not pending.done():
        pending.set_result(answer)


def _target(pdu: Pdu) -> tuple[int, tuple[int, ...]]:
    """Offset and values of a write."""
    data = pdu.data
    offset = int.from_bytes(data[:2], "big")
    match pdu.function:
        case 5:
            return offset, (int(data[2] == 0xFF),)
        case 15:
            count = int.from_bytes(data[2:4], "big")
            return offset, tuple(data[5 + i // 8] >> i % 8 & 1 for i in range(count))
        case 16:
            return offset, struct.unpack(f">{data[4] // 2}H", data[5:])
    return offset, struct.unpack(f">{len(data) // 2 - 1}H", data[2:])


def carry_out(registers: Registers, pdu: Pdu) -> bytes | int:
    """What a PLC with these registers does and answers.

    Returns:
        The data of the reply behind the function code, or an exception code.
    """
    function, data = pdu.function, pdu.data
    offset = int.from_bytes(data[:2], "big")
    if function in (1, 2):
        bits = registers.coils if function == 1 else registers.discretes
        count = int.from_bytes(data[2:4], "big")
        if offset + count > len(bits):
            return ILLEGAL_ADDRESS
        packed = sum(1 << n for n, bit in enumerate(bits[offset : offset + count]) if bit)
        size = (count + 7) // 8
        return bytes((size,)) + packed.to_bytes(size, "little")
    if function in (3, 4):
        words = registers.holding if function == 3 else registers.inputs
        count = int.from_bytes(data[2:4], "big")
        if offset + count > len(words):
            return ILLEGAL_ADDRESS
        return bytes((2 * count,)) + struct.pack(f">{count}H", *words[offset : offset + count])
    _, values = _target(pdu)
    if function in (WRITE_COIL, WRITE_COILS):
        if offset + len(values) > len(registers.coils):
            return ILLEGAL_ADDRESS
        registers.write_coils(offset, [bool(value) for value in values])
    elif function == MASK_WRITE:
        if offset >= len(registers.holding):
            return ILLEGAL_ADDRESS
        keep, put = values
        registers.holding[offset] = registers.holding[offset] & keep | put & ~keep & 0xFFFF
    else:
        if offset + len(values) > len(registers.holding):
            return ILLEGAL_ADDRESS
        registers.holding[offset : offset + len(values)] = values
    return pdu.reply_head if function in (WRITE_COILS, WRITE_REGISTERS) else data
