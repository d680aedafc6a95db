"""`scada certs` and `scada user` as somebody types them, on folders that a server would use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner

from scada.cli.app import app
from scada.datadir import DataDir
from scada.opcua.security.own import ensure, load
from scada.opcua.security.store import REJECTED_MAX, Store
from scada.users import Users
from tests.support.opcua_certificates import AUTHORITY, Recipe
from tests.support.opcua_client import NOW
from tests.support.site import make_site

CLIENT = Recipe(now=NOW)


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    folder = DataDir(tmp_path / "data")
    folder.create()
    return folder


def scada(data: DataDir, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*words, "--data", str(data.root)])
    assert result.exit_code == code, result.output
    return result.output


def listed(data: DataDir) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in json.loads(scada(data, "certs", "list", "--json"))["certificates"]:
        found.setdefault(row["folder"], []).append(row)
    return found


def test_a_refused_client_is_looked_at_trusted_and_rejected_again(data: DataDir) -> None:
    store = Store(data.certs)
    assert store.reject(CLIENT.der())
    [row] = listed(data)["rejected"]
    assert (row["name"], row["uri"], row["remark"]) == ("client", "urn:test:client", "not trusted yet")
    assert "urn:test:client" in scada(data, "certs", "show", row["thumbprint"][:8])
    assert "trusted" in scada(data, "certs", "trust", row["thumbprint"][:8].upper())
    assert store.trusts(CLIENT.der())
    assert listed(data) == {"trusted": [{**row, "folder": "trusted", "file": row["file"].replace("rejected", "trusted"),
                                         "remark": ""}]}  # fmt: skip
    scada(data, "certs", "reject", "client")
    assert not store.trusts(CLIENT.der())
    assert list(listed(data)) == ["rejected"]


def test_files_of_a_client_of_an_authority_and_of_what_it_revoked(data: DataDir, tmp_path: Path) -> None:
    authority = AUTHORITY.but(now=NOW)
    (tmp_path / "ca.pem").write_bytes(authority.made().public_bytes(Encoding.PEM))
    (tmp_path / "ca.crl").write_bytes(authority.revokes(7).public_bytes(Encoding.DER))
    scada(data, "certs", "trust", str(tmp_path / "ca.pem"))
    scada(data, "certs", "trust", str(tmp_path / "ca.crl"))
    scada(data, "certs", "trust", str(tmp_path / "ca.crl"))
    trust = Store(data.certs).trust()
    assert (len(trust.trusted), len(trust.issuers), len(trust.revocations)) == (1, 0, 1)
    Store(data.certs).reject(CLIENT.but(issuer=authority, number=8).der())
    [row] = listed(data)["rejected"]
    assert row["remark"] == "may connect by now: its authority is trusted"
    scada(data, "certs", "trust", "--issuer", "authority")
    trust = Store(data.certs).trust()
    assert (len(trust.trusted), len(trust.issuers)) == (0, 1)
    (tmp_path / "no.der").write_bytes(b"nothing")
    said = scada(data, "certs", "trust", str(tmp_path / "no.der"), code=1)
    assert "no.der: it is no certificate, neither DER nor PEM" in said.replace("\n", "")
    scada(data, "certs", "show", "nobody", code=1)


def test_what_is_wrong_with_a_refused_one_is_said(data: DataDir) -> None:
    store = Store(data.certs)
    store.reject(CLIENT.but(last_day=-0.5).der())
    store.reject(CLIENT.but(name="old", bits=1024).der())
    remarks = {row["name"]: row["remark"] for row in listed(data)["rejected"]}
    assert remarks["client"].startswith("BadCertificateTimeInvalid: it ended at ")
    assert remarks["old"].startswith("BadCertificatePolicyCheckFailed: its key has 1024 bits")
    (data.certs / "trusted" / "x.der").write_bytes(b"nothing")
    assert "cannot be read" in scada(data, "certs", "list")


def test_the_folder_of_the_refused_is_bounded(data: DataDir) -> None:
    store = Store(data.certs)
    for number in range(REJECTED_MAX + 5):
        store.reject(CLIENT.but(name=f"n{number}").der())
    assert len(store.certificates("rejected")) == REJECTED_MAX


def test_the_servers_own_is_made_once_and_renewed_on_demand(data: DataDir) -> None:
    scada(data, "certs", "renew", code=1)
    site = make_site()
    first = ensure(data.certs, site, NOW)
    assert first.key.stat().st_mode & 0o077 == 0
    assert ensure(data.certs, site, NOW).certificate == first.certificate
    output = scada(data, "certs", "renew", "--key-bits", "3072")
    second = load(data.certs)
    assert "3072 bits" in output
    assert second.certificate != first.certificate
    assert second.private.key_size == 3072
    names = [own.certificate.extensions for own in (first, second)]
    assert len({str(found.get_extension_for_oid(found[5].oid).value) for found in names}) == 1
    assert [row["folder"] for row in listed(data)["own"]] == ["own"]
    scada(data, "certs", "renew", "--key-bits", "1024", code=1)


def test_files_of_earlier_versions_stay_the_servers_identity(data: DataDir) -> None:
    site = make_site()
    first = ensure(data.certs, site, NOW)
    first.key.rename(data.certs / "own_key.pem")
    first.file.rename(data.certs / "own_certificate.der")
    assert ensure(data.certs, site, NOW).certificate == first.certificate


def test_people_with_certificates(data: DataDir, tmp_path: Path) -> None:
    users = Users(data.users)
    users.add("anna", "correct horse battery", "operator")
    mark = users.mark("anna")
    file = tmp_path / "anna.der"
    file.write_bytes(CLIENT.but(name="Anna").der())
    scada(data, "user", "certificate", "anna", str(file))
    [(fingerprint, subject)] = users.certificates("anna").items()
    assert (subject, users.owner(fingerprint)) == ("Anna", "anna")
    assert users.mark("anna") == mark
    assert users.mark("anna", fingerprint) not in {"", mark}
    users.add("tom", "correct horse battery", "viewer")
    assert "anna has this certificate" in scada(data, "user", "certificate", "tom", str(file), code=1)
    assert "Anna" in scada(data, "user", "list")
    users.add("anna", "correct horse battery 2", "operator")
    assert users.owner(fingerprint) == "anna"
    scada(data, "user", "certificate", "anna", "--remove", fingerprint[:8])
    assert users.owner(fingerprint) is None
    assert users.mark("anna", fingerprint) == ""
    scada(data, "user", "remove", "anna")
    assert list(users.roles()) == ["tom"]
    scada(data, "user", "remove", "anna", code=1)
    scada(data, "user", "certificate", "tom", code=2)
    file.write_bytes(CLIENT.but(name="weak", bits=1024).der())
    assert "RSA with 2048" in scada(data, "user", "certificate", "tom", str(file), code=1).replace("\n", " ")
    file.write_bytes(b"nothing")
    said = scada(data, "user", "certificate", "tom", str(file), code=1)
    assert "anna.der: it is no certificate" in said.replace("\n", "")
