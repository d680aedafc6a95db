"""The time of a value is that of its own reply, and a reply that nobody could read in time makes no value look fresh."""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
import uvloop

from scada.clock import SystemClock
from scada.field.modbus import Modbus
from tags.model import Tag
from tests.field.liar import liar, right
from tests.field.plc import plc

MS = 1_000_000


@asynccontextmanager
async def session(port: int, addresses: list[str], **config: Any) -> AsyncIterator[Any]:
    driver = Modbus(SystemClock())
    settings = driver.Config.model_validate(
        {"endpoint": f"tcp://127.0.0.1:{port}", "timeout": "2 s", "max_gap": 0, **config}
    )
    tags = [
        Tag(id=n + 1, path=f"t/{n}", type="int16", kind="device", writer="field", row=n, scan_ns=10**9,
            address=driver.parse_address(text, "int16", settings))
        for n, text in enumerate(addresses)
    ]  # fmt: skip
    made = driver.session(settings, tags)
    assert await made.link.connect()
    try:
        yield made
    finally:
        made.link.close()


async def test_each_value_of_a_window_has_the_time_of_its_own_reply() -> None:
    held: list[Callable[[], None]] = []

    async def answer(request: bytes, number: int, writer: asyncio.StreamWriter) -> None:
        if struct.unpack_from(">H", request, 8)[0] == 20:
            held.append(lambda: writer.write(right(request)))
        else:
            writer.write(right(request))

    async with liar(answer) as port, session(port, ["holding/0", "holding/20"], window=2) as one:
        task = asyncio.ensure_future(one.fetch(0, 0))
        await asyncio.wait([task], timeout=0.1)
        assert len(held) == 1
        held[0]()
        assert await task == 2
        stamps = one.reading(0).source_ns
        assert stamps[1] - stamps[0] > 90 * MS
        assert np.array_equal(one.reading(0).bits, [1000, 1020])


@pytest.mark.parametrize("loops", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("client", ["native", "pymodbus"])
def test_what_lay_in_the_socket_while_this_process_slept_does_not_look_fresh(client: str, loops: Any) -> None:
    """As after SIGSTOP: the reply is of before."""

    async def main(port: int) -> None:
        clock = SystemClock()
        async with session(port, ["holding/0"], client=client, timeout="100 ms") as one:
            await one.fetch(0, 0)
            assert clock.utc_ns() - one.reading(0).source_ns[0] < 50 * MS
            sent = clock.utc_ns()
            task = asyncio.ensure_future(one.fetch(0, 0))
            while not server.memory.reads > 1:
                await asyncio.sleep(0)
                threading.Event().wait(0.3)  # the loop stands still
            await task
            assert one.reading(0).source_ns[0] - sent < 100 * MS

    with plc() as server, asyncio.Runner(loop_factory=loops) as runner:
        runner.run(main(server.port))
