"""Modbus devices for the driver contract: pymodbus' servers, in a thread of their own, over each transport."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from typing import Any

from pymodbus import FramerType
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from scada.cli.modbus_values import value_of, words_of
from scada.field.contract import Peer, Point
from scada.field.modbus.address import Address, parse
from scada.field.modbus.config import Config
from tags import types
from tags.scaling import to_raw, to_value
from tags.types import Value
from tests.field.plc import Loop, Memory


class Mutable(Memory):
    """Tables that may keep silent: a muted server answers late, when nobody waits any more."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = asyncio.Event()
        self.heard.set()
        self.constant: set[tuple[str, int]] = set()

    async def async_getValues(  # noqa: N802 - pymodbus' name
        self, device_id: int, func_code: int, address: int, count: int = 1
    ) -> list[int] | list[bool] | ExcCodes:
        """Reads, as of now; says it when it is heard."""
        values = await super().async_getValues(device_id, func_code, address, count)
        await self.heard.wait()
        return values

    async def async_setValues(  # noqa: N802 - pymodbus' name
        self, device_id: int, func_code: int, address: int, values: list[int] | list[bool]
    ) -> ExcCodes | None:
        """Writes what may be written."""
        if func_code in (6, 16) and any(
            ("holding", address + i) in self.constant for i in range(len(values))
        ):
            return ExcCodes.ILLEGAL_ADDRESS
        done = await super().async_setValues(device_id, func_code, address, values)
        await self.heard.wait()
        return done


class ModbusPeer(Peer):
    """A device of pymodbus.

    Args:
        client: What the driver is to use.
    """

    def __init__(self, client: str = "native", **config: Any) -> None:
        self._loop = Loop()
        self.memory = Mutable()
        self.memory.refuse = {("holding", 300)}
        self.memory.constant = {("holding", 310)}
        self.port = 0
        self._server: Any = None
        self._extra = {"client": client, "timeout": "200 ms", **config}

    @property
    def config(self) -> Mapping[str, Any]:  # type: ignore[override]
        """Endpoint of the server."""
        return {"endpoint": self.endpoint(), **self._extra}

    def endpoint(self) -> str:
        """Where it listens."""
        return f"tcp://127.0.0.1:{self.port or 502}"

    def make(self) -> Any:
        """The server, in its loop."""
        return ModbusTcpServer(_device(), address=("127.0.0.1", self.port))

    async def start(self) -> None:
        """Listens."""

        async def begin() -> Any:
            server = self.make()
            server.context = self.memory
            await server.serve_forever(background=True)
            return server

        self._server = self._loop.run(begin())
        self.listening()

    def listening(self) -> None:
        """Notes the port."""
        self.port = self._server.transport.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Gone; late answers with it."""
        if self._server is not None:
            server, self._server = self._server, None

            async def end() -> None:
                for _ in range(5):
                    await asyncio.sleep(
                        0
                    )  # whoever has just connected is accepted: asyncio would lose it half made
                await server.shutdown()
                for _ in range(5):
                    await asyncio.sleep(0)  # its connections are closed in the next turns

            self._loop.run(end())

    async def mute(self, muted: bool) -> None:
        """Late answers come at once when it is heard again."""

        async def turn() -> None:
            (self.memory.heard.clear if muted else self.memory.heard.set)()
            await asyncio.sleep(0)

        self._loop.run(turn())

    async def put(self, point: Point, value: Value) -> None:
        """Into the tables."""
        at, table = self._at(point)
        if at.table in ("coil", "discrete"):
            table[at.offset] = int(value)
        elif at.bit is not None:
            table[at.offset] = table[at.offset] & ~(1 << at.bit) | int(value) << at.bit
        elif isinstance(value, str):
            data = value.encode().ljust(2 * at.count, b"\0")
            table[at.offset : at.offset + at.count] = struct.unpack(f">{at.count}H", data)
        else:
            raw = value if point.scaling.plain else to_raw(value, point.scaling, at.type)
            table[at.offset : at.offset + at.count] = words_of(raw, at.type, "ABCD")

    async def get(self, point: Point) -> Value:
        """From the tables."""
        at, table = self._at(point)
        if at.table in ("coil", "discrete"):
            return bool(table[at.offset])
        if at.bit is not None:
            return bool(table[at.offset] >> at.bit & 1)
        words = table[at.offset : at.offset + at.count]
        if at.type == types.STRING:
            return struct.pack(f">{at.count}H", *words).split(b"\0")[0].decode()
        raw = value_of(words, at.type, "ABCD")
        assert raw is not None
        return to_value(raw, point.scaling, at.type)

    def close(self) -> None:
        """Ends the thread."""
        self._loop.close()

    def _at(self, point: Point) -> tuple[Address, list[int]]:
        at = parse(point.address, point.type, Config(endpoint="tcp://127.0.0.1"))
        return at, self.memory.tables[at.table]


class RtuOverTcpPeer(ModbusPeer):
    """Frames of a serial line over TCP."""

    def endpoint(self) -> str:
        return f"rtu+tcp://127.0.0.1:{self.port or 4001}"

    def make(self) -> Any:
        return ModbusTcpServer(_device(), framer=FramerType.RTU, address=("127.0.0.1", self.port))


def _device() -> SimDevice:
    return SimDevice(1, [SimData(0, datatype=DataType.UINT16)])
