"""The standard nodes of OPC UA (namespace 0), kept beside the image so that a restart need not make them again.

asyncua builds its 8,000 standard nodes in most of a second and reads them back in a quarter of one. The copy lies in
`run/`: ours alone to write, gone with the next boot, and named after the versions that made it. Writing it takes another
second, so a process of its own does that when the server has long been listening: `python -m scada.opcua.nodes.standard RUN`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.metadata
import os
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
KEPT_AFTER_S: Final = 10.0
"""When everything has started that starts with this service."""


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
        copy.unlink(missing_ok=True)
        aspace.clear()
        await asyncio.to_thread(standard_address_space.fill_address_space, management)


async def keep(run: Path, after_s: float = KEPT_AFTER_S) -> None:
    """Has the copy written for the next start when there is none; that process ends with this coroutine."""
    if copy_of(run).exists():
        return
    await asyncio.sleep(after_s)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, str(run))
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
            _beside(run, process.pid).unlink(missing_ok=True)


def write(run: Path) -> None:
    """Makes the nodes anew and writes the copy."""
    aspace = AddressSpace()
    with _no_collection():
        standard_address_space.fill_address_space(NodeManagementService(aspace))
    fresh = _beside(run, os.getpid())
    _dump(aspace, fresh)
    fresh.replace(copy_of(run))


def _beside(run: Path, process: int) -> Path:
    """Where a process writes until the copy is whole."""
    return copy_of(run).with_suffix(f".{process}")


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


if __name__ == "__main__":
    os.nice(19)
    write(Path(sys.argv[1]))
