"""What a message may hold, looked at before anything is built of it. Pure.

asyncua builds a list of the length that a message declares; a Variant array of a hundred million Nulls is thirty bytes.
Here a message is walked through once, by the same types that asyncua decodes by, and refused when an array is longer
than the bytes that are left, when strings, arrays or nesting exceed `limits`, and when more objects would be made of it
than `OBJECTS_MAX` (OPC 10000-6 §5.1.8, §5.2.5; OPC 10000-4 §5.3 for operation limits).
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from enum import Enum, IntFlag
from typing import Any, Final, NamedTuple

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua import ua_binary, uatypes

from scada.opcua import limits

OBJECTS_MAX: Final = 150_000  # in one message: an object is some 300 bytes once it is decoded
_PLAIN_PER_OBJECT: Final = 8  # numbers of an array cost that much less
_I4: Final = struct.Struct("<i")
_FIXED: Final = {
    "Null": 0, "Boolean": 1, "SByte": 1, "Byte": 1, "Int16": 2, "UInt16": 2, "Int32": 4, "UInt32": 4, "Int64": 8,
    "UInt64": 8, "Float": 4, "Double": 8, "DateTime": 8, "Guid": 16, "Char": 1,
}  # fmt: skip

# How many elements the lists of a request may have: (type, field) → (limit, status when there are more).
_OPERATIONS: Final = {
    ("ReadParameters", "NodesToRead"): limits.NODES_PER_READ,
    ("WriteParameters", "NodesToWrite"): limits.NODES_PER_WRITE,
    ("CallParameters", "MethodsToCall"): limits.NODES_PER_CALL,
    ("BrowseParameters", "NodesToBrowse"): limits.NODES_PER_BROWSE,
    ("BrowseNextParameters", "ContinuationPoints"): limits.NODES_PER_BROWSE,
    ("RegisterNodesParameters", "NodesToRegister"): limits.NODES_PER_REGISTER,
    ("UnregisterNodesParameters", "NodesToUnregister"): limits.NODES_PER_REGISTER,
    ("TranslateBrowsePathsToNodeIdsParameters", "BrowsePaths"): limits.PATHS_PER_TRANSLATE,
    ("CreateMonitoredItemsParameters", "ItemsToCreate"): limits.ITEMS_PER_CALL,
    ("ModifyMonitoredItemsParameters", "ItemsToModify"): limits.ITEMS_PER_CALL,
    ("DeleteMonitoredItemsParameters", "MonitoredItemIds"): limits.ITEMS_PER_CALL,
    ("SetMonitoringModeParameters", "MonitoredItemIds"): limits.ITEMS_PER_CALL,
    ("SetTriggeringParameters", "LinksToAdd"): limits.ITEMS_PER_CALL,
    ("SetTriggeringParameters", "LinksToRemove"): limits.ITEMS_PER_CALL,
    ("HistoryReadParameters", "NodesToRead"): limits.NODES_PER_HISTORY_READ,
    ("HistoryUpdateParameters", "HistoryUpdateDetails"): limits.NODES_PER_HISTORY_UPDATE,
    ("DeleteSubscriptionsParameters", "SubscriptionIds"): limits.SUBSCRIPTIONS_PER_CALL,
    ("TransferSubscriptionsParameters", "SubscriptionIds"): limits.SUBSCRIPTIONS_PER_CALL,
    ("SetPublishingModeParameters", "SubscriptionIds"): limits.SUBSCRIPTIONS_PER_CALL,
    ("PublishParameters", "SubscriptionAcknowledgements"): limits.ACKNOWLEDGEMENTS_PER_PUBLISH,
}


class DecodeError(Exception):
    """A message that is not decoded.

    Attributes:
        status: BadDecodingError, BadEncodingLimitsExceeded or BadTooManyOperations.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Walk:
    """One message.

    Attributes:
        data: Its bytes.
        end: Behind the last that may be read.
        left: Objects that may still be made.
        depth: Values in each other, now.
    """

    __slots__ = ("data", "depth", "end", "left")

    def __init__(self, data: bytes, end: int) -> None:
        self.data = data
        self.end = end
        self.left = OBJECTS_MAX
        self.depth = 0


