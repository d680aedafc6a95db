"""Both ends in one simulated time: the driver's own code on an event loop whose network is memory."""

from __future__ import annotations

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol  # what asyncio itself puts between a socket and a protocol
from collections.abc import Callable
from typing import Any

from scada.virtual.world import Process, World
from tests.field.truth.device import Corruption, Device
from tests.field.truth.tls import TlsPipe

UTC_NS = 1_800_000_000_000_000_000
LATENCY_NS = 50_000


class Network(Process):
    """An event loop with a network of one device.

    Args:
        world: Its time.
        server: TLS of the device, or None.

    Attributes:
        connections: Made so far.
        raised: What protocols let escape.
        devices: By TCP port.
    """

    device: Device
    """Behind every address that is not in `devices`."""

    def __init__(self, world: World, server: ssl.SSLContext | None = None) -> None:
        super().__init__(world, "driver")
        self.world = world
        self._server = server
        self.connections = 0
        self.raised: list[Exception] = []
        self.devices: dict[int, Device] = {}
        self._arrived: list[Callable[[], object]] = []

    def now_ns(self) -> int:
        return self.world.now_ns

    def after(self, delay_ns: int, what: Callable[[], object]) -> None:
        self.world.after(delay_ns, what)

    def turn(self, what: Callable[[], object]) -> None:
        """Bytes that arrive at the same time are taken in the same turn of the loop, as a selector finds them."""
        if not self._arrived:
            self.world.after(0, self._take_all)
        self._arrived.append(what)

    def _take_all(self) -> None:
        arrived, self._arrived = self._arrived, []
        self.run(lambda: [what() for what in arrived])

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """As asyncio's; never a hair too early, or who waits for what is left of a time waits for ever."""
        return super().call_later(delay + 1e-9 if delay > 0 else delay, callback, *args, context=context)

    async def create_connection(
        self,
        protocol_factory: Callable[[], asyncio.Protocol],
        host: str | None = None,
        port: int | None = None,
        *,
        ssl: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
        **_more: Any,
    ) -> tuple[asyncio.BaseTransport, asyncio.Protocol]:
        """As asyncio's."""
        self.connections += 1
        protocol = protocol_factory()
        device = self.devices.get(port or 0) or self.device
        cable = Cable(self, device, self._server if ssl else None)
        if ssl is None:
            cable.attach(protocol)
            return cable, protocol
        waiter = self.create_future()
        wrapped = SSLProtocol(
            self,
            protocol,
            ssl,
            waiter,
            server_side=False,
            server_hostname=server_hostname or host,
            ssl_handshake_timeout=5,
            ssl_shutdown_timeout=1,
        )
        cable.attach(wrapped)
        try:
            await waiter
        except BaseException:
            cable.abort()
            raise
        return wrapped._app_transport, protocol

    async def open_port(self, _path: str, _settings: Any, protocol: Any) -> Cable:
        """As the driver's opening of a serial port: the line is always there, and remembers."""
        self.connections += 1
        cable = Cable(self, self.device)
        cable.attach(protocol, tell=False)
        return cable

    async def getaddrinfo(self, host: str, port: int, **_more: Any) -> list[Any]:
        return [(2, 1, 6, "", (host, port))]

    def is_running(self) -> bool:
        return self.alive


class Cable(asyncio.Transport):
    """One connection: the driver's transport, and the device's pipe in `far`."""

    def __init__(self, network: Network, device: Device, server: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self._network = network
        self._device = device
        self._protocol: Any = None
        self._closing = False
        self._paused: list[bytes] | None = None
        self.far = FarEnd(self)
        self._tls = TlsPipe(device, server, self.far) if server is not None else None

    def attach(self, protocol: Any, *, tell: bool = True) -> None:
        """The connection is made."""
        self._protocol = protocol
        if self._tls is None:
            self._device.connected(self.far)
        if tell:
            protocol.connection_made(self)

    # -- the driver's side --------------------------------------------------------------------------------------

    def write(self, data: Any) -> None:
        if self._closing:
            return
        sent = bytes(data)
        self._network.after(LATENCY_NS, lambda: self._arrived(sent))

    def _arrived(self, data: bytes) -> None:
        if self._tls is not None:
            self._tls.received(data)
        else:
            self._device.received(data, self.far)

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        self._end(None)

    def abort(self) -> None:
        self._end(None)

    def _force_close(self, error: Exception | None) -> None:
        """As transports of asyncio are ended by its TLS."""
        self._end(error)

    def is_closing(self) -> bool:
        return self._closing

    def get_protocol(self) -> Any:
        return self._protocol

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("memory", 0) if name == "peername" else default

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        if self._paused is None:
            self._paused = []

    def resume_reading(self) -> None:
        held, self._paused = self._paused or [], None
        for data in held:
            self._network.after(0, lambda data=data: self.deliver(data))  # type: ignore[misc]

    def is_reading(self) -> bool:
        return self._paused is None

    def _end(self, error: Exception | None) -> None:
        if self._closing:
            return
        self._closing = True
        self._network.after(LATENCY_NS, self._gone)
        if self._protocol is not None:
            self._network.call_soon(self._protocol.connection_lost, error)

    def _gone(self) -> None:
        if self._tls is not None:
            self._tls.gone()
        self._device.lost(self.far)

    # -- from the device ----------------------------------------------------------------------------------------

    def deliver(self, data: bytes) -> None:
        """Bytes arrive."""
        if self._closing:
            return
        if self._paused is not None:
            self._paused.append(data)
            return
        self._network.turn(lambda: self._guarded(data))

    def _guarded(self, data: bytes) -> None:
        """As asyncio: a protocol that raises loses its connection."""
        if self._closing:
            return
        try:
            self._take(data)
        except Exception as error:  # noqa: BLE001 - whatever it is
            self._network.raised.append(error)
            self._end(error)

    def _take(self, data: bytes) -> None:
        protocol = self._protocol
        if not isinstance(protocol, asyncio.BufferedProtocol):
            protocol.data_received(data)
            return
        while data and not self._closing:
            space = memoryview(protocol.get_buffer(len(data)))
            part = data[: len(space)]
            space[: len(part)] = part
            protocol.buffer_updated(len(part))
            data = data[len(part) :]

    def ended(self, *, reset: bool) -> None:
        """The device hung up."""
        if not self._closing:
            error = ConnectionResetError("reset") if reset else None
            self._network.run(lambda: self._hung_up(error))

    def _hung_up(self, error: Exception | None) -> None:
        if error is None:
            self._protocol.eof_received()
        self._end(error)


class FarEnd:
    """The device's end of a cable."""

    def __init__(self, cable: Cable) -> None:
        self._cable = cable

    def write(self, data: bytes, corrupted: Corruption | None = None) -> None:
        sent = corrupted(data) if corrupted else data
        self._cable._network.after(LATENCY_NS, lambda: self._cable.deliver(sent))

    def close(self) -> None:
        self._cable._network.after(LATENCY_NS, lambda: self._cable.ended(reset=False))

    def abort(self) -> None:
        self._cable._network.after(LATENCY_NS, lambda: self._cable.ended(reset=True))
