"""Each step of the validation refuses what it is for, with its own status, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from asyncua import ua
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import example, given
from hypothesis import strategies as st

from scada.opcua.security.validate import (
    CHAIN_MAX,
    DER_MAX,
    STATUS,
    TrustList,
    check,
    parse,
    split,
    thumbprint,
)
from tests.support.opcua_certificates import AUTHORITY, DAY, NOW, Recipe

CLIENT = Recipe()
CA = AUTHORITY.made()
SIGNED = Recipe(issuer=AUTHORITY, number=2)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def named(ders: list[bytes], trust: TrustList, **changes: Any) -> str:
    problem = check(ders, trust, changes.get("now", NOW))
    return "" if problem is None else problem.name


def alone(recipe: Recipe) -> str:
    made = recipe.made()
    return named([der(made)], TrustList(trusted=(made,)))


def test_what_is_trusted_is_believed_and_nothing_else() -> None:
    assert alone(CLIENT) == ""
    assert named([CLIENT.der()], TrustList()) == "BadCertificateUntrusted"
    twin = CLIENT.made()  # of the same name and key, but never looked at by anybody
    assert named([CLIENT.der()], TrustList(trusted=(twin,))) == "BadCertificateUntrusted"
    assert named([CLIENT.der()], TrustList(issuers=(CLIENT.made(),))) == "BadCertificateUntrusted"


@pytest.mark.parametrize(
    ("recipe", "status"),
    [
        (CLIENT.but(first_day=1), "BadCertificateTimeInvalid"),
        (CLIENT.but(last_day=-0.5), "BadCertificateTimeInvalid"),
        (CLIENT.but(bits=1024), "BadCertificatePolicyCheckFailed"),
        (CLIENT.but(sha=512), ""),
        (CLIENT.but(usage=None), "BadCertificateUseNotAllowed"),
        (CLIENT.but(usage=("digital_signature", "key_encipherment")), "BadCertificateUseNotAllowed"),
        (CLIENT.but(usage=("key_encipherment", "data_encipherment")), "BadCertificateUseNotAllowed"),
        (CLIENT.but(purposes=(ExtendedKeyUsageOID.SERVER_AUTH,)), "BadCertificateUseNotAllowed"),
        (CLIENT.but(purposes=None), ""),
    ],
)
def test_a_self_signed_certificate_step_by_step(recipe: Recipe, status: str) -> None:
    assert alone(recipe) == status


def test_a_signature_that_is_not_its_own() -> None:
    forged = Recipe(name="client", number=3).made()
    real = bytearray(CLIENT.der())
    real[-1] ^= 1
    assert named([bytes(real)], TrustList(trusted=(forged,))) == "BadCertificateInvalid"


def signed_with(public: Any, key: Any) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(CLIENT.subject)
        .issuer_name(CLIENT.subject)
        .public_key(public)
        .serial_number(1)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .sign(key, hashes.SHA256())
    )


def test_a_key_that_is_not_rsa_is_of_no_policy() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    made = signed_with(key.public_key(), key)
    assert named([der(made)], TrustList(trusted=(made,))) == "BadCertificatePolicyCheckFailed"


def test_a_key_that_is_too_long_is_not_even_computed_with() -> None:
    numbers = rsa.RSAPublicNumbers(65537, (1 << 8191) | 1)
    made = signed_with(numbers.public_key(), CLIENT.private)
    assert named([der(made)], TrustList(trusted=(made,))) == "BadCertificatePolicyCheckFailed"


def test_an_authority_speaks_for_whom_it_signed() -> None:
    none = AUTHORITY.revokes()
    made = SIGNED.made()
    assert named([der(made)], TrustList(trusted=(CA,), revocations=(none,))) == ""
    # it only completes the chain; the client itself is trusted
    assert named([der(made)], TrustList(trusted=(made,), issuers=(CA,), revocations=(none,))) == ""
    # the client may bring it
    assert named([der(made), der(CA)], TrustList(trusted=(made,), revocations=(none,))) == ""
    assert named([der(made), der(CA)], TrustList(revocations=(none,))) == "BadCertificateUntrusted"
    assert named([der(made)], TrustList(trusted=(made,))) == "BadCertificateChainIncomplete"
    false = AUTHORITY.but(number=4).made()  # of the same name, with another key
    assert named([der(made)], TrustList(trusted=(false,))) == "BadCertificateInvalid"


@pytest.mark.parametrize(
    ("authority", "status"),
    [
        (AUTHORITY.but(last_day=-0.5), "BadCertificateIssuerTimeInvalid"),
        (AUTHORITY.but(authority=False), "BadCertificateIssuerUseNotAllowed"),
        (AUTHORITY.but(usage=("crl_sign",)), "BadCertificateIssuerUseNotAllowed"),
        (AUTHORITY.but(bits=1024), "BadCertificatePolicyCheckFailed"),
    ],
)
def test_an_authority_step_by_step(authority: Recipe, status: str) -> None:
    made = SIGNED.but(issuer=authority).made()
    trust = TrustList(trusted=(authority.made(),), revocations=(authority.revokes(),))
    assert named([der(made)], trust) == status


def test_what_an_authority_revoked() -> None:
    made = SIGNED.made()
    trusted = (CA, made)

    def found(*lists: x509.CertificateRevocationList) -> str:
        return named([der(made)], TrustList(trusted=trusted, revocations=lists))

    assert found() == "BadCertificateRevocationUnknown"
    assert found(AUTHORITY.revokes(1, 2)) == ""
    assert found(AUTHORITY.revokes(made.serial_number)) == "BadCertificateRevoked"
    assert found(AUTHORITY.revokes(), AUTHORITY.revokes(made.serial_number)) == "BadCertificateRevoked"
    assert found(AUTHORITY.revokes(until_day=-0.5)) == "BadCertificateRevocationUnknown"
    false = AUTHORITY.but(number=4)
    assert found(false.revokes()) == "BadCertificateRevocationUnknown"


def test_an_authority_below_another_one() -> None:
    middle = Recipe(
        name="middle",
        number=5,
        issuer=AUTHORITY,
        authority=True,
        uri="",
        usage=("key_cert_sign",),
        purposes=None,
    )
    made, between = SIGNED.but(issuer=middle).made(), middle.made()
    lists = (AUTHORITY.revokes(), middle.revokes())
    chain = [der(made), der(between)]
    assert named(chain, TrustList(trusted=(CA,), revocations=lists)) == ""
    assert (
        named(chain, TrustList(trusted=(CA,), revocations=lists[1:]))
        == "BadCertificateIssuerRevocationUnknown"
    )
    revoked = (AUTHORITY.revokes(between.serial_number), lists[1])
    assert named(chain, TrustList(trusted=(CA,), revocations=revoked)) == "BadCertificateIssuerRevoked"
    shallow = AUTHORITY.but(path_length=0)
    trust = TrustList(trusted=(shallow.made(),), revocations=lists)
    assert named(chain, trust) == "BadCertificateIssuerUseNotAllowed"


def test_a_circle_of_authorities_ends() -> None:
    one = Recipe(name="one", number=6, authority=True)
    two = Recipe(name="two", number=7, authority=True, issuer=one)
    made = [two.made(), one.but(issuer=two).made()]
    assert named([der(c) for c in made], TrustList(trusted=(made[1],))) == "BadCertificateChainIncomplete"


def test_what_the_client_is_told_gives_the_trust_list_away_to_nobody() -> None:
    for name, (status, told, _) in STATUS.items():
        assert status == getattr(ua.StatusCodes, name)
        assert told in {status, ua.StatusCodes.BadSecurityChecksFailed}
    for name in ("Invalid", "ChainIncomplete", "PolicyCheckFailed", "Untrusted", "Revoked"):
        assert STATUS[f"BadCertificate{name}"][1] == ua.StatusCodes.BadSecurityChecksFailed


def test_a_chain_is_taken_apart() -> None:
    one, two = CLIENT.der(), AUTHORITY.der()
    assert split(one) == [one]
    assert split(one + two) == [one, two]
    for wrong in (b"", one[:-1], one + b"\0", b"\x30\x84\xff\xff\xff\xff", one * (CHAIN_MAX + 1)):
        with pytest.raises(ValueError, match="certificate"):
            split(wrong)
    with pytest.raises(ValueError, match="certificate"):
        split(b"\x30\x82" + (DER_MAX + 1).to_bytes(2, "big") + bytes(DER_MAX + 1))
    assert len(thumbprint(one)) == 40


@given(st.binary(max_size=200), st.integers(0, 2000), st.integers(0, 255))
@example(b"", 0, 0)
def test_whatever_a_stranger_sends_is_refused_and_raises_nothing(noise: bytes, at: int, value: int) -> None:
    parse(noise)
    data = bytearray(_GOOD)
    data[at % len(data)] = value
    for candidate in (bytes(data), noise):
        try:
            ders = split(candidate)
        except ValueError:
            continue
        problem = check(ders, TrustList(), NOW)
        assert problem is not None


_GOOD = CLIENT.der()
