"""Whose a session is: passwords, certificates of people, stolen tokens, and who was taken away since."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from asyncua import Client, ua
from asyncua.crypto import security_policies, uacrypto
from asyncua.crypto.security_policies import (
    SecurityPolicyAes256Sha256RsaPss,
    SecurityPolicyBasic256Sha256,
)

from scada.clock import SimulatedClock
from scada.opcua.events.audit import Audit
from scada.opcua.security.own import renew
from scada.opcua.security.passwords import SiteUsers
from scada.opcua.security.store import Store
from scada.opcua.security.validate import fingerprint
from scada.opcua.security.watch import Watch
from scada.users import Users
from tests.opcua.conftest import PASSWORD, Running
from tests.support.opcua_certificates import Recipe
from tests.support.opcua_client import CLIENT, with_certificate

pytestmark = pytest.mark.asyncio(loop_scope="module")
LEVEL = "ns=2;s=tank1/LT-101"
ANNA = CLIENT.but(name="Anna", number=8, uri="", first_day=-2000)  # log-ins go by the simulated clock
OTHER = CLIENT.but(name="other", number=9)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watch(server_of: Running) -> Watch:
    iserver = server_of.server.iserver
    return Watch(server_of.server, iserver.guard, server_of.plant.data.users)


@contextlib.asynccontextmanager
async def connected(client: Client) -> AsyncIterator[Client]:
    await client.connect()
    try:
        yield client
    finally:
        with contextlib.suppress(ConnectionError, ua.UaError, TimeoutError):
            await client.disconnect()


async def made(running: Running, folder: Path, user: str = "", **how: Any) -> Client:
    client = await with_certificate(running.url, folder, running.plant.data.certs, **how)
    if user:
        client.set_user(user)
        client.set_password(PASSWORD)
    return client


async def person(running: Running, folder: Path, recipe: Recipe = ANNA, **how: Any) -> Client:
    """A client whose person signs in with a certificate."""
    client = await made(running, folder, **how)
    certificate, key = recipe.files(folder)
    await client.load_client_certificate(str(certificate))
    await client.load_private_key(str(key))
    return client


async def fault(client: Client, code: int) -> None:
    with pytest.raises(ua.UaStatusCodeError) as error:
        await client.connect()
    assert error.value.code == code, error.value


def caller_of(running: Running) -> Any:
    [session] = [one for one in running.server.iserver.external_sessions() if one.is_activated()]
    return session.user


@pytest.mark.parametrize(
    ("policy", "mode"),
    [
        (SecurityPolicyBasic256Sha256, ua.MessageSecurityMode.Sign),
        (SecurityPolicyAes256Sha256RsaPss, ua.MessageSecurityMode.SignAndEncrypt),
    ],
)
async def test_a_person_signs_in_with_a_certificate(
    running: Running, tmp_path: Path, policy: type, mode: ua.MessageSecurityMode
) -> None:
    client = await person(running, tmp_path, policy=policy, mode=mode)
    await fault(client, ua.StatusCodes.BadUserAccessDenied)  # nobody's yet
    running.users.allow("anna", fingerprint(ANNA.der()), "Anna")
    try:
        async with connected(await person(running, tmp_path, policy=policy, mode=mode)):
            found = caller_of(running)
            assert (found.name, found.site_role, found.auth, found.mode) == (
                "anna",
                "operator",
                "certificate",
                mode.value,
            )
        assert running.logins == [("", False), ("anna", True)]
    finally:
        running.users.disallow("anna", fingerprint(ANNA.der()))


async def test_a_persons_certificate_that_has_ended_or_is_shown_without_its_key(
    running: Running, tmp_path: Path
) -> None:
    old = ANNA.but(last_day=-1000)
    running.users.allow("anna", fingerprint(old.der()), "Anna")
    running.users.allow("anna", fingerprint(ANNA.der()), "Anna")
    await fault(await person(running, tmp_path, old), ua.StatusCodes.BadUserAccessDenied)
    client = await person(running, tmp_path)
    client.user_private_key = OTHER.private  # somebody has the certificate only
    await fault(client, ua.StatusCodes.BadUserSignatureInvalid)
    running.users.disallow("anna", fingerprint(ANNA.der()))
    running.users.disallow("anna", fingerprint(old.der()))


async def test_no_password_where_somebody_could_listen(running: Running, tmp_path: Path) -> None:
    client = await made(running, tmp_path, mode=ua.MessageSecurityMode.Sign)
    client._add_anonymous_auth = named(client, running)
    await fault(client, ua.StatusCodes.BadIdentityTokenRejected)
    assert running.logins == []


def named(client: Client, running: Running, **changes: Any) -> Any:
    """Puts a name and an encrypted password into the request whatever the endpoint offers."""

    def add(params: ua.ActivateSessionParameters) -> None:
        token = ua.UserNameIdentityToken()
        token.UserName, token.PolicyId = "anna", "username"
        nonce = changes.get("nonce", client._server_nonce)
        secret = ua.ua_binary.Primitives.Bytes.pack(PASSWORD.encode() + nonce)
        key = running.server.iserver.certificate.public_key()
        token.Password = changes.get("encrypt", uacrypto.encrypt_rsa_oaep)(key, secret)
        token.EncryptionAlgorithm = changes.get(
            "algorithm", SecurityPolicyBasic256Sha256.AsymmetricEncryptionURI
        )
        params.UserIdentityToken = token

    return add


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"nonce": bytes(32)}, ua.StatusCodes.BadIdentityTokenInvalid),  # heard elsewhere, and sent again
        (
            {"encrypt": uacrypto.encrypt_rsa15, "algorithm": "http://www.w3.org/2001/04/xmlenc#rsa-1_5"},
            ua.StatusCodes.BadIdentityTokenInvalid,
        ),
    ],
)
async def test_an_encrypted_password_is_for_one_session(
    running: Running, tmp_path: Path, changes: dict[str, Any], code: int
) -> None:
    client = await made(running, tmp_path)
    client._add_anonymous_auth = named(client, running, **changes)
    if code:
        await fault(client, code)
        assert running.logins == []
    else:
        async with connected(client):
            assert caller_of(running).name == "anna"


async def activate_elsewhere(victim: Client, thief: Client) -> None:
    """The thief's channel is open; it activates the victim's session with the victim's token."""
    thief.uaclient.protocol.authentication_token = victim.uaclient.protocol.authentication_token
    thief._server_nonce = victim._server_nonce
    thief._policy_ids = victim._policy_ids
    await thief.activate_session(victim._username, victim._password)


