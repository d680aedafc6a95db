"""HistoryRead of raw values through continuation points: a million of one tag, and ten tags in one call."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from bench.demo import busy_s
from bench.harness import Results
from bench.opcua import servers
from bench.opcua.raw import Client
from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch

VALUES: Final = 1_000_000
TAGS: Final = 10
PEER_VALUES: Final = 50_000  # each page goes through all of them there
START: Final = 1_795_348_800_000_000_000
STEP_NS: Final = 100_000_000
_HEADER: Final = 4 + 24  # type of the response and its ResponseHeader


def measure(results: Results) -> None:
    """Adds its rows."""
    with servers.plain(TAGS, PEER_VALUES) as server:
        peer = asyncio.run(_peer(server))
    with servers.ours(TAGS) as server:
        assert server.plant is not None
        store = SqliteStore.writer(server.plant.data.history)
        try:
            store.declare(server.plant.site.tags)
            by_path = server.plant.site.by_path()
            for number in range(TAGS):
                _fill(store, by_path[servers.path_of(number)].id, VALUES // TAGS if number else VALUES)
            store.fold(force=True)  # as the historian does whenever some 100,000 are waiting
            asyncio.run(_measure(results, server, peer))
        finally:
            store.close()


def _fill(store: SqliteStore, tag: int, count: int) -> None:
    for at in range(0, count, 100_000):
        rows = np.zeros(min(100_000, count - at), SAMPLE)
        rows["tag"] = tag
        rows["t"] = START + (at + np.arange(len(rows))) * STEP_NS
        rows["bits"] = np.sin((at + np.arange(len(rows))) / 100).view(np.uint64)
        store.append(Batch(rows, utc_ns=int(rows["t"][-1])))


async def _peer(server: servers.Server) -> float:
    client = await Client.connect(server.port)
    began = time.perf_counter()
    count = await _pages(client, server.nodes[:1], 0)
    took = time.perf_counter() - began
    assert count >= PEER_VALUES, count  # the last of a page comes again in the next one
    client.close()
    return count / took


async def _measure(results: Results, server: servers.Server, peer: float) -> None:
    client = await Client.connect(server.port)
    for what, nodes in (
        ("one tag", server.nodes[:1]),
        (f"{TAGS} tags in a call", server.nodes[1:] + server.nodes[:1]),
    ):
        await _pages(client, nodes, 20_000 * len(nodes))  # warm
        before, began = busy_s(server.pid), time.perf_counter()
        count = await _pages(client, nodes, 0)
        assert count == VALUES + (len(nodes) - 1) * VALUES // TAGS, count
        took = time.perf_counter() - began
        beside = ("asyncua", peer) if len(nodes) == 1 else ("", None)
        results.add(f"HistoryRead raw in pages, {what}", count / took, "values/s", ">= 3e5", *beside)
        results.add(f"server time of a value in HistoryRead, {what}", (busy_s(server.pid) - before) * 1e6 / count, "us", "", "", None)  # fmt: skip
    client.close()


async def _pages(client: Client, nodes: list[ua.NodeId], most: int) -> int:
    """Reads until the end, or until there are so many; returns how many values came."""
    points: list[bytes | None] = [None] * len(nodes)
    done = [False] * len(nodes)
    count = 0
    while not all(done) and (not most or count < most):
        wanted = [at for at in range(len(nodes)) if not done[at]]
        answer = await client.send(_request(client, [(nodes[at], points[at]) for at in wanted]))
        for at, (status, point, number) in zip(wanted, _results(answer), strict=True):
            assert status >> 31 == 0, hex(status)
            count += number
            points[at], done[at] = point, point is None
    if most:
        left = [(node, point) for node, point in zip(nodes, points, strict=True) if point]
        await client.send(_request(client, left, release=True))
    return count


def _request(
    client: Client, items: Sequence[tuple[ua.NodeId, bytes | None]], *, release: bool = False
) -> bytes:
    request = ua.HistoryReadRequest()
    request.RequestHeader.AuthenticationToken = client.authentication
    request.RequestHeader.TimeoutHint = 60_000
    details: Any = ua.ReadRawModifiedDetails()
    details.IsReadModified = details.ReturnBounds = False
    details.StartTime = ua.uatypes.win_epoch_to_datetime(START // 100 + 116_444_736_000_000_000)
    details.EndTime = ua.uatypes.win_epoch_to_datetime(
        (START + VALUES * STEP_NS) // 100 + 116_444_736_000_000_000
    )
    request.Parameters.HistoryReadDetails = details
    request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Source
    request.Parameters.ReleaseContinuationPoints = release
    request.Parameters.NodesToRead = [ua.HistoryReadValueId(NodeId=node, ContinuationPoint=point) for node, point in items]  # fmt: skip
    body: bytes = struct_to_binary(request)
    return body


def _results(answer: bytes) -> list[tuple[int, bytes | None, int]]:
    """Status, continuation point and number of values of each node; the values are not looked at."""
    at = _HEADER
    (count,) = struct.unpack_from("<i", answer, at)
    at += 4
    found = []
    for _ in range(count):
        status, size = struct.unpack_from("<Ii", answer, at)
        at += 8
        point = bytes(answer[at : at + size]) if size >= 0 else None
        at += max(size, 0) + 4 + 1  # and the type and encoding of the data
        length, values = struct.unpack_from("<ii", answer, at)
        at += 4 + length
        found.append((status, point, values))
    return found
