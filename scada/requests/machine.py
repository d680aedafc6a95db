"""The request state machine: its table, its rules, and the ledger of what was asked and what became of it.

A request has one or more items (a tag and a value). Each item walks through the table below; the status of the
request follows from its items (`combined`). Every change is an event of control.

    new ──refuse──► rejected
     └───admit────► accepted ──apply────► confirmed               a tag of control's own
                        ├──────publish──► sent ──match──► confirmed   the field acted and reads the value back
                        │                   ├──refuse───► rejected    the device or the link said no
                        │                   ├──differ───► mismatched  written, and something else is read back
                        ├──────refuse─────► rejected                  became impossible before it was sent
                        └──────expire───────┴──expire───► timed out   the outcome is not known
                        (both also ──supersede──► superseded by a later request for the same tag)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from scada.requests.message import Request
from tags.types import Value

NEW, ACCEPTED, SENT = "new", "accepted", "sent"
CONFIRMED, REJECTED, TIMED_OUT = "confirmed", "rejected", "timed out"
MISMATCHED, SUPERSEDED = "mismatched", "superseded"
FINAL: Final = frozenset({CONFIRMED, REJECTED, TIMED_OUT, MISMATCHED, SUPERSEDED})

TABLE: Final[dict[tuple[str, str], str]] = {
    (NEW, "admit"): ACCEPTED,
    (NEW, "refuse"): REJECTED,
    (ACCEPTED, "apply"): CONFIRMED,
    (ACCEPTED, "publish"): SENT,
    (ACCEPTED, "refuse"): REJECTED,
    (ACCEPTED, "expire"): TIMED_OUT,
    (ACCEPTED, "supersede"): SUPERSEDED,
    (SENT, "match"): CONFIRMED,
    (SENT, "refuse"): REJECTED,
    (SENT, "differ"): MISMATCHED,
    (SENT, "expire"): TIMED_OUT,
    (SENT, "supersede"): SUPERSEDED,
}

# The worst first: what a request of several items is called once all of them have ended.
_WORST: Final = (TIMED_OUT, MISMATCHED, REJECTED, SUPERSEDED, CONFIRMED)

VERSION_MASK: Final = 2**56 - 1
ACTED, UNKNOWN, LINK_REFUSED, NOT_ARMED = 0, 254, 253, 255
_EXCEPTIONS: Final[dict[int, str]] = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target failed to respond",
}
LEDGER_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class Seen:
    """What the field shows of one output in this scan.

    Attributes:
        aux: `aux` of the tag's row: low 56 bits the command version that field acted on, top 8 the result.
        good: The value read back is Good.
        source_ns: When it was read, ns UTC; only compared for equality, so that a clock step does no harm.
        within: It is within tolerance of what was asked.
        pulse: The output is a pulse: nothing stays to be read back.
        tag: Path, for messages.
        device: Name, for messages.
    """

    aux: int
    good: bool
    source_ns: int
    within: bool
    pulse: bool
    tag: str
    device: str


class Item:
    """One tag and value of a request.

    Attributes:
        path: Of the tag.
        value: Asked, as the tag's type has it.
        old: Value of the tag when it was accepted, or None.
        status: A state of the table.
        reason: Why it ended as it did, or "".
        output: Number of the output that it goes through, or -1 for a tag of control's own.
        version: Of the command as published, low 56 bits; -1 before.
        sample_ns: Source time of the value read back when it was sent.
    """

    __slots__ = ("old", "output", "path", "reason", "sample_ns", "status", "value", "version")

    def __init__(self, path: str, value: Any, output: int = -1, old: Value | None = None) -> None:
        self.path = path
        self.value = value
        self.old = old
        self.status = NEW
        self.reason = ""
        self.output = output
        self.version = -1
        self.sample_ns = 0

    def take(self, happening: str, reason: str = "") -> None:
        """Moves along the table.

        Raises:
            KeyError: The table has no such step: a defect of ours.
        """
        self.status = TABLE[self.status, happening]
        self.reason = reason


def judge(item: Item, seen: Seen) -> tuple[str, str] | None:
    """What a sent item makes of what the field shows.

    A value counts as read back only when it was sampled after the command was sent: its source time has changed.

    Args:
        item: In state `sent`, its version known.
        seen: Of its output, in this scan.

    Returns:
        The happening and the reason, or None: not known yet.
    """
    fresh = seen.good and seen.source_ns != item.sample_ns
    result = seen.aux >> 56
    if seen.aux & VERSION_MASK == item.version:
        if result == NOT_ARMED:
            return "refuse", f"{seen.device} is not armed"
        if result == LINK_REFUSED:
            return "refuse", f"{seen.device}: {seen.tag} was not written, the connection refused it"
        if result not in (ACTED, UNKNOWN):
            text = _EXCEPTIONS.get(result, "unknown exception")
            return "refuse", f"{seen.device} refused to write {seen.tag}: exception {result}, {text}"
        if result == ACTED and (seen.pulse or (fresh and seen.within)):
            return "match", ""
        if result == UNKNOWN and not seen.pulse and fresh and seen.within:
            return "match", ""
    return None


def at_deadline(item: Item, seen: Seen | None) -> tuple[str, str]:
    """What is said of an item whose time is up: mismatched when the field acted and reads another value, else unknown."""
    if item.status == SENT and seen is not None and not seen.pulse:
        fresh = seen.good and seen.source_ns != item.sample_ns
        if fresh and seen.aux == item.version and not seen.within:
            return "differ", f"{item.path} was written and reads back another value"
        if fresh and seen.within:
            return "match", ""
    where = "sent" if item.status == SENT else "not sent"
    return "expire", f"{item.path}: {where}, and nothing came back in time; read it before you ask again"


def combined(items: Iterable[Item]) -> str:
    """The status of a request from its items: the least advanced while any is open, else the worst outcome."""
    statuses = {item.status for item in items}
    for open_ in (NEW, ACCEPTED, SENT):
        if open_ in statuses:
            return open_
    return next(status for status in _WORST if status in statuses)


class Entry:
    """One request in the ledger.

    Attributes:
        request: As sent.
        items: In its order.
        status: Last announced.
        reasons: Every reason for a refusal.
        deadline: Control's own elapsed time at which it ends, ns.
    """

    __slots__ = ("deadline", "items", "reasons", "request", "status")

    def __init__(self, request: Request, items: Sequence[Item], deadline: int = 0) -> None:
        self.request = request
        self.items = tuple(items)
        self.status = NEW
        self.reasons: tuple[str, ...] = ()
        self.deadline = deadline

    def refuse(self, reasons: Sequence[str]) -> None:
        """Ends every item that is still open as rejected."""
        for item in self.items:
            if item.status not in FINAL:
                item.take("refuse")
        self.reasons = tuple(reasons)

    def settle(self) -> bool:
        """Brings the status up to date with the items; True when it changed."""
        now = combined(self.items)
        if now == self.status:
            return False
        self.status = now
        if now in FINAL and not self.reasons:
            self.reasons = tuple(item.reason for item in self.items if item.reason)
        return True

    def event(self, utc_ns: int) -> dict[str, Any]:
        """The outcome as control announces it."""
        request = self.request
        return {
            "kind": "request",
            "t": utc_ns,
            "id": request.id,
            "status": self.status,
            "items": [[item.path, item.value] for item in self.items],
            "old": [item.old for item in self.items],
            "reasons": list(self.reasons),
            "user": request.user,
            "source": request.source,
            "role": request.role,
            "reason": request.reason,
            "request": request.kind,
        }


class Ledger:
    """What was asked: the open requests in order of acceptance, and the last outcomes by id.

    Rejections are counted apart: a flood of them must not make us forget what was done, or it would be done again
    when its id is repeated.
    """

    __slots__ = ("_outcomes", "_rejected", "open")

    def __init__(self) -> None:
        self.open: list[Entry] = []
        self._outcomes: dict[str, dict[str, Any]] = {}
        self._rejected: dict[str, dict[str, Any]] = {}

    def recorded(self, id_: str, utc_ns: int) -> dict[str, Any] | None:
        """What became of a request, so far, as an event marked `repeated`; None for a new id."""
        for entry in self.open:
            if entry.request.id == id_:
                return {**entry.event(utc_ns), "repeated": True}
        outcome = self._outcomes.get(id_) or self._rejected.get(id_)
        return None if outcome is None else {**outcome, "t": utc_ns, "repeated": True}

    def add(self, entry: Entry) -> None:
        """Keeps an open request."""
        self.open.append(entry)

    def record(self, event: dict[str, Any]) -> None:
        """Keeps an outcome; of more than `LEDGER_MAX` rejections, or other outcomes, the oldest is forgotten."""
        table = self._rejected if event["status"] == REJECTED else self._outcomes
        table[event["id"]] = event
        while len(table) > LEDGER_MAX:
            del table[next(iter(table))]

    def close(self) -> None:
        """Lets go of the requests that have ended."""
        if any(entry.status in FINAL for entry in self.open):
            self.open = [entry for entry in self.open if entry.status not in FINAL]

    def everything(self) -> list[dict[str, Any]]:
        """The recorded outcomes, rejections too, each kind oldest first."""
        return [*self._outcomes.values(), *self._rejected.values()]

    def outcomes(self) -> list[dict[str, Any]]:
        """The recorded outcomes but rejections, oldest first."""
        return list(self._outcomes.values())
