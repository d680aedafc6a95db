"""What a PLC answers to a request: from PDU to PDU, over its registers. Pure.

Modbus Application Protocol 1.1b3, section 6: function codes 1 … 6, 15, 16, 17, 22, 23 and 43/14. A request of a wrong length or
with a wrong count is refused with exception 3, an address that is not there with exception 2, as the state diagrams there
say; whatever the bytes are, there is an answer and nothing is raised.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from scada.simulate.registers import Registers

ILLEGAL_FUNCTION: Final = 1
ILLEGAL_ADDRESS: Final = 2
ILLEGAL_VALUE: Final = 3
TARGET_SILENT: Final = 11
"""Gateway target device failed to respond."""
WRITES: Final = frozenset({5, 6, 15, 16, 22, 23})
_PAIR: Final = struct.Struct(">HH").unpack_from
_DIGITS: Final = bytes.maketrans(b"\0\1", b"01")
_IDENTITY_MOST: Final = 240  # bytes of objects in one reply


class _RefusalError(Exception):
    """The request is answered with this exception code."""


def answer(registers: Registers, pdu: bytes, unit: int = 1) -> bytes:
    """The reply to a request.

    Args:
        registers: Are read and written.
        pdu: Function code and data, at least one byte.
        unit: What it tells as its identity (function code 17).
    """
    function = pdu[0]
    try:
        handler = _HANDLERS.get(function)
        if handler is not None:
            return handler(registers, pdu)
        if function == 17:
            return _report(registers, pdu, unit)
    except _RefusalError as error:
        return refusal(function, error.args[0])
    return refusal(function, ILLEGAL_FUNCTION)


def refusal(function: int, code: int) -> bytes:
    """An exception reply."""
    return bytes((function | 0x80, code))


def _read_bits(registers: Registers, pdu: bytes) -> bytes:
    name = "coil" if pdu[0] == 1 else "discrete"
    table = registers.coils if pdu[0] == 1 else registers.discretes
    start, count = _range(registers, name, pdu, len(table), 2000)
    size = (count + 7) // 8
    bits = bytes(table[start : start + count])[::-1].translate(_DIGITS)
    return bytes((pdu[0], size)) + int(bits, 2).to_bytes(size, "little")


def _read_words(registers: Registers, pdu: bytes) -> bytes:
    name = "holding" if pdu[0] == 3 else "input"
    table = registers.holding if pdu[0] == 3 else registers.inputs
    start, count = _range(registers, name, pdu, len(table), 125)
    return struct.pack(f">BB{count}H", pdu[0], 2 * count, *table[start : start + count])


def _range(registers: Registers, name: str, pdu: bytes, size: int, most: int) -> tuple[int, int]:
    """Start and count of a read that may be carried out."""
    if len(pdu) != 5:
        raise _RefusalError(ILLEGAL_VALUE)
    start, count = _PAIR(pdu, 1)
    if not 1 <= count <= most:
        raise _RefusalError(ILLEGAL_VALUE)
    _there(registers, name, start, count, size)
    return start, count


def _there(registers: Registers, name: str, start: int, count: int, size: int) -> None:
    if start + count > size:
        raise _RefusalError(ILLEGAL_ADDRESS)
    if registers.refused:
        for first, end, code in registers.refused.get(name, ()):
            if first < start + count and start < end:
                raise _RefusalError(code)


def _write_coil(registers: Registers, pdu: bytes) -> bytes:
    if len(pdu) != 5 or pdu[3:] not in (b"\x00\x00", b"\xff\x00"):
        raise _RefusalError(ILLEGAL_VALUE)
    (address, _) = _PAIR(pdu, 1)
    _there(registers, "coil", address, 1, len(registers.coils))
    registers.write_coils(address, [pdu[3] == 0xFF])
    return pdu


def _write_register(registers: Registers, pdu: bytes) -> bytes:
    if len(pdu) != 5:
        raise _RefusalError(ILLEGAL_VALUE)
    address, value = _PAIR(pdu, 1)
    _there(registers, "holding", address, 1, len(registers.holding))
    registers.holding[address] = value
    return pdu


def _write_coils(registers: Registers, pdu: bytes) -> bytes:
    if len(pdu) < 6:
        raise _RefusalError(ILLEGAL_VALUE)
    start, count = _PAIR(pdu, 1)
    size = (count + 7) // 8
    if not 1 <= count <= 1968 or pdu[5] != size or len(pdu) != 6 + size:
        raise _RefusalError(ILLEGAL_VALUE)
    _there(registers, "coil", start, count, len(registers.coils))
    bits = int.from_bytes(pdu[6:], "little")
    registers.write_coils(start, [bool(bits >> i & 1) for i in range(count)])
    return pdu[:5]


def _write_registers(registers: Registers, pdu: bytes) -> bytes:
    if len(pdu) < 6:
        raise _RefusalError(ILLEGAL_VALUE)
    start, count = _PAIR(pdu, 1)
    if not 1 <= count <= 123 or pdu[5] != 2 * count or len(pdu) != 6 + 2 * count:
        raise _RefusalError(ILLEGAL_VALUE)
    _there(registers, "holding", start, count, len(registers.holding))
    registers.holding[start : start + count] = struct.unpack_from(f">{count}H", pdu, 6)
    return pdu[:5]


def _mask_write(registers: Registers, pdu: bytes) -> bytes:
    if len(pdu) != 7:
        raise _RefusalError(ILLEGAL_VALUE)
    address, and_mask, or_mask = struct.unpack(">HHH", pdu[1:])
    _there(registers, "holding", address, 1, len(registers.holding))
    registers.holding[address] = registers.holding[address] & and_mask | or_mask & ~and_mask & 0xFFFF
    return pdu


def _read_and_write(registers: Registers, pdu: bytes) -> bytes:
    if len(pdu) < 10:
        raise _RefusalError(ILLEGAL_VALUE)
    start, count, to, written, size = struct.unpack_from(">HHHHB", pdu, 1)
    if not 1 <= count <= 125 or not 1 <= written <= 121 or size != 2 * written or len(pdu) != 10 + size:
        raise _RefusalError(ILLEGAL_VALUE)
    holding = registers.holding
    _there(registers, "holding", to, written, len(holding))
    _there(registers, "holding", start, count, len(holding))
    holding[to : to + written] = struct.unpack_from(f">{written}H", pdu, 10)  # the write comes first, 6.17
    return struct.pack(f">BB{count}H", 23, 2 * count, *holding[start : start + count])


def _report(registers: Registers, pdu: bytes, unit: int) -> bytes:
    """Server id: the unit, that it runs, and its product code as text."""
    if len(pdu) != 1:
        raise _RefusalError(ILLEGAL_VALUE)
    data = bytes((unit, 0xFF)) + registers.identification.get(1, "").encode()[:100]
    return bytes((17, len(data))) + data


def _identify(registers: Registers, pdu: bytes) -> bytes:
    """Device identification, 6.21: basic, regular and extended by stream, or one object."""
    if len(pdu) < 2 or pdu[1] != 14:
        raise _RefusalError(ILLEGAL_FUNCTION)
    if len(pdu) != 4 or not 1 <= pdu[2] <= 4:
        raise _RefusalError(ILLEGAL_VALUE)
    access, wanted = pdu[2], pdu[3]
    objects = {number: text.encode()[:200] for number, text in sorted(registers.identification.items())}
    if access == 4:
        if wanted not in objects:
            raise _RefusalError(ILLEGAL_ADDRESS)
        chosen = [wanted]
    else:
        last = (0x02, 0x7F, 0xFF)[access - 1]
        chosen = [number for number in objects if number <= last]
        chosen = [number for number in chosen if number >= wanted] if wanted in objects else chosen
    body, told = b"", 0
    for number in chosen:
        item = bytes((number, len(objects[number]))) + objects[number]
        if told and len(body) + len(item) > _IDENTITY_MOST:
            break
        body, told = body + item, told + 1
    more = told < len(chosen)
    level = 0x80 | (
        3 if any(number > 0x7F for number in objects) else 2 if any(number > 2 for number in objects) else 1
    )
    following = chosen[told] if more else 0
    return bytes((43, 14, access, level, 0xFF if more else 0, following, told)) + body


_HANDLERS: Final[dict[int, Callable[[Registers, bytes], bytes]]] = {
    1: _read_bits,
    2: _read_bits,
    3: _read_words,
    4: _read_words,
    5: _write_coil,
    6: _write_register,
    15: _write_coils,
    16: _write_registers,
    22: _mask_write,
    23: _read_and_write,
    43: _identify,
}
