"""One connection shared by all devices with the same endpoint: its turns, its life, and what it is busy with.

A device that has its endpoint for itself has a bus of its own. Where several share one, a unit that does not answer is
asked rarely and last: each such unit costs at most 1/50 of the time of the bus, all of them together at most a tenth.
Where no unit answers there is nobody to be disturbed, and each is asked as often as if it were alone.
"""

from __future__ import annotations

from typing import Final, Protocol

from scada.clock import Clock
from scada.field.driver import CLOSED, NoReplyError
from scada.field.modbus.config import Config
from scada.field.modbus.transport import Factory, Transport
from scada.field.modbus.turns import Turns

BACK_OFF_FIRST_NS: Final = 200_000_000
BACK_OFF_MOST_NS: Final = 1_800_000_000
"""With the time of the try itself, so that a device that is back is read within 2 s."""
SHARE_OF_ONE: Final = 50
SHARE_OF_ALL: Final = 10
RAREST_NS: Final = 300_000_000_000
_MEASURED_NS: Final = 10_000_000_000


class Unit(Protocol):
    """What a bus asks of the devices on it."""

    @property
    def dead(self) -> bool:
        """It did not answer when asked again."""
        ...

    @property
    def answers(self) -> bool:
        """Its last request was answered."""
        ...

    def try_now(self) -> None:
        """The bus has come back: ask at once."""
        ...


class Bus:
    """The one connection to an endpoint.

    Args:
        config: Of the first of its devices.
        clock: Monotonic time.
        transport: Makes one connection, not opened yet.

    Attributes:
        turns: Whose turn it is; everything below that sends is called by whoever has it.
        shared: Whether several devices have this endpoint.
        breaks: How often the connection ended or failed otherwise than by us: whoever saw another number has to begin
            anew.
        next_try_ns: Not connected before this, ns monotonic.
    """

    def __init__(self, config: Config, clock: Clock, transport: Factory) -> None:
        self.turns = Turns()
        self.shared = False
        self.breaks = 0
        self.next_try_ns = 0
        self._config = config
        self._clock = clock
        self._opener = transport(config, clock)
        self._current: Transport | None = None
        self._ours = False  # we dropped it
        self._failures = 0
        self._reason = "no connection"
        self._units: list[Unit] = []
        self._users = 0
        self._busy_ns = 0
        self._measured_ns = clock.monotonic_ns()
        self._load = 0.0

    @property
    def usable(self) -> bool:
        """Whether requests may be sent, if need be over a connection that is made anew first."""
        return self._ours or (self._current is not None and self._current.open)

    def add(self, unit: Unit) -> None:
        """One more device has this endpoint."""
        self._units.append(unit)
        self.shared = len(self._units) > 1

    def standing(self, breaks: int) -> Transport | None:
        """The connection, if it is open and still the one that the caller knows; else `ready` says more."""
        current = self._current
        return current if breaks == self.breaks and current is not None and current.open else None

    async def ready(self, breaks: int | None) -> Transport:
        """The open connection, made anew where it has ended.

        Args:
            breaks: What the caller knows of; with another he has to begin anew. None when he does.

        Raises:
            NoReplyError: There is none.
        """
        current = self._current
        if breaks is not None and breaks != self.breaks:
            raise NoReplyError("the connection was lost", CLOSED)
        if current is not None and current.open:
            return current
        if breaks is not None and not self._ours:
            raise NoReplyError("the connection was lost", CLOSED)
        start = now = self._clock.monotonic_ns()
        if now < self.next_try_ns and self.shared:  # somebody else has just tried in vain
            raise NoReplyError(self._reason, CLOSED)
        if not self._ours:
            self.breaks += 1
        self.drop()
        self._current = current = self._opener()
        if await current.connect():
            self._failures = 0
            return current
        self.drop()
        self.breaks += 1
        self._failures += 1
        self._reason = current.reason or "no connection"
        now = self._clock.monotonic_ns()
        self.next_try_ns = now + alone_ns(self._failures, now - start)
        raise NoReplyError(self._reason, CLOSED)

    def missed(self, error: NoReplyError) -> None:
        """A unit did not answer. Where the connection was dropped for it, it is made anew without more ado."""
        if self._current is not None and not self._current.open:
            self._ours = error.kind != CLOSED

    def spent(self, start_ns: int, now_ns: int) -> None:
        """A request had the connection from `start_ns` on."""
        self._busy_ns += now_ns - start_ns
        if now_ns - self._measured_ns > _MEASURED_NS:
            self._load = min(1.0, self._busy_ns / (now_ns - self._measured_ns))
            self._busy_ns, self._measured_ns = 0, now_ns

    def load(self) -> float:
        """Share of the last ten seconds or so in which a request was on its way, 0 … 1."""
        return self._load

    def pause_ns(self, failures: int, cost_ns: int) -> int:
        """How long a unit is left alone.

        Args:
            failures: Requests in a row that it did not answer.
            cost_ns: What the last one cost of the time of the bus.
        """
        alone = alone_ns(failures, cost_ns)
        if failures <= 1 or not self.shared or not any(unit.answers for unit in self._units):
            return alone
        dead = sum(unit.dead for unit in self._units)
        return max(alone, min(cost_ns * max(SHARE_OF_ONE, SHARE_OF_ALL * dead), RAREST_NS))

    def revived(self) -> None:
        """A unit answers. If it is the first after all were silent, the others are asked at once, too."""
        if sum(unit.answers for unit in self._units) == 1:
            for unit in self._units:
                if unit.dead:
                    unit.try_now()

    def drop(self) -> None:
        """Drops the connection, if any."""
        self._ours = False
        if self._current is not None:
            self._current.close()
            self._current = None

    def join(self) -> None:
        """One more device uses the connection."""
        self._users += 1

    def leave(self) -> None:
        """A device does not use it any more; the last one closes it."""
        self._users -= 1
        if self._users <= 0:
            self.drop()


def alone_ns(failures: int, cost_ns: int) -> int:
    """How long to wait where nobody else is disturbed: not at all after the first failure, then ever longer.

    Args:
        failures: In a row.
        cost_ns: How long the last one took; so long a device that is back may have to wait for the next one's end, too.
    """
    most = max(BACK_OFF_FIRST_NS, BACK_OFF_MOST_NS - cost_ns)
    return 0 if failures <= 1 else min(BACK_OFF_FIRST_NS << min(failures - 2, 8), most)
