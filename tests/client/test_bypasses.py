"""The list of bypasses: from the site what may be, from control's state what is."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import orjson
import pytest

from scada.client.bypasses import Bypasses
from scada.client.types import Bypass
from scada.datadir import DataDir
from tags.model import Block, Site
from tags.slots import SlotWriter
from tests.support.site import make_site


def site() -> Site:
    lock = {"bypass": {"": {"max_ns": 10, "role": "admin"}}}
    matrix = {"bypass": {"A": {"max_ns": 20, "role": "engineer"}}}
    blocks = [
        Block(path="t/I", type="interlock", config=lock),
        Block(path="t/M", type="cause_effect", config=matrix),
    ]
    return dataclasses.replace(make_site(), blocks=(*make_site().blocks, *blocks))


def keep(data: DataDir, state: Any) -> None:
    data.run.mkdir(parents=True, exist_ok=True)
    writer = SlotWriter.create(data.control_state, 10_000, 1)
    writer.write(state if isinstance(state, bytes) else orjson.dumps(state))
    writer.close()


def test_what_may_be_and_what_is(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    row = {"path": "t/M/A", "until": 9, "since": 3, "user": "anna", "reason": "repair", "for": 6, "left": 2}
    keep(data, {"bypasses": [row, {"path": "t/I"}, 7]})
    found = Bypasses(site(), data)
    assert found.permitted == {"t/I": (10, "admin"), "t/M/A": (20, "engineer")}
    assert found.current() == [Bypass("t/M/A", 9, 3, "anna", "repair")]


@pytest.mark.parametrize("state", [b"no json", {}, {"bypasses": 3}, [1]])
def test_a_state_without_them(tmp_path: Path, state: Any) -> None:
    keep(DataDir(tmp_path), state)
    assert Bypasses(site(), DataDir(tmp_path)).current() == []


def test_before_there_is_a_state_and_where_nothing_may_be(tmp_path: Path) -> None:
    assert Bypasses(site(), DataDir(tmp_path)).current() == []
    assert Bypasses(make_site(), DataDir(tmp_path)).current() == []
