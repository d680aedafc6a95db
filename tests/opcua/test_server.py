"""The server as a client sees it: real sockets, asyncua's own client, real image files."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client, Node, ua

from tags import quality
from tests.client.plant import Responder, answers
from tests.opcua.conftest import PASSWORD, Running
from tests.support.opcua_client import with_certificate

pytestmark = pytest.mark.asyncio(loop_scope="module")

LEVEL = "ns=2;s=tank1/LT-101"
SET_POINT = "ns=2;s=tank1/LIC-101/SP"


@contextlib.asynccontextmanager
async def anonymous(running: Running) -> AsyncIterator[Client]:
    async with Client(running.url, timeout=30) as client:
        yield client


async def signed_in(running: Running, tmp_path: Path, user: str, password: str = PASSWORD) -> Client:
    client = await with_certificate(running.url, tmp_path, running.plant.data.certs)
    client.set_user(user)
    client.set_password(password)
    await client.connect()
    return client


@pytest.fixture
def control(running: Running) -> Iterator[Responder]:
    responder = Responder(running.plant, answers("accepted", "confirmed"))
    yield responder
    responder.close()


async def test_a_tag_is_a_variable_with_value_quality_and_source_time(running: Running) -> None:
    running.plant.put("tank1/LT-101", 2.25)
    await running.mirror.push()
    async with anonymous(running) as client:
        assert await client.get_namespace_array() == [
            "http://opcfoundation.org/UA/",
            "urn:closedloop:small:server",
            "urn:closedloop:small",
        ]
        value = await client.get_node(LEVEL).read_data_value()
        assert value.Value is not None
        assert value.Value.Value == 2.25
        assert value.Value.VariantType == ua.VariantType.Double
        assert value.SourceTimestamp is not None
        assert int(value.SourceTimestamp.timestamp() * 1000) == running.plant.clock.utc_ns() // 1_000_000


async def test_a_bad_tag_is_bad_and_has_no_value(running: Running) -> None:
    running.plant.put("tank1/LT-101", 2.25, status=quality.BAD_SENSOR_FAILURE)
    await running.mirror.push()
    async with anonymous(running) as client:
        value = await client.get_node(LEVEL).read_data_value(raise_on_bad_status=False)
        assert value.StatusCode is not None
        assert value.StatusCode.value == quality.BAD_SENSOR_FAILURE
        assert value.Value is not None
        assert value.Value.Value is None


async def test_folders_follow_the_path_and_analog_items_carry_range_and_unit(running: Running) -> None:
    async with anonymous(running) as client:
        top = await client.nodes.objects.get_child(["2:small", "2:tank1", "2:LT-101"])
        assert top.nodeid == ua.NodeId("tank1/LT-101", 2)
        assert await top.read_type_definition() == ua.NodeId(ua.ObjectIds.AnalogItemType)
        limits = await (await top.get_child("0:EURange")).read_value()
        assert (limits.Low, limits.High) == (0.0, 5.0)
        unit = await (await top.get_child("0:EngineeringUnits")).read_value()
        assert unit.UnitId == 5067858  # MTR, OPC 10000-8 annex: UNECE to OPC UA
        assert unit.DisplayName.Text == "m"
        children = {(await node.read_browse_name()).Name for node in await top.get_children()}
        assert "HH" in children  # the alarm lies below its tag


class Recorder:
    def __init__(self) -> None:
        self.seen: asyncio.Queue[tuple[str, Any, int]] = asyncio.Queue()

    def datachange_notification(self, node: Node, value: Any, data: Any) -> None:
        status = data.monitored_item.Value.StatusCode
        self.seen.put_nowait((str(node.nodeid.Identifier), value, status.value))


async def test_a_subscriber_hears_of_each_change_of_value_and_of_quality(running: Running) -> None:
    recorder = Recorder()
    async with anonymous(running) as client:
        subscription = await client.create_subscription(50, recorder)
        running.plant.put("tank1/LT-101", 1.0)
        await running.mirror.push()
        await subscription.subscribe_data_change(client.get_node(LEVEL))
        assert (await asyncio.wait_for(recorder.seen.get(), 5))[1] == 1.0
        running.plant.put("tank1/LT-101", 1.5)
        await running.mirror.push()
        assert (await asyncio.wait_for(recorder.seen.get(), 5))[1:] == (1.5, 0)
        running.plant.put("tank1/LT-101", 1.5, status=quality.BAD_NO_COMMUNICATION)
        await running.mirror.push()
        assert (await asyncio.wait_for(recorder.seen.get(), 5))[1:] == (None, quality.BAD_NO_COMMUNICATION)
        await subscription.delete()


async def test_anonymous_may_read_and_not_write(running: Running, control: Responder) -> None:
    async with anonymous(running) as client:
        for path in ("tank1/LIC-101/SP", "tank1/LT-101"):
            with pytest.raises(ua.UaStatusCodeError) as refused:
                await client.get_node(f"ns=2;s={path}").write_value(2.0)
            assert refused.value.code in {ua.StatusCodes.BadUserAccessDenied, ua.StatusCodes.BadNotWritable}
    assert control.requests == []


async def test_an_operator_writes_over_an_encrypted_channel(
    running: Running, control: Responder, tmp_path: Path
) -> None:
    client = await signed_in(running, tmp_path, "anna")
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(client.disconnect)
        await client.get_node(SET_POINT).write_value(2.75)
    assert control.requests[0]["items"] == [["tank1/LIC-101/SP", 2.75]]
    assert (control.requests[0]["user"], control.requests[0]["role"]) == ("anna", "operator")
    assert control.requests[0]["source"] == "opcua"
    assert running.logins == [("anna", True)]


async def test_what_control_refuses_the_client_is_told(running: Running, tmp_path: Path) -> None:
    responder = Responder(
        running.plant, answers("rejected", reasons=("5 m is outside of its limits 1 … 4 m",))
    )
    client = await signed_in(running, tmp_path, "anna")
    try:
        with pytest.raises(ua.uaerrors.BadOutOfRange):
            await client.get_node(SET_POINT).write_value(5.0)
        with pytest.raises(ua.uaerrors.BadTypeMismatch):
            await client.get_node(SET_POINT).write_value("high")
        with pytest.raises(ua.uaerrors.BadTypeMismatch):
            await client.get_node(SET_POINT).write_value([2.0, 3.0])
        with pytest.raises(ua.uaerrors.BadOutOfRange):
            await client.get_node(SET_POINT).write_value(float("nan"))
        assert len(responder.requests) == 1  # what cannot be a value never reaches control
    finally:
        await client.disconnect()
        responder.close()


async def test_a_viewer_may_not_write(running: Running, control: Responder, tmp_path: Path) -> None:
    client = await signed_in(running, tmp_path, "vera")
    try:
        with pytest.raises(ua.uaerrors.BadUserAccessDenied):
            await client.get_node(SET_POINT).write_value(2.75)
    finally:
        await client.disconnect()
    assert control.requests == []


async def test_admin_with_any_password_is_nobody(running: Running, tmp_path: Path) -> None:
    for user in ("admin", "Admin", "anna"):
        with pytest.raises(ua.UaStatusCodeError):
            await signed_in(running, tmp_path, user, "any password")
    assert [accepted for _, accepted in running.logins] == [False] * 3


async def test_no_password_over_an_unencrypted_channel(running: Running) -> None:
    client = Client(running.url, timeout=30)
    client.set_user("anna")
    client.set_password(PASSWORD)
    with pytest.raises(ua.UaError):
        await client.connect()
    async with anonymous(running) as browser:
        other = ua.GetEndpointsParameters(EndpointUrl=running.url, ProfileUris=["http://example.org/other"])
        assert await browser.uaclient.get_endpoints(other) == []
        endpoints = await browser.get_endpoints()
        for endpoint in endpoints:
            tokens = {token.TokenType for token in endpoint.UserIdentityTokens}
            encrypted = endpoint.SecurityMode == ua.MessageSecurityMode.SignAndEncrypt
            assert (ua.UserTokenType.UserName in tokens) == encrypted


async def test_guessing_is_throttled_before_anything_is_hashed(running: Running, tmp_path: Path) -> None:
    for _ in range(5):
        with pytest.raises(ua.UaStatusCodeError):
            await signed_in(running, tmp_path, "tom", "wrong password!")
    with pytest.raises(ua.UaStatusCodeError):  # even the right one has to wait now
        await signed_in(running, tmp_path, "tom")


async def test_session_tokens_cannot_be_guessed(running: Running) -> None:
    tokens = set()
    for _ in range(3):
        async with anonymous(running) as client:
            tokens.add(client.uaclient.protocol.authentication_token.Identifier)
    assert all(isinstance(token, bytes) and len(token) == 32 for token in tokens)
    assert len(tokens) == 3


async def test_clients_cannot_change_the_address_space(running: Running, tmp_path: Path) -> None:
    client = await signed_in(running, tmp_path, "anna")
    try:
        with pytest.raises(ua.UaError):
            await client.nodes.objects.add_folder(2, "mine")
        with pytest.raises(ua.UaStatusCodeError):
            await client.get_node(LEVEL).write_attribute(
                ua.AttributeIds.DisplayName, ua.DataValue(ua.LocalizedText("x"))
            )
    finally:
        await client.disconnect()


async def test_the_key_is_readable_by_its_owner_alone(running: Running) -> None:
    key = running.plant.data.certs / "own" / "key.pem"
    assert key.stat().st_mode & 0o077 == 0
