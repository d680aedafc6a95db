"""Everything that goes wrong between a driver and a device, by name.

Each entry decides what becomes of one request. Those that need something of the line (a transaction id, a check, a
connection) say so; on other lines they would be no misbehaviour, or one against which the protocol itself has nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.field.truth.device import MS, Device, Misbehaviour
from tests.field.truth.framing import Asked, sealed

TCP, RTU_TCP, TLS, SERIAL = "tcp", "rtu+tcp", "tls", "rtu"
EVERYWHERE: Final = (TCP, RTU_TCP, TLS, SERIAL)
WITH_ID: Final = (TCP, TLS)
CHECKED: Final = (RTU_TCP, TLS, SERIAL)
CHECKED_HERE: Final = (RTU_TCP, SERIAL)
CONNECTED: Final = (TCP, RTU_TCP, TLS)


@dataclass(frozen=True, slots=True)
class Entry:
    """One misbehaviour.

    Attributes:
        name: For people and for seeds.
        lines: Transports where it means something.
        does: What becomes of a request.
        share: How many of the requests it concerns; the others are answered rightly.
    """

    name: str
    lines: tuple[str, ...]
    does: Misbehaviour
    share: float = 0.4

    def __call__(self, device: Device, asked: Asked) -> None:
        if device.chance(self.share):
            self.does(device, asked)
        else:
            honest(device, asked)


TABLE: Final[dict[str, Entry]] = {}


def entry(
    name: str, lines: tuple[str, ...] = EVERYWHERE, share: float = 0.4
) -> Callable[[Misbehaviour], Misbehaviour]:
    """Puts a function into the table."""

    def put(does: Misbehaviour) -> Misbehaviour:
        assert name not in TABLE
        TABLE[name] = Entry(name, lines, does, share)
        return does

    return put


def lie(name: str, pdu: Callable[[Device, Asked, bytes], bytes], lines: tuple[str, ...] = EVERYWHERE) -> None:
    """Puts an edit of a PDU into the table; the frame around it is right, and no value in it is that of the request."""

    def does(device: Device, asked: Asked) -> None:
        frame = device.frame(asked, pdu(device, asked, device.foreign(asked)))
        device.last.append(frame)  # a lie of the right look stands between two replies as a right one does
        device.send(frame)

    entry(name, lines)(does)


# -- time -----------------------------------------------------------------------------------------------------------


@entry("honest")
def honest(device: Device, asked: Asked) -> None:
    device.send(device.answer(asked))


@entry("slow but in time", share=1.0)
def slow(device: Device, asked: Asked) -> None:
    late_by(device, asked, device.dice.uniform(0, 0.9))


def late_by(device: Device, asked: Asked, timeouts: float, *, roams: bool = False) -> None:
    """True when the request came, told later."""
    device.send(device.answer(asked), round(timeouts * device.timeout_ns), roams=roams)


@entry("late, always 1.5 time-outs", share=1.0)
def late_always(device: Device, asked: Asked) -> None:
    late_by(device, asked, 1.5)


@entry("late, at random up to 3 time-outs", share=1.0)
def late_random(device: Device, asked: Asked) -> None:
    late_by(device, asked, device.dice.uniform(0, 3))


@entry("late, every second by 5 time-outs", share=0.5)
def late_long(device: Device, asked: Asked) -> None:
    late_by(device, asked, 5)


@entry("late beyond many time-outs", share=0.1)
def late_very(device: Device, asked: Asked) -> None:
    late_by(device, asked, device.dice.uniform(5, 40), roams=True)


@entry("at the time-out, to the millisecond", share=0.7)
def at_the_time_out(device: Device, asked: Asked) -> None:
    late_by(device, asked, device.dice.uniform(0.98, 1.02))


@entry("late through a gateway, also after reconnecting", share=0.5)
def late_roaming(device: Device, asked: Asked) -> None:
    late_by(device, asked, device.dice.uniform(0.5, 4), roams=True)


@entry("carried out late and told at once")
def delayed_request(device: Device, asked: Asked) -> None:
    device.do(round(device.dice.uniform(0.2, 3) * device.timeout_ns), asked)


@entry("silent")
def silent(device: Device, asked: Asked) -> None:
    pass


@entry("carried out, reply lost")
def mute(device: Device, asked: Asked) -> None:
    device.answer(asked)


@entry("silent for long, then everything at once", share=1.0)
def dammed(device: Device, asked: Asked) -> None:
    held = device.memory.setdefault("held", bytearray())
    assert isinstance(held, bytearray)
    held += device.answer(asked)
    if device.chance(0.3):
        device.send(bytes(held), roams=True)
        held.clear()


@entry("held back and sent with the next reply", share=1.0)
def merged(device: Device, asked: Asked) -> None:
    held = device.memory.pop("one", b"")
    assert isinstance(held, bytes)
    if held or device.chance(0.6):
        device.send(held + device.answer(asked))
    else:
        device.memory["one"] = device.answer(asked)


# -- copies ---------------------------------------------------------------------------------------------------------


@entry("twice, in one piece")
def twice(device: Device, asked: Asked) -> None:
    frame = device.answer(asked)
    device.send(frame + frame)


@entry("twice, the second a moment later")
def twice_spaced(device: Device, asked: Asked) -> None:
    frame = device.answer(asked)
    device.send(frame)
    device.send(frame, device.dice.randrange(1, 5 * MS), roams=True)


@entry("three times, over two time-outs")
def thrice(device: Device, asked: Asked) -> None:
    frame = device.answer(asked)
    for _ in range(3):
        device.send(frame, device.dice.randrange(2 * device.timeout_ns))


@entry("the reply before this one again")
def again(device: Device, asked: Asked) -> None:
    old = device.last[-1] if device.last else b""
    device.answer(asked)
    device.send(old)


@entry("the reply before this one first", share=0.3)
def again_first(device: Device, asked: Asked) -> None:
    old = device.last[-1] if device.last else b""
    device.send(old + device.answer(asked))


@entry("some earlier reply instead", WITH_ID)
def old(device: Device, asked: Asked) -> None:
    """On a serial line nothing tells an old reply of the same look, sent in time and in order, from a right one."""
    device.send(device.dice.choice(device.last) if device.last else b"")


# -- pieces ---------------------------------------------------------------------------------------------------------


@entry("byte by byte", share=1.0)
def byte_by_byte(device: Device, asked: Asked) -> None:
    device.send_pieces([(bytes((byte,)), 100_000) for byte in device.answer(asked)])


@entry("in random pieces", share=1.0)
def pieces(device: Device, asked: Asked) -> None:
    frame, at = device.answer(asked), 0
    parts = []
    while at < len(frame):
        size = device.dice.randrange(1, 9)
        parts.append((frame[at : at + size], device.dice.randrange(MS)))
        at += size
    device.send_pieces(parts)


@entry("cut short")
def cut(device: Device, asked: Asked) -> None:
    frame = device.answer(asked)
    device.send(frame[: device.dice.randrange(len(frame))])


@entry("all but the last byte")
def all_but_one(device: Device, asked: Asked) -> None:
    device.send(device.answer(asked)[:-1])


@entry("the last byte comes with the next reply", share=1.0)
def last_byte_late(device: Device, asked: Asked) -> None:
    rest = device.memory.get("rest", b"")
    assert isinstance(rest, bytes)
    frame = device.answer(asked)
    keep = device.chance(0.4)
    device.send(rest + (frame[:-1] if keep else frame))
    device.memory["rest"] = frame[-1:] if keep else b""


@entry("first half in time, second half late")
def halves(device: Device, asked: Asked) -> None:
    frame = device.answer(asked)
    half = len(frame) // 2
    device.send(frame[:half])
    device.send(frame[half:], round(device.dice.uniform(0.5, 2) * device.timeout_ns), roams=device.rtu)


@entry("first half, a whole reply in between, second half")
def interleaved(device: Device, asked: Asked) -> None:
    frame, other = device.answer(asked), device.answer(asked)
    half = len(frame) // 2
    device.send(frame[:half] + other + frame[half:])


@entry("some bytes too many in the middle")
def stuffed(device: Device, asked: Asked) -> None:
    frame = device.answer(asked)
    middle = len(frame) - 2 - 2 * device.rtu
    _if_broken(device, frame[:middle] + device.dice.randbytes(device.dice.randrange(1, 7)) + frame[middle:])


@entry("cut, then the line is dropped", CONNECTED)
def drop_mid(device: Device, asked: Asked) -> None:
    frame = device.answer(asked)
    device.send(frame[: device.dice.randrange(1, len(frame))])
    device.hang_up()


# -- connections ----------------------------------------------------------------------------------------------------


@entry("hangs up instead", CONNECTED)
def hang_up(device: Device, asked: Asked) -> None:
    device.hang_up(device.dice.choice((0, MS, device.timeout_ns)))


@entry("resets instead", CONNECTED)
def reset(device: Device, asked: Asked) -> None:
    device.hang_up(reset=True)


@entry("answers and hangs up", CONNECTED)
def answer_and_leave(device: Device, asked: Asked) -> None:
    device.send(device.answer(asked))
    device.hang_up()


@entry("half open: silent for good until reconnected", CONNECTED, share=0.1)
def half_open(device: Device, asked: Asked) -> None:
    device.deaf = True
    device.later(3 * device.timeout_ns, lambda: setattr(device, "deaf", False))


@entry("old replies on a new connection", CONNECTED, share=0.5)
def stale(device: Device, asked: Asked) -> None:
    frame = device.answer(asked)
    device.hang_up()
    device.send(frame, device.dice.randrange(2 * device.timeout_ns), roams=True)


@entry("flaps", CONNECTED, share=0.3)
def flap(device: Device, asked: Asked) -> None:
    if device.chance(0.5):
        device.send(device.answer(asked))
    device.hang_up(reset=device.chance(0.5))


# -- foreign --------------------------------------------------------------------------------------------------------


def _header(name: str, tid: Callable[[Device, Asked], int]) -> None:
    def does(device: Device, asked: Asked) -> None:
        device.send(device.frame(asked, device.foreign(asked), tid=tid(device, asked)))

    entry(name, WITH_ID)(does)


_header("the next transaction id", lambda _, asked: asked.tid + 1)
_header("the last transaction id", lambda _, asked: asked.tid - 1)
_header("any transaction id", lambda device, asked: asked.tid + device.dice.randrange(1, 65536))
_header("transaction id with its bytes swapped", lambda _, asked: _other(asked.tid))


def _other(tid: int) -> int:
    swapped = (tid & 0xFF) << 8 | tid >> 8
    return swapped if swapped != tid else tid + 1


@entry("transaction id 0, old data", WITH_ID)
def tid_zero(device: Device, asked: Asked) -> None:
    kept = device.memory.get("zero")
    device.memory["zero"] = device.true(asked)
    device.send(device.frame(asked, kept if isinstance(kept, bytes) else device.foreign(asked), tid=0))


@entry("transaction id 0, slow", WITH_ID, share=1.0)
def tid_zero_slow(device: Device, asked: Asked) -> None:
    frame = device.frame(asked, device.true(asked), tid=0)
    device.send(frame, round(device.dice.uniform(0, 2) * device.timeout_ns), roams=True)


@entry("swapped with the reply to another request", WITH_ID, share=1.0)
def swapped(device: Device, asked: Asked) -> None:
    """Two requests on their way get each other's place, their ids stay."""
    first = device.memory.pop("first", None)
    frame = device.answer(asked)
    if isinstance(first, bytes):
        device.send(frame + first)
    elif device.chance(0.5):
        device.memory["first"] = frame
        device.later(device.timeout_ns // 2, lambda: device.send(_held(device)))
    else:
        device.send(frame)


def _held(device: Device) -> bytes:
    held = device.memory.pop("first", b"")
    assert isinstance(held, bytes)
    return held


@entry("in any order", WITH_ID, share=1.0)
def any_order(device: Device, asked: Asked) -> None:
    device.send(device.answer(asked), device.dice.randrange(device.timeout_ns // 2))


@entry("another unit")
def another_unit(device: Device, asked: Asked) -> None:
    unit = device.dice.choice((0, 255, asked.unit + 1, asked.unit ^ 0x80))
    foreign = Asked(asked.number, asked.at_ns, asked.tid, unit, asked.pdu)
    device.send(device.frame(asked, device.true(foreign), unit=unit))


@entry("another unit first, then the right one")
def another_unit_first(device: Device, asked: Asked) -> None:
    another_unit(device, asked)
    device.send(device.answer(asked), device.dice.randrange(3) * MS)


@entry("the gateway mixes units up", WITH_ID, share=0.3)
def mixed_units(device: Device, asked: Asked) -> None:
    """A reply is overtaken by those to later requests."""
    late = device.memory.pop("unit", b"")
    assert isinstance(late, bytes)
    device.memory["unit"] = device.answer(asked)
    device.send(late, roams=True)


@entry("another protocol id", WITH_ID)
def protocol(device: Device, asked: Asked) -> None:
    device.send(device.frame(asked, device.foreign(asked), protocol=device.dice.choice((1, 9, 0xFFFF))))


@entry("a request of somebody else on the line")
def foreign_request(device: Device, asked: Asked) -> None:
    device.send(device.frame(asked, struct.pack(">BHH", 3, 7, 4), unit=9, tid=asked.tid + 99))
    device.send(device.answer(asked), MS)


lie("FC4 for FC3, FC3 for FC4", lambda _d, _a, pdu: bytes((pdu[0] ^ 7 if pdu[0] in (3, 4) else 3,)) + pdu[1:])
lie(
    "FC16 for a read",
    lambda _d, asked, pdu: struct.pack(">BHH", 16, asked.start, asked.count) if asked.reads else pdu,
)
lie("an unknown function", lambda device, _a, pdu: bytes((device.dice.choice((0x41, 0x2B, 99)),)) + pdu[1:])
lie("function 0", lambda _d, _a, pdu: b"\x00" + pdu[1:])
lie("function 128", lambda _d, _a, pdu: b"\x80" + pdu[1:])
lie("function with its highest bit", lambda _d, _a, pdu: bytes((pdu[0] | 0x80,)) + pdu[1:])

# -- counts ---------------------------------------------------------------------------------------------------------


def _resized(by: int) -> Callable[[Device, Asked, bytes], bytes]:
    """A reply to a read that is so many bytes longer, and says so; of a write, just longer."""

    def change(device: Device, asked: Asked, pdu: bytes) -> bytes:
        body = pdu[2:] if asked.reads else pdu[1:]
        body = body[:by] if by < 0 else body + device.dice.randbytes(by)
        return bytes((pdu[0], len(body))) + body if asked.reads else pdu[:1] + body

    return change


lie("one register short", _resized(-2))
lie("one register more", _resized(2))
lie("three registers more", _resized(6))
lie("one byte short", _resized(-1))
lie("one byte more", _resized(1))
lie("no data, byte count 0", lambda _d, _a, pdu: bytes((pdu[0], 0)))
lie("byte count 2, all the data", lambda _d, _a, pdu: bytes((pdu[0], 2 if pdu[1] != 2 else 4)) + pdu[2:])
lie("byte count 255", lambda _d, _a, pdu: bytes((pdu[0], 255)) + pdu[2:])
lie("byte count right, two bytes of data", lambda _d, _a, pdu: pdu[: min(4, len(pdu) - 1)])
lie("nothing behind the function code", lambda _d, _a, pdu: pdu[:1])
lie("no PDU at all", lambda _d, _a, _p: b"")

for _name, _length in (("0", 0), ("1", 1), ("too long", 60), ("65535", 65535), ("of another reply", 7)):

    def _wrong_length(device: Device, asked: Asked, length: int = _length) -> None:
        device.send(device.frame(asked, device.foreign(asked), length=length))

    entry(f"length {_name}", WITH_ID)(_wrong_length)


@entry("length one too short", WITH_ID)
def length_short(device: Device, asked: Asked) -> None:
    pdu = device.foreign(asked)
    device.send(device.frame(asked, pdu, length=len(pdu)))


# -- exceptions -----------------------------------------------------------------------------------------------------

lie(
    "an exception",
    lambda device, _a, pdu: bytes((pdu[0] | 0x80, device.dice.choice((1, 4, 5, 6, 8, 10, 11)))),
)
lie(
    "an exception that the standard has not",
    lambda device, _a, pdu: bytes((pdu[0] | 0x80, device.dice.randrange(12, 256))),
)
lie("exception code 0", lambda _d, _a, pdu: bytes((pdu[0] | 0x80, 0)))
lie("an exception of another function", lambda _d, _a, pdu: bytes(((pdu[0] ^ 7) | 0x80, 4)))
lie("an exception without a code", lambda _d, _a, pdu: bytes((pdu[0] | 0x80,)))
lie(
    "an exception with more behind",
    lambda device, _a, pdu: bytes((pdu[0] | 0x80, 4)) + device.dice.randbytes(4),
)


@entry("an exception, then the right reply")
def exception_first(device: Device, asked: Asked) -> None:
    reply = device.answer(asked)
    device.send(device.frame(asked, bytes((asked.function | 0x80, 5))))
    device.send(reply, device.dice.randrange(device.timeout_ns), roams=True)


@entry("an address in the middle is missing", share=0.2)
def hole(device: Device, asked: Asked) -> None:
    refusal = device.frame(asked, bytes((asked.function | 0x80, 2)))
    device.last.append(refusal)
    device.send(refusal)


# -- noise ----------------------------------------------------------------------------------------------------------


def noise(device: Device, longest: int = 40) -> bytes:
    """Bytes of no meaning. Noise that happens to be a frame with a right check is made again: a check is no proof."""
    while True:
        data = device.dice.randbytes(device.dice.randrange(1, longest))
        if device.mbap or not _passes(data):
            return data


def _passes(data: bytes) -> bool:
    """Whether a frame with a right check stands anywhere in it."""
    return any(
        sealed(data[first : last - 2]) == data[first:last]
        for first in range(len(data) - 3)
        for last in range(first + 4, len(data) + 1)
        if data[last - 2 : last] == sealed(data[first : last - 2])[-2:]
    )


@entry("noise instead")
def noise_instead(device: Device, asked: Asked) -> None:
    device.send(noise(device))


@entry("noise before", share=0.2)
def noise_before(device: Device, asked: Asked) -> None:
    device.send(noise(device) + device.answer(asked))


@entry("noise behind", share=0.2)
def noise_behind(device: Device, asked: Asked) -> None:
    device.send(device.answer(asked) + noise(device))


@entry("noise while nobody asked", share=0.2)
def noise_idle(device: Device, asked: Asked) -> None:
    device.send(device.answer(asked))
    device.send(noise(device), device.dice.randrange(MS, 2 * device.timeout_ns), roams=True)


@entry("zeros before, as of a line that was driven late")
def zeros(device: Device, asked: Asked) -> None:
    device.send(bytes(device.dice.randrange(1, 4)) + device.answer(asked))


@entry("a flood", share=0.05)
def flood(device: Device, asked: Asked) -> None:
    device.send(device.dice.randbytes(2) * 4000, roams=True)


@entry("a flood of right frames with other ids", WITH_ID, share=0.1)
def flood_of_frames(device: Device, asked: Asked) -> None:
    pdu = device.foreign(asked)
    device.send(b"".join(device.frame(asked, pdu, tid=asked.tid + n) for n in range(1, 200)))


@entry("the same frame without end", share=0.05)
def flood_of_one(device: Device, asked: Asked) -> None:
    device.send(device.answer(asked) * 300, roams=True)


@entry("an echo of the request, then the reply")
def echo(device: Device, asked: Asked) -> None:
    device.send(device.frame(asked, asked.pdu) + device.answer(asked))


@entry("an echo of the request only")
def echo_only(device: Device, asked: Asked) -> None:
    if asked.reads:
        device.send(device.frame(asked, asked.pdu))


@entry("corrupted header", WITH_ID)
def corrupt_header(device: Device, asked: Asked) -> None:
    """A bit of the header, the function code or the byte count; of the data nobody could see it on plain TCP."""
    frame = bytearray(device.answer(asked))
    place = device.dice.randrange(9 if asked.reads else 8)
    frame[place] ^= 1 << device.dice.randrange(8)
    device.send(bytes(frame))


@entry("bits flipped on the way", CHECKED)
def flip(device: Device, asked: Asked) -> None:
    device.send_corrupted(device.answer(asked), device.dice.randrange(1, 4))


@entry("a burst of wrong bits", CHECKED)
def burst(device: Device, asked: Asked) -> None:
    device.send_corrupted(device.answer(asked), 0)


@entry("a byte lost", CHECKED_HERE)
def byte_lost(device: Device, asked: Asked) -> None:
    frame = device.answer(asked)
    at = device.dice.randrange(len(frame))
    _if_broken(device, frame[:at] + frame[at + 1 :])


@entry("a byte too many", CHECKED_HERE)
def byte_more(device: Device, asked: Asked) -> None:
    frame = device.answer(asked)
    at = device.dice.randrange(len(frame) + 1)
    _if_broken(device, frame[:at] + device.dice.randbytes(1) + frame[at:])


@entry("two stations at once", CHECKED_HERE)
def collision(device: Device, asked: Asked) -> None:
    one, other = device.answer(asked), device.frame(asked, device.true(asked), unit=asked.unit + 1)
    _if_broken(device, bytes(a & b for a, b in zip(one, other, strict=True)))


@entry("a wrong check", CHECKED_HERE)
def wrong_check(device: Device, asked: Asked) -> None:
    frame = device.answer(asked)
    check = device.dice.choice((b"\0\0", b"\xff\xff", frame[-1:] + frame[-2:-1], frame[:2]))
    if check != frame[-2:]:
        device.send(frame[:-2] + check)


@entry("a wrong check, then the right reply", CHECKED_HERE)
def wrong_check_first(device: Device, asked: Asked) -> None:
    frame = device.answer(asked)
    device.send(frame[:-1] + bytes((frame[-1] ^ 1,)))
    device.send(device.answer(asked), device.dice.randrange(5 * MS))


def _if_broken(device: Device, data: bytes) -> None:
    if device.mbap or not _passes(data):
        device.send(data)


# -- all together ---------------------------------------------------------------------------------------------------


@entry("a storm of everything", share=0.5)
def storm(device: Device, asked: Asked) -> None:
    names = device.memory.setdefault("storm", [e for e in TABLE.values() if e.does is not storm])
    assert isinstance(names, list)
    chosen = device.dice.choice([e for e in names if device.line in e.lines])
    chosen.does(device, asked)
