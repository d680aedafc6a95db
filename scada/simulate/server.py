"""The one place that speaks pymodbus' server: registers of a plant on a Modbus/TCP socket.

pymodbus keeps wire and framing; our own store stands behind it, so that the PLC's program and the network look at the
same memory, an absent address is refused exactly, and a request costs no copy of the whole device.
"""

from __future__ import annotations

import asyncio
from typing import cast

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from pymodbus.simulator.simcore import SimCore

from scada.simulate.registers import Registers

COILS, DISCRETES, HOLDING, INPUTS = {1, 5, 15}, {2}, {3, 6, 16, 22, 23}, {4}


class Store(SimCore):
    """Answers pymodbus from `Registers`; only the names that the server calls are there.

    Attributes:
        frozen: Requests are taken and never answered.
    """

    def __init__(self, registers: Registers, unit_id: int) -> None:
        super().__init__(SimDevice(unit_id, [SimData(0, datatype=DataType.UINT16)]))
        self._registers = registers
        self._unit_id = unit_id
        self.frozen = False

    def _table(self, device_id: int, function: int) -> list[bool] | list[int]:
        if self.frozen or device_id != self._unit_id:
            raise NoSuchIdException  # the server stays silent or answers exception 11
        registers = self._registers
        if function in HOLDING:
            return registers.holding
        if function in INPUTS:
            return registers.inputs
        return registers.discretes if function in DISCRETES else registers.coils

    async def async_getValues(  # noqa: N802 - pymodbus' name
        self, device_id: int, func_code: int, address: int, count: int = 1
    ) -> list[int] | list[bool] | ExcCodes:
        """Reads a table."""
        table = self._table(device_id, func_code)
        if address + count > len(table):
            return ExcCodes.ILLEGAL_ADDRESS
        return table[address : address + count]

    async def async_setValues(  # noqa: N802 - pymodbus' name
        self, device_id: int, func_code: int, address: int, values: list[int] | list[bool]
    ) -> ExcCodes | None:
        """Writes a table."""
        table = self._table(device_id, func_code)
        if address + len(values) > len(table):
            return ExcCodes.ILLEGAL_ADDRESS
        if func_code in COILS:
            self._registers.write_coils(address, [bool(value) for value in values])
        else:
            self._registers.holding[address : address + len(values)] = [int(value) for value in values]
        return None


class PlcServer:
    """One PLC on the network: listening, unplugged or frozen.

    Args:
        registers: Its memory.
        host: Address to bind.
        port: TCP port; 0 takes a free one.
        unit_id: Modbus unit that it answers to; for others it answers exception 11.

    Attributes:
        port: The port it listens on, once started.
    """

    def __init__(self, registers: Registers, host: str, port: int, unit_id: int = 1) -> None:
        self.host, self.port = host, port
        self._store = Store(registers, unit_id)
        self._server: ModbusTcpServer | None = None

    @property
    def plugged(self) -> bool:
        """True while it listens."""
        return self._server is not None

    async def plug(self) -> None:
        """Listens.

        Raises:
            OSError: The port is taken or not allowed.
        """
        if self._server is not None:
            return
        server = ModbusTcpServer(
            SimDevice(1, [SimData(0, datatype=DataType.UINT16)]), address=(self.host, self.port)
        )
        server.context = self._store
        if not await server.listen():
            raise OSError(f"cannot listen on {self.host}:{self.port}")
        server.ignore_missing_devices = self._store.frozen
        listener = cast("asyncio.Server", server.transport)  # uvloop has one of its own with the same names
        self.port = listener.sockets[0].getsockname()[1]
        self._server = server

    async def unplug(self) -> None:
        """Stops listening and drops all connections."""
        if self._server is not None:
            server, self._server = self._server, None
            await server.shutdown()  # type: ignore[no-untyped-call]

    def freeze(self, frozen: bool) -> None:
        """Takes connections and requests but never answers (True), or answers again (False)."""
        self._store.frozen = frozen
        if self._server is not None:
            self._server.ignore_missing_devices = frozen
