"""A rig that is torn down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control.rig import Rig
from tests.scan.plant import plant_site


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """Files and field; `start` starts control."""
    rig = Rig(tmp_path)
    yield rig
    rig.close()


@pytest.fixture
def fast_rig(tmp_path: Path) -> Iterator[Rig]:
    """The same with a scan of 20 ms."""
    rig = Rig(tmp_path, plant_site(scan_ns=20_000_000))
    yield rig
    rig.close()
