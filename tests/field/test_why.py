"""Why there is no connection, as people read it."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl

import pytest

from scada.clock import SystemClock
from scada.field.modbus.config import Config
from scada.field.modbus.transport import over_network
from scada.field.modbus.why import why


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ECONNREFUSED, "Connect call failed ('192.168.10.11', 502)"), "connection refused"),
        (
            OSError(
                "Multiple exceptions: [Errno 111] Connect call failed ('::1', 502, 0, 0), "
                "[Errno 111] Connect call failed ('127.0.0.1', 502)"
            ),
            "connection refused",
        ),
        (socket.gaierror(-2, "Name or service not known"), "name or service not known"),
        (
            ssl.SSLError(
                1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed (_ssl.c:1006)"
            ),
            "certificate verify failed: self-signed",
        ),
        (OSError("there is no /dev/ttyUSB0"), "there is no /dev/ttyUSB0"),
        (UnicodeError(), "UnicodeError"),
        (OSError(errno.EIO, "I/O error"), "I/O error"),
    ],
)
def test_the_reason_in_words(error: Exception, words: str) -> None:
    assert why(error) == words


@pytest.mark.parametrize(
    "config",
    [{"endpoint": "tcp://127.0.0.1:{}"}, {"endpoint": "rtu+tcp://127.0.0.1:{}"}],
    ids=["tcp", "rtu+tcp"],
)
async def test_nobody_listens(config: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else's
        endpoint = config["endpoint"].format(taken.getsockname()[1])
        line = over_network(Config(endpoint=endpoint), SystemClock())()
        async with asyncio.timeout(5):
            assert not await line.connect()
        assert line.reason == "connection refused"
