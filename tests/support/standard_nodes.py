"""The standard nodes of OPC UA, made once for all plants of a test run: asyncua needs seconds for them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from scada.datadir import DataDir
from scada.opcua.nodes.standard import copy_of


def lend(base: Path, data: DataDir) -> None:
    """Gives a plant that has not started the copy that an earlier one left; the first plant starts from nothing.

    Args:
        base: Folder that the plants share.
        data: Data directory of the plant.
    """
    kept = copy_of(_of_the_run(base))
    if kept.exists():
        data.create()
        shutil.copyfile(kept, copy_of(data.run))


def keep(base: Path, data: DataDir) -> None:
    """Keeps the copy that a running plant made."""
    made, kept = copy_of(data.run), copy_of(_of_the_run(base))
    if made.exists() and not kept.exists():
        fresh = kept.with_suffix(f".{os.getpid()}")
        shutil.copyfile(made, fresh)
        fresh.rename(kept)


def _of_the_run(base: Path) -> Path:
    """The folder that all processes of a run share: xdist gives each of them one inside it."""
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
