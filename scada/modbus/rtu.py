"""RTU framing (Modbus over Serial Line 1.02): check sum, frames, where they end, and the silences of the line: pure.

A frame is unit, function code, data and CRC-16. There is no length in it: on a real line silence tells where it
ends, and through an operating system, an adapter or a network that silence is lost. So the end is found from what the
function code says, and only for the codes that are known here.
"""

from __future__ import annotations

from typing import Final

from scada.modbus.wire import Ask

CRC_BYTES: Final = 2
OVERHEAD: Final = 4  # unit, function code, CRC
LONGEST: Final = 256  # bytes of a frame (2.5.1)
EXCEPTION_BYTES: Final = 5
UNITS: Final = range(1, 248)  # 2.2: 0 is for everybody and answered by nobody, 248 … 255 are reserved
CHARACTER_BITS: Final = 11  # 2.5.1: start, 8 data, parity or a second stop bit, stop
FAST_BAUD: Final = 19200
FAST_SILENCE_NS: Final = 1_750_000  # 2.5.1.1: above 19200 Bd the times are fixed
FAST_INNER_NS: Final = 750_000
MEI: Final = 43
DEVICE_IDENTIFICATION: Final = 14


class MalformedError(ValueError):
    """The bytes are no reply to the request."""


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_CRC: Final = _table()


def crc16(data: bytes | bytearray | memoryview) -> int:
    """CRC-16 of 6.2.2: polynomial 0xA001 (reflected), preset 0xFFFF. Its low byte is sent first."""
    crc = 0xFFFF
    table = _CRC
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc


def frame(unit: int, function: int, data: bytes) -> bytes:
    """A frame with its check sum.

    Args:
        unit: 0 … 255.
        function: Function code, of an exception with 0x80 added.
        data: Behind the function code.
    """
    body = bytes((unit, function)) + data
    return body + crc16(body).to_bytes(CRC_BYTES, "little")


def whole(frame: bytes | bytearray | memoryview) -> bool:
    """Whether the check sum at the end of a frame is right."""
    return len(frame) >= OVERHEAD and crc16(frame[:-CRC_BYTES]) == int.from_bytes(
        frame[-CRC_BYTES:], "little"
    )


# Length of the whole frame where the function code alone tells it (Modbus Application Protocol 1.1b3, 6).
_REQUESTS: Final = {1: 8, 2: 8, 3: 8, 4: 8, 5: 8, 6: 8, 7: 4, 8: 8, 11: 4, 12: 4, 17: 4, 22: 10, 24: 6}
_REPLIES: Final = {5: 8, 6: 8, 7: 5, 8: 8, 11: 8, 15: 8, 16: 8, 22: 10}
# Position of a byte that counts what follows it.
_REQUEST_COUNT_AT: Final = {15: 6, 16: 6, 20: 2, 21: 2, 23: 10}
_REPLY_COUNT_AT: Final = {1: 2, 2: 2, 3: 2, 4: 2, 12: 2, 17: 2, 20: 2, 21: 2, 23: 2}


def request_bytes(buffer: bytes | bytearray) -> int | None:
    """Length of the request that a buffer begins with.

    Returns:
        Bytes of the whole frame, also of one that is not complete yet; None when more must be seen to know; 0 when it
        is none that is known here, or longer than a frame may be.
    """
    if len(buffer) < 2:
        return None
    function = buffer[1]
    if function == MEI:
        return _or_none(buffer, 2, 7 if _at(buffer, 2) == DEVICE_IDENTIFICATION else 0)
    return _length(buffer, _REQUESTS.get(function), _REQUEST_COUNT_AT.get(function))