class _Step(NamedTuple):
    """How to get over one value.

    Attributes:
        go: From its first byte to the first behind it.
        size: Its bytes, -1 when they vary.
        smallest: Bytes that it has at least.
        objects: That are made of it, when the size is fixed.
    """

    go: Callable[[_Walk, int], int]
    size: int
    smallest: int
    objects: int = 0


def check(body: bytes) -> None:
    """Looks at a whole request.

    Args:
        body: The message: type id, request header, parameters.

    Raises:
        DecodeError: It is not to be decoded. Of types that asyncua does not know only the header is looked at.
    """
    number, at = request_number(body)
    kind = request_type(number)
    if kind is None:
        check_header(body, at)
    else:
        _guarded(_structure(kind), _Walk(body, len(body)), 0)


def check_header(body: bytes, at: int) -> int:
    """Looks at a request header; where it ends.

    Raises:
        DecodeError: It is not to be decoded.
    """
    return _guarded(_structure(ua.RequestHeader), _Walk(body, len(body)), at)


def check_value(kind: type, body: bytes, at: int = 0) -> int:
    """Looks at one value of an asyncua type; where it ends.

    Raises:
        DecodeError: It is not to be decoded.
    """
    return _guarded(_of_type(kind, type(None)), _Walk(body, len(body)), at)


def request_type(number: int) -> type | None:
    """The class of a request by the id of its encoding; None for none that asyncua has."""
    return _REQUESTS().get(number)


def request_number(body: bytes) -> tuple[int, int]:
    """The id of a request's encoding and where its header begins; id 0 for one that is in no standard namespace.

    Raises:
        DecodeError: It does not begin with a NodeId.
    """
    if body[:2] == b"\x01\x00" and len(body) > 4:  # as every client writes it
        return int.from_bytes(body[2:4], "little"), 4
    after = _guarded(_NODE_ID, _Walk(body, len(body)), 0)
    if body[0] == 0:
        return body[1], after
    if body[0] == 2 and body[1:3] == b"\0\0":
        return int.from_bytes(body[3:7], "little"), after
    return 0, after


def prepare() -> Iterator[None]:
    """Makes what the first request of each kind would otherwise have to wait for, a few milliseconds at a step."""
    for kind in _REQUESTS().values():
        _structure(kind)
        yield
        ua_binary.struct_from_binary(kind, Buffer(ua_binary.struct_to_binary(kind())))
        answer = getattr(ua, kind.__name__.removesuffix("Request") + "Response", None)
        if answer is not None:
            ua_binary.struct_to_binary(answer())
        yield


@functools.cache
def _REQUESTS() -> dict[int, type]:  # noqa: N802 - a constant that needs asyncua's registry to be whole
    return {
        id_.Identifier: kind
        for id_, kind in ua.extension_objects_by_typeid.items()
        if id_.NamespaceIndex == 0 and "RequestHeader" in kind.__dataclass_fields__
    }


def _guarded(step: _Step, walk: _Walk, at: int) -> int:
    try:
        at = step.go(walk, at)
    except (struct.error, IndexError):
        raise _short() from None
    if at > walk.end:
        raise _short()
    return at


def _short() -> DecodeError:
    return DecodeError(ua.StatusCodes.BadDecodingError, "the message ends within a value")


def _too_much(what: str) -> DecodeError:
    return DecodeError(ua.StatusCodes.BadEncodingLimitsExceeded, what)


def _fixed(size: int, objects: int = 0) -> _Step:
    def go(walk: _Walk, at: int) -> int:
        walk.left -= objects
        return at + size

    return _Step(go, size, size, objects)


