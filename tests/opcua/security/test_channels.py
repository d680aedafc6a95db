"""Who gets a channel: real sockets, the three policies, and each way to be refused."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client, ua
from asyncua.crypto.security_policies import (
    SecurityPolicyAes128Sha256RsaOaep,
    SecurityPolicyAes256Sha256RsaPss,
    SecurityPolicyBasic256Sha256,
    SignerSha256,
)
from cryptography.hazmat.primitives.serialization import Encoding

from scada.opcua.events.audit import Audit
from scada.opcua.security.store import Store
from tests.opcua.conftest import PASSWORD, Running
from tests.support.opcua_certificates import AUTHORITY, Recipe
from tests.support.opcua_client import CLIENT, with_certificate

pytestmark = pytest.mark.asyncio(loop_scope="module")
LEVEL = "ns=2;s=tank1/LT-101"
MODES = (ua.MessageSecurityMode.Sign, ua.MessageSecurityMode.SignAndEncrypt)
POLICIES = (SecurityPolicyBasic256Sha256, SecurityPolicyAes128Sha256RsaOaep, SecurityPolicyAes256Sha256RsaPss)


@pytest.fixture(autouse=True)
def store(running: Running) -> Store:
    """An empty trust list."""
    certs = running.plant.data.certs
    for name in ("trusted", "issuers", "crl", "rejected"):
        shutil.rmtree(certs / name, ignore_errors=True)
    made = Store(certs)
    made.create()
    running.server.iserver.guard._kept.clear()
    return made


@contextlib.asynccontextmanager
async def connected(client: Client) -> AsyncIterator[Client]:
    await client.connect()
    try:
        yield client
    finally:
        await client.disconnect()


async def refused(client: Client) -> int:
    with pytest.raises((ua.UaStatusCodeError, ConnectionError)) as error:
        await client.connect()
    return int(getattr(error.value, "code", 0))


PAIRS = [
    (SecurityPolicyBasic256Sha256, ua.MessageSecurityMode.SignAndEncrypt),
    (SecurityPolicyAes256Sha256RsaPss, ua.MessageSecurityMode.Sign),
]
REST = [
    pytest.param(policy, mode, marks=pytest.mark.slow)
    for policy in POLICIES
    for mode in MODES
    if (policy, mode) not in PAIRS
]


@pytest.mark.parametrize(("policy", "mode"), [*PAIRS, *REST])
async def test_three_policies_signed_and_encrypted(
    running: Running, tmp_path: Path, policy: type, mode: ua.MessageSecurityMode
) -> None:
    client = await with_certificate(running.url, tmp_path, running.plant.data.certs, policy=policy, mode=mode)
    if mode == ua.MessageSecurityMode.SignAndEncrypt:
        client.set_user("anna")
        client.set_password(PASSWORD)
    async with connected(client):
        await client.get_node(LEVEL).read_data_value(raise_on_bad_status=False)
        [session] = running.server.iserver.external_sessions()
        assert (session.user.mode, session.user.name is None) == (
            mode.value,
            mode == ua.MessageSecurityMode.Sign,
        )


async def test_what_is_offered(running: Running) -> None:
    async with connected(Client(running.url, timeout=30)) as client:
        offered = {
            (endpoint.SecurityPolicyUri.rpartition("#")[2], endpoint.SecurityMode.name): {
                token.TokenType.name for token in endpoint.UserIdentityTokens
            }
            for endpoint in await client.get_endpoints()
        }
    tokens = {
        "Sign": {"Anonymous", "Certificate"},
        "SignAndEncrypt": {"Anonymous", "Certificate", "UserName"},
    }
    names = ("Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss")
    assert offered == {("None", "None_"): {"Anonymous"}} | {
        (name, mode): tokens[mode] for name in names for mode in tokens
    }


async def test_a_stranger_is_refused_and_kept_to_be_looked_at(
    running: Running, tmp_path: Path, store: Store
) -> None:
    reported: list[dict[str, Any]] = []
    audit = running.server.iserver.audit
    running.server.iserver.audit = Audit(lambda _kind, **fields: reported.append(fields))
    code = await refused(await with_certificate(running.url, tmp_path, None))
    running.server.iserver.audit = audit
    assert code == ua.StatusCodes.BadSecurityChecksFailed
    [found] = store.certificates("rejected")
    assert found.der == CLIENT.der()
    [told] = [fields for fields in reported if fields["action"] == "CertificateUntrusted"]
    assert (told["status"], told["address"]) == (ua.StatusCodes.BadCertificateUntrusted, "127.0.0.1")
    assert told["certificate"] == found.thumbprint
    store.move(found, "trusted")  # as `scada certs trust` does; nothing is restarted
    async with connected(await with_certificate(running.url, tmp_path, None)):
        pass


@pytest.mark.parametrize(
    ("recipe", "code"),
    [
        (CLIENT.but(last_day=-0.5), ua.StatusCodes.BadCertificateTimeInvalid),
        (CLIENT.but(first_day=0.5), ua.StatusCodes.BadCertificateTimeInvalid),
        (CLIENT.but(usage=("digital_signature",)), ua.StatusCodes.BadCertificateUseNotAllowed),
        (CLIENT.but(uri="urn:somebody:else"), ua.StatusCodes.BadCertificateUriInvalid),
    ],
)
async def test_a_trusted_one_that_is_wrong_is_told_what(
    running: Running, tmp_path: Path, recipe: Recipe, code: int
) -> None:
    client = await with_certificate(running.url, tmp_path, running.plant.data.certs, recipe=recipe)
    client.application_uri = CLIENT.uri
    assert await refused(client) == code


async def test_clients_of_an_authority_until_it_revokes_them(
    running: Running, tmp_path: Path, store: Store
) -> None:
    authority = AUTHORITY.but(now=CLIENT.now)
    recipe = CLIENT.but(issuer=authority, number=2)
    store.put("trusted", authority.made().public_bytes(Encoding.DER))
    crl = tmp_path / "list.crl"
    crl.write_bytes(authority.revokes().public_bytes(Encoding.DER))
    assert (
        await refused(await with_certificate(running.url, tmp_path, None, recipe=recipe))
        == ua.StatusCodes.BadCertificateRevocationUnknown
    )
    store.put_revocations(crl)
    async with connected(await with_certificate(running.url, tmp_path, None, recipe=recipe)):
        pass
    serial = Store(running.plant.data.certs).certificates("rejected")[0].certificate.serial_number
    crl.write_bytes(authority.revokes(serial).public_bytes(Encoding.DER))
    store.put_revocations(crl)
    assert (
        await refused(await with_certificate(running.url, tmp_path, None, recipe=recipe))
        == ua.StatusCodes.BadSecurityChecksFailed
    )


async def test_no_session_on_an_unencrypted_channel_unless_the_site_says_so(running: Running) -> None:
    iserver = running.server.iserver
    before = iserver.site_security
    iserver.site_security = type(before)(unencrypted="never")
    try:
        client = Client(running.url, timeout=30)
        assert await client.connect_and_get_server_endpoints()  # asking is free
        assert await refused(Client(running.url, timeout=30)) == ua.StatusCodes.BadSecurityPolicyRejected
    finally:
        iserver.site_security = before


async def test_nobody_without_a_name_where_the_site_says_so(running: Running, tmp_path: Path) -> None:
    iserver = running.server.iserver
    before = iserver.site_security
    iserver.site_security = type(before)(anonymous=False)
    try:
        client = await with_certificate(running.url, tmp_path, running.plant.data.certs)
        assert await refused(client) == ua.StatusCodes.BadIdentityTokenRejected
    finally:
        iserver.site_security = before


async def test_one_stranger_does_not_push_the_others_out(
    running: Running, tmp_path: Path, store: Store
) -> None:
    for number in range(14):
        recipe = CLIENT.but(name=f"n{number}")
        await refused(await with_certificate(running.url, tmp_path, None, recipe=recipe))
    assert len(store.certificates("rejected")) == 10


async def opened(client: Client) -> int:
    """The status that the opening of a channel ends with."""
    try:
        await client.connect_socket()
        await client.send_hello()
        await client.open_secure_channel()
    except ua.UaStatusCodeError as error:
        return int(error.code)
    finally:
        client.disconnect_socket()
    return 0


async def test_a_channel_is_for_this_servers_certificate(running: Running, tmp_path: Path) -> None:
    client = await with_certificate(running.url, tmp_path, running.plant.data.certs)
    client.security_policy.peer_certificate = CLIENT.but(name="before").der()
    assert await opened(client) == ua.StatusCodes.BadCertificateInvalid


async def test_a_nonce_is_as_long_as_its_policy_says(running: Running, tmp_path: Path) -> None:
    client = await with_certificate(running.url, tmp_path, running.plant.data.certs)
    client.security_policy.secure_channel_nonce_length = 16
    assert await opened(client) == ua.StatusCodes.BadNonceInvalid


async def test_a_channel_is_opened_once_and_renewed_as_it_is(
    running: Running, tmp_path: Path, store: Store
) -> None:
    async with connected(await with_certificate(running.url, tmp_path, running.plant.data.certs)) as client:
        await client.open_secure_channel(renew=True)
        await client.get_node(LEVEL).read_data_value(raise_on_bad_status=False)
        [found] = store.certificates("trusted")
        store.move(found, "rejected")
        with pytest.raises((ua.UaError, ConnectionError)):  # it is trusted no more
            await client.open_secure_channel(renew=True)
    async with connected(await with_certificate(running.url, tmp_path, running.plant.data.certs)) as client:
        with pytest.raises((ua.UaError, ConnectionError)):
            await client.open_secure_channel(renew=False)


async def test_whoever_has_not_the_key_of_the_application_activates_nothing(
    running: Running, tmp_path: Path
) -> None:
    client = await with_certificate(running.url, tmp_path, running.plant.data.certs)
    await client.connect_socket()
    await client.send_hello()
    await client.open_secure_channel()
    await client.create_session()
    client.security_policy.asymmetric_cryptography.Signer = SignerSha256(CLIENT.but(number=9).private)
    with pytest.raises(ua.uaerrors.BadApplicationSignatureInvalid):
        await client.activate_session()
    client.disconnect_socket()
