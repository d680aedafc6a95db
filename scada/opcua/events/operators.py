"""Filter operators over variants, with three values: true, false and null (OPC 10000-4 §7.7.3). Pure.

Values of different types are compared as the one of them that comes first in `PRECEDENCE`; where there is no implicit
conversion, or it fails, they are neither equal nor ordered.
"""

from __future__ import annotations

import functools
import math
import re
import struct
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from asyncua import ua

V = ua.VariantType
Truth = bool | None

# OPC 10000-4 table 126: the data type with the lowest number wins.
PRECEDENCE: Final = (
    V.Double, V.Float, V.Int64, V.UInt64, V.Int32, V.UInt32, V.StatusCode, V.Int16, V.UInt16, V.SByte, V.Byte,
    V.Boolean, V.Guid, V.String, V.ExpandedNodeId, V.NodeId, V.LocalizedText, V.QualifiedName,
)  # fmt: skip
_RANK: Final = {kind: place for place, kind in enumerate(PRECEDENCE)}
INTEGERS: Final = {
    V.SByte: (-(2**7), 2**7 - 1), V.Byte: (0, 2**8 - 1), V.Int16: (-(2**15), 2**15 - 1), V.UInt16: (0, 2**16 - 1),
    V.Int32: (-(2**31), 2**31 - 1), V.UInt32: (0, 2**32 - 1), V.Int64: (-(2**63), 2**63 - 1),
    V.UInt64: (0, 2**64 - 1), V.StatusCode: (0, 2**32 - 1),
}  # fmt: skip
_REAL: Final = frozenset({V.Double, V.Float})
_NUMBER: Final = frozenset(INTEGERS) | _REAL | {V.Boolean}
_NAMED: Final = frozenset({V.LocalizedText, V.QualifiedName})
_NODE: Final = frozenset({V.NodeId, V.ExpandedNodeId})
_ORDERED: Final = (_NUMBER - {V.Boolean}) | {V.String, V.DateTime}
TEXT_MAX: Final = 1_000  # characters of a text that is looked at
PATTERN_MAX: Final = 200
NULL: Final = ua.Variant(None, V.Null)


def is_null(value: ua.Variant) -> bool:
    """Nothing, an empty NodeId, or a StatusCode where a value should be."""
    return value.Value is None or (isinstance(value.Value, ua.NodeId) and value.Value.is_null())


def equals(left: ua.Variant, right: ua.Variant) -> Truth:
    """Whether two values are equal; null when one of them is."""
    pair = _common(left, right)
    if pair is None:
        return None if is_null(left) or is_null(right) else False
    return bool(pair[0] == pair[1])


def compare(left: ua.Variant, right: ua.Variant, holds: Callable[[Any, Any], bool]) -> Truth:
    """Whether an order holds; null when one of them is null, false when they have none."""
    if is_null(left) or is_null(right):
        return None
    if left.VariantType not in _ORDERED | _NAMED or right.VariantType not in _ORDERED | _NAMED:
        return False
    pair = _common(left, right)
    return False if pair is None else bool(holds(*pair))


def _common(left: ua.Variant, right: ua.Variant) -> tuple[Any, Any] | None:
    """Both as Python values of one type."""
    if is_null(left) or is_null(right):
        return None
    if bool(isinstance(left.Value, list)) != bool(isinstance(right.Value, list)):
        return None
    kind = left.VariantType
    if left.VariantType != right.VariantType:
        if left.VariantType not in _RANK or right.VariantType not in _RANK:
            return None
        kind = min(left.VariantType, right.VariantType, key=_RANK.__getitem__)
        left, right = cast(left, kind, implicit=True), cast(right, kind, implicit=True)
        if left.Value is None or right.Value is None:
            return None
    return _plain(kind, left.Value), _plain(kind, right.Value)


def _plain(kind: Any, value: Any) -> Any:
    if kind == V.LocalizedText and isinstance(value, ua.LocalizedText):
        return value.Text or ""
    if kind == V.StatusCode and isinstance(value, ua.StatusCode):
        return value.value
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return value


