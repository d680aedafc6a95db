"""Which replies may still come on a line that has no transaction ids, and which request shows that none does: pure.

A serial line, also one behind a network, carries no transaction id: a reply that comes late answers the next request
that looks the same. What tells two requests apart is unit, function code and length of the reply. So after a reply that
did not come, and where a reply may be repeated on its way, a request of another length or function to the same unit
goes first. A unit answers in order: the right answer to that shows that nothing older is on its way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from scada.field.driver import MISMATCH, NoReplyError
from scada.modbus import rtu, wire
from scada.modbus.wire import Ask, Pdu

FORGOTTEN_NS: Final = 60_000_000_000  # no line keeps a reply for so long
TWICE_NS: Final = 250_000_000  # a repeater sends the same again well within this
COPIES: Final = 4  # time-outs within which a line that repeats sends its copies
WHILE: Final = 10  # time-outs
_KEPT: Final = 1024
_SHORTER: Final = 16
_TABLES: Final = {3: "holding", 4: "input", 1: "coil", 2: "discrete"}

Look = tuple[int, bytes, int | None]
"""What tells a reply from another: function code, beginning, length."""


def look(pdu: Pdu) -> Look:
    """What the right reply to a request looks like."""
    return pdu.function, pdu.reply_head, pdu.reply_bytes


class Late:
    """What is known of the replies on one line. It outlives the connections to it.

    Times are monotonic, ns.

    Attributes:
        unknown: Nothing is known yet: an earlier life of the service may have asked.
    """

    def __init__(self) -> None:
        self.unknown = True
        self._owed: dict[int, dict[Look, int]] = {}
        self._vexed: dict[int, set[int]] = {}
        self._last: tuple[int, Look, int] | None = None
        self._answers: dict[tuple[int, Look], int] = {}
        self._repeats_until_ns: dict[int, int] = {}

    def missed(self, ask: Ask, now_ns: int) -> None:
        """The reply to a request did not come, or not rightly: it may come later."""
        self._owed.setdefault(ask.unit, {})[look(ask.pdu)] = now_ns

    def answered(self, ask: Ask, now_ns: int) -> None:
        """A right reply came, to a request that `barrier` let pass or made."""
        self._owed.pop(ask.unit, None)
        self._vexed.pop(ask.unit, None)
        self._last = ask.unit, look(ask.pdu), now_ns
        self._answers[ask.unit, look(ask.pdu)] = now_ns
        if len(self._answers) > _KEPT:
            self._answers = {
                key: since for key, since in self._answers.items() if now_ns - since < FORGOTTEN_NS
            }

    def overheard(self, data: bytes, now_ns: int, timeout_ns: int) -> None:
        """Bytes came that answered nothing. A frame in them that has answered already shows that the line repeats.

        One that may as well be the late reply to a later request of the same look is believed to show it for a while.
        """
        for unit, seen in self._answers:
            function, head, length = seen
            begin = bytes((unit, function)) + head
            at = data.find(begin)
            while at >= 0:
                if length is not None and rtu.whole(data[at : at + length + rtu.OVERHEAD]):
                    late = seen in self._owed.get(unit, {})
                    until = now_ns + (WHILE * timeout_ns if late else FORGOTTEN_NS)
                    self._repeats_until_ns[unit] = max(self._repeats_until_ns.get(unit, 0), until)
                at = data.find(begin, at + 1)

    def hold_ns(self, ask: Ask, now_ns: int) -> int:
        """How long a request must wait on a line that repeats: until no copy of its last reply can come any more."""
        if not self._repeats(ask.unit, now_ns):
            return 0
        since = self._answers.get((ask.unit, look(ask.pdu)))
        return 0 if since is None else max(0, since + COPIES * ask.timeout_ns - now_ns)

    def strayed(self, now_ns: int) -> None:
        """Bytes came that nobody had asked for: whatever was asked last may come once more."""
        if self._last is not None:
            unit, seen, _ = self._last
            self._owed.setdefault(unit, {})[seen] = now_ns

    def barrier(self, ask: Ask, now_ns: int) -> Ask | None:
        """The request that must be answered before this one may be sent.

        Returns:
            None when no reply that may still come could be taken for one to this request.

        Raises:
            NoReplyError: There is none that could be told from what may still come. It passes with time.
        """
        owed = self._owed.get(ask.unit)
        if owed:
            for seen in [seen for seen, since in owed.items() if now_ns - since > FORGOTTEN_NS]:
                del owed[seen]
        if not owed or all(function != ask.pdu.function for function, _, _ in owed):
            return self._apart(ask, owed or {}, now_ns)
        vexed = self._vexed.get(ask.unit, ())
        for pdu in _others(ask.pdu):
            if look(pdu) not in owed and pdu.function not in vexed:
                return Ask(pdu, ask.unit, ask.timeout_ns)
        raise NoReplyError("waits until no late reply can come any more", MISMATCH)

    def refused(self, ask: Ask, now_ns: int) -> bool:
        """An exception to a barrier came.

        Returns:
            Whether it shows that nothing older is on its way: not when it may be the answer to an older request of the
            same function.
        """
        owed = self._owed.get(ask.unit, {})
        if all(function != ask.pdu.function for function, _, _ in owed):
            return True
        self._vexed.setdefault(ask.unit, set()).add(ask.pdu.function)
        self.missed(ask, now_ns)
        return False

    def _repeats(self, unit: int, now_ns: int) -> bool:
        """Whether frames of a unit came again lately."""
        return now_ns < self._repeats_until_ns.get(unit, 0)

    def _apart(self, ask: Ask, owed: Mapping[Look, int], now_ns: int) -> Ask | None:
        """A request between two of the same look in quick succession: the first reply may come twice."""
        if self._last is None:
            return None
        unit, seen, since = self._last
        soon = now_ns - since <= TWICE_NS or self._repeats(
            unit, since
        )  # it did when the wait of `hold_ns` began
        if unit != ask.unit or seen != look(ask.pdu) or not soon:
            return None
        return next(
            (Ask(pdu, unit, ask.timeout_ns) for pdu in _others(ask.pdu) if look(pdu) not in owed), None
        )


def _others(pdu: Pdu) -> Iterator[Pdu]:
    """Reads whose replies look otherwise: first shorter ones of the same place, which the unit surely answers."""
    first = int.from_bytes(pdu.data[:2], "big")
    known = {look(pdu)}
    own = _TABLES.get(pdu.function)
    if own is not None:
        count = int.from_bytes(pdu.data[2:4], "big")
        step = 8 if own in wire.BIT_TABLES else 1
        for less in range(count - step, max(0, count - step * _SHORTER) - 1, -step):
            shorter = wire.read(own, first, max(1, less))
            if look(shorter) not in known:
                known.add(look(shorter))
                yield shorter
    for table in _TABLES.values():
        if table != own:
            step = 8 if table in wire.BIT_TABLES else 1
            for count in range(1, step * _SHORTER, step):
                yield wire.read(table, min(first, 0x10000 - count), count)
