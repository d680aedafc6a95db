"""Connections of a running server, by a client without manners: what each is refused, and that the others go on."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from bench.opcua.attackers import Raw
from scada.opcua import limits
from scada.opcua.wire.budget import Budget
from scada.opcua.wire.listener import Listener
from scada.opcua.wire.processor import TO_ACTIVATE_S
from scada.opcua.wire.protocol import STALLED_S, Protocol
from tests.client.plant import Responder, answers
from tests.opcua.conftest import Running
from tests.opcua.test_server import LEVEL, SET_POINT, signed_in
from tests.opcua.wire.test_decode import requests

pytestmark = pytest.mark.asyncio(loop_scope="module")
CODES = ua.StatusCodes
NODE = ua.NodeId("tank1/LT-101", 2)


@pytest.fixture
def port(running: Running) -> int:
    return int(running.url.rpartition(":")[2])


@pytest.fixture
def listener(running: Running) -> Listener:
    found = running.server.bserver
    assert isinstance(found, Listener)
    return found


@pytest_asyncio.fixture(loop_scope="module")
async def client(port: int) -> AsyncIterator[Raw]:
    client = await Raw.active(port)
    yield client
    client.close()


async def last_words(port: int, *sent: bytes) -> tuple[int, bytes]:
    """Status of the Error message (0 for none) that ends a connection, and what came before it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in sent:
        writer.write(piece)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    at = answer.find(b"ERRF")
    return (struct.unpack_from("<I", answer, at + 8)[0], answer[:at]) if at >= 0 else (0, answer)


async def over(client: Raw) -> None:
    async with asyncio.timeout(10):
        while not client.ended:  # noqa: ASYNC110 - the server's turn, in this very loop
            await asyncio.sleep(0.01)


def hello(receive: int = 65_535, send: int = 65_535, most: int = 0) -> bytes:
    url = b"opc.tcp://localhost"
    body = struct.pack("<5Ii", 0, receive, send, most, 0, len(url)) + url
    return b"HELF" + struct.pack("<I", 8 + len(body)) + body


def read_request(*nodes: ua.NodeId) -> Any:
    request = ua.ReadRequest()
    request.Parameters.NodesToRead = [ua.ReadValueId(node, ua.AttributeIds.Value) for node in nodes]
    return request


# -- before anything is agreed ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"HELF\xff\xff\xff\x7f", CODES.BadTcpMessageTooLarge),
        (b"MSGF\xff\xff\xff\x7f", CODES.BadTcpMessageTooLarge),
        (b"GET / HTTP/1.1\r\n", CODES.BadTcpMessageTypeInvalid),
        (hello(receive=0), CODES.BadConnectionRejected),
        (hello(send=100), CODES.BadConnectionRejected),
        (hello() + hello(), CODES.BadTcpMessageTypeInvalid),
        (hello() + b"MSGF" + struct.pack("<IIIII", 24, 0, 0, 1, 1), CODES.BadTcpSecureChannelUnknown),
        (b"MSGF" + struct.pack("<IIIII", 24, 0, 0, 1, 1), CODES.BadTcpMessageTypeInvalid),
        (hello() + b"OPNF" + struct.pack("<I", 60) + b"\xff" * 52, CODES.BadSecurityPolicyRejected),
    ],
)
async def test_what_is_no_opc_ua_or_not_its_turn_ends_the_connection(
    port: int, sent: bytes, status: int
) -> None:
    assert (await last_words(port, sent))[0] == status


async def test_chunks_are_not_collected_before_somebody_has_signed_in(port: int) -> None:
    stranger = await Raw.channel(port)
    for _ in range(3):
        stranger.write(stranger.chunk(b"MSGC", bytes(40_000), 7))
    await over(stranger)
    guest = await Raw.active(port)
    for _ in range(20):
        guest.write(guest.chunk(b"MSGC", bytes(60_000), 7))
    assert await guest.ask(read_request(NODE)) == -1  # another message within one: out of order
    guest.close()


