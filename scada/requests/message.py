"""The request as HMI, OPC UA, CLI and gateways send it: one JSON object a datagram."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson

WRITE, ACKNOWLEDGE, FORCE, UNFORCE = "write", "acknowledge", "force", "unforce"
BYPASS, UNBYPASS = "bypass", "unbypass"
CONFIRM, COMMENT, SHELVE, UNSHELVE = "confirm", "comment", "shelve", "unshelve"
SUPPRESS, UNSUPPRESS = "suppress", "unsuppress"
REMOVE, RETURN, ENABLE, DISABLE = "remove", "return", "enable", "disable"
ALARM_KINDS: Final = (
    ACKNOWLEDGE, CONFIRM, COMMENT, SHELVE, UNSHELVE, SUPPRESS, UNSUPPRESS, REMOVE, RETURN, ENABLE, DISABLE,
)  # fmt: skip
KINDS: Final = (WRITE, FORCE, UNFORCE, BYPASS, UNBYPASS, *ALARM_KINDS)
ITEMS_MAX: Final = 64
REASON_MAX: Final = 500
DEADLINE_NS: Final = 5_000_000_000
_DEADLINE_MIN_NS: Final = 100_000_000
_DEADLINE_MAX_NS: Final = 600_000_000_000
_FORCE_MAX_NS: Final = 7 * 86_400_000_000_000
_PLAIN: Final = (bool, int, float, str, type(None))


class RequestError(ValueError):
    """What was sent is not a request.

    Attributes:
        id: The id that it carried, or "" when not even that could be read.
    """

    def __init__(self, message: str, id_: str = "") -> None:
        super().__init__(message)
        self.id = id_


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody wants.

    Attributes:
        id: Of the sender's making, unique; a repeated id returns the recorded outcome and does nothing else.
        kind: `write`, `force`, `unforce`, `bypass`, `unbypass` or one of `ALARM_KINDS`.
        items: Path and value; the value is None to end a force, and of a bypass; of an alarm it is the comment, or None
            for `reason` as the comment. All or none is done.
        reason: In the sender's words.
        source: `hmi`, `opcua`, `cli`, `gateway` or `script`.
        user: Who asks.
        role: The role that the sender vouches for; control checks it again.
        for_ns: How long a force, a bypass or a shelf holds, ns; 0 for other kinds, and for a shelf that ends when the
            alarm returns to normal.
        deadline_ns: An outcome that is not known by then is `timed out`, ns from acceptance.
    """

    id: str
    kind: str
    items: tuple[tuple[str, Any], ...]
    reason: str = ""
    source: str = "script"
    user: str = ""
    role: str = "viewer"
    for_ns: int = 0
    deadline_ns: int = DEADLINE_NS

    def to_json(self) -> dict[str, Any]:
        """The object that `from_json` reads."""
        return {
            "id": self.id,
            "kind": self.kind,
            "items": [list(item) for item in self.items],
            "reason": self.reason,
            "source": self.source,
            "user": self.user,
            "role": self.role,
            "for_ns": self.for_ns,
            "deadline_ns": self.deadline_ns,
        }


def parse(data: bytes) -> Request:
    """The request in a datagram.

    Args:
        data: JSON, UTF-8.

    Raises:
        RequestError: Not JSON, or a member is missing, unknown, of another type or beyond its limit.
    """
    try:
        found = orjson.loads(data)
    except ValueError as error:
        raise RequestError(f"a request is a JSON object: {error}") from None
    return from_json(found)


def from_json(found: Any) -> Request:
    """The request in a decoded JSON object; raises `RequestError` as `parse` does."""
    if not isinstance(found, dict):
        raise RequestError("a request is a JSON object")
    id_ = found.get("id")
    if not isinstance(id_, str) or not 1 <= len(id_) <= 64:
        raise RequestError("a request has an id of 1 to 64 characters")
    if unknown := sorted(found.keys() - Request.__dataclass_fields__.keys()):
        raise RequestError(f"a request has no member {unknown[0]!r}", id_)
    kind = found.get("kind")
    if kind not in KINDS:
        raise RequestError(f"kind is one of {', '.join(KINDS)}, not {kind!r}", id_)
    return Request(
        id=id_,
        kind=kind,
        items=_items(found.get("items"), kind, id_),
        reason=_text(found, "reason", REASON_MAX, id_),
        source=_text(found, "source", 32, id_, default="script"),
        user=_text(found, "user", 100, id_),
        role=_text(found, "role", 32, id_, default="viewer"),
        for_ns=_force_time(found, kind, id_),
        deadline_ns=min(
            max(_whole(found, "deadline_ns", DEADLINE_NS, id_), _DEADLINE_MIN_NS), _DEADLINE_MAX_NS
        ),
    )


def _items(found: Any, kind: str, id_: str) -> tuple[tuple[str, Any], ...]:
    if not isinstance(found, list) or not 1 <= len(found) <= ITEMS_MAX:
        raise RequestError(f"items is a list of 1 to {ITEMS_MAX} pairs [path, value]", id_)
    seen: set[str] = set()
    items: list[tuple[str, Any]] = []
    for item in found:
        if not isinstance(item, list) or len(item) != 2 or not isinstance(item[0], str) or len(item[0]) > 256:
            raise RequestError("each item is a pair [path, value]", id_)
        path, value = item
        if not isinstance(value, _PLAIN) or (isinstance(value, str) and len(value) > 1024):
            raise RequestError(f"the value of {path} is a number, true, false or a text", id_)
        if kind in ALARM_KINDS and not (
            value is None or (isinstance(value, str) and len(value) <= REASON_MAX)
        ):
            raise RequestError(
                f"the value of an alarm is a comment of at most {REASON_MAX} characters, or null", id_
            )
        if path in seen:
            raise RequestError(f"{path} is in the request twice", id_)
        seen.add(path)
        items.append((path, value))
    return tuple(items)


def _text(found: dict[str, Any], name: str, longest: int, id_: str, default: str = "") -> str:
    text = found.get(name, default)
    if text is None:
        return default
    if not isinstance(text, str) or len(text) > longest:
        raise RequestError(f"{name} is a text of at most {longest} characters", id_)
    return text


def _whole(found: dict[str, Any], name: str, default: int, id_: str) -> int:
    number = found.get(name, default)
    if number is None:
        return default
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < 2**62:
        raise RequestError(f"{name} is a number of ns, 0 or more", id_)
    return int(number)


def _force_time(found: dict[str, Any], kind: str, id_: str) -> int:
    for_ns = _whole(found, "for_ns", 0, id_)
    if kind not in (FORCE, BYPASS, SHELVE):
        return 0
    if kind == SHELVE:
        if for_ns > _FORCE_MAX_NS:
            raise RequestError("an alarm is shelved for 7 days at most (for_ns)", id_)
    elif not 0 < for_ns <= _FORCE_MAX_NS:
        raise RequestError(f"a {kind} says for how long (for_ns), at most 7 days", id_)
    return for_ns
