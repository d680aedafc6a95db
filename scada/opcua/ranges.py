"""NumericRange (OPC 10000-4 §7.27): a part of an array or of a text. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

_PART: Final = re.compile(r"([0-9]{1,10})(?::([0-9]{1,10}))?\Z")
_DIMENSIONS: Final = 16

Range = tuple[tuple[int, int], ...]
"""First and last index of each dimension, both within."""


class RangeError(ValueError):
    """No range by its grammar: BadIndexRangeInvalid."""


class NoDataError(LookupError):
    """A range beyond what there is: BadIndexRangeNoData."""


def parse(text: str) -> Range:
    """The ranges of a text such as `2`, `0:3` or `1:2,0:1`.

    Raises:
        RangeError: Not of the grammar, or a range that does not rise.
    """
    parts = text.split(",")
    if len(parts) > _DIMENSIONS:
        raise RangeError(text[:40])
    found = []
    for part in parts:
        match = _PART.match(part)
        if match is None:
            raise RangeError(text[:40])
        low = int(match[1])
        high = low if match[2] is None else int(match[2])
        if match[2] is not None and high <= low:
            raise RangeError(text[:40])
        found.append((low, high))
    return tuple(found)


def cut(value: Any, wanted: Range) -> Any:
    """The part of a value; the end may lie beyond it.

    Args:
        value: A text, bytes or a list (of lists, of texts).
        wanted: One range for each dimension; for texts in a list one more.

    Raises:
        NoDataError: There is nothing in the range, or the value has no parts.
    """
    if not isinstance(value, (str, bytes, list, tuple)):
        raise NoDataError
    (low, high), rest = wanted[0], wanted[1:]
    part: Sequence[Any] = value[low : high + 1]
    if not part:
        raise NoDataError
    if not rest:
        return part
    if isinstance(value, (str, bytes)):
        raise NoDataError
    return [cut(one, rest) for one in part]