async def test_a_message_of_four_megabytes_is_taken_from_a_session_and_no_larger_one(
    port: int, client: Raw
) -> None:
    for size, ends in ((3_000_000, False), (6_000_000, True)):
        body = struct_to_binary(read_request()) + bytes(size)
        assert (await client.ask_bytes(body) == -1) is ends


async def test_a_sequence_number_that_was_used_ends_the_channel(port: int) -> None:
    client = await Raw.active(port)
    body = struct_to_binary(read_request(NODE))
    chunk = client.chunk(b"MSGF", body, 50)
    client.write(chunk + chunk)
    await over(client)


# -- who stays --------------------------------------------------------------------------------------------------------


async def test_of_many_silent_sockets_the_oldest_end_and_clients_still_connect(
    port: int, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener.room, "_idle_per_source", 5)
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(30)]
    client = await Raw.active(port)
    assert await client.ask(read_request(NODE)) == CODES.BadSessionIdInvalid or not client.ended
    async with asyncio.timeout(10):
        ended = [await reader.read() for reader, _ in held[:25]]
    assert ended == [b""] * 25
    for _, writer in held:
        writer.close()
    client.close()


async def test_whoever_does_not_sign_in_has_to_go(port: int, listener: Listener) -> None:
    silent, stranger = await asyncio.open_connection("127.0.0.1", port), await Raw.channel(port)
    guest = await Raw.active(port)
    await listener.look(listener.now() + TO_ACTIVATE_S - 5)
    assert not stranger.ended
    await listener.look(listener.now() + TO_ACTIVATE_S + 1)
    assert await asyncio.wait_for(silent[0].read(), 10) == b""
    await over(stranger)
    assert not guest.ended
    silent[1].close()
    guest.close()


async def test_sessions_that_nobody_activates_are_few_and_end(
    port: int, running: Running, listener: Listener
) -> None:
    guest = await Raw.active(port)  # its connection stays
    before = running.server.iserver.session_count()
    create = ua.CreateSessionRequest()
    codes = [await guest.ask(create) for _ in range(limits.SESSIONS_PER_CHANNEL + 2)]
    assert codes == [0] * (limits.SESSIONS_PER_CHANNEL - 1) + [CODES.BadTooManySessions] * 3
    await listener.look(listener.now() + TO_ACTIVATE_S + 1)
    assert running.server.iserver.session_count() == before
    assert await guest.ask(create) == 0
    guest.close()


