"""Many sessions for a long time: `python -m bench.opcua.hold [--minutes 10] [--sessions 500]`.

Half of the sessions have five subscriptions of 500 items each at 1 s, the others none; a tenth of the values changes each
second. Prints processor time, memory and what arrived each half minute, and the figures at the end; writes nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import resource
import time
from typing import Final

from bench.demo import busy_s, pss_mb
from bench.harness import end_in_order
from bench.opcua import servers
from bench.opcua.raw import Client

TAGS: Final = 10_000
SUBSCRIPTIONS: Final = 5
ITEMS: Final = 500
TURNS: Final = 10  # a second


def main() -> None:
    """Holds, prints, ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--sessions", type=int, default=500)
    wanted = parser.parse_args()
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    end_in_order()
    with servers.ours(TAGS) as server:
        asyncio.run(hold(server, wanted.sessions, wanted.minutes * 60))


async def hold(server: servers.Server, sessions: int, seconds: float) -> dict[str, float]:
    """The figures: `cpu` (% of a core), `memory` (MB at the end), `growth` (MB since the begin), `arrived` (%)."""
    clients = await connected(server, sessions)
    await asyncio.sleep(3)  # first values
    begin_mb, began, before = pss_mb(server.pid), time.perf_counter(), busy_s(server.pid)
    count = sum(client.notifications for client in clients)
    print(f"{sessions} sessions hold {begin_mb:.0f} MB", flush=True)
    block = TAGS // 10 // TURNS
    turn, told = 0, began
    while (now := time.perf_counter()) - began < seconds:
        await asyncio.to_thread(server.change, turn + 1, turn % TURNS * block, block)
        turn += 1
        if now - told > 30:
            told = now
            spent = (busy_s(server.pid) - before) / (now - began) * 100
            print(f"{now - began:5.0f} s  CPU {spent:5.1f} %  {pss_mb(server.pid):6.1f} MB", flush=True)
        await asyncio.sleep(max(0.0, began + turn / TURNS - time.perf_counter()))
    spent = (busy_s(server.pid) - before) / (time.perf_counter() - began) * 100
    await asyncio.sleep(2)
    end_mb = pss_mb(server.pid)
    got = sum(client.notifications for client in clients) - count
    # A tenth of the tags is of a tenth of the items; each changes once a second.
    offered = sessions // 2 * SUBSCRIPTIONS * ITEMS * (turn / TURNS) / 10
    figures = {"cpu": spent, "memory": end_mb, "growth": end_mb - begin_mb, "arrived": got / offered * 100}
    print(figures, "faults", sum(client.faults for client in clients), flush=True)
    for client in clients:
        client.close()
    return figures


async def connected(server: servers.Server, sessions: int) -> list[Client]:
    """The sessions, half of them with subscriptions whose items cover the tags evenly."""
    clients = []
    for number in range(sessions):
        client = await Client.connect(server.port, f"hold{number}")
        clients.append(client)
        if number % 2:
            continue
        for part in range(SUBSCRIPTIONS):
            first = (number // 2 * SUBSCRIPTIONS + part) * ITEMS % TAGS
            await client.subscribe(server.nodes[first : first + ITEMS], 1000)
        client.publish(2 * SUBSCRIPTIONS)
    return clients


if __name__ == "__main__":
    main()
