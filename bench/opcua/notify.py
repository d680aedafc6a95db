"""Data changes to subscribers: processor time of the server for a given load, and the most that it delivers."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.demo import busy_s
from bench.harness import Results
from bench.opcua import servers
from bench.opcua.raw import Client, settled
from tests.support.opcua_client import with_certificate

TAGS: Final = 10_000
SECONDS: Final = 5.0
TURNS: Final = 10  # changes a second


class Load(NamedTuple):
    """What was seen while tags changed.

    Attributes:
        cpu: Processor time of the server, % of a core.
        arrived: Which part of the changes arrived, %.
        rate: Notifications that arrived in a second.
    """

    cpu: float
    arrived: float
    rate: float


async def load(server: servers.Server, clients: int, count: int, *, every: bool) -> Load:
    """Changes tags ten times a second while clients are subscribed to all of them at 100 ms.

    Args:
        server: Which.
        clients: How many.
        count: Tags that change each time.
        every: The same tags each time; else those that follow.
    """
    subscribers = [await Client.connect(server.port, f"bench{n}") for n in range(clients)]
    try:
        for client in subscribers:
            await client.subscribe(server.nodes, 100)
            client.publish()
        await settled(subscribers[-1])
        for client in subscribers:
            client.notifications = 0
        before, began = busy_s(server.pid), time.perf_counter()
        turns = int(SECONDS * TURNS)
        for turn in range(turns):
            first = 0 if every else turn * count % TAGS
            await asyncio.to_thread(server.change, turn + 1 if every else turn // TURNS + 1, first, count)
            await asyncio.sleep(max(0.0, began + (turn + 1) / TURNS - time.perf_counter()))
        took = time.perf_counter() - began
        spent = (busy_s(server.pid) - before) / took * 100
        await settled(subscribers[-1], 5)
        got = sum(client.notifications for client in subscribers)
    finally:
        for client in subscribers:
            client.close()
        await asyncio.sleep(0.2)
    return Load(spent, got / (turns * count * clients) * 100, got / took)


async def encrypted(server: servers.Server, folder: Path) -> tuple[float, float]:
    """As `load` for one client whose channel is SignAndEncrypt: asyncua's, which decodes everything."""
    assert server.data is not None
    arrived = 0

    class Handler:
        def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
            nonlocal arrived
            del node, value, data
            arrived += 1

    client = await with_certificate(
        f"opc.tcp://127.0.0.1:{server.port}", folder, server.data / "certs", patience_s=60
    )
    async with client:
        subscription = await client.create_subscription(100, Handler())
        for at in range(0, TAGS, 1000):
            await subscription.subscribe_data_change(
                [client.get_node(node) for node in server.nodes[at : at + 1000]]
            )
        await asyncio.sleep(2)
        arrived = 0
        before, began = busy_s(server.pid), time.perf_counter()
        turns, count = int(SECONDS * TURNS), TAGS // TURNS
        for turn in range(turns):
            await asyncio.to_thread(server.change, turn // TURNS + 1, turn * count % TAGS, count)
            await asyncio.sleep(max(0.0, began + (turn + 1) / TURNS - time.perf_counter()))
        spent = (busy_s(server.pid) - before) / (time.perf_counter() - began) * 100
        await asyncio.sleep(1)
    return spent, arrived / (turns * count) * 100


LOADS: Final = (
    ("10,000 changes a second to one client at 100 ms", 1, TAGS // TURNS, False, "<= 3"),
    ("10,000 changes a second to five clients at 100 ms", 5, TAGS // TURNS, False, "<= 8"),
    ("500,000 notifications a second to five clients", 5, TAGS, True, "<= 60"),
)
"""What, clients, tags that change each time, the same ones each time, goal."""


async def loads(server: servers.Server, how_many: int = len(LOADS)) -> list[Load]:
    """The first of `LOADS`, one after the other."""
    return [
        await load(server, clients, count, every=every) for _, clients, count, every, _ in LOADS[:how_many]
    ]


def measure(results: Results) -> None:
    """Ours beside the peers."""
    with servers.ours(TAGS) as server, tempfile.TemporaryDirectory() as folder:
        cpu, got = asyncio.run(encrypted(server, Path(folder)))
        own = asyncio.run(loads(server))
    results.add("CPU, 10,000 changes a second to one client, SignAndEncrypt", cpu, "% of a core")
    results.add("arrived, 10,000 changes a second to one client, SignAndEncrypt", got, "%")
    # node-opcua takes minutes to make the items of five such clients.
    for start, peer, count in ((servers.plain, "asyncua", len(LOADS)), (servers.node, "node-opcua", 1)):
        with start(TAGS) as server:
            others = asyncio.run(loads(server, count))
        for (title, *_, goal), ours, other in zip(LOADS, own, others, strict=False):
            results.add(f"CPU, {title}", ours.cpu, "% of a core", goal, peer, other.cpu)
            results.add(f"arrived, {title}", ours.arrived, "%", "", peer, other.arrived)
            results.add(f"arrived in a second, {title}", ours.rate, "1/s", "", peer, other.rate)
