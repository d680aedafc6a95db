"""Modbus devices for the driver contract: pymodbus' servers, in a thread of their own, over each transport."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymodbus import FramerType
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusSerialServer, ModbusTcpServer, ModbusTlsServer
from pymodbus.simulator import DataType, SimData, SimDevice

from scada.cli.modbus_values import value_of, words_of
from scada.field.contract import Peer, Point
from scada.field.modbus.address import Address, parse
from scada.field.modbus.config import Config
from scada.modbus.tls import server_context
from tags import types
from tags.scaling import to_raw, to_value
from tags.types import Value
from tests.field.plc import Loop, Memory
from tests.support.cable import Cable
from tests.support.certificates import Pair


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
        self._extra = {"client": client, "timeout": "200 ms"} | config

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
                loop: Any = asyncio.get_running_loop()
                for transport in list(loop._transports.values()):
                    transport.abort()  # TLS would say goodbye, and wait for an answer
                for _ in range(5):
                    await asyncio.sleep(0)

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


class TlsPeer(ModbusPeer):
    """Modbus/TCP Security with certificates of both ends.

    Args:
        folder: Where they are.
        client: What the driver is to use.
    """

    def __init__(self, device: Pair, client_pair: Pair, client: str = "native") -> None:
        tls = {"ca": client_pair.ca, "certificate": client_pair.certificate, "key": client_pair.key}
        files = {key: str(path) for key, path in tls.items()}
        super().__init__(client, tls=files, timeout="500 ms")  # a handshake is a lot of work
        self._device = device

    def endpoint(self) -> str:
        return f"tls://127.0.0.1:{self.port or 802}"

    def make(self) -> Any:
        context = server_context(self._device.tls)
        return ModbusTlsServer(_device(), sslctx=context, address=("127.0.0.1", self.port))


class SerialPeer(ModbusPeer):
    """A device on a serial line; when it is gone, so is the USB adapter with its port.

    Args:
        path: The name of the port, as udev gives a lasting one.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(serial={"baud": 115200, "parity": "none"})
        self._path = path
        self._cable: Cable | None = None

    def endpoint(self) -> str:
        return f"rtu://{self._path}"

    def make(self) -> Any:
        self._cable = Cable()
        self._path.symlink_to(self._cable.one)
        return ModbusSerialServer(_device(), port=self._cable.other, baudrate=115200, parity="N")

    def listening(self) -> None:
        pass

    async def stop(self) -> None:
        await super().stop()
        if self._cable is not None:
            cable, self._cable = self._cable, None

            async def pull() -> None:
                cable.pull_out()
                cable.close()

            self._path.unlink()
            self._loop.run(pull())


def _device() -> SimDevice:
    return SimDevice(1, [SimData(0, datatype=DataType.UINT16)])
