"""The standard nodes of OPC UA (namespace 0), kept beside the image so that a restart need not make them again.

asyncua builds its 8,000 standard nodes in two seconds and reads them back in a quarter of one. The copy lies in
`run/`: ours alone to write, gone with the next boot, and named after the versions that made it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.metadata
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from asyncua import ua
from asyncua.server.address_space import AddressSpace, NodeData, NodeManagementService
from asyncua.server.standard_address_space import standard_address_space

_USELESS: Final = (
    OSError, EOFError, pickle.UnpicklingError, AttributeError, ImportError, IndexError, TypeError, ValueError,
)  # fmt: skip
_BATCH: Final = 100


def copy_of(run: Path) -> Path:
    """Where the copy for this asyncua and this Python lies."""
    versions = f"{importlib.metadata.version('asyncua')}-{sys.implementation.cache_tag}"
    return run / f"standard-nodes-{versions}"


async def fill(aspace: AddressSpace, management: NodeManagementService, run: Path) -> None:
    """Fills an empty address space, from the copy if there is a whole one."""
    copy = copy_of(run)
    with _no_collection():
        with contextlib.suppress(*_USELESS):
            await asyncio.to_thread(_load, aspace, copy)
            return
        aspace.clear()
        await asyncio.to_thread(standard_address_space.fill_address_space, management)
    fresh = copy.with_suffix(".new")
    await asyncio.to_thread(_dump, aspace, fresh)
    fresh.replace(copy)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Without the cyclic collector, which would walk all nodes again and again while they are made: five sixths of the time."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _dump(aspace: AddressSpace, path: Path) -> None:
    """Writes the nodes in batches: pickle remembers all that it reads of one piece, 100 MB for all of them at once."""
    nodes = [(node, aspace[node]) for node in aspace.keys()]  # noqa: SIM118 - it is no mapping
    with path.open("wb") as file:
        pickle.dump(len(nodes), file)
        for at in range(0, len(nodes), _BATCH):
            pickle.dump(nodes[at : at + _BATCH], file, pickle.HIGHEST_PROTOCOL)


def _load(aspace: AddressSpace, path: Path) -> None:
    """Reads them back; a copy that ends early raises."""
    nodes: dict[ua.NodeId, NodeData] = {}
    with path.open("rb") as file:
        count = pickle.load(file)  # noqa: S301 - we wrote it, where only we may write
        while len(nodes) < count:
            nodes.update(pickle.load(file))  # noqa: S301
    for node, data in nodes.items():
        aspace[node] = data
