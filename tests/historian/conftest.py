from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.historian.plant import Plant


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    plant = Plant(tmp_path / "data")
    yield plant
    plant.stop()
    shutil.rmtree(plant.data.run.resolve())