def _length(walk: _Walk, at: int, smallest: int) -> int:
    """Elements of a list or bytes of a string; null counts as none."""
    if at + 4 > walk.end:
        raise _short()
    n: int = _I4.unpack_from(walk.data, at)[0]
    if n <= 0:
        if n < -1:
            raise DecodeError(ua.StatusCodes.BadDecodingError, f"a length of {n}")
        return 0
    if n * smallest > walk.end - at - 4:
        raise DecodeError(ua.StatusCodes.BadDecodingError, f"{n} elements in {walk.end - at - 4} bytes")
    return n


def _text(most: int) -> _Step:
    def go(walk: _Walk, at: int) -> int:
        n = _length(walk, at, 1)
        if n > most:
            raise _too_much(f"a string of {n} bytes")
        return at + 4 + n

    return _Step(go, -1, 4)


def _list(element: Callable[[], _Step], smallest: int, most: int, status: int) -> _Step:
    """A list; its element's step is made when the first one comes, as types hold lists of themselves."""

    def go(walk: _Walk, at: int) -> int:
        n = _length(walk, at, smallest)
        at += 4
        if not n:
            return at
        if n > most:
            raise DecodeError(status, f"{n} elements, {most} are the limit")
        step = element()
        if step.size >= 0:
            walk.left -= n * step.objects if step.objects else n // _PLAIN_PER_OBJECT
            _enough(walk)
            if not step.size:  # Null and empty structures: nothing in the message bounds their number
                walk.left -= n
                _enough(walk)
            return at + n * step.size
        walk.left -= n
        _enough(walk)
        for _ in range(n):
            at = step.go(walk, at)
        return at

    return _Step(go, -1, 4)


def _enough(walk: _Walk) -> None:
    if walk.left < 0:
        raise _too_much(f"more than {OBJECTS_MAX} objects in one message")


def _node_id(walk: _Walk, at: int) -> int:
    data = walk.data
    encoding = data[at]
    kind = encoding & 0x3F
    if kind == 0:
        after = at + 2
    elif kind == 1:
        after = at + 4
    elif kind == 2:
        after = at + 7
    elif kind == 3 or kind == 5:  # noqa: PLR1714 - twice as fast as `in`
        after = _NODE_TEXT.go(walk, at + 3)
    elif kind == 4:
        after = at + 19
    else:
        raise DecodeError(ua.StatusCodes.BadDecodingError, f"a NodeId of kind {kind}")
    if encoding & 0xC0:
        if encoding & 0x80:
            after = _NODE_TEXT.go(walk, after)
        if encoding & 0x40:
            after += 4
    walk.left -= 1
    if after > walk.end:
        raise _short()
    return after


def _variant(walk: _Walk, at: int) -> int:
    _deeper(walk)
    encoding = walk.data[at]
    kind = encoding & 0x3F
    step = (_ARRAYS if encoding & 0x80 else _VARIANTS)()[kind]
    at = step.go(walk, at + 1)
    if encoding & 0x40:
        at = _dimensions(walk, at)
    walk.depth -= 1
    return at


def _dimensions(walk: _Walk, at: int) -> int:
    n = _length(walk, at, 4)
    if n > limits.DEPTH:
        raise _too_much(f"an array of {n} dimensions")
    product = 1
    for size in struct.unpack_from(f"<{n}i", walk.data, at + 4):
        if size < 0:
            raise DecodeError(ua.StatusCodes.BadDecodingError, f"a dimension of {size}")
        product *= max(size, 1)
        if product > limits.ARRAY:
            raise _too_much(f"an array of {product} elements")
    return at + 4 + 4 * n


def _extension_object(walk: _Walk, at: int) -> int:
    _deeper(walk)
    start = at
    at = _node_id(walk, at)
    encoding = walk.data[at]
    at += 1
    kind = _known(walk.data[start:at])
    if encoding & 1:
        n = _I4.unpack_from(walk.data, at)[0]
        at += 4
        end = walk.end
        if n >= 0:
            end = at + n
            if end > walk.end:
                raise _short()
        elif n != -1:
            raise DecodeError(ua.StatusCodes.BadDecodingError, f"a body of {n} bytes")
        if n != 0 and kind is not None:
            outer, walk.end = walk.end, end
            inner = _inside(kind).go(walk, at)
            if inner > end:
                raise _short()
            walk.end = outer
            at = inner if n == -1 else end
        elif n > limits.BYTE_STRING:
            raise _too_much(f"a body of {n} bytes")
        else:
            at = end
    elif encoding:
        raise DecodeError(ua.StatusCodes.BadDataEncodingUnsupported, "a body that is not binary")
    walk.depth -= 1
    return at


