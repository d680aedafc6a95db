"""Folders of certificates with things in them that are none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from scada.opcua.security.store import REJECTED_MAX, Store
from tests.support.opcua_client import CLIENT


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path)
    made.create()
    return made


@pytest.mark.parametrize("folder", ["trusted", "issuers", "crl"])
def test_what_is_no_file_does_nothing_and_hides_nothing(store: Store, folder: str) -> None:
    good = store.put("trusted", CLIENT.der())
    place = store.root / folder
    os.mkfifo(place / "pipe.der")  # nobody will ever write into it
    (place / "folder.der").mkdir()
    (place / "nowhere.der").symlink_to(place / "gone.der")
    (place / "circle.der").symlink_to(place / "circle.der")
    (place / "endless.der").symlink_to("/dev/zero")
    (place / "linked.der").symlink_to(good)
    trust = store.trust()
    assert CLIENT.der() in [one.public_bytes(Encoding.DER) for one in trust.trusted]
    assert store.trusts(CLIENT.der())
    assert place / "pipe.der" in store.unreadable()


def test_a_certificate_of_an_unknown_version_hides_no_other(store: Store) -> None:
    store.put("trusted", CLIENT.der())
    der = bytearray(CLIENT.der())
    at = der.index(b"\xa0\x03\x02\x01\x02")  # version 3
    der[at + 4] = 5
    (store.root / "trusted" / "odd.der").write_bytes(bytes(der))
    assert store.trusts(CLIENT.der())


def test_a_link_to_nothing_does_not_let_the_refused_pile_up(store: Store) -> None:
    (store.root / "rejected" / "nowhere.der").symlink_to(store.root / "gone")
    for number in range(REJECTED_MAX + 5):
        assert store.reject(CLIENT.der() + bytes([number]))
    assert len(list((store.root / "rejected").iterdir())) <= REJECTED_MAX
