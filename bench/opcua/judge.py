"""A client that reads the same tags every 20 ms, in a process of its own: `python -m bench.opcua.judge PORT PATH…`.

Ends with its standard input and prints how long each read took, ms, as JSON; Infinity for one that failed.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Final

from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from bench.opcua.attackers import Raw

EVERY_S: Final = 0.02


async def judge(port: int, paths: list[str]) -> list[float]:
    """Reads until standard input ends."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), over.set)
    client = await Raw.active(port)
    request = ua.ReadRequest()
    request.Parameters.NodesToRead = [
        ua.ReadValueId(ua.NodeId(path, 2), ua.AttributeIds.Value) for path in paths
    ]
    request.RequestHeader.AuthenticationToken = client.authentication
    body = struct_to_binary(request)
    await client.ask_bytes(body)
    took: list[float] = []
    print("reads", flush=True)
    while not over.is_set():
        began = time.perf_counter()
        code = await client.ask_bytes(body)
        took.append((time.perf_counter() - began) * 1000 if code == 0 else float("inf"))
        if code != 0:
            break
        await asyncio.sleep(EVERY_S)
    client.close()
    return took


if __name__ == "__main__":
    print(json.dumps(asyncio.run(judge(int(sys.argv[1]), sys.argv[2:]))))