def _known(head: bytes) -> type | None:
    try:
        id_ = ua_binary.nodeid_from_binary(Buffer(head))
    except (ua.UaError, ValueError) as error:  # an identifier that is null
        raise DecodeError(ua.StatusCodes.BadDecodingError, f"the type of a structure: {error}") from None
    found: type | None = ua.extension_objects_by_typeid.get(id_) if id_.Identifier != 0 else None
    return found


def _inside(kind: type) -> _Step:
    try:
        return _structure(kind)
    except AttributeError:  # of a type that asyncua has itself no decoder for
        raise DecodeError(ua.StatusCodes.BadDecodingError, f"{kind.__name__} cannot be decoded") from None


def _deeper(walk: _Walk) -> None:
    walk.depth += 1
    walk.left -= 1
    if walk.depth > limits.DEPTH:
        raise _too_much(f"more than {limits.DEPTH} values in each other")
    _enough(walk)


_STRING: Final = _text(limits.STRING)
_BYTES: Final = _text(limits.BYTE_STRING)
_NODE_TEXT: Final = _text(4096)
_NODE_ID: Final = _Step(_node_id, -1, 2)
_VARIANT: Final = _Step(_variant, -1, 1)
_EXTENSION_OBJECT: Final = _Step(_extension_object, -1, 3)


@functools.cache
def _builtin(name: str) -> _Step:
    """The step of a built-in type by its name (OPC 10000-6 §5.1.2)."""
    if name in _FIXED:
        return _fixed(_FIXED[name])
    if name in {"String", "XmlElement", "CharArray"}:
        return _STRING
    if name in {"ByteString", "Bytes"}:
        return _BYTES
    if name in {"NodeId", "ExpandedNodeId"}:
        return _NODE_ID
    if name == "Variant":
        return _VARIANT
    if name == "ExtensionObject":
        return _EXTENSION_OBJECT
    return _structure(getattr(ua, name))


@functools.cache
def _VARIANTS() -> list[_Step]:  # noqa: N802 - as _REQUESTS
    """By the type in a Variant's first byte; what is no type of the standard is a ByteString (§5.2.2.16)."""
    return [_builtin(ua.VariantType(kind).name) if kind <= 25 else _BYTES for kind in range(64)]


@functools.cache
def _ARRAYS() -> list[_Step]:  # noqa: N802 - as _REQUESTS
    too_long = ua.StatusCodes.BadEncodingLimitsExceeded
    return [
        _list(lambda step=step: step, step.smallest, limits.ARRAY, too_long)  # type: ignore[misc]
        for step in _VARIANTS()
    ]


@functools.cache
def _structure(kind: Any) -> _Step:
    """The step over a structure, in the order in which asyncua decodes its fields."""
    if issubclass(kind, Enum):
        return _fixed(_FIXED[kind.datatype() if issubclass(kind, IntFlag) and hasattr(kind, "datatype") else
                             "UInt32" if issubclass(kind, IntFlag) else "Int32"])  # fmt: skip
    if issubclass(kind, ua.UaUnion):
        return _union(kind)
    hints = ua_binary.get_safe_type_hints(kind, {"ua": ua})
    parts: list[tuple[int, _Step]] = []  # (bit of an optional field, step)
    bits, mask = 0, -1
    for field in fields(kind):
        wanted = hints[field.name]
        bit = 0
        if uatypes.type_is_optional(wanted):
            bit = 1 << bits
            bits += 1
            wanted = uatypes.type_from_optional(wanted)
        if field.name == "Encoding":
            mask = len(parts)
        most = _OPERATIONS.get((kind.__name__, field.name))
        parts.append((bit, _field(wanted, kind, most)))
    if mask >= 0 or bits:
        return _masked(parts, mask)
    steps = [step for _, step in parts]
    if all(step.size >= 0 for step in steps):
        return _fixed(sum(step.size for step in steps), 1 + sum(step.objects for step in steps))
    return _sequence(steps)