@contextlib.asynccontextmanager
async def channel_of(client: Client) -> AsyncIterator[Client]:
    """A client with a channel and no session."""
    await client.connect_socket()
    try:
        await client.send_hello()
        await client.open_secure_channel()
        yield client
    finally:
        client.disconnect_socket()


async def test_a_stolen_token_is_no_session(running: Running, tmp_path: Path) -> None:
    async with connected(await made(running, tmp_path, "anna")) as victim:
        for how in ({"recipe": OTHER}, {"mode": ua.MessageSecurityMode.Sign}):
            async with channel_of(await made(running, tmp_path, **how)) as thief:
                with pytest.raises(ua.uaerrors.BadSecurityChecksFailed):
                    await activate_elsewhere(victim, thief)
        victim._username = ""
        async with channel_of(Client(running.url, timeout=30)) as thief:
            with pytest.raises(ua.uaerrors.BadSecurityChecksFailed):
                await activate_elsewhere(victim, thief)
        async with channel_of(await made(running, tmp_path)) as thief:  # the same program, another person
            with pytest.raises(ua.uaerrors.BadIdentityChangeNotSupported):
                await activate_elsewhere(victim, thief)
            victim._username = "anna"
        await victim.get_node(LEVEL).read_data_value(raise_on_bad_status=False)  # still the victim's


async def test_the_same_program_and_person_may_go_on_from_another_channel(
    running: Running, tmp_path: Path
) -> None:
    client = await made(running, tmp_path, "anna")
    await client.connect()
    async with channel_of(await made(running, tmp_path, "anna")) as later:
        await activate_elsewhere(client, later)
        await later.get_node(LEVEL).read_data_value(raise_on_bad_status=False)
        with pytest.raises((ua.UaError, ConnectionError)):  # it is on one channel
            await client.get_node(LEVEL).read_data_value(raise_on_bad_status=False)
        await later.close_session()
    with contextlib.suppress(Exception):
        await client.disconnect()


async def test_the_user_of_a_session_never_changes(running: Running, tmp_path: Path) -> None:
    async with connected(await made(running, tmp_path, "anna")) as client:
        with pytest.raises(ua.uaerrors.BadIdentityChangeNotSupported):
            await client.activate_session("vera", PASSWORD)
        assert caller_of(running).name == "anna"
        await client.activate_session("anna", PASSWORD)


