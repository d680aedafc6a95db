"""Registers of a whole scan group to raw values, one operation for all values of one kind: pure.

A kind is a type on the wire with an order of its bytes, the bit fields, or the digits of BCD. Where the words of
each value lie is worked out once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from scada.field.modbus.address import Address
from scada.field.modbus.config import ORDERS
from tags import types

Words = npt.NDArray[np.uint16]
Raw = npt.NDArray[Any]
Unusable = npt.NDArray[np.bool_]

WIRE: Final[dict[str, str]] = {
    types.INT16: "<i2",
    types.UINT16: "<u2",
    types.INT32: "<i4",
    types.UINT32: "<u4",
    types.FLOAT32: "<f4",
    types.INT64: "<i8",
    types.UINT64: "<u8",
    types.FLOAT64: "<f8",
}


class Gather(Protocol):
    """Raw values of one kind.

    Attributes:
        as_sent: It wants the bytes as they came, whatever their order in a register.
    """

    as_sent: bool

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of what is given."""
        ...

    def __call__(self, words: Words) -> tuple[Raw, Unusable | None]:
        """Raw values of registers, shape (n,), and a mask of those that are no numbers; None for none."""
        ...


def gather(addresses: Sequence[Address], places: Sequence[int], order: str) -> Gather:
    """What fetches the values of one kind.

    Args:
        addresses: Of one kind: the same type, all bit fields or none.
        places: Position of each one's first register in the registers.
        order: One of `config.ORDERS`; swapping the bytes of a register is not done here.
    """
    type_ = addresses[0].type
    if addresses[0].is_field:
        return _Fields(addresses, places)
    low_first = ORDERS[order][0] == "little"
    count = addresses[0].count
    words = [range(p, p + count) if low_first else range(p + count - 1, p - 1, -1) for p in places]
    index = np.array(words, np.intp)
    if type_ in types.BCD:
        return _Digits(index)
    first, last = min(places), max(places) + count
    if list(places) == list(range(first, last, count)) and (low_first or count == 1 or order == "ABCD"):
        return _Run(type_, first, last, as_sent=order == "ABCD")
    return _Numbers(WIRE[type_], index)


class _Run:
    """Integers and floats that lie one behind the other: their bytes are looked at, and not moved.

    Args:
        type_: On the wire.
        first: The first register.
        last: The first one behind.
        as_sent: The most significant byte comes first, over all registers of a value.
    """

    def __init__(self, type_: str, first: int, last: int, *, as_sent: bool) -> None:
        self.dtype: np.dtype[Any] = np.dtype(WIRE[type_].replace("<", ">") if as_sent else WIRE[type_])
        self.as_sent = as_sent
        self._words = slice(first, last)

    def __call__(self, words: Words) -> tuple[Raw, Unusable | None]:
        return words[self._words].view(self.dtype), None


class _Numbers:
    """Integers and floats.

    Args:
        wire: Type of the raw value.
        index: Shape (n, count), the registers of each value, least significant first.
    """

    as_sent = False

    def __init__(self, wire: str, index: npt.NDArray[np.intp]) -> None:
        self.dtype: np.dtype[Any] = np.dtype(wire)
        self._index = index.ravel()
        self._found = np.zeros(len(self._index), np.uint16)

    def __call__(self, words: Words) -> tuple[Raw, Unusable | None]:
        words.take(
            self._index, out=self._found, mode="clip"
        )  # they are inside: twice as fast than to check it
        return self._found.view(self.dtype), None


class _Digits:
    """Binary coded decimal, four digits in a register.

    Args:
        index: Shape (n, count), the registers of each value, least significant first.
    """

    as_sent = False
    dtype: np.dtype[Any] = np.dtype(np.uint64)

    def __init__(self, index: npt.NDArray[np.intp]) -> None:
        self._index = index
        self._weights = np.array([10_000**i for i in range(index.shape[1])], np.uint64)

    def __call__(self, words: Words) -> tuple[Raw, Unusable | None]:
        found = words[self._index]
        # a digit is above 9 when its 8 stands with its 4 or its 2
        wrong: Unusable = np.asarray(((found >> 3) & ((found >> 2) | (found >> 1)) & 0x1111).any(axis=1))
        tens = (found & 0x0F0F) + 10 * ((found >> 4) & 0x0F0F)
        fours = (tens & 0xFF).astype(np.uint64) + np.uint64(100) * (tens >> 8).astype(np.uint64)
        return (fours * self._weights).sum(axis=1, dtype=np.uint64), wrong


class _Fields:
    """Numbers in some bits of a register.

    Args:
        addresses: Of the fields.
        places: Position of each one's register.
    """

    as_sent = False
    dtype: np.dtype[Any] = np.dtype(np.int64)

    def __init__(self, addresses: Sequence[Address], places: Sequence[int]) -> None:
        self._places = np.array(places, np.intp)
        self._shifts = np.array([at.bit or 0 for at in addresses], np.uint16)
        self._masks = np.array([(1 << at.width) - 1 for at in addresses], np.uint16)
        signs = [1 << at.width - 1 if at.type == types.INT16 else 0 for at in addresses]
        self._signs = np.array(signs, np.int64)

    def __call__(self, words: Words) -> tuple[Raw, Unusable | None]:
        found = ((words[self._places] >> self._shifts) & self._masks).astype(np.int64)
        return (found ^ self._signs) - self._signs, None
