"""Inputs out of valid ones: a seed gives the same inputs again."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Final

_BYTES: Final = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    0x0B,
    0x0E,
    0x0F,
    0x10,
    0x16,
    0x2B,
    0x7F,
    0x80,
    0x81,
    0x83,
    0x90,
    0xFD,
    0xFE,
    0xFF,
)
_WORDS: Final = (
    b"\0\0",
    b"\0\1",
    b"\0\2",
    b"\0\xfd",
    b"\0\xfe",
    b"\0\xff",
    b"\1\0",
    b"\x7f\xff",
    b"\x80\0",
    b"\xff\xff",
)
LONGEST: Final = 4096


def inputs(seeds: Sequence[bytes], seed: object, count: int) -> Iterator[bytes]:
    """So many inputs, most of them near to valid ones.

    Args:
        seeds: Valid inputs.
        seed: Of everything that is by chance.
        count: How many.
    """
    dice = random.Random(str(seed))
    for _ in range(count):
        data = bytearray(dice.choice(seeds))
        for _ in range(min(1 + int(dice.expovariate(0.7)), 12)):
            _EDITS[int(dice.random() * len(_EDITS))](data, dice, seeds)
        yield bytes(data[:LONGEST])


def _flip(data: bytearray, dice: random.Random, _seeds: Sequence[bytes]) -> None:
    if data:
        data[int(dice.random() * len(data))] ^= 1 << int(dice.random() * 8)


def _byte(data: bytearray, dice: random.Random, _seeds: Sequence[bytes]) -> None:
    if data:
        data[int(dice.random() * len(data))] = _BYTES[int(dice.random() * len(_BYTES))]


def _any(data: bytearray, dice: random.Random, _seeds: Sequence[bytes]) -> None:
    if data:
        data[int(dice.random() * len(data))] = int(dice.random() * 256)


def _word(data: bytearray, dice: random.Random, _seeds: Sequence[bytes]) -> None:
    at = int(dice.random() * (len(data) + 1))
    data[at : at + 2] = _WORDS[int(dice.random() * len(_WORDS))]


def _digit(data: bytearray, dice: random.Random, _seeds: Sequence[bytes]) -> None:
    at = int(dice.random() * (len(data) + 1))
    data[at : at + int(dice.random() * 2)] = str(dice.choice((0, 1, 8, 9, 65535, 65536, 10**9, -1))).encode()


def _cut(data: bytearray, dice: random.Random, _seeds: Sequence[bytes]) -> None:
    at = int(dice.random() * (len(data) + 1))
    del data[at:]


def _remove(data: bytearray, dice: random.Random, _seeds: Sequence[bytes]) -> None:
    at = int(dice.random() * (len(data) + 1))
    del data[at : at + 1 + int(dice.random() * 4)]


def _insert(data: bytearray, dice: random.Random, _seeds: Sequence[bytes]) -> None:
    at = int(dice.random() * (len(data) + 1))
    data[at:at] = dice.randbytes(1 + int(dice.random() * 6))


def _double(data: bytearray, dice: random.Random, _seeds: Sequence[bytes]) -> None:
    first = int(dice.random() * (len(data) + 1))
    part = data[first : first + 1 + int(dice.random() * 32)]
    at = int(dice.random() * (len(data) + 1))
    data[at:at] = part


def _splice(data: bytearray, dice: random.Random, seeds: Sequence[bytes]) -> None:
    other = dice.choice(seeds)
    data[int(dice.random() * (len(data) + 1)) :] = other[int(dice.random() * (len(other) + 1)) :]


def _behind(data: bytearray, dice: random.Random, seeds: Sequence[bytes]) -> None:
    data += dice.choice(seeds)


def _noise(data: bytearray, dice: random.Random, _seeds: Sequence[bytes]) -> None:
    data[:] = dice.randbytes(int(dice.random() * 64))


_EDITS = (
    _flip,
    _flip,
    _byte,
    _byte,
    _any,
    _word,
    _word,
    _digit,
    _cut,
    _remove,
    _insert,
    _double,
    _splice,
    _behind,
    _noise,
)
