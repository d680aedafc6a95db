"""What starting, reading and subscribing cost the server with asyncua's client, beside plain asyncua doing the same.

That client is slower than either server can be, so the server's own processor time is what is compared.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import numpy as np
from asyncua import Client, ua

from bench.demo import busy_s, pss_mb
from bench.harness import Results
from bench.opcua import servers

TAGS: Final = 10_000
FOLLOWED: Final = 2000
BATCH: Final = 1000
ROUNDS: Final = 10
SECONDS: Final = 6.0
PEER: Final = "plain asyncua"
Figures = dict[str, float]


def measure(results: Results) -> None:
    """Measures both."""
    with servers.plain(10):
        pass  # compiles the bytecode
    with servers.plain(TAGS) as server:
        peer = asyncio.run(_measure(server))
    with servers.ours(TAGS) as server:
        own = asyncio.run(_measure(server))
    for what, unit, goal in (
        (f"start to listening, {TAGS:,} tags", "s", ""),
        (f"memory (PSS), {TAGS:,} tags", "MB", ""),
        (f"server time of reading, {BATCH:,} values a call", "us/value", ""),
        (f"CPU, {TAGS:,} tags change once a second, {FOLLOWED:,} are subscribed", "% of a core", ""),
        ("changes of these that arrived", "%", ""),
        ("change to subscriber, p50 meanwhile", "ms", ""),
        ("change to subscriber, p99 meanwhile", "ms", ""),
    ):
        results.add(what, own[what], unit, goal, PEER, peer[what])


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    """A client without encryption, which would only add the same to both."""
    client = Client(f"opc.tcp://127.0.0.1:{port}", timeout=30)
    async with client:
        yield client


async def _measure(server: servers.Server) -> Figures:
    port, nodes, pid, started = server.port, server.nodes, server.pid, server.started_s
    figures: Figures = {f"start to listening, {TAGS:,} tags": started}
    figures[f"memory (PSS), {TAGS:,} tags"] = pss_mb(pid)
    async with connected(port) as client:
        batches = [
            [
                ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value)
                for node in nodes[at : at + BATCH]
            ]
            for at in range(0, len(nodes), BATCH)
        ]
        before = busy_s(pid)
        for _ in range(ROUNDS):
            for batch in batches:
                read = await client.uaclient.read(ua.ReadParameters(NodesToRead=batch))
                assert len(read) == len(batch)
        spent = (busy_s(pid) - before) * 1e6 / (ROUNDS * len(nodes))
        figures[f"server time of reading, {BATCH:,} values a call"] = spent
        arrivals: list[tuple[int, float]] = []

        class Handler:
            def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
                del node, data
                arrivals.append((int(value), time.perf_counter()))

        subscription = await client.create_subscription(100, Handler())
        for at in range(0, FOLLOWED, BATCH):
            await subscription.subscribe_data_change(
                [client.get_node(node) for node in nodes[at : at + BATCH]]
            )
        await asyncio.sleep(1)
        arrivals.clear()
        put: dict[int, float] = {}
        before, began = busy_s(pid), time.perf_counter()
        for turn in range(1, int(SECONDS) + 1):
            put[turn] = time.perf_counter()
            await asyncio.to_thread(server.change, turn, 0, TAGS)
            await asyncio.sleep(max(0.0, began + turn - time.perf_counter()))
        took = time.perf_counter() - began
        figures[f"CPU, {TAGS:,} tags change once a second, {FOLLOWED:,} are subscribed"] = (
            (busy_s(pid) - before) / took * 100
        )
        await asyncio.sleep(1)
        got = [(at - put[turn]) * 1000 for turn, at in arrivals if turn in put]
        figures["changes of these that arrived"] = len(got) / (len(put) * FOLLOWED) * 100
        figures["change to subscriber, p50 meanwhile"] = float(np.percentile(got, 50))
        figures["change to subscriber, p99 meanwhile"] = float(np.percentile(got, 99))
        await subscription.delete()
    return figures
