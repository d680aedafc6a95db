"""A client that costs almost nothing: it encodes each request once, and decodes only frame headers and counts.

SecurityPolicy None, anonymous. Setting up goes through asyncua's encoder; publishing and repeated requests do not.
"""

from __future__ import annotations

import asyncio
import functools
import struct
import time
from collections.abc import Callable
from typing import Any, Final

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary, struct_to_binary

BUFFER: Final = 65_535
_HEADER: Final = struct.Struct("<3scI")
_CHANNEL: Final = struct.Struct("<IIII")  # channel, token, sequence number, request id
_PUBLISH_RESPONSE: Final = b"\x01\x00\x3d\x03"
_DATA_CHANGE: Final = b"\x01\x00\x2b\x03"


class Client(asyncio.Protocol):
    """One connection with one session.

    Attributes:
        notifications: Data changes received.
        messages: Publish responses received.
        bytes: Received.
        faults: Publish responses with a bad result.
        on_publish: Called with (number of data changes, body) for each publish response; None for nothing.
    """

    def __init__(self) -> None:
        self.notifications = self.messages = self.bytes = self.faults = 0
        self.on_publish: Callable[[int, bytes], None] | None = None
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._sequence = self._request = 0
        self._channel = self._token = 0
        self.authentication = ua.NodeId()
        self._publish = b""
        self._transport: asyncio.Transport | None = None
        self._hello: asyncio.Future[bytes] | None = None

    @classmethod
    async def connect(
        cls, port: int, name: str = "bench", *, buffer: int = BUFFER, chunks: int = 0
    ) -> Client:
        """A client with an activated session, that takes so many chunks of that size; 0 for any number."""
        _, client = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        await client.greet(f"opc.tcp://127.0.0.1:{port}", name, buffer, chunks)
        return client

    async def greet(self, url: str, name: str, buffer: int, chunks: int) -> None:
        """Hello, channel, session."""
        word = url.encode()
        hello = struct.pack("<5Ii", 0, buffer, BUFFER, 0, chunks, len(word)) + word
        self._hello = asyncio.get_running_loop().create_future()
        self._write(_HEADER.pack(b"HEL", b"F", 8 + len(hello)) + hello)
        await self._hello
        await self._open()
        await self._sign_in(url, name)

    async def _open(self) -> None:
        request = ua.OpenSecureChannelRequest()
        request.Parameters.SecurityMode = ua.MessageSecurityMode.None_
        request.Parameters.RequestType = ua.SecurityTokenRequestType.Issue
        request.Parameters.RequestedLifetime = 3_600_000
        policy = b"http://opcfoundation.org/UA/SecurityPolicy#None"
        self._request += 1
        self._sequence += 1
        body = struct.pack("<Ii", 0, len(policy)) + policy + struct.pack("<ii", -1, -1)
        body += struct.pack("<II", self._sequence, self._request) + struct_to_binary(request)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[self._request] = answer
        self._write(_HEADER.pack(b"OPN", b"F", 8 + len(body)) + body)
        found = struct_from_binary(ua.OpenSecureChannelResponse, Buffer(await answer))
        self._channel = found.Parameters.SecurityToken.ChannelId
        self._token = found.Parameters.SecurityToken.TokenId

    async def _sign_in(self, url: str, name: str) -> None:
        create = ua.CreateSessionRequest()
        create.Parameters.ClientDescription.ApplicationUri = f"urn:bench:{name}"
        create.Parameters.EndpointUrl = url
        create.Parameters.SessionName = name
        create.Parameters.ClientNonce = bytes(32)
        create.Parameters.RequestedSessionTimeout = 3_600_000
        created = await self.call(create, ua.CreateSessionResponse)
        self.authentication = created.Parameters.AuthenticationToken
        activate = ua.ActivateSessionRequest()
        token = ua.AnonymousIdentityToken()
        for endpoint in created.Parameters.ServerEndpoints:
            for policy in endpoint.UserIdentityTokens:
                if policy.TokenType == ua.UserTokenType.Anonymous:
                    token.PolicyId = policy.PolicyId
        activate.Parameters.UserIdentityToken = token
        await self.call(activate, ua.ActivateSessionResponse)

    async def call(self, request: Any, answer: Any) -> Any:
        """One service, by asyncua's classes; raises what the server refuses."""
        request.RequestHeader.AuthenticationToken = self.authentication
        request.RequestHeader.TimeoutHint = 60_000
        body = Buffer(await self.send(struct_to_binary(request)))
        kind = nodeid_from_binary(body.copy())
        if kind == ua.NodeId(ua.ObjectIds.ServiceFault_Encoding_DefaultBinary):
            struct_from_binary(ua.ServiceFault, body).ResponseHeader.ServiceResult.check()
        found = struct_from_binary(answer, body)
        found.ResponseHeader.ServiceResult.check()
        return found

    def send(self, body: bytes) -> asyncio.Future[bytes]:
        """Sends an encoded request; the future has the encoded answer."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[self._post(body)] = answer
        return answer

    def _post(self, body: bytes) -> int:
        self._request += 1
        self._sequence += 1
        size = 24 + len(body)
        step = BUFFER - 24
        parts = [body[at : at + step] for at in range(0, len(body), step)] if size > BUFFER else [body]
        for number, part in enumerate(parts):
            if number:
                self._sequence += 1
            final = b"F" if number == len(parts) - 1 else b"C"
            ids = _CHANNEL.pack(self._channel, self._token, self._sequence, self._request)
            self._write(_HEADER.pack(b"MSG", final, 24 + len(part)) + ids + part)
        return self._request

    async def subscribe(
        self,
        nodes: list[ua.NodeId],
        interval_ms: float,
        queue: int = 1,
        batch: int = 1000,
        sampling_ms: float = -1,
    ) -> int:
        """A subscription with one item for each node; client handles are their places. Returns its id."""
        create = ua.CreateSubscriptionRequest()
        create.Parameters.RequestedPublishingInterval = interval_ms
        create.Parameters.RequestedLifetimeCount = 10_000
        create.Parameters.RequestedMaxKeepAliveCount = 100
        create.Parameters.PublishingEnabled = True
        made = await self.call(create, ua.CreateSubscriptionResponse)
        subscription = int(made.Parameters.SubscriptionId)
        head = b"\x01\x00\xef\x02"  # NodeId 751
        header = struct_to_binary(ua.RequestHeader(AuthenticationToken=self.authentication))
        for at in range(0, len(nodes), batch):
            items = items_of(tuple(nodes[at : at + batch]), at, queue, sampling_ms)
            answer = await self.send(head + header + struct.pack("<I", subscription) + items)
            found = struct_from_binary(ua.ResponseHeader, Buffer(answer, 4))
            found.ServiceResult.check()
            if at == 0:
                response = struct_from_binary(ua.CreateMonitoredItemsResponse, Buffer(answer))
                for result in response.Results[:1]:
                    result.StatusCode.check()
        return subscription

    def publish(self, outstanding: int = 3) -> None:
        """Keeps so many publish requests at the server from now on, acknowledging what it gets."""
        request = ua.PublishRequest()
        request.RequestHeader.AuthenticationToken = self.authentication
        body = struct_to_binary(request)
        self._publish = body[:-4]  # without the array of acknowledgements
        for _ in range(outstanding):
            self._post(self._publish + b"\xff\xff\xff\xff")

    def close(self) -> None:
        """Ends the connection; the server notices."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ConnectionError(f"the server closed the connection: {exc}"))
        self._waiting.clear()

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self.bytes += len(data)
        buffer = self._buffer
        buffer += data
        at = 0
        while len(buffer) - at >= 8:
            kind, final, size = _HEADER.unpack_from(buffer, at)
            if len(buffer) - at < size:
                break
            self._frame(kind, final, bytes(buffer[at + 8 : at + size]))
            at += size
        del buffer[:at]

    def _write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    def _frame(self, kind: bytes, final: bytes, frame: bytes) -> None:
        if kind == b"ACK":
            if self._hello is not None:
                self._hello.set_result(frame)
            return
        if kind == b"ERR":
            status = struct.unpack_from("<I", frame)[0]
            raise ConnectionError(f"the server refuses: {ua.StatusCode(status).name}")
        if kind == b"OPN":
            at = 4
            for _ in range(3):
                (length,) = struct.unpack_from("<i", frame, at)
                at += 4 + max(length, 0)
            request = struct.unpack_from("<II", frame, at)[1]
            self._answer(request, frame[at + 8 :])
            return
        request = _CHANNEL.unpack_from(frame)[3]
        if final == b"C":
            self._parts.append(frame[16:])
            return
        body = frame[16:]
        if self._parts:
            body = b"".join([*self._parts, body])
            self._parts.clear()
        self._answer(request, body)

    def _answer(self, request: int, body: bytes) -> None:
        waiting = self._waiting.pop(request, None)
        if waiting is not None:
            if not waiting.done():
                waiting.set_result(body)
        elif body[:4] == _PUBLISH_RESPONSE:
            self._published(body)
        else:
            self.faults += 1

    def _published(self, body: bytes) -> None:
        result, strings = struct.unpack_from("<IxI", body, 16)
        if result or strings not in {0, 0xFFFF_FFFF}:
            self.faults += 1
            return
        at = 28  # behind type, time, handle, result, no diagnostics, no strings, no additional header
        subscription, available = struct.unpack_from("<Ii", body, at)
        at += 8 + 4 * max(available, 0) + 1
        sequence, _, parts = struct.unpack_from("<Iqi", body, at)
        at += 16
        found = 0
        for _ in range(max(parts, 0)):
            (length,) = struct.unpack_from("<i", body, at + 5)
            if body[at : at + 4] == _DATA_CHANGE:
                found += struct.unpack_from("<i", body, at + 9)[0]
            at += 9 + length
        self.messages += 1
        self.notifications += found
        acknowledged = struct.pack("<iII", 1, subscription, sequence) if parts > 0 else b"\xff\xff\xff\xff"
        self._post(self._publish + acknowledged)
        if self.on_publish is not None:
            self.on_publish(found, body)


@functools.cache
def items_of(nodes: tuple[ua.NodeId, ...], first: int, queue: int, sampling_ms: float) -> bytes:
    """Parameters of CreateMonitoredItems behind the SubscriptionId, encoded once for all clients."""
    wanted = ua.CreateMonitoredItemsParameters(TimestampsToReturn=ua.TimestampsToReturn.Both)
    for place, node in enumerate(nodes, first):
        item = ua.MonitoredItemCreateRequest()
        item.ItemToMonitor = ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value)
        item.MonitoringMode = ua.MonitoringMode.Reporting
        item.RequestedParameters.ClientHandle = place
        item.RequestedParameters.SamplingInterval = sampling_ms
        item.RequestedParameters.QueueSize = queue
        item.RequestedParameters.DiscardOldest = True
        wanted.ItemsToCreate.append(item)
    encoded: bytes = struct_to_binary(wanted)
    return encoded[4:]


async def settled(client: Client, timeout_s: float = 30.0) -> None:
    """Waits until a subscriber has heard of nothing for half a second."""
    end = time.monotonic() + timeout_s
    last = -1
    while client.notifications != last and time.monotonic() < end:
        last = client.notifications
        await asyncio.sleep(0.5)
