"""OPC UA: what starting, reading and subscribing cost the server, beside plain asyncua doing the same in the same run.

The client is asyncua's and slower than either server can be, so the server's own processor time is what is compared.
Run as `python -m bench.opcua`.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from asyncua import Client, Server, ua

from bench.demo import busy_s, pss_mb
from bench.harness import Results
from bench.hmi import site_with
from tags.types import to_bits
from tests.hmi.plant import Plant
from tests.support.ports import free_ports
from tests.support.wait import wait_for

TAGS: Final = 10_000
FOLLOWED: Final = 2000
BATCH: Final = 1000
ROUNDS: Final = 10
SECONDS: Final = 6.0
PEER: Final = "plain asyncua"
Figures = dict[str, float]


def main() -> None:
    """Measures both and writes bench/results/opcua.json."""
    if sys.argv[1:2] == ["plain"]:
        asyncio.run(plain_server(int(sys.argv[2])))
        return
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # the client has much to say when it ends
    results = Results("opcua")
    with tempfile.TemporaryDirectory(prefix="bench-opcua-") as name:
        plain(free_ports(1))  # compiles the bytecode
        peer = plain(free_ports(1), measured=True)
        own = ours(Path(name), free_ports(1))
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
    results.write()


def ours(folder: Path, port: int) -> Figures:
    """Our service over a plant whose field is played from here."""
    site = site_with(TAGS)
    # A hundred in each folder, as plants have them: asyncua needs quadratic time for many in one.
    tags = [
        dataclasses.replace(tag, path=f"bench/{int(tag.path[8:]) // 100}/{tag.path[6:]}")
        if tag.path.startswith("bench/")
        else tag
        for tag in site.tags
    ]
    site = dataclasses.replace(site, tags=tuple(tags), opcua_endpoint=f"opc.tcp://127.0.0.1:{port}")
    plant = Plant(folder / "data", site)
    if "opcua" in plant.publishers:
        plant.publishers.pop("opcua").close()
    rows = np.array([tag.row for tag in site.tags if tag.path.startswith("bench/")])

    def change(turn: int) -> None:
        with plant._lock:  # noqa: SLF001 - it publishes all its rows from a thread of its own
            bits = np.full(len(rows), to_bits("float64", float(turn)), np.uint64)
            plant.publishers["field"].put(rows, bits, 0, time.time_ns(), time.monotonic_ns())

    command = [sys.executable, "-m", "scada.opcua", "--data", str(plant.data.root)]
    try:
        with serving([*command, "--name", "opcua", "--epoch", "1"], port) as (process, started):
            nodes = [ua.NodeId(f"bench/{n // 100}/T-{n:03}", 2) for n in range(TAGS)]
            return asyncio.run(measure(port, nodes, process.pid, started, change))
    finally:
        plant.close()
        shutil.rmtree(plant.data.run.resolve())


def plain(port: int, *, measured: bool = False) -> Figures:
    """Asyncua as its own examples use it; it changes its values itself when a line arrives on standard input."""
    with serving([sys.executable, "-m", "bench.opcua", "plain", str(port)], port) as (process, started):
        if not measured:
            return {}

        def change(turn: int) -> None:
            assert process.stdin is not None
            process.stdin.write(f"{turn}\n".encode())
            process.stdin.flush()

        nodes = [ua.NodeId(f"T-{n}", 2) for n in range(TAGS)]
        return asyncio.run(measure(port, nodes, process.pid, started, change))


async def plain_server(port: int) -> None:
    """The peer's process."""
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace("urn:bench")
    nodes = []
    for number in range(TAGS):
        if number % 100 == 0:  # more in one folder cost it quadratic time
            folder = await server.nodes.objects.add_folder(index, f"bench{number}")
        node = await folder.add_variable(ua.NodeId(f"T-{number}", index), f"T-{number}", 0.0)
        nodes.append(node.nodeid)
    async with server:
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
        )
        while line := await lines.readline():
            value = ua.DataValue(ua.Variant(float(line), ua.VariantType.Double))
            for number, node in enumerate(nodes):
                await server.write_attribute_value(node, value)
                if number % BATCH == 0:
                    await asyncio.sleep(0)


@contextlib.contextmanager
def serving(command: list[str], port: int) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """A server's process and how long it took to listen, s."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def listening() -> bool:
        assert process.poll() is None, f"{command} ended with {process.returncode}"
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        return False

    try:
        wait_for(listening, 60, "the server listens")
        yield process, time.perf_counter() - began
    finally:
        process.terminate()
        process.communicate(timeout=20)


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    """A client without encryption, which would only add the same to both."""
    client = Client(f"opc.tcp://127.0.0.1:{port}", timeout=30)
    async with client:
        yield client


async def measure(
    port: int, nodes: list[ua.NodeId], pid: int, started: float, change: Callable[[int], None]
) -> Figures:
    """The figures of one server.

    Args:
        port: Its own.
        nodes: Variables to read and to subscribe.
        pid: Its process.
        started: How long it took to listen, s.
        change: Gives all of them a new value: the number of the turn.
    """
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
            await asyncio.to_thread(change, turn)
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


if __name__ == "__main__":
    main()
