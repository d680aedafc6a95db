"""What one client does must not harm the server or the others."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client, Node, ua

from tags import quality
from tests.client.plant import Responder, answers
from tests.opcua.conftest import PASSWORD, Running
from tests.opcua.test_server import LEVEL, SET_POINT, anonymous, signed_in

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Told:
    """Collects what a subscription reports."""

    def __init__(self) -> None:
        self.values: asyncio.Queue[Any] = asyncio.Queue()

    def datachange_notification(self, node: Node, value: Any, data: Any) -> None:
        del node, data
        self.values.put_nowait(value)

    async def next(self) -> Any:
        return await asyncio.wait_for(self.values.get(), 10)


async def test_a_dead_band_outlives_bad_values_and_texts_and_sees_a_slow_ramp(running: Running) -> None:
    running.plant.put("tank1/LT-101", 2.0)
    running.plant.put("tank1/note", "one")
    await running.mirror.push()
    told, notes = Told(), Told()
    async with anonymous(running) as client:
        levels = await client.create_subscription(50, told)
        await levels.deadband_monitor(client.get_node(LEVEL), 0.5)
        texts = await client.create_subscription(50, notes)
        with pytest.raises(ua.uaerrors.BadFilterNotAllowed):
            await texts.deadband_monitor(client.get_node("ns=2;s=tank1/note"), 0.5)
        await texts.subscribe_data_change(client.get_node("ns=2;s=tank1/note"))
        assert (await told.next(), await notes.next()) == (2.0, "one")
        running.plant.put("tank1/note", "two")
        running.plant.put("tank1/LT-101", 2.0, status=quality.BAD_SENSOR_FAILURE)
        await running.mirror.push()
        assert (await told.next(), await notes.next()) == (None, "two")
        running.plant.put("tank1/LT-101", 2.0)
        await running.mirror.push()
        assert await told.next() == 2.0
        for step in range(1, 7):
            running.plant.put("tank1/LT-101", 2.0 + step / 10)
            await running.mirror.push()
        assert await told.next() == 2.6


async def test_a_session_cannot_touch_the_subscriptions_of_another(running: Running) -> None:
    async with anonymous(running) as one, anonymous(running) as other:
        mine = await one.create_subscription(1000, Told())
        assert mine.subscription_id is not None
        results = await other.uaclient.delete_subscriptions([mine.subscription_id])
        assert [result.value for result in results] == [ua.StatusCodes.BadSubscriptionIdInvalid]
        with pytest.raises(ua.uaerrors.BadSubscriptionIdInvalid):
            await other.uaclient.create_monitored_items(
                ua.CreateMonitoredItemsParameters(SubscriptionId=mine.subscription_id)
            )
        assert [
            result.is_good() for result in await one.uaclient.delete_subscriptions([mine.subscription_id])
        ] == [True]


async def test_a_subscription_has_a_bounded_number_of_items(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scada.opcua.limits.ITEMS_PER_SUBSCRIPTION", 3)
    async with anonymous(running) as client:
        subscription = await client.create_subscription(1000, Told())
        found = await subscription.subscribe_data_change([client.get_node(LEVEL)] * 5)
        assert isinstance(found, list)
        assert [isinstance(handle, int) for handle in found] == [True] * 3 + [False] * 2


async def test_nobody_registers_another_server_here(running: Running) -> None:
    async with anonymous(running) as client:
        before = await client.find_servers()
        with pytest.raises(ua.UaStatusCodeError):
            await client.uaclient.register_server(ua.RegisteredServer(ServerUri="urn:evil"))
        assert await client.find_servers() == before


async def test_a_name_that_nobody_has_is_not_recorded(running: Running, tmp_path: Path) -> None:
    for name in ("my secret password", "x" * 5000):
        with pytest.raises(ua.UaStatusCodeError):
            await signed_in(running, tmp_path, name, PASSWORD)
    assert running.logins == [("", False)]


async def test_values_go_on_while_a_password_is_hashed(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with anonymous(running) as client:
        slow = asyncio.Event()
        loop = asyncio.get_running_loop()

        def verify(name: str, password: str) -> str | None:
            del name, password
            loop.call_soon_threadsafe(slow.set)
            started = time.monotonic()
            while not released and time.monotonic() - started < 10:
                time.sleep(0.01)  # the thread's own, as a slow hash is
            return "viewer"

        released: list[bool] = []
        monkeypatch.setattr("scada.users.Users.verify", lambda _self, name, password: verify(name, password))
        signing = asyncio.create_task(signed_in(running, tmp_path, "vera"))
        await asyncio.wait_for(slow.wait(), 10)
        await asyncio.wait_for(client.get_node(LEVEL).read_data_value(raise_on_bad_status=False), 5)
        released.append(True)
        await (await signing).disconnect()


@pytest.mark.parametrize(("password", "role"), [(PASSWORD, "viewer"), ("another password", "operator")])
async def test_who_got_another_role_or_password_may_not_write_any_more(
    running: Running, tmp_path: Path, password: str, role: str
) -> None:
    control = Responder(running.plant, answers("accepted", "confirmed"))
    client: Client = await signed_in(running, tmp_path, "anna")
    try:
        running.users.add("anna", password, role)
        with pytest.raises(ua.uaerrors.BadUserAccessDenied):
            await client.get_node(SET_POINT).write_value(2.0)
        assert control.requests == []
    finally:
        running.users.add("anna", PASSWORD, "operator")
        await client.disconnect()
        control.close()


async def test_a_client_that_asks_a_lot_at_once_and_reads_nothing_is_disconnected(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scada.opcua.wire.protocol.UNREAD", (50_000, 100_000))
    monkeypatch.setattr("scada.opcua.wire.protocol.STALLED_S", 0.5)
    greedy = Client(running.url, timeout=30)
    await greedy.connect()
    transports = running.server.iserver.asyncio_transports
    before = len(transports)
    node = ua.ReadValueId(NodeId=ua.NodeId("tank1/LT-101", 2), AttributeId=ua.AttributeIds.Value)
    read = ua.ReadParameters(NodesToRead=[node] * 5000)
    transport = greedy.uaclient.protocol.transport
    for end in (transport, transports[-1]):
        _with_little_room(end)
    transport.pause_reading()
    sent = [asyncio.create_task(greedy.uaclient.read(read)) for _ in range(20)]
    try:
        async with asyncio.timeout(60):
            while len(transports) == before:  # noqa: ASYNC110 - asyncua tells nobody
                await asyncio.sleep(0.02)  # the server's turn, in this very loop
    finally:
        for task in sent:
            task.cancel()
        await asyncio.gather(*sent, return_exceptions=True)
        transport.abort()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(greedy.disconnect(), 1)


def _with_little_room(transport: asyncio.BaseTransport) -> None:
    """Otherwise the system itself takes megabytes off the server before anything is unread there."""
    its = transport.get_extra_info("socket")
    for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        its.setsockopt(socket.SOL_SOCKET, buffer, 32_768)
