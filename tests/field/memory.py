"""A device in memory for tests: written by requests and read by requests, after the standard."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from scada.field.modbus import encode, writes
from scada.field.modbus.address import BIT_TABLES
from scada.field.modbus.config import Config
from scada.field.modbus.decode import Decoder, Point
from scada.field.modbus.plan import Request, plan
from scada.modbus import wire

ORDERS = [(word, byte) for word in ("big", "little") for byte in ("big", "little")]


def config(word: str = "big", byte: str = "big", **more: Any) -> Config:
    return Config.model_validate({"endpoint": "tcp://plc", "word_order": word, "byte_order": byte, **more})


def request(point: Point, bits: int, text: str, settings: Config) -> wire.Pdu:
    (pdu,) = writes.requests([encode.part(point, bits, text, settings)], settings)
    assert isinstance(pdu, wire.Pdu)
    return pdu


class Memory:
    """Registers and coils of a device, written by requests and read by requests, after the standard."""

    def __init__(self) -> None:
        self.words = {"holding": [0] * 200, "input": [0] * 200}
        self.bits = {"coil": [0] * 200, "discrete": [0] * 200}

    def write(self, pdu: wire.Pdu) -> None:
        offset = struct.unpack_from(">H", pdu.data)[0]
        holding, coils = self.words["holding"], self.bits["coil"]
        if pdu.function == 5:
            coils[offset] = int(pdu.data[2] == 0xFF)
        elif pdu.function == 15:
            count, size = struct.unpack_from(">HB", pdu.data, 2)
            assert size == (count + 7) // 8 == len(pdu.data) - 5
            for i in range(count):
                coils[offset + i] = pdu.data[5 + i // 8] >> i % 8 & 1
        elif pdu.function == 6:
            holding[offset] = struct.unpack_from(">H", pdu.data, 2)[0]
        elif pdu.function == 16:
            count, size = struct.unpack_from(">HB", pdu.data, 2)
            assert size == 2 * count == len(pdu.data) - 5
            holding[offset : offset + count] = struct.unpack_from(f">{count}H", pdu.data, 5)
        else:
            and_mask, or_mask = struct.unpack_from(">HH", pdu.data, 2)
            holding[offset] = (holding[offset] & and_mask) | (or_mask & ~and_mask)

    def payload(self, request: Request) -> bytes:
        first, last = request.start, request.start + request.count
        if request.table in BIT_TABLES:
            return np.packbits(
                np.array(self.bits[request.table][first:last], np.uint8), bitorder="little"
            ).tobytes()
        return struct.pack(f">{request.count}H", *self.words[request.table][first:last])


def read(memory: Memory, points: list[Point], settings: Config) -> tuple[list[int], list[int], Decoder]:
    """Bits and status of all points, in their order."""
    (group,) = plan([p.address for p in points], [1] * len(points), settings)
    decoder = Decoder(points, group.requests, settings)
    for number, request in enumerate(group.requests):
        decoder.put(number, memory.payload(request))
    bits, status = decoder.decode()
    order = np.argsort(decoder.members)
    return bits[order].tolist(), status[order].tolist(), decoder
