"""Rules of folders are kept by every service that reaches a tag, on a real server."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from asyncua import Client, ua

from scada.opcua.security.access import Permission
from scada.opcua.security.validate import fingerprint
from tags.model import AccessRule, OpcuaSecurity
from tests.client.plant import Plant
from tests.opcua.conftest import PASSWORD, Running
from tests.support.opcua_client import CLIENT, with_certificate
from tests.support.ports import free_ports
from tests.support.site import make_site

pytestmark = pytest.mark.asyncio(loop_scope="module")
OPEN, SHUT, SAFE, HIDDEN = "tank1/LT-101", "tank1/LV-101/POS", "tank1/P-101/RUN", "tank1/note"
SECURITY = OpcuaSecurity(
    unencrypted="loopback",
    access=(
        AccessRule(folder="tank1/LIC-101", least={"write": "engineer", "call": "admin"}),
        AccessRule(folder="tank1/LV-101", least={"read": "operator"}),
        AccessRule(folder="tank1/P-101", encrypted=True),
        AccessRule(folder="tank1/note", least={"browse": "engineer", "read": "engineer"}),
    ),
)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """The small plant with the rules above; conftest's server serves it."""
    site = make_site(opcua_endpoint=f"opc.tcp://127.0.0.1:{free_ports()}", opcua_security=SECURITY)
    plant = Plant(tmp_path_factory.mktemp("opcua") / "data", site)
    yield plant
    plant.close()
    shutil.rmtree(plant.data.run.resolve())


@pytest.fixture
def server(running: Running) -> Running:
    """With an engineer."""
    if "erik" not in running.users.roles():
        running.users.add("erik", PASSWORD, "engineer")
    return running


@contextlib.asynccontextmanager
async def as_(server: Running, folder: Path, user: str = "") -> AsyncIterator[Client]:
    if user:
        client = await with_certificate(server.url, folder, server.plant.data.certs)
        client.set_user(user)
        client.set_password(PASSWORD)
    else:
        client = Client(server.url, timeout=30)
    async with client:
        yield client


def node(path: str) -> ua.NodeId:
    return ua.NodeId(path, 2)


async def status_of(client: Client, path: str, attribute: ua.AttributeIds = ua.AttributeIds.Value) -> str:
    [value] = await client.uaclient.read_attributes([node(path)], attribute)
    return str(value.StatusCode.name)


async def test_reading(server: Running, tmp_path: Path) -> None:
    for path in (OPEN, SHUT, SAFE, HIDDEN):
        server.plant.put(path, "x" if path == HIDDEN else 1)
    await server.mirror.push()
    denied, unsafe = "BadUserAccessDenied", "BadSecurityModeInsufficient"
    for user, expected in (
        ("", ["Good", denied, unsafe, denied]),
        ("vera", ["Good", denied, "Good", denied]),
        ("anna", ["Good", "Good", "Good", denied]),
        ("erik", ["Good", "Good", "Good", "Good"]),
    ):
        async with as_(server, tmp_path, user) as client:
            found = await client.uaclient.read_attributes(
                [node(path) for path in (OPEN, SHUT, SAFE, HIDDEN)], ua.AttributeIds.Value
            )
            assert [value.StatusCode.name for value in found] == expected, user
            assert [await status_of(client, path) for path in (OPEN, SHUT, SAFE, HIDDEN)] == expected
            for value in found:
                assert value.StatusCode.is_good() or value.Value is None or value.Value.Value is None
            assert await status_of(client, f"{SHUT}#EURange") == expected[1]


async def test_monitoring(server: Running, tmp_path: Path) -> None:
    class Deaf:
        def datachange_notification(self, *_: object) -> None:
            pass

    for user, expected in (("", [True, False, False, False]), ("anna", [True, True, True, False])):
        async with as_(server, tmp_path, user) as client:
            subscription = await client.create_subscription(100, Deaf())
            nodes = [client.get_node(node(path)) for path in (OPEN, SHUT, SAFE, HIDDEN)]
            found = await subscription.subscribe_data_change(nodes)
            assert [not isinstance(one, ua.StatusCode) for one in found] == expected


