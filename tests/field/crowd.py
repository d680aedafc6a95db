"""Many PLCs on this machine, each at an address of its own (127.1.x.y), of which some die and come back.

Run as a program it is the process that plays them: `python -m tests.field.crowd DEVICES DEAD`. It says its ports, takes
`die`, `back`, `calm` (all begin to count anew), `count` and `report` by lines, and ends with its input. It notes when each request came: that is the time that
counts, and not what the driver says of itself.

The dead die in four ways: their cable is out (requests and new connections vanish), nothing listens any more
(connections are refused), they take connections and say nothing, they drop each connection at the first request.
The connections of those that are unplugged or silent stay half open: no end of them is ever seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from tags.model import Device, Site, Tag
from tags.site.system import DEVICE
from tests.support.site import make_site

WAYS: Final = ("unplugged", "refuses", "silent", "drops")
PERIOD_NS: Final = 1_000_000_000
TAGS: Final = 10


def address(number: int) -> str:
    """The address of a device."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


def way(number: int, dead: int) -> str:
    """How a device dies; "" when it does not."""
    return WAYS[number % 4] if number < dead else ""


class Play:
    """The devices.

    Args:
        devices: How many.
        dead: How many of them die.
    """

    def __init__(self, devices: int, dead: int) -> None:
        self.numbers = {address(number): number for number in range(devices)}
        self.dead = dead
        self.down = False
        self.since = 0.0
        self.seen: list[list[float]] = [[] for _ in range(devices)]
        self.connections: set[Peer] = set()

    def fate(self, number: int) -> str:
        """What the device does to requests now."""
        return way(number, self.dead) if self.down else ""


class Peer(asyncio.Protocol):
    """One connection to a device: FC3 with registers that count, FC6 and FC16 with their echo."""

    def __init__(self, play: Play) -> None:
        self._play = play

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A field has connected."""
        self.transport: Any = transport
        self.number = self._play.numbers[transport.get_extra_info("sockname")[0]]
        self._play.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        """It has gone."""
        self._play.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Requests; they come whole, this being the same machine."""
        fate = self._play.fate(self.number)
        if fate == "drops":
            self.transport.abort()
        if fate:
            return
        self._play.seen[self.number].append(time.monotonic())
        while data:
            size = 6 + struct.unpack_from(">H", data, 4)[0]
            function, _, count = struct.unpack_from(">BHH", data, 7)
            body = bytes((function, 2 * count)) + bytes(2 * count) if function == 3 else data[7:12]
            self.transport.write(data[:4] + struct.pack(">H", 1 + len(body)) + data[6:7] + body)
            data = data[size:]


async def _play(devices: int, dead: int) -> None:
    loop = asyncio.get_running_loop()
    play = Play(devices, dead)

    async def listen(port: int = 0) -> asyncio.Server:
        return await loop.create_server(lambda: Peer(play), "0.0.0.0", port, backlog=4096)

    steady, refusing, unplugged = [await listen() for _ in range(3)]
    ports = [server.sockets[0].getsockname()[1] for server in (steady, refusing, unplugged)]
    print(json.dumps(ports), flush=True)
    hole: list[socket.socket] = []
    lines: asyncio.Queue[str] = asyncio.Queue()
    loop.add_reader(sys.stdin, lambda: lines.put_nowait(sys.stdin.readline()))
    while word := (await lines.get()).strip():
        if word == "die":
            for server in (refusing, unplugged):
                server.close()
            # a listener whose queue is full answers no further connection: as a cable that is out
            full = socket.create_server(("0.0.0.0", ports[2]), backlog=0, reuse_port=False)
            hole.append(full)
            for _ in range(4):
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", ports[2]))
                hole.append(filler)
            play.down = True
            for peer in tuple(play.connections):
                if way(peer.number, dead) == "refuses":
                    peer.transport.abort()
        elif word == "back":
            for one in hole:
                one.close()
            hole.clear()
            refusing, unplugged = await listen(ports[1]), await listen(ports[2])
            play.down = False
        elif word == "count":
            print(sum(len(seen) for seen in play.seen), flush=True)
            continue
        elif word == "report":
            print(json.dumps(_report(play)), flush=True)
            continue
        play.since = time.monotonic()
        play.seen = [[] for _ in range(devices)]
        print(json.dumps(word), flush=True)


def _report(play: Play) -> dict[str, Any]:
    """Since the last word: gaps between the requests of those that never died, ms; when those that did were first asked, s."""
    gaps = [np.diff(seen) for seen in play.seen[play.dead :] if len(seen) > 1]
    quiet = [time.monotonic() - (seen[-1] if seen else play.since) for seen in play.seen[play.dead :]]
    back = [seen[0] - play.since if seen else -1.0 for seen in play.seen[: play.dead]]
    return {
        "gaps_ms": sorted((np.concatenate(gaps) * 1e3).tolist()) if gaps else [],
        "quiet_s": max(quiet, default=0.0),
        "back_s": back,
        "asked": sum(len(seen) for seen in play.seen),
    }


class Crowd:
    """The process that plays the devices, as a test sees it."""

    def __init__(self, devices: int, dead: int) -> None:
        self.devices, self.dead = devices, dead
        arguments = [sys.executable, "-m", "tests.field.crowd", str(devices), str(dead)]
        self.process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
        )
        self.ports: list[int] = self._answer()

    def say(self, word: str) -> Any:
        """Sends a word and returns what comes back."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return self._answer()

    def site(self, first: int | None = None, **config: Any) -> Site:
        """A site with the devices, or the first ones, some tags each, polled once a second.

        Args:
            first: How many; None for all.
            **config: Settings of each.
        """
        base = make_site()
        kept = [tag for tag in base.tags if tag.writer != "field"]
        tags: list[Tag] = []
        devices: list[Device] = []
        for number in range(first or self.devices):
            port = self.ports[{"refuses": 1, "unplugged": 2}.get(way(number, self.dead), 0)]
            endpoint = f"tcp://{address(number)}:{port}"
            devices.append(
                Device(
                    name=f"D{number}",
                    driver="modbus",
                    service="field",
                    config={"endpoint": endpoint, **config},
                )
            )
            for i in range(TAGS):
                row = len(tags)
                place = {"table": "holding", "offset": 2 * i, "bit": None, "count": 2, "type": "float32"}
                tags.append(
                    Tag(id=10_000 + row, path=f"d{number}/u/{i}", type="float64", kind="device", writer="field", row=row,
                        device=f"D{number}", scan_ns=PERIOD_NS, address=place)
                )  # fmt: skip
        health = [(f"system/{device.name}/{one.key}", one.type) for device in devices for one in DEVICE]
        for path, kind in (("system/field/memory", "float64"), *health):
            row = len(tags)
            tags.append(Tag(id=10_000 + row, path=path, type=kind, kind="system", writer="field", row=row))
        return replace(base, devices=tuple(devices), tags=(*kept, *tags))

    def close(self) -> None:
        """Ends the process."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())


@contextlib.contextmanager
def crowd(devices: int, dead: int) -> Iterator[Crowd]:
    """The devices for the length of a test."""
    one = Crowd(devices, dead)
    try:
        yield one
    finally:
        one.close()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_play(int(sys.argv[1]), int(sys.argv[2])))
