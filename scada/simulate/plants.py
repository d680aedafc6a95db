"""Which plants there are, and the one that a device of a site asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from scada.modbus import dump
from scada.simulate.air import Air
from scada.simulate.memory import Memory
from scada.simulate.plant import Plant
from scada.simulate.playback import Playback
from scada.simulate.truck import Truck
from scada.simulate.water import Water
from tags.model import Device, Tag

PLANTS: Final[dict[str, Callable[[int], Plant]]] = {
    "water": Water,
    "air": Air,
    "truck": Truck,
}
"""Those with a piece of the world behind them."""
MEMORY, DUMP = "memory", "dump"
DUMP_BYTES_MOST: Final = 256_000_000


def make(device: Device, seed: int, tags: Iterable[Tag] = ()) -> Plant:
    """The plant of a device with `simulate`.

    Args:
        device: Of a compiled site.
        seed: The same seed and the same steps give the same values.
        tags: Of the device: memory is at least as large as they need.

    Raises:
        ValueError: There is no such plant, or its dump cannot be read; the message says which and what to do.
    """
    name = str(device.simulate)
    if name == DUMP:
        return Playback(_dump(Path(str(device.simulation.get("dump", "")))), seed)
    if name == MEMORY:
        return Memory(seed, _ends(device, tags))
    if name not in PLANTS:
        there = ", ".join(sorted((*PLANTS, MEMORY, DUMP)))
        raise ValueError(f"there is no simulator {name!r}; there are {there}")
    return PLANTS[name](seed)


def _ends(device: Device, tags: Iterable[Tag]) -> dict[str, int]:
    """First address behind the last one of a device's tags, by table."""
    ends: dict[str, int] = {}
    places = [tag.address for tag in tags if tag.address is not None]
    if device.heartbeat is not None:
        places.append(device.heartbeat["address"])
    for place in places:
        table, end = place["table"], int(place["offset"]) + int(place.get("count", 1))
        ends[table] = max(ends.get(table, 0), end)
    return ends


def _dump(path: Path) -> dump.Dump:
    try:
        size = path.stat().st_size
        text = path.read_text("utf-8") if size <= DUMP_BYTES_MOST else ""
    except OSError as error:
        raise ValueError(
            f"{path} cannot be read ({error.strerror}). Correct the path in simulate: dump:"
        ) from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not text in UTF-8. Record it anew with: scada modbus dump") from None
    if size > DUMP_BYTES_MOST:
        raise ValueError(f"{path} is larger than 256 MB. Record for a shorter time, or less often.")
    try:
        return dump.parse(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
