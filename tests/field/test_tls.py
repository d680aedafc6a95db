"""Modbus/TCP Security: roles, files that are wrong, who is let in."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import ssl
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from typer.testing import CliRunner

from scada.cli.app import app
from scada.field.modbus.config import Config
from scada.modbus import certificates, tls
from scada.modbus.tls import Tls, role_of, role_value
from tags.site import SiteError, read_site
from tests.support.certificates import Authority, Pair

DAY_NS = 86_400_000_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certs")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def device(authority: Authority) -> Pair:
    return authority.sign("device")


@pytest.fixture(scope="module")
def client(authority: Authority) -> Pair:
    return authority.sign("client", role="operator")


def der(path: Path) -> bytes:
    return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(serialization.Encoding.DER)


# -- roles -------------------------------------------------------------------------------------------------------


@given(st.text(min_size=1, max_size=80))
def test_a_role_is_read_as_it_was_written_or_refused(name: str) -> None:
    if not 0 < len(name.encode(errors="surrogatepass")) <= 256 or any(
        "\ud800" <= c <= "\udfff" for c in name
    ):
        return
    value = role_value(name)
    if name.isprintable() and name == name.strip():
        assert role_of(value) == name
    else:
        with pytest.raises(ValueError):
            role_of(value)


@given(st.binary(max_size=300) | st.binary(max_size=20).map(lambda tail: b"\x0c" + tail))
def test_any_other_value_is_no_role(value: bytes) -> None:
    try:
        name = role_of(value)
    except ValueError:
        return
    assert role_value(name) == value, "one name, one encoding"


@pytest.mark.parametrize("size", [1, 127, 128, 255, 256])
def test_long_roles_have_long_lengths(size: int) -> None:
    assert role_of(role_value("r" * size)) == "r" * size
    with pytest.raises(ValueError):
        role_of(role_value("r" * size) + b"\0")
    with pytest.raises(ValueError):
        role_of(role_value("r" * size)[:-1])


def test_the_role_of_a_certificate(authority: Authority, client: Pair, device: Pair) -> None:
    assert tls.role(der(client.certificate)) == "operator"
    assert tls.role(der(device.certificate)) is None
    odd = authority.sign("odd", role=b"\x13\x04oops")  # a PrintableString
    with pytest.raises(ValueError, match="UTF8String"):
        tls.role(der(odd.certificate))
    with pytest.raises(ValueError, match="cannot be read"):
        tls.role(b"\x30\x03\x02\x01\x00")


@given(st.integers(0, 800), st.binary(min_size=1, max_size=4))
def test_a_damaged_certificate_is_refused_or_has_a_role(client: Pair, at: int, noise: bytes) -> None:
    whole = der(client.certificate)
    damaged = whole[:at] + noise + whole[at + len(noise) :]
    with contextlib.suppress(ValueError):
        tls.role(damaged)


# -- files -------------------------------------------------------------------------------------------------------


def test_files_of_a_site_lie_in_its_folder_and_are_looked_at_there(client: Pair, folder: Path) -> None:
    data = {"ca": "ca.pem", "certificate": str(client.certificate), "key": "client.key"}
    made = Tls.model_validate(data, context={"folder": folder})
    assert made == client.tls
    with pytest.raises(ValidationError, match=r"elsewhere/ca\.pem cannot be read"):
        Tls.model_validate(data, context={"folder": folder / "elsewhere"})
    assert Tls.model_validate(data).ca == "ca.pem", "a service takes what was checked"
    with pytest.raises(ValidationError, match="is not the name of a file"):
        Tls.model_validate({**data, "key": " "})


def test_certificates_belong_to_tls_endpoints(client: Pair) -> None:
    tls_ = client.tls.model_dump()
    assert Config(endpoint="tls://plc1", tls=tls_).at.port == 802  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="tls:// needs certificates"):
        Config(endpoint="tls://plc1")
    with pytest.raises(ValidationError, match="for tls:// endpoints only"):
        Config(endpoint="tcp://plc1", tls=tls_)  # type: ignore[arg-type]


def test_a_site_with_wrong_files_is_refused_with_their_places(tmp_path: Path, client: Pair) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "site.yaml").write_text(
        "site: one\ntimezone: UTC\ndevices:\n  PLC1:\n    driver: modbus\n    endpoint: tls://127.0.0.1:8020\n"
        f"    tls: {{ca: ca.pem, certificate: {client.certificate}, key: {client.certificate}}}\n"
        "    simulate: {plant: water, tls: {ca: a.pem, certificate: b.pem, key: c.pem}}\n"
        "  PLC2: {driver: modbus, endpoint: tcp://127.0.0.1, simulate: {plant: water, dump: x.dump}}\n"
    )
    with pytest.raises(SiteError) as error:
        read_site(site)
    text = "\n".join(str(problem) for problem in error.value.problems)
    assert re.search(r"site\.yaml:7:15: .*tls\.ca: .*site/ca\.pem cannot be read", text), text
    assert re.search(r"site\.yaml:7:\d+: .*tls\.key: .*no private key", text), text
    assert re.search(r"site\.yaml:9:.*either a plant or a dump", text), text


def test_right_files_have_no_problems(client: Pair, device: Pair) -> None:
    assert certificates.problems(client.tls) == []
    assert certificates.problems(device.tls) == []
    assert certificates.validity(client.tls, time.time_ns()) == []


def spoil(kind: str, pair: Pair, folder: Path, authority: Authority) -> Tls:
    """Settings with one thing wrong; the files are copies."""
    copy = Pair(*(Path(shutil.copy2(path, folder)) for path in (pair.certificate, pair.key, pair.ca)))
    if kind == "no file":
        copy.ca.unlink()
    elif kind == "no certificate":
        copy.certificate.write_text("hello")
    elif kind == "key as certificate":
        copy.certificate.write_bytes(pair.key.read_bytes())
    elif kind == "key of another":
        copy.key.write_bytes(authority.sign("other").key.read_bytes())
    elif kind == "certificate as key":
        copy.key.write_bytes(pair.certificate.read_bytes())
    elif kind == "key for everybody":
        copy.key.chmod(0o644)
    elif kind == "key with password":
        key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
        pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        copy.key.write_bytes(key.private_bytes(pem, form, serialization.BestAvailableEncryption(b"secret")))
    elif kind == "no authority":
        copy.ca.write_bytes(authority.sign("leaf").certificate.read_bytes())
    elif kind == "odd role":
        odd = authority.sign("oddrole", role=b"\x0c\x05ab")
        return odd.tls
    return copy.tls


@pytest.mark.parametrize(
    ("kind", "key", "says"),
    [
        ("no file", "ca", "cannot be read (No such file or directory). Correct the path"),
        ("no certificate", "certificate", "holds no certificate in PEM form"),
        ("key as certificate", "certificate", "holds no certificate in PEM form"),
        ("key of another", "key", "is not the key of"),
        ("certificate as key", "key", "holds no private key in PEM form"),
        ("key for everybody", "key", "can be read by everybody (mode 0644). Run: chmod 600"),
        ("key with password", "key", "is protected by a password"),
        ("no authority", "ca", "may not sign others"),
        ("odd role", "certificate", "not an ASN.1 UTF8String"),
    ],
)
def test_what_is_wrong_with_files_is_told(
    kind: str, key: str, says: str, client: Pair, authority: Authority, tmp_path: Path
) -> None:
    found = certificates.problems(spoil(kind, client, tmp_path, authority))
    assert [(name, says in text) for name, text in found] == [(key, True)]


@pytest.mark.parametrize(
    ("first", "last", "says"),
    [(-20, -10, "was valid until"), (10, 20, "is valid from"), (-10, 5.5, "ends in 5 days")],
)
def test_certificates_that_are_over_or_soon_are_told(
    authority: Authority, first: float, last: float, says: str
) -> None:
    pair = authority.sign("dated", first_day=first, last_day=last)
    now_ns = time.time_ns()
    [(over, text)] = certificates.validity(pair.tls, now_ns)
    assert over == ("ends" not in says)
    assert says in text
    assert certificates.problems(pair.tls) == [], "the time is not the files' fault"
    assert len(certificates.validity(pair.tls, now_ns + 4000 * DAY_NS)) == 2, "the authority's too"
    missing = pair.tls.model_copy(update={"ca": "/nowhere"})
    assert len(certificates.validity(missing, now_ns)) == 1


def test_scada_check_tells_of_dates_and_a_start_does_not_fail(authority: Authority, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()

    def check(last_day: float, *more: str) -> tuple[int, str]:
        pair = authority.sign("site", first_day=-30, last_day=last_day)
        (site / "site.yaml").write_text(
            "site: one\ntimezone: UTC\ndevices:\n  PLC1:\n    driver: modbus\n    endpoint: tls://127.0.0.1:8020\n"
            f"    tls: {{ca: {pair.ca}, certificate: {pair.certificate}, key: {pair.key}}}\n"
        )
        read_site(site)
        result = CliRunner().invoke(app, ["check", str(site), "--data", str(tmp_path / "data"), *more])
        return result.exit_code, " ".join(result.output.split())

    code, text = check(300)
    assert (code, "No problems" in text, "device PLC1" in text) == (0, True, False)
    code, text = check(5.5)
    assert (code, "device PLC1: " in text, "ends in 5 days" in text) == (0, True, True)
    code, text = check(-1)
    assert (code, "was valid until" in text, "will not be connected" in text) == (1, True, True)
    code, text = check(-1, "--json")
    assert (code, '"over": true' in text) == (1, True)


# -- who is let in -----------------------------------------------------------------------------------------------


async def shake(server: Tls, client: Callable[[], ssl.SSLContext], name: str = "127.0.0.1") -> str | None:
    """A handshake over a socket; the role that the server saw. Raises what the client met."""
    seen: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        seen.set_result(tls.role(shown) if shown else "let in without a certificate")
        writer.write(b"x")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls.server_context(server)) as listening:
        port = listening.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client(), server_hostname=name)
        try:
            if not await reader.read(1):
                raise ConnectionResetError("turned away")  # TLS 1.3 tells the client with the first byte
            return await seen
        finally:
            writer.close()


async def test_both_ends_prove_who_they_are(device: Pair, client: Pair) -> None:
    assert await shake(device.tls, lambda: tls.client_context(client.tls)) == "operator"
    assert await shake(device.tls, lambda: tls.client_context(client.tls), "localhost") == "operator"


async def test_the_name_of_the_settings_is_the_one_that_counts(authority: Authority, client: Pair) -> None:
    named = authority.sign("named", names=("plc1.plant",)).tls
    settings = client.tls.model_copy(update={"server_name": "plc1.plant"})
    assert await shake(named, lambda: tls.client_context(settings)) == "operator"
    with pytest.raises(ssl.SSLCertVerificationError):
        await shake(named, lambda: tls.client_context(client.tls))


async def test_a_device_of_another_name_or_authority_is_refused(
    device: Pair, client: Pair, tmp_path: Path
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for 'plc9'"):
        await shake(device.tls, lambda: tls.client_context(client.tls), "plc9")
    stranger = Authority(tmp_path, "stranger").sign("device")
    with pytest.raises(ssl.SSLCertVerificationError):
        await shake(stranger.tls, lambda: tls.client_context(client.tls))


@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_a_client_without_a_certificate_of_the_authority_is_turned_away(
    authority: Authority, device: Pair, client: Pair, tmp_path: Path
) -> None:
    def nobody() -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(client.ca))

    stranger = Authority(tmp_path, "stranger").sign("client")
    foreign = Tls(ca=str(client.ca), certificate=str(stranger.certificate), key=str(stranger.key))
    over = authority.sign("over", first_day=-20, last_day=-10).tls
    for context in (nobody, lambda: tls.client_context(foreign), lambda: tls.client_context(over)):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await shake(device.tls, context)


async def test_tls_1_1_is_not_spoken(device: Pair, client: Pair) -> None:
    def old() -> ssl.SSLContext:
        context = tls.client_context(client.tls)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        return context

    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shake(device.tls, old)


def test_a_missing_or_wrong_file_is_an_os_error(client: Pair, tmp_path: Path, authority: Authority) -> None:
    for kind in ("no file", "no certificate", "key of another", "key with password"):
        with pytest.raises(OSError):
            tls.client_context(spoil(kind, client, tmp_path, authority))
