"""`python -m bench.opcua.asyncua_server [--history N] PORT TAGS`: asyncua as its own examples use it.

A line `turn first count` on standard input gives that many variables a new value. The first variable has a history of N
values, ten a second, in asyncua's own store.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import sys

from asyncua import Server, ua

HISTORY_BEGIN = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


async def main(port: int, tags: int, history: int) -> None:
    """Serves until standard input ends."""
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace("urn:bench")
    nodes = []
    for number in range(tags):
        if number % 100 == 0:  # more in one folder cost it quadratic time
            folder = await server.nodes.objects.add_folder(index, f"bench{number}")
        node = await folder.add_variable(ua.NodeId(f"T-{number}", index), f"T-{number}", 0.0)
        await node.set_writable()
        nodes.append(node.nodeid)
    store = server.iserver.history_manager.storage
    await store.new_historized_node(nodes[0], None)
    for number in range(history):
        moment = HISTORY_BEGIN + number * dt.timedelta(milliseconds=100)
        value = ua.Variant(float(number), ua.VariantType.Double)
        await store.save_node_value(nodes[0], ua.DataValue(value, SourceTimestamp=moment))
    async with server:
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
        )
        while line := await lines.readline():
            turn, first, count = map(int, line.split())
            value = ua.DataValue(ua.Variant(float(turn), ua.VariantType.Double))
            for number, node in enumerate(nodes[first : first + count]):
                await server.write_attribute_value(node, value)
                if number % 1000 == 0:
                    await asyncio.sleep(0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--history", type=int, default=0)
    parser.add_argument("port", type=int)
    parser.add_argument("tags", type=int)
    wanted = parser.parse_args()
    asyncio.run(main(wanted.port, wanted.tags, wanted.history))
