"""Data types of tags and how each fits into the 64 value bits of the process image.

Booleans and integers are two's complement int64 (uint64 as is), floats are IEEE 754 binary64. A string's bits
count its changes; its text travels in the image's string slots and in the event ring.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np
import numpy.typing as npt

Value = bool | int | float | str

BOOL, INT16, INT32, INT64 = "bool", "int16", "int32", "int64"
UINT16, UINT32, UINT64 = "uint16", "uint32", "uint64"
FLOAT32, FLOAT64, STRING = "float32", "float64", "string"

TYPES: Final = (BOOL, INT16, INT32, INT64, UINT16, UINT32, UINT64, FLOAT32, FLOAT64, STRING)
FLOATS: Final = frozenset({FLOAT32, FLOAT64})
STRING_BYTES_MAX: Final = 255
BCD: Final = {
    "bcd16": UINT16,
    "bcd32": UINT32,
    "bcd64": UINT64,
}  # how a device stores a number, and its type here

INTEGER_RANGE: Final[dict[str, tuple[int, int]]] = {
    BOOL: (0, 1),
    INT16: (-(2**15), 2**15 - 1),
    INT32: (-(2**31), 2**31 - 1),
    INT64: (-(2**63), 2**63 - 1),
    UINT16: (0, 2**16 - 1),
    UINT32: (0, 2**32 - 1),
    UINT64: (0, 2**64 - 1),
}
BCD_RANGE: Final[dict[str, tuple[int, int]]] = {
    "bcd16": (0, 10**4 - 1),
    "bcd32": (0, 10**8 - 1),
    "bcd64": (0, 10**16 - 1),
}
_DOUBLE = struct.Struct("<d")
_LONG = struct.Struct("<Q")
_MASK = 2**64 - 1


def to_bits(type_: str, value: Value) -> int:
    """The 64 bits (unsigned) of a value that is not a string.

    Args:
        type_: One of `TYPES` except `string`.
        value: A value that `coerce` returned.

    Returns:
        0 … 2**64 - 1.
    """
    if type_ in FLOATS:
        bits: int = _LONG.unpack(_DOUBLE.pack(value))[0]
        return bits
    return int(value) & _MASK


def from_bits(type_: str, bits: int) -> bool | int | float:
    """The value of 64 bits; the inverse of `to_bits`."""
    if type_ in FLOATS:
        value: float = _DOUBLE.unpack(_LONG.pack(bits))[0]
        return value
    if type_ == BOOL:
        return bits != 0
    if type_ == UINT64 or bits < 2**63:
        return bits
    return bits - 2**64


def coerce(type_: str, value: object) -> Value:
    """The value as its type has it, or an error that says why not.

    Args:
        type_: One of `TYPES`.
        value: A Python value from a request, a file or a protocol.

    Returns:
        bool, int, float or str. A float32 is rounded to binary32.

    Raises:
        ValueError: The value does not fit: not a number, NaN or infinite, a fraction for an integer, out of the
            type's range, or a text of more than 255 bytes of UTF-8.
    """
    if type_ == STRING:
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is not a text")
        if len(value.encode()) > STRING_BYTES_MAX:
            raise ValueError(f"text of {len(value.encode())} bytes; at most {STRING_BYTES_MAX} fit")
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, bool | int | float):
        raise ValueError(f"{value!r} is not a number")  # noqa: TRY004 - callers handle one error
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN
        raise ValueError(f"{value!r} is not a finite number")
    if type_ in FLOATS:
        try:
            return (
                float(np.float32(value))
                if type_ == FLOAT32 and abs(value) <= 3.4028235e38
                else _double(type_, value)
            )
        except OverflowError:
            raise ValueError(f"{value!r} does not fit into {type_}") from None
    low, high = INTEGER_RANGE[type_]
    if value != int(value) or not low <= value <= high:
        raise ValueError(
            f"{value!r} is not {'true or false' if type_ == BOOL else f'a whole number in {low} … {high}'}"
        )
    return bool(value) if type_ == BOOL else int(value)


def _double(type_: str, value: float) -> float:
    if type_ == FLOAT32:
        raise ValueError(f"{value!r} does not fit into float32")
    return float(value)


def floats(bits: npt.NDArray[np.uint64], is_float: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Values of many tags as float64, for plots and arithmetic.

    Args:
        bits: Shape (n,), the value bits.
        is_float: Shape (n,), true where the tag's type is float32 or float64.

    Returns:
        Shape (n,). Integers beyond 2**53 are rounded; uint64 beyond 2**63 reads as negative.
    """
    return np.where(is_float, bits.view(np.float64), bits.view(np.int64).astype(np.float64))
