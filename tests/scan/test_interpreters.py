"""A recording comes out the same on each CPython that this machine has."""

from __future__ import annotations

from pathlib import Path

import pytest

from scada.scan import build
from tags.site import read_site
from tests.house.test_cli_replay import DEMO, make
from tests.support.interpreters import MINORS, replay_with


@pytest.mark.slow
def test_each_interpreter_comes_to_the_same_bits(tmp_path: Path) -> None:
    make(tmp_path / "demo.rec", build(read_site(DEMO)), 1500)
    found = replay_with(tmp_path, MINORS)
    if len(found) < 2:
        pytest.skip("only one of these versions is on this machine, or their packages cannot be had")
    assert {one["scans"] for one in found} == {1500}
    assert {one["checked"] for one in found} == {15}
    assert len({(one["told"], one["checksum"]) for one in found}) == 1
    assert len({one["python"] for one in found}) == len(found)