def reply_bytes(buffer: bytes | bytearray) -> int | None:
    """Length of the reply that a buffer begins with.

    Returns:
        As `request_bytes`.
    """
    if len(buffer) < 2:
        return None
    function = buffer[1]
    if function & 0x80:
        return EXCEPTION_BYTES
    if function == MEI:
        return _identification(buffer)
    if function == 24:  # the only one with a count of two bytes
        return _bounded(6 + int.from_bytes(buffer[2:4], "big")) if len(buffer) >= 4 else None
    return _length(buffer, _REPLIES.get(function), _REPLY_COUNT_AT.get(function))


def answer(ask: Ask, buffer: bytes | bytearray) -> bytes | int | None:
    """What a line's bytes since a request was sent say.

    Args:
        ask: The request, the only one on its way.
        buffer: All bytes that came since.

    Returns:
        The data of the right reply behind its function code, or the code of an exception to this request; None while
        the frame is not complete.

    Raises:
        MalformedError: They can become no reply to this request any more: another unit, function, count or echo, a
            wrong check sum, or more bytes than the reply has.
    """
    if buffer and buffer[0] != ask.unit:
        raise MalformedError(f"unit {buffer[0]} answers, not {ask.unit}")
    if len(buffer) < 2:
        return None
    function, asked = buffer[1], ask.pdu.function
    if function == asked | 0x80:
        length: int | None = EXCEPTION_BYTES
    elif function != asked:
        raise MalformedError(f"a reply to function {function}, not {asked}")
    elif ask.pdu.reply_bytes is not None:
        length = ask.pdu.reply_bytes + OVERHEAD
        if not ask.pdu.reply_head.startswith(buffer[2 : 2 + len(ask.pdu.reply_head)]):
            raise MalformedError("the reply is to another request")
    else:
        length = reply_bytes(buffer)
    if length is None:
        return None
    if not 0 < len(buffer) <= length:
        raise MalformedError("more bytes than the reply has")
    if len(buffer) < length:
        return None
    if not whole(buffer):
        raise MalformedError("wrong check sum")
    data = bytes(buffer[2:-CRC_BYTES])
    if function != asked:
        return data[0]
    if not ask.pdu.answered_by(data):
        raise MalformedError("the reply is to another request")
    return data


def silence_ns(baud: int) -> int:
    """Silence between frames, 3.5 characters (2.5.1.1), ns."""
    return FAST_SILENCE_NS if baud > FAST_BAUD else 7 * character_ns(baud) // 2


def inner_ns(baud: int) -> int:
    """Longest silence within a frame, 1.5 characters (2.5.1.1), ns."""
    return FAST_INNER_NS if baud > FAST_BAUD else 3 * character_ns(baud) // 2


def character_ns(baud: int, bits: int = CHARACTER_BITS) -> int:
    """Time that one character takes on the line, ns.

    Args:
        baud: Bits a second.
        bits: Of a character, with start, parity and stop bits.
    """
    return bits * 1_000_000_000 // baud


def _length(buffer: bytes | bytearray, fixed: int | None, count_at: int | None) -> int | None:
    if fixed is not None:
        return fixed
    if count_at is None:
        return 0
    return _bounded(count_at + 1 + buffer[count_at] + CRC_BYTES) if len(buffer) > count_at else None


def _identification(buffer: bytes | bytearray) -> int | None:
    """FC43/14: unit, 43, 14, code, conformity, more, next, number of objects; each is id, length, bytes (6.21)."""
    if len(buffer) < 3:
        return None
    if buffer[2] != DEVICE_IDENTIFICATION:
        return 0
    if len(buffer) < 8:
        return None
    end = 8
    for _ in range(buffer[7]):
        if end + CRC_BYTES > LONGEST:
            return 0
        if len(buffer) < end + 2:
            return None
        end += 2 + buffer[end + 1]
    return _bounded(end + CRC_BYTES)


def _at(buffer: bytes | bytearray, position: int) -> int:
    return buffer[position] if len(buffer) > position else -1


def _or_none(buffer: bytes | bytearray, position: int, length: int) -> int | None:
    return length if len(buffer) > position else None


def _bounded(length: int) -> int:
    return length if length <= LONGEST else 0
