"""What a site says of OPC UA, compiled."""

from __future__ import annotations

from pathlib import Path

import pytest

from tags.model import AccessRule, OpcuaSecurity, dump, load
from tags.site import SiteError, read_site
from tests.site.helpers import DRIVERS, make_folder

HEAD = "site: case\ntimezone: Europe/Madrid\n"


def test_without_a_word_it_is_shut(tmp_path: Path) -> None:
    site = read_site(make_folder(tmp_path / "site", {"site.yaml": HEAD}), drivers=DRIVERS)
    assert site.opcua_security == OpcuaSecurity(unencrypted="never", anonymous=True, key_bits=2048, access=())
    assert site.opcua_endpoint == "opc.tcp://127.0.0.1:4840"


def test_rules_by_folder(tmp_path: Path) -> None:
    text = """\
opcua:
  unencrypted: read only
  key_bits: 3072
  access:
    a/LT-1: {read: engineer, encrypted: false}
    "**": {read: viewer, write: admin, encrypted: true}
    a/**: {browse: operator}
"""
    site = read_site(make_folder(tmp_path / "site", {"site.yaml": HEAD + text}), drivers=DRIVERS)
    made = site.opcua_security
    assert (made.unencrypted, made.key_bits) == ("read only", 3072)
    assert made.access == (
        AccessRule(folder="", least={"read": "viewer", "write": "admin"}, encrypted=True),
        AccessRule(folder="a", least={"browse": "operator"}),
        AccessRule(folder="a/LT-1", least={"read": "engineer"}, encrypted=False),
    )
    assert load(dump(site)) == site


@pytest.mark.parametrize("word", ["off", "never", "no"])
def test_no_word_for_off_is_taken_for_on(tmp_path: Path, word: str) -> None:
    folder = make_folder(tmp_path / "site", {"site.yaml": HEAD + f"opcua: {{unencrypted: {word}}}\n"})
    if word == "never":
        assert read_site(folder, drivers=DRIVERS).opcua_security.unencrypted == "never"
    else:
        with pytest.raises(SiteError, match="never"):
            read_site(folder, drivers=DRIVERS)