async def test_some_sessions_are_kept_for_those_who_are_known(
    port: int, running: Running, listener: Listener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    few = limits.SESSIONS - limits.SESSIONS_KEPT
    monkeypatch.setattr(running.server.iserver, "session_count", lambda: few)
    monkeypatch.setattr(listener.room, "_known", type(listener.room._known)())
    stranger = await Raw.channel(port)
    assert await stranger.ask(ua.CreateSessionRequest()) == CODES.BadTooManySessions
    await (await signed_in(running, tmp_path, "anna")).disconnect()  # and from its address all may now
    assert await stranger.ask(ua.CreateSessionRequest()) == 0
    few = (
        limits.SESSIONS - limits.SESSIONS_TRUSTED
    )  # but whoever sits at a known address cannot take them all
    assert await stranger.ask(ua.CreateSessionRequest()) == CODES.BadTooManySessions
    await (await signed_in(running, tmp_path, "anna")).disconnect()
    stranger.close()


async def test_a_channel_ends_when_its_token_was_not_renewed(port: int, listener: Listener) -> None:
    guest = await Raw.active(port)
    await listener.look(listener.now() + 3600 * 1.2)
    assert not guest.ended
    await listener.look(listener.now() + 3600 * 1.3)
    await over(guest)


async def test_who_holds_most_goes_when_all_together_hold_too_much(
    port: int, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, big = await Raw.active(port), await Raw.active(port)
    monkeypatch.setattr(listener, "budget", Budget(200_000))
    for number in range(4):
        big.write(big.chunk(b"MSGC", bytes(60_000), 7))
        if number < 2:
            small.write(small.chunk(b"MSGC", bytes(20_000), 7))
        await asyncio.sleep(0.05)
    await over(big)
    assert not small.ended
    small.close()


async def test_a_client_that_takes_nothing_is_given_time_and_then_none(listener: Listener) -> None:
    connection = Protocol(listener)
    connection.pause_writing()
    assert not connection.stalled(listener.now() + STALLED_S - 1)
    assert connection.stalled(listener.now() + STALLED_S + 1)
    connection.resume_writing()
    assert not connection.stalled(listener.now() + STALLED_S + 1)
    listener.leave(connection)


# -- requests ---------------------------------------------------------------------------------------------------------


async def test_a_token_is_good_on_its_own_channel_only(port: int, client: Raw) -> None:
    body = struct_to_binary(read_request(NODE))
    own = client.authentication
    thief, stranger = await Raw.active(port), await Raw.channel(port)
    for other in (thief, stranger):
        for token, status in (
            (own, CODES.BadSecureChannelIdInvalid),
            (ua.NodeId(bytes(32), 0, ua.NodeIdType.ByteString), CODES.BadSessionIdInvalid),
            (ua.NodeId(1001), CODES.BadSessionIdInvalid),
            (ua.NodeId(), CODES.BadSessionIdInvalid),
        ):
            request = read_request(NODE)
            request.RequestHeader.AuthenticationToken = token
            assert await other.ask_bytes(struct_to_binary(request)) == status
    assert await client.ask_bytes(body) == CODES.BadSessionIdInvalid
    assert await client.ask(read_request(NODE)) == 0
    thief.close()
    stranger.close()


async def test_nothing_is_answered_before_a_session_is_active(port: int) -> None:
    stranger = await Raw.channel(port)
    created = await stranger.call(ua.CreateSessionRequest(), ua.CreateSessionResponse)
    stranger.authentication = created.Parameters.AuthenticationToken
    assert created.Parameters.MaxRequestMessageSize == 4 * 1024 * 1024
    assert await stranger.ask(read_request(NODE)) == CODES.BadSessionNotActivated
    stranger.close()


async def test_arrays_of_nothing_are_refused_also_in_a_header_before_any_session(
    port: int, client: Raw
) -> None:
    bomb = b"\x80" + struct.pack("<i", 100_000_000)
    items = ua.CreateMonitoredItemsRequest()
    item = ua.MonitoredItemCreateRequest(ItemToMonitor=ua.ReadValueId(NODE, ua.AttributeIds.Value))
    item.RequestedParameters.Filter = ua.LiteralOperand(ua.Variant("some text"))
    items.Parameters.ItemsToCreate = [item]
    items.RequestHeader.AuthenticationToken = client.authentication
    text = b"\x0c" + struct.pack("<i", 9) + b"some text"
    body = struct_to_binary(items).replace(text, bomb + bytes(len(text) - len(bomb)))
    assert await client.ask_bytes(body) == CODES.BadEncodingLimitsExceeded
    create = struct_to_binary(ua.CreateSessionRequest())
    place = create.index(b"\0\0\0", 28)
    extension = b"\x01\x00" + body[2:4] + b"\x01" + struct.pack("<i", len(body)) + body
    stranger = await Raw.channel(port)
    sent = create[:place] + extension + create[place + 3 :]
    assert await stranger.ask_bytes(sent) in {CODES.BadEncodingLimitsExceeded, CODES.BadDecodingError}
    assert await stranger.ask(ua.GetEndpointsRequest()) == 0
    stranger.close()


async def test_operations_are_limited_and_a_large_request_still_answered(client: Raw) -> None:
    request = read_request(*[ua.NodeId(2253)] * 10_001)
    for one in request.Parameters.NodesToRead:
        one.AttributeId = ua.AttributeIds.BrowseName
    assert await client.ask(request) == CODES.BadTooManyOperations
    del request.Parameters.NodesToRead[2000:]
    assert await client.ask(request) == 0


async def test_an_answer_that_the_client_cannot_take_is_refused_to_it(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scada.opcua.limits.ANSWER", 40_000)
    client = await Raw.active(port)
    assert await client.ask(read_request(*[NODE] * 5)) == 0
    assert await client.ask(read_request(*[NODE] * 9000)) == CODES.BadResponseTooLarge
    client.close()


async def test_unknown_services_and_broken_requests_are_answered_by_faults(client: Raw) -> None:
    for kind in ("QueryFirst", "AddNodes", "AddReferences", "DeleteNodes", "DeleteReferences"):
        assert await client.ask(getattr(ua, f"{kind}Request")()) == CODES.BadServiceUnsupported
    request = read_request(NODE)
    request.RequestHeader.AuthenticationToken = client.authentication
    body = struct_to_binary(request)
    assert await client.ask_bytes(body[:-3]) == CODES.BadDecodingError
    assert await client.ask_bytes(b"\x3f\x00\x01") == CODES.BadDecodingError
    assert await client.ask_bytes(b"\x01\x00\xff\xff" + body[4:]) == CODES.BadServiceUnsupported
    assert await client.ask(read_request(NODE)) == 0


async def test_a_write_that_waits_holds_up_nobody_and_can_be_cancelled(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = Responder(running.plant, answers("accepted"))
    records: list[dict[str, Any]] = []
    monkeypatch.setattr(running.server.iserver.audit, "_log", lambda _, **fields: records.append(fields))
    client = await signed_in(running, tmp_path, "anna")
    try:
        write = asyncio.create_task(client.get_node(SET_POINT).write_value(2.0))
        async with asyncio.timeout(10):
            while not control.requests:  # noqa: ASYNC110 - in a thread
                await asyncio.sleep(0.01)
        await asyncio.wait_for(client.get_node(LEVEL).read_data_value(raise_on_bad_status=False), 5)
        assert not write.done()
        handle = client.uaclient.protocol._request_handle - 1  # of the Write, before the Read
        cancelled = []
        for its in range(handle - 2, handle + 2):
            request = ua.CancelRequest()
            request.Parameters.RequestHandle = its
            data = await client.uaclient.protocol.send_request(request)
            cancelled.append(ua.ua_binary.struct_from_binary(ua.CancelResponse, data).Parameters.CancelCount)
        assert sorted(cancelled) == [0, 0, 0, 1]
        with pytest.raises(ua.uaerrors.BadRequestCancelledByRequest):
            await asyncio.wait_for(write, 5)
        asked = control.requests[0]
        running.plant.event("request", id=asked["id"], items=asked["items"], status="confirmed")
        async with asyncio.timeout(10):  # the record is of what was done
            while not (found := [one for one in records if one["action"] == "WriteUpdate"]):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert [(one["user"], one["status"], one["new"]["value"]) for one in found] == [("anna", 0, 2.0)]
    finally:
        control.close()
        await client.disconnect()


async def test_noise_on_a_valid_channel_stumbles_over_nothing(
    running: Running, client: Raw, port: int
) -> None:
    its = random.Random(3)
    seeds = [struct_to_binary(one) for one in requests()]
    before = running.server.iserver.wire.errors
    waiting = []
    for _ in range(600):
        body = bytearray(its.choice(seeds).replace(b"t" * 32, client.authentication.Identifier))
        for _ in range(its.choice((1, 2, 5))):
            place = its.randrange(len(body))
            body[place] = its.randrange(256)
        waiting.append(client.send(bytes(body)))
        waiting[-1].add_done_callback(lambda done: done.cancelled() or done.exception())
        if client.ended:
            break
    await asyncio.wait(waiting, timeout=1)
    other = await Raw.active(port)
    assert await other.ask(read_request(NODE)) == 0
    other.close()
    assert running.server.iserver.wire.errors == before