async def test_browsing(server: Running, tmp_path: Path) -> None:
    async def below(client: Client) -> set[str]:
        return {str(child.nodeid.Identifier) for child in await client.get_node(node("tank1")).get_children()}

    async with as_(server, tmp_path) as client:
        seen = await below(client)
        assert OPEN in seen
        assert "tank1/LV-101" in seen  # not to be read, but to be seen
        assert not {HIDDEN, "tank1/P-101"} & seen
        assert await status_of(client, HIDDEN, ua.AttributeIds.BrowseName) in {
            "BadUserAccessDenied",
            "BadNodeIdUnknown",
        }
    async with as_(server, tmp_path, "erik") as client:
        assert {HIDDEN, "tank1/P-101"} <= await below(client)


async def test_writing(server: Running, tmp_path: Path) -> None:
    for user in ("", "anna"):
        async with as_(server, tmp_path, user) as client:
            with pytest.raises(ua.uaerrors.BadUserAccessDenied):
                await client.get_node(node("tank1/LIC-101/SP")).write_value(2.5)


async def test_history(server: Running, tmp_path: Path) -> None:
    for user, path, expected in (
        ("", SHUT, "BadUserAccessDenied"),
        ("vera", SHUT, "BadUserAccessDenied"),
        ("", SAFE, "BadSecurityModeInsufficient"),
    ):
        async with as_(server, tmp_path, user) as client:
            with pytest.raises(ua.UaStatusCodeError) as refused:
                await client.get_node(node(path)).read_raw_history(numvalues=1)
            assert type(refused.value).__name__ == expected


async def test_attributes_say_what_is_enforced(server: Running, tmp_path: Path) -> None:
    ids = ua.AttributeIds
    async with as_(server, tmp_path, "erik") as client:
        roles = (await client.get_node(node(SHUT)).read_attribute(ids.RolePermissions)).Value.Value
        found = {entry.RoleId.Identifier: int(entry.Permissions) for entry in roles}
        assert not found[ua.ObjectIds.WellKnownRole_Observer] & Permission.READ
        assert found[ua.ObjectIds.WellKnownRole_Operator] & Permission.READ
        own = (await client.get_node(node(SHUT)).read_attribute(ids.UserRolePermissions)).Value.Value
        assert [entry.RoleId.Identifier for entry in own] == [ua.ObjectIds.WellKnownRole_Engineer]
        restrictions = (await client.get_node(node(SAFE)).read_attribute(ids.AccessRestrictions)).Value.Value
        assert restrictions == 2 | 8
        level = (
            await client.get_node(node("tank1/LIC-101/SP")).read_attribute(ids.UserAccessLevel)
        ).Value.Value
        assert level & 2
    async with as_(server, tmp_path, "anna") as client:
        level = (
            await client.get_node(node("tank1/LIC-101/SP")).read_attribute(ids.UserAccessLevel)
        ).Value.Value
        assert level & 3 == 1
        assert await status_of(client, OPEN, ids.RolePermissions) == "BadUserAccessDenied"
    async with as_(server, tmp_path) as client:
        level = (await client.get_node(node(SHUT)).read_attribute(ids.UserAccessLevel)).Value.Value
        assert level == 0


async def test_a_subscription_does_not_leave_encryption(server: Running, tmp_path: Path) -> None:
    class Deaf:
        def datachange_notification(self, *_: object) -> None:
            pass

    person = CLIENT.but(name="Erik", number=8, uri="", first_day=-2000)
    server.users.allow("erik", fingerprint(person.der()), "Erik")
    async with as_(server, tmp_path, "erik") as client:
        subscription = await client.create_subscription(100, Deaf())
        await subscription.subscribe_data_change(client.get_node(node(SAFE)))
        for mode, expected in (
            (ua.MessageSecurityMode.Sign, ua.StatusCodes.BadUserAccessDenied),
            (ua.MessageSecurityMode.SignAndEncrypt, ua.StatusCodes.Good),
        ):
            other = await with_certificate(server.url, tmp_path, server.plant.data.certs, mode=mode)
            certificate, key = person.files(tmp_path)
            await other.load_client_certificate(str(certificate))
            await other.load_private_key(str(key))
            async with other:
                params = ua.TransferSubscriptionsParameters(
                    SubscriptionIds=[subscription.subscription_id], SendInitialValues=True
                )
                [result] = await other.uaclient.transfer_subscriptions(params)
                assert result.StatusCode.value == expected
