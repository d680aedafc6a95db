"""Ten units behind one gateway on real sockets, some of them silent: the driver as a field service makes it."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from scada.clock import SystemClock
from scada.field.driver import NoReplyError
from scada.field.modbus import Modbus
from scada.field.modbus.config import Config
from scada.modbus import rtu
from tags.model import Tag
from tests.support.wait import until

PERIOD_S = 0.05
TIMEOUT_S = 0.06


class Gateway:
    """One line behind one socket, as cheap gateways are: a request that waits for a silent unit holds up all others.

    Holding register A of unit U is 1000 U + A.
    """

    def __init__(self, scheme: str) -> None:
        self.scheme = scheme
        self.silent: set[int] = set()
        self.says: dict[int, int] = {}  # unit → exception of the gateway
        self.connections = 0
        self.port = 0
        self.asked: dict[int, int] = {}

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Until the end of the test."""
        tasks: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            self.connections += 1
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while True:
                    await self._one(reader, writer)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.scheme == "tcp":
            head = await reader.readexactly(7)
            tid, _, length, unit = struct.unpack(">HHHB", head)
            pdu = await reader.readexactly(length - 1)
        else:
            tid, frame = 0, await reader.readexactly(8)
            assert rtu.whole(frame)
            unit, pdu = frame[0], frame[1:-2]
        self.asked[unit] = self.asked.get(unit, 0) + 1
        if unit in self.silent:
            return
        function, first, count = struct.unpack(">BHH", pdu[:5])
        if unit in self.says:
            reply = bytes((function | 0x80, self.says[unit]))
        else:
            words = [1000 * unit + first + i for i in range(count)]
            reply = struct.pack(f">BB{count}H", function, 2 * count, *words)
        if self.scheme == "tcp":
            writer.write(struct.pack(">HHHB", tid, 0, 1 + len(reply), unit) + reply)
        else:
            writer.write(rtu.frame(unit, reply[0], reply[1:]))


class Unit:
    """One device at work, as its poller works it."""

    def __init__(self, driver: Modbus, gateway: Gateway, unit: int, client: str) -> None:
        config = Config.model_validate(
            {
                "endpoint": f"{gateway.scheme}://127.0.0.1:{gateway.port}",
                "unit_id": unit,
                "timeout": f"{TIMEOUT_S * 1000:g} ms",
                "client": client,
            }
        )
        address = Modbus.parse_address(f"holding/{unit}", "uint16", config)
        tag = Tag(id=1, path="t", type="uint16", kind="device", writer="field", row=0, address=address,
                  scan_ns=round(PERIOD_S * 1e9))  # fmt: skip
        self.unit, self.clock = unit, SystemClock()
        self.session = driver.session(config, [tag])
        self.good: list[float] = []

    async def run(self) -> None:
        """Polls for ever."""
        link, loop = self.session.link, asyncio.get_running_loop()
        due = loop.time()
        while True:
            if not link.open:
                wait = (link.next_try_ns - self.clock.monotonic_ns()) / 1e9
                if wait > 0:
                    await asyncio.sleep(min(wait, 0.2))
                else:
                    await link.connect()
                continue
            await asyncio.sleep(max(0.0, due - loop.time()))
            with suppress(NoReplyError):
                await self.session.fetch(0, 0)
                reading = self.session.reading(0)
                if reading.status[0] == 0:
                    assert int(reading.bits[0]) == 1001 * self.unit
                    self.good.append(loop.time())
            due = max(due + PERIOD_S, loop.time())


@pytest.mark.parametrize(
    ("scheme", "client"), [("tcp", "native"), ("tcp", "pymodbus"), ("rtu+tcp", "native")]
)
async def test_silent_units_leave_the_others_alone_and_come_back(scheme: str, client: str) -> None:
    gateway = Gateway(scheme)
    async with gateway.listening():
        driver = Modbus(SystemClock())
        units = {unit: Unit(driver, gateway, unit, client) for unit in range(1, 11)}
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(unit.run()) for unit in units.values()]
        await until(lambda: all(len(unit.good) > 3 for unit in units.values()), "all are read")
        assert gateway.connections == 1
        gateway.silent, gateway.says = {2, 5}, {9: 11}
        lost = (2, 5, 9)
        await until(lambda: all(units[unit].session.link.failures > 1 for unit in lost), "they are missed")
        asked = dict(gateway.asked)
        start, before = loop.time(), gateway.connections
        live = [unit for number, unit in units.items() if number not in lost]
        await until(lambda: all(sum(t > start for t in unit.good) >= 25 for unit in live), "the others go on")
        seconds = loop.time() - start
        for number in (2, 5):
            assert (gateway.asked[number] - asked[number]) * TIMEOUT_S <= 0.02 * seconds + TIMEOUT_S
        assert gateway.connections - before <= 4, (
            "a connection is dropped for a silent unit only when it is asked"
        )
        assert all(unit.session.link.errors == 0 for unit in live)
        gateway.silent, gateway.says = set(), {}
        back = loop.time()
        await until(lambda: all(units[unit].good[-1] > back for unit in lost), "they are back", 8.0)
        assert not any(task.done() for task in tasks), "a value was wrong"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for unit in units.values():
            unit.session.link.close()


async def test_the_gateway_is_replaced_and_all_are_read_again() -> None:
    gateway = Gateway("tcp")
    driver = Modbus(SystemClock())
    async with gateway.listening():
        units = [Unit(driver, gateway, unit, "native") for unit in range(1, 5)]
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(unit.run()) for unit in units]
        await until(lambda: all(unit.good for unit in units), "all are read")
    await until(lambda: all(unit.session.link.failures > 1 for unit in units), "all are missed")
    assert {unit.session.link.reason for unit in units} != {""}
    async with gateway.listening():
        back = loop.time()
        await until(lambda: all(unit.good[-1] > back for unit in units), "all are read again")
        assert gateway.connections == 2, "one connects for all"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for unit in units:
            unit.session.link.close()
