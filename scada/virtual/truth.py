"""What stands in the registers of a PLC, and what a write brings: the judge's own reading, not the one of the product."""

from __future__ import annotations

import struct
from typing import Any, Final

from scada.simulate.registers import Registers
from tags.model import Site, Tag
from tags.scaling import resolution, to_value
from tags.types import BOOL, FLOAT64, FLOATS, STRING

_CODES: Final = {"int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "float32": ">f",
                 "int64": ">q", "uint64": ">Q", "float64": ">d"}  # fmt: skip


def held(registers: Registers, tag: Tag) -> Any:
    """What a PLC holds for a tag, engineering units."""
    at = tag.address or {}
    offset = int(at["offset"])
    if at["table"] in ("coil", "discrete"):
        return (registers.coils if at["table"] == "coil" else registers.discretes)[offset]
    words = registers.holding if at["table"] == "holding" else registers.inputs
    if at.get("bit") is not None:
        return bool(words[offset] >> int(at["bit"]) & 1)
    return _decode(tag, tuple(words[offset : offset + int(at["count"])]))


def apart(value: Any, wanted: Any, tag: Tag, tolerance: float = 0.0) -> bool:
    """Two values of a tag differ by more than its device can show, or its dead band lets through."""
    if isinstance(value, str) or isinstance(wanted, str):
        return bool(value != wanted)
    deadband = tag.write.deadband if tag.write is not None else 0.0
    return abs(float(value) - float(wanted)) > max(tolerance, deadband) + resolution(tag.scaling) + 1e-6


def value_of(tag: Tag, function: int, words: tuple[int, ...]) -> Any:
    """The value that a write brings, engineering units.

    Args:
        tag: Of which output.
        function: Modbus function code of the write.
        words: Its coils (0 or 1) or registers.
    """
    if function in (5, 15):
        return bool(words[0])
    if function == 22 or (tag.address or {}).get("bit") is not None:
        return None
    return _decode(tag, words)


def _decode(tag: Tag, words: tuple[int, ...]) -> Any:
    if tag.type == STRING:
        return struct.pack(f">{len(words)}H", *words).split(b"\0", 1)[0].decode("utf-8", "replace").rstrip()
    raw = struct.unpack(_CODES[str((tag.address or {})["type"])], struct.pack(f">{len(words)}H", *words))[0]
    if tag.type == BOOL:
        return bool(raw)
    value = to_value(raw, tag.scaling, FLOAT64)
    return float(value) if tag.type in FLOATS else round(value)


def is_odd(tag: Tag, site: Site) -> bool:
    """The judge cannot read what stands in the registers of a tag, and does not judge its values."""
    at = tag.address
    if at is None or at["table"] in ("coil", "discrete") or at["type"] == BOOL:
        return False
    if at.get("bit") is not None:
        return True
    config = next((device.config for device in site.devices if device.name == tag.device), {})
    little = "little" in (config.get("word_order"), config.get("byte_order"))
    return little or at.get("order", "ABCD") != "ABCD" or at["type"] not in (*_CODES, STRING)


def offset_of(address: Any) -> int:
    """Of a heartbeat: as parsed, or as it is written in the site."""
    return int(address["offset"] if isinstance(address, dict) else str(address).rpartition("/")[2])
