"""A request that was given up does not arrive later: the kernel forgets it with its connection."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
import uvloop

from scada.clock import SystemClock
from scada.field.driver import NoReplyError
from scada.field.modbus.bus import Bus
from scada.field.modbus.config import Config
from scada.field.modbus.drop import drop
from scada.field.modbus.link import Link
from scada.field.modbus.transport import over_network
from scada.modbus import wire


@pytest.mark.parametrize("loops", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize(
    ("scheme", "client"), [("tcp", "native"), ("tcp", "pymodbus"), ("rtu+tcp", "native")]
)
def test_what_was_given_up_is_forgotten(scheme: str, client: Any, loops: Any) -> None:
    with asyncio.Runner(loop_factory=loops) as runner:
        runner.run(give_up(scheme, client))


async def give_up(scheme: str, client: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        config = Config(
            endpoint=f"{scheme}://127.0.0.1:{server.getsockname()[1]}", client=client, timeout="50 ms"
        )
        link = Link(config, SystemClock(), Bus(config, SystemClock(), over_network))
        assert await link.connect()
        loop = asyncio.get_running_loop()
        peer, _ = await loop.sock_accept(server)
        with peer:
            peer.setblocking(False)
            with pytest.raises(NoReplyError):
                await link.ask(link.prepare(wire.write_coil(0, on=True)))
            assert await loop.sock_recv(peer, 100), "it has arrived before"
            with pytest.raises(ConnectionResetError):
                await loop.sock_recv(peer, 100)
        link.close()


@pytest.mark.parametrize("loops", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_connection_that_has_ended_may_be_dropped(loops: Any) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            ended = asyncio.Event()

            class Told(asyncio.Protocol):
                def connection_lost(self, exc: Exception | None) -> None:
                    del exc
                    ended.set()

            transport, _ = await asyncio.get_running_loop().create_connection(Told, *server.getsockname())
            server.accept()[0].close()
            await ended.wait()
            drop(transport)
            await asyncio.sleep(0)
            drop(transport)

    with asyncio.Runner(loop_factory=loops) as runner:
        runner.run(main())
