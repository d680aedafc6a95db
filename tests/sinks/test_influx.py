"""What goes over the wire of InfluxDB 2, as its API is documented, and TLS."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from historian.sinks.answers import RefusedError
from historian.sinks.influx import Influx
from tags.model import Secret
from tests.sinks.faults import FaultServer
from tests.sinks.rig import make_sink


def test_a_missing_bucket_is_made_in_its_organisation(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("sesame")
    with FaultServer() as server:
        sink = make_sink(
            server.url, api="v2", org="works", token=Secret(file=str(token)), retention_ns=3600 * 10**9
        )
        assert Influx(sink).create() == ""
        made = json.loads(server.queries[0])
        assert (made["name"], made["orgID"]) == ("plant", "0000000000000001")
        assert made["retentionRules"][0]["everySeconds"] == 3600
        assert server.requests == [
            ("/api/v2/orgs?org=works", "Token sesame"),
            ("/api/v2/buckets", "Token sesame"),
        ]


def test_samples_are_deleted_by_a_predicate_to_the_nanosecond() -> None:
    with FaultServer() as server:
        sink = make_sink(server.url, api="v2", org="works", keys={"name": "path"})
        Influx(sink).delete('tank1/"T', 1_750_000_000_000_000_001, 1_750_000_000_000_000_001)
        path, _ = server.requests[-1]
        assert path.startswith("/api/v2/delete?")
        assert "bucket=plant" in path
        assert json.loads(server.queries[0]) == {
            "start": "2025-06-15T15:06:40.000000001Z",
            "stop": "2025-06-15T15:06:40.000000001Z",
            "predicate": '_measurement="small" AND "name"="tank1/\\"T"',
        }


@pytest.mark.parametrize(("api", "status"), [("v2", 404), ("v1", 501), ("v2", 0)])
def test_what_is_not_deleted_is_said(api: str, status: int) -> None:
    with FaultServer() as server:
        server.query_status = status
        url = server.url if status else "http://127.0.0.1:1"
        with pytest.raises(RefusedError) as refused:
            Influx(make_sink(url, api=api, org="works")).delete("a/b", 1, 2)
        assert refused.value.status == status
        if status == 404:  # asked in InfluxQL too, as InfluxDB 1.8 wants it
            assert [path.partition("?")[0] for path, _ in server.requests] == ["/api/v2/delete", "/query"]


def test_questions_carry_the_token_and_no_secret_in_the_address(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("sesame")
    with FaultServer() as server:
        sink = make_sink(server.url, api="v2", org="works", token=Secret(file=str(token)))
        assert Influx(sink).query("SHOW DATABASES") == []
        assert server.requests == [("/query?q=SHOW+DATABASES&db=plant&epoch=ns", "Token sesame")]


def test_a_policy_of_a_database_is_written_to_and_made() -> None:
    with FaultServer() as server:
        influx = Influx(make_sink(server.url, bucket="plant/month", retention_ns=30 * 86_400 * 10**9))
        assert influx.post(b"small v=1 1\n").status == 204
        assert server.requests[0][0] == "/write?db=plant&precision=ns&rp=month"
        assert influx.create() == ""
        asked = [parse_qs(query)["q"][0] for query in server.queries]
        assert asked == [
            'CREATE DATABASE "plant"',
            'CREATE RETENTION POLICY "month" ON "plant" DURATION 2592000s REPLICATION 1',
        ]


def make_certificate(path: Path) -> Path:
    """A key and a certificate of 127.0.0.1 that signs itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=36500))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_a_certificate_is_checked_against_its_authority(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path / "server.pem")
    with FaultServer(certificate) as server:
        trusting = Influx(make_sink(server.url, ca=str(certificate)))
        assert trusting.post(b"small v=1 1\n").status == 204
        trusting.close()
        refused = Influx(make_sink(server.url)).post(b"small v=2 2\n")
        assert refused.status == 0
        assert "certificate" in refused.text.lower()
        assert server.lines == ["small v=1 1"]
