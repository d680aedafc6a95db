"""The standard nodes of OPC UA, made once for all plants of a test run: asyncua needs seconds for them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from scada.datadir import DataDir
from scada.opcua.nodes.standard import copy_of, write


def lend(base: Path, data: DataDir) -> None:
    """Gives a plant that has not started a copy.

    Args:
        base: Folder that the plants share.
        data: Data directory of the plant.
    """
    folder = _of_the_run(base)
    if not copy_of(folder).exists():
        write(folder)
    data.create()
    shutil.copyfile(copy_of(folder), copy_of(data.run))


def _of_the_run(base: Path) -> Path:
    """The folder that all processes of a run share: xdist gives each of them one inside it."""
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
