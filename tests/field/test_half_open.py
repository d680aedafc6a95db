"""A device that has gone without a word: its end of the connection is there no more, ours still is.

The peer's socket is made to forget the connection without telling (TCP_REPAIR of the kernel; that needs root).
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from scada.clock import SystemClock
from scada.field.modbus import keepalive
from scada.field.modbus.bus import Bus
from scada.field.modbus.config import Config
from scada.field.modbus.link import Link
from scada.field.modbus.transport import over_network
from tests.support.wait import until

TCP_REPAIR = 19  # linux/tcp.h


class Peer:
    """A listener whose connections can be forgotten."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])

    def forget(self) -> None:
        """The power is off: no end of the connection, and nobody who knows it."""
        accepted, _ = self._server.accept()
        try:
            accepted.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        except PermissionError:
            accepted.close()
            pytest.skip("needs root")
        accepted.close()

    def close(self) -> None:
        """Listens no more."""
        self._server.close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    with contextlib.closing(Peer()) as made:
        yield made


@pytest.mark.parametrize(
    ("scheme", "client"), [("tcp", "native"), ("tcp", "pymodbus"), ("rtu+tcp", "native")]
)
async def test_a_half_open_connection_is_noticed_though_nothing_is_asked(
    peer: Peer, scheme: str, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that is polled each hour must not look connected for an hour."""
    quick = tuple(
        (level, option, 1 if option == socket.TCP_KEEPIDLE else value)
        for level, option, value in keepalive.KEEP_ALIVE
    )
    monkeypatch.setattr(keepalive, "KEEP_ALIVE", quick)
    config = Config.model_validate(
        {"endpoint": f"{scheme}://127.0.0.1:{peer.port}", "client": client, "timeout": "100 ms"}
    )
    clock = SystemClock()
    link = Link(config, clock, Bus(config, clock, over_network))
    assert await link.connect()
    peer.forget()
    assert link.open
    await until(lambda: not link.open, "noticed", 4.0)
    link.close()
