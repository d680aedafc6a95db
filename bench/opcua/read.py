"""How fast values are read, in batches of 1,000: the same requests again and again, and requests not seen before.

Also single values.
"""

from __future__ import annotations

import asyncio
import random
import struct
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from bench.harness import Results
from bench.opcua import servers
from bench.opcua.raw import Client
from scada.opcua.reading.request import VALUE_TAIL, encoded

TAGS: Final = 10_000
BATCH: Final = 1_000
FOR_S: Final = 3.0
_HEAD: Final = struct.Struct("<dii")
Figures = dict[str, float]
AGAIN: Final = "reading, the same requests again and again"
FRESH: Final = "reading, requests not seen before"
SINGLE: Final = "reading 1 value, median"


def measure(results: Results) -> None:
    """Reads from our server and from the peers, one after the other."""
    of: dict[str, Figures] = {}
    for name, start in (("ours", servers.ours), ("asyncua", servers.plain), ("node-opcua", servers.node)):
        of[name] = asyncio.run(_read(start))
    own, plain, node = of["ours"], of["asyncua"], of["node-opcua"]
    for what, unit, goal in (
        (AGAIN, "values/s", ">= 1e6"),
        (FRESH, "values/s", ">= 1e6"),
        (SINGLE, "ms", ""),
    ):
        results.add(what, own[what], unit, goal, "asyncua", plain[what])
        results.add(f"{what}, beside node-opcua", own[what], unit, goal, "node-opcua", node[what])


async def _read(start: Callable[[int], AbstractContextManager[servers.Server]]) -> Figures:
    with start(TAGS) as server:
        client = await Client.connect(server.port)
        head = _head(client)
        ids = [encoded(node.Identifier, node.NamespaceIndex)[0] + VALUE_TAIL for node in server.nodes]
        fixed = [_body(head, ids[at : at + BATCH]) for at in range(0, TAGS, BATCH)]
        shuffle = random.Random(6)
        fresh = [_body(head, shuffle.sample(ids, BATCH)) for _ in range(2_000)]
        figures = {
            AGAIN: await _rate(client, fixed, BATCH, forever=True),
            FRESH: await _rate(client, fresh, BATCH, forever=False),
            SINGLE: await _single(client, [_body(head, [one]) for one in ids[:1000]]),
        }
        client.close()
        return figures


async def _rate(client: Client, bodies: list[bytes], values: int, *, forever: bool) -> float:
    """Values a second, with one request on its way while another is answered."""
    done = 0
    began = time.perf_counter()
    waiting = client.send(bodies[0])
    number = 1
    while time.perf_counter() - began < FOR_S and (forever or number < len(bodies)):
        ahead = client.send(bodies[number % len(bodies)])
        answer = await waiting
        assert answer[:4] == b"\x01\x00\x7a\x02", answer[:40]
        waiting = ahead
        number += 1
        done += values
    spent = time.perf_counter() - began
    await waiting
    return done / spent


async def _single(client: Client, bodies: list[bytes]) -> float:
    times = []
    for body in bodies:
        began = time.perf_counter()
        await client.send(body)
        times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2] * 1e3


def _head(client: Client) -> bytes:
    """The type of the request and its header."""
    request = ua.ReadRequest()
    request.RequestHeader.AuthenticationToken = client.authentication
    request.RequestHeader.TimeoutHint = 60_000
    request.Parameters.NodesToRead = []
    return bytes(struct_to_binary(request))[: -_HEAD.size]


def _body(head: bytes, nodes: list[bytes]) -> bytes:
    return head + _HEAD.pack(0.0, int(ua.TimestampsToReturn.Both), len(nodes)) + b"".join(nodes)
