"""Clients that never pause: `python -m bench.load OPCUA_PORT HMI_PORT`, until it is ended.

Four OPC UA clients, each with 500 subscribed tags, that read a thousand values after the other; ten pages of fifty tags; four
that ask the HMI for trends, tags and alarms over and over.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import threading
import urllib.request
from typing import Any, Final

from asyncua import Client, ua
from websockets.sync.client import connect

PAUSE: Final = threading.Event()


def main() -> None:
    """Loads the two servers until the process is ended."""
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    opcua, hmi = int(sys.argv[1]), int(sys.argv[2])
    for number in range(10):
        threading.Thread(target=page, args=(hmi, number), daemon=True).start()
    for number in range(4):
        threading.Thread(target=asks, args=(hmi, number), daemon=True).start()
    asyncio.run(_all(opcua))


def unit(number: int) -> str:
    """Folder of a loop, as `bench.scan` has them."""
    return f"area{number // 100}/U{number}"


async def _all(port: int) -> None:
    await asyncio.gather(*(subscriber(port, number) for number in range(4)))


async def subscriber(port: int, number: int) -> None:
    """Subscribes and reads; comes back when it is thrown out."""

    class Handler:
        def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
            """Takes it and does nothing."""

    while True:
        with contextlib.suppress(Exception):
            async with Client(f"opc.tcp://127.0.0.1:{port}", timeout=60) as client:
                subscription = await client.create_subscription(200, Handler())
                nodes = [
                    ua.NodeId(f"{unit(number * 250 + n)}/{key}", 2)
                    for n in range(250)
                    for key in ("PV", "OUT")
                ]
                await subscription.subscribe_data_change([client.get_node(node) for node in nodes])
                wanted = [
                    ua.ReadValueId(NodeId=ua.NodeId(f"{unit(n)}/PV", 2), AttributeId=ua.AttributeIds.Value)
                    for n in range(1000)
                ]
                while True:
                    await client.uaclient.read(ua.ReadParameters(NodesToRead=wanted))
        await asyncio.sleep(1)


def page(port: int, number: int) -> None:
    """A page with fifty tags that move."""
    while True:
        with contextlib.suppress(Exception), connect(f"ws://127.0.0.1:{port}/ws") as socket:
            socket.send(json.dumps({"tags": [f"{unit(number * 50 + n)}/PV" for n in range(50)]}))
            while True:
                socket.recv(timeout=30)
        PAUSE.wait(1)


def asks(port: int, number: int) -> None:
    """Questions over HTTP, one after the other."""
    paths = (f"history/{unit(number)}/PV?points=1000", "tags?search=U1", "alarms", "status")
    while True:
        for path in paths:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/{path}", timeout=30).read()
            except OSError:
                PAUSE.wait(1)


if __name__ == "__main__":
    main()