def _field(wanted: Any, owner: type, most: int | None) -> _Step:
    if uatypes.type_allow_subclass(wanted):
        return _EXTENSION_OBJECT
    return _of_type(wanted, owner, most)


def _sequence(steps: list[_Step]) -> _Step:
    """Fields one after the other; neighbours of fixed size are one step."""
    merged: list[_Step] = []
    for step in steps:
        if merged and step.size >= 0 and merged[-1].size >= 0:
            before = merged.pop()
            merged.append(_fixed(before.size + step.size, before.objects + step.objects))
        else:
            merged.append(step)
    goes = [step.go for step in merged]

    def go(walk: _Walk, at: int) -> int:
        walk.left -= 1
        for one in goes:
            at = one(walk, at)
            if at > walk.end:
                raise _short()
        return at

    return _Step(go, -1, sum(step.smallest for step in merged))


def _masked(parts: list[tuple[int, _Step]], mask: int) -> _Step:
    """A structure with optional fields: a bit mask among the first says which there are."""

    def go(walk: _Walk, at: int) -> int:
        walk.left -= 1
        present = 0
        for number, (bit, step) in enumerate(parts):
            if number == mask:
                size = step.size
                present = int.from_bytes(walk.data[at : at + size], "little")
                at += size
            elif not bit or present & bit:
                at = step.go(walk, at)
            if at > walk.end:
                raise _short()
        return at

    return _Step(go, -1, sum(step.smallest for bit, step in parts if not bit))


def _union(kind: type[ua.UaUnion]) -> _Step:
    steps = [_lazy(wanted, kind) for wanted in kind._union_types]  # noqa: SLF001 - asyncua has it nowhere else

    def go(walk: _Walk, at: int) -> int:
        walk.left -= 1
        which = _I4.unpack_from(walk.data, at)[0]
        return steps[which - 1]().go(walk, at + 4) if 0 < which <= len(steps) else at + 4

    return _Step(go, -1, 4)


def _lazy(wanted: Any, owner: type) -> Callable[[], _Step]:
    return functools.cache(lambda: _of_type(wanted, owner))


def _of_type(wanted: Any, owner: type, most: int | None = None) -> _Step:
    """The step of a field's type, decided as asyncua's `_create_type_deserializer` does."""
    wanted, optional = ua_binary.resolve_uatype(wanted)
    if not optional and uatypes.type_is_union(wanted):
        is_list, wanted = uatypes.types_or_list_from_union(wanted)
        if not is_list:
            return _of_type(wanted, wanted)
    if uatypes.type_is_list(wanted):
        element = ua_binary._resolve_type_in_dataclass_context(uatypes.type_from_list(wanted), owner)  # noqa: SLF001
        step = _lazy(element, owner)
        status = (
            ua.StatusCodes.BadEncodingLimitsExceeded if most is None else ua.StatusCodes.BadTooManyOperations
        )
        # An element has at least a byte, or the number of objects bounds it.
        return _list(step, 0 if _may_be_empty(element) else 1, most or limits.ARRAY, status)
    name = wanted.__name__
    if hasattr(ua.VariantType, name) or name in _FIXED or name in {"Bytes", "CharArray"}:
        return _builtin(name)
    if wanted is owner:
        return _Step(lambda walk, at: _structure(wanted).go(walk, at), -1, 1)
    return _structure(wanted)


def _may_be_empty(element: Any) -> bool:
    element = ua_binary.resolve_uatype(element)[0]
    return bool(is_dataclass(element) and not fields(element)) or getattr(element, "__name__", "") == "Null"