async def lost(client: Client) -> None:
    async with asyncio.timeout(20) as limit:
        while True:
            try:
                await client.get_node(LEVEL).read_data_value(raise_on_bad_status=False)
            except (ua.UaError, ConnectionError, asyncio.CancelledError):
                break  # asyncua cancels what is on its way
            await asyncio.sleep(0.01)
    assert not limit.expired(), "it still reads"


async def test_who_is_taken_away_or_gets_another_role_is_out(
    running: Running, tmp_path: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.users.add("olga", PASSWORD, "operator")
    reported: list[dict[str, Any]] = []
    iserver = running.server.iserver
    monkeypatch.setattr(iserver, "audit", Audit(lambda _kind, **fields: reported.append(fields)))
    async with connected(await made(running, tmp_path, "anna")) as stays:
        changes: list[Callable[[], None]] = [
            lambda: running.users.add("olga", PASSWORD, "viewer"),
            lambda: running.users.remove("olga"),
        ]
        for change in changes:
            async with connected(await made(running, tmp_path, "olga")) as client:
                await watch.look()
                await client.get_node(LEVEL).read_data_value(raise_on_bad_status=False)
                change()
                await watch.look()
                await lost(client)
        closed = [(one["user"], one["why"]) for one in reported if one["action"] == "CloseSession"]
        assert closed == [("olga", "Terminated")] * 2
        await stays.get_node(LEVEL).read_data_value(raise_on_bad_status=False)


async def test_a_client_that_is_trusted_no_more_is_out(
    running: Running, tmp_path: Path, watch: Watch
) -> None:
    store = Store(running.plant.data.certs)
    async with (
        connected(await made(running, tmp_path)) as stays,
        connected(await made(running, tmp_path, recipe=OTHER)) as client,
    ):
        await watch.look()
        [found] = store.find("other")
        store.move(found, "rejected")
        await watch.look()
        await lost(client)
        await stays.get_node(LEVEL).read_data_value(raise_on_bad_status=False)


async def test_the_servers_certificate_is_renewed_while_it_runs(
    running: Running, tmp_path: Path, watch: Watch
) -> None:
    health = await watch.look()
    assert health["certificate_days"] > 1000
    assert not health["certificate_ends"]
    async with connected(await made(running, tmp_path, "anna")) as before:
        new = renew(running.plant.data.certs, CLIENT.now)
        await watch.look()
        await before.get_node(LEVEL).read_data_value(raise_on_bad_status=False)
        async with connected(await made(running, tmp_path, "anna")) as after:
            assert after.security_policy.peer_certificate == uacrypto.der_from_x509(new.certificate)
            assert security_policies.SecurityPolicyBasic256Sha256.URI == after.security_policy.URI


async def test_who_is_changed_while_his_password_is_hashed_begins_anew(running: Running) -> None:
    class Changed(Users):
        def verify(self, name: str, password: str) -> str | None:
            role = super().verify(name, password)
            running.users.add(name, PASSWORD, "viewer")
            return role

    running.users.add("paul", PASSWORD, "engineer")
    people = SiteUsers(Changed(running.plant.data.users), SimulatedClock(), lambda *_: None)
    assert await people.by_password("paul", PASSWORD, "10.0.0.1", None) is None
    running.users.remove("paul")


async def test_guessing_from_one_program_keeps_nobody_out_who_comes_from_another(
    running: Running, tmp_path: Path
) -> None:
    people = running.server.iserver.people
    for _ in range(5):
        assert await people.by_password("vera", "wrong password", "10.0.0.9", b"guesser") is None
    before = people.throttled
    for _ in range(1000):  # costs nothing: nothing is hashed
        assert await people.by_password("vera", "wrong password", "10.0.0.9", b"guesser") is None
    assert people.throttled == before + 1000
    async with connected(await made(running, tmp_path, "vera")):
        pass


async def test_foreign_certificates_are_tried_only_so_often(running: Running) -> None:
    people, der = running.server.iserver.people, CLIENT.der()
    running.logins.clear()
    before = people.throttled
    for _ in range(200):
        assert people.by_certificate(der, "10.0.0.10", b"guesser") is None
    assert len(running.logins) < 50  # each is an event for ever
    assert people.throttled == before + 200 - len(running.logins)
    people.by_certificate(der, "10.0.0.10", b"another application")
    assert people.throttled == before + 200 - len(running.logins) + 1
