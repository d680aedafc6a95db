"""Peers for the tests: a real Modbus/TCP server (pymodbus) in a thread, which can be killed and started again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from pymodbus.simulator.simcore import SimCore

T = TypeVar("T")
_TABLES = {1: "coil", 5: "coil", 15: "coil", 2: "discrete", 3: "holding", 6: "holding", 16: "holding", 22: "holding", 4: "input"}  # fmt: skip


class Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine there and waits for its result."""
        future: Future[T] = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        return future.result(10)

    def close(self) -> None:
        """Ends the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        self.loop.close()


class Memory(SimCore):
    """The tables of a PLC. `refuse` answers reads and writes of these (table, offset) with exception 2."""

    def __init__(self) -> None:
        super().__init__(SimDevice(1, [SimData(0, datatype=DataType.UINT16)]))
        self.tables: dict[str, list[int]] = {
            "coil": [0] * 300,
            "discrete": [0] * 300,
            "holding": [0] * 400,
            "input": [0] * 400,
        }
        self.refuse: set[tuple[str, int]] = set()
        self.refuse_writes = 0
        self.refuse_functions: dict[int, int] = {}  # function code to exception code
        self.refuse_reads = 0
        self.rounds_to = 0  # holding registers are kept as multiples of this
        self.lose_replies = 0  # so many writes are done and not answered in time
        self.slow_s = 0.0
        self.writes: list[tuple[int, int, list[int]]] = []
        self.reads = 0

    async def async_getValues(  # noqa: N802 - pymodbus' name
        self, device_id: int, func_code: int, address: int, count: int = 1
    ) -> list[int] | list[bool] | ExcCodes:
        """Reads a table."""
        del device_id
        self.reads += 1
        if self.slow_s:
            await asyncio.sleep(self.slow_s)  # the device takes its time
        name = _TABLES[func_code]
        table = self.tables[name]
        if self.refuse_reads:
            return ExcCodes(self.refuse_reads)
        if address + count > len(table) or any((name, address + i) in self.refuse for i in range(count)):
            return ExcCodes.ILLEGAL_ADDRESS
        if self.rounds_to and func_code == 3:
            return [word - word % self.rounds_to for word in table[address : address + count]]
        return table[address : address + count]

    async def async_setValues(  # noqa: N802 - pymodbus' name
        self, device_id: int, func_code: int, address: int, values: list[int] | list[bool]
    ) -> ExcCodes | None:
        """Writes a table and notes it."""
        del device_id
        if func_code in self.refuse_functions:
            return ExcCodes(self.refuse_functions[func_code])
        if self.refuse_writes:
            return ExcCodes(self.refuse_writes)
        table = self.tables[_TABLES[func_code]]
        table[address : address + len(values)] = [int(value) for value in values]
        self.writes.append((func_code, address, [int(value) for value in values]))
        if self.lose_replies:
            self.lose_replies -= 1
            await asyncio.sleep(1.0)
        return None


class Plc:
    """A PLC: 300 coils and discrete inputs, 400 holding and input registers, unit 1.

    Every write over the network is noted in `memory.writes` as (function, address, values).
    """

    def __init__(self, port: int = 0, *, started: bool = True) -> None:
        self.memory = Memory()
        self.port = port
        self._loop = Loop()
        self._server: ModbusTcpServer | None = None
        if started:
            self.start()

    def start(self) -> None:
        """Listens (again, on the same port)."""

        async def begin() -> ModbusTcpServer:
            device = SimDevice(1, [SimData(0, datatype=DataType.UINT16)])
            server = ModbusTcpServer(device, address=("127.0.0.1", self.port))
            server.context = self.memory
            await server.serve_forever(background=True)
            return server

        self._server = self._loop.run(begin())
        transport: Any = self._server.transport
        self.port = transport.sockets[0].getsockname()[1]

    def kill(self) -> None:
        """Closes the listener and all connections."""
        if self._server is not None:
            server: Any = self._server
            self._loop.run(server.shutdown())
            self._server = None

    def set(self, table: str, offset: int, *values: int) -> None:
        """Sets values inside the PLC, as its program would."""
        self.memory.tables[table][offset : offset + len(values)] = list(values)

    def get(self, table: str, offset: int) -> int:
        """A value inside the PLC."""
        return self.memory.tables[table][offset]

    def close(self) -> None:
        """Kills it and ends its thread."""
        self.kill()
        self._loop.close()


@contextmanager
def plc(*, started: bool = True, port: int = 0) -> Iterator[Plc]:
    """A PLC for the length of a test."""
    one = Plc(port, started=started)
    try:
        yield one
    finally:
        one.close()