def cast(value: ua.Variant, kind: ua.VariantType, *, implicit: bool = False) -> ua.Variant:
    """A value as another type (table 127); Null when that cannot be.

    Args:
        value: A scalar.
        kind: Wanted.
        implicit: Only conversions that need not be asked for: none from a real number to an integer, none to a
            text but of names and identifiers.
    """
    if is_null(value) or isinstance(value.Value, list):
        return NULL
    if value.VariantType == kind:
        return value
    try:
        made = _converted(value, kind, implicit=implicit)
    except (ValueError, OverflowError, ua.UaError, AttributeError, TypeError, struct.error):
        return NULL
    return NULL if made is None else ua.Variant(made, kind)


def _converted(value: ua.Variant, kind: ua.VariantType, *, implicit: bool) -> Any:
    have, raw = value.VariantType, _plain(value.VariantType, value.Value)
    if kind in _NUMBER and have in _NUMBER:
        if implicit and (kind == V.Boolean or (have in _REAL and kind not in _REAL)):
            return None
        return _number(raw, kind)
    if kind in _NUMBER and have == V.String:
        return _parsed(raw.strip(), kind)
    if kind == V.String:
        if implicit and have not in _NAMED | _NODE:
            return None
        return _text(have, raw)
    if kind == V.LocalizedText and (have == V.QualifiedName or (have == V.String and not implicit)):
        return ua.LocalizedText(_text(have, raw))
    if kind == V.QualifiedName and have == V.String and not implicit:
        return ua.QualifiedName.from_string(raw)
    if kind in _NODE and (have in _NODE or (have == V.String and not implicit)):
        return _identifier(raw, kind)
    if kind == V.Guid and have == V.String:
        return uuid.UUID(raw)
    if implicit:
        return None
    if kind == V.Guid and have == V.ByteString:
        return uuid.UUID(bytes_le=raw)
    if kind == V.ByteString and have == V.Guid:
        return raw.bytes_le
    if kind == V.ByteString and have == V.String:
        return raw.encode()
    if kind == V.DateTime and have == V.String:
        return datetime.fromisoformat(raw).astimezone(UTC)
    return None


def _number(raw: Any, kind: ua.VariantType) -> Any:
    if kind == V.Boolean:
        return bool(raw)
    if kind == V.Float:
        return struct.unpack("<f", struct.pack("<f", raw))[0]
    if kind == V.Double:
        return float(raw)
    whole = raw if isinstance(raw, int) else math.floor(raw + 0.5)  # table 127: rounded
    low, high = INTEGERS[kind]
    if not low <= whole <= high:
        return None
    return ua.StatusCode(int(whole)) if kind == V.StatusCode else int(whole)


def _parsed(text: str, kind: ua.VariantType) -> Any:
    if kind == V.Boolean:
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower())
    if len(text) > 400:  # longer than any number
        return None
    return _number(float(text) if kind in _REAL else int(text), kind)


def _text(have: Any, raw: Any) -> str:
    if have == V.Boolean:
        return "true" if raw else "false"
    if have in _NODE:
        return str(raw.to_string())
    if have == V.QualifiedName:
        return str(raw.Name or "")
    if have == V.ByteString:
        return bytes(raw).decode()
    if isinstance(raw, datetime):
        return raw.isoformat()
    return str(raw)


def _identifier(raw: Any, kind: ua.VariantType) -> Any:
    node = ua.NodeId.from_string(raw) if isinstance(raw, str) else raw
    if kind == V.ExpandedNodeId:
        return ua.ExpandedNodeId(node.Identifier, node.NamespaceIndex, node.NodeIdType)
    if getattr(node, "ServerIndex", 0) or getattr(node, "NamespaceUri", None):
        return None
    return ua.NodeId(node.Identifier, node.NamespaceIndex, node.NodeIdType)


def like(text: ua.Variant, pattern: ua.Variant) -> Truth:
    """Whether a text matches a pattern: `%` any text, `_` one character, `[a-z]`, `[^a-z]`, backslash: the next as it is."""
    have, wanted = cast(text, V.String, implicit=True), cast(pattern, V.String, implicit=True)
    if is_null(have) or is_null(wanted):
        return None if is_null(text) or is_null(pattern) else False
    if len(have.Value) > TEXT_MAX or len(wanted.Value) > PATTERN_MAX:
        return False
    return matches(have.Value, wanted.Value)


def matches(text: str, pattern: str) -> bool:
    """`like` of plain texts.

    What stands between two `%` has a fixed length: its first place that fits is the right one, so nothing is tried twice.
    """
    first, *others = _segments(pattern)
    if not others:
        return first.matches(text, 0) and first.length == len(text)
    last = others.pop()
    end = len(text) - last.length
    if end < first.length or not first.matches(text, 0) or not last.matches(text, end):
        return False
    at = first.length
    for one in others:
        found = one.expression.search(text, at, end)
        if found is None:
            return False
        at = found.end()
    return True


class _Segment(NamedTuple):
    """A part of a pattern without `%`.

    Attributes:
        expression: That matches it; without repetitions.
        length: Characters.
    """

    expression: re.Pattern[str]
    length: int

    def matches(self, text: str, at: int) -> bool:
        """Whether it stands at a place."""
        return self.expression.match(text, at) is not None


@functools.lru_cache(maxsize=512)
def _segments(pattern: str) -> tuple[_Segment, ...]:
    """What stands before, between and behind the `%` of a pattern."""
    found: list[_Segment] = []
    signs: list[str] = []
    at = 0
    while at < len(pattern):
        sign = pattern[at]
        at += 1
        if sign == "%":
            found.append(_segment(signs))
            signs = []
        elif sign == "_":
            signs.append(".")
        elif sign == "[" and (end := pattern.find("]", at + 1)) > 0:
            signs.append(_set(pattern[at:end]))
            at = end + 1
        else:
            if sign == "\\" and at < len(pattern):
                sign = pattern[at]
                at += 1
            signs.append(re.escape(sign))
    return (*found, _segment(signs))


def _segment(signs: list[str]) -> _Segment:
    return _Segment(re.compile("".join(signs), re.DOTALL), len(signs))


def _set(inside: str) -> str:
    negative = inside.startswith("^")
    ranges = re.findall(r"(.)-(.)|(.)", inside[negative:], re.DOTALL)
    spans = [(low or single, high or single) for low, high, single in ranges]
    signs = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in spans if low <= high)
    if not signs:
        return "." if negative else "(?!)"
    return f"[{'^' * negative}{signs}]"


def both(left: Truth, right: Truth) -> Truth:
    """And (table 124)."""
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def either(left: Truth, right: Truth) -> Truth:
    """Or (table 125)."""
    if left is True or right is True:
        return True
    return None if left is None or right is None else False


def opposite(value: Truth) -> Truth:
    """Not."""
    return None if value is None else not value


def truth(value: ua.Variant) -> Truth:
    """An operand of And, Or and Not: what is no Boolean and cannot be one is null."""
    if value.VariantType == V.Boolean and isinstance(value.Value, bool):
        return value.Value
    made = cast(value, V.Boolean)
    return made.Value if isinstance(made.Value, bool) else None


def bitwise(left: ua.Variant, right: ua.Variant, combine: Callable[[int, int], int]) -> ua.Variant:
    """BitwiseAnd and BitwiseOr of two integers, as the one of higher precedence; else Null."""
    kinds = (left.VariantType, right.VariantType)
    if any(kind not in INTEGERS for kind in kinds) or is_null(left) or is_null(right):
        return NULL
    kind = min(kinds, key=_RANK.__getitem__)
    one, other = cast(left, kind), cast(right, kind)
    if one.Value is None or other.Value is None:
        return NULL
    made = combine(_plain(kind, one.Value), _plain(kind, other.Value))
    return ua.Variant(ua.StatusCode(made) if kind == V.StatusCode else made, kind)
