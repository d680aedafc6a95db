"""The heartbeat register of one device at work: it is written for the PLC's watchdog and read back to see restarts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from scada.clock import Clock
from scada.field.driver import NoReplyError, Reading, RefusedError, Session, WithdrawnError
from scada.field.heartbeat import Heartbeat
from scada.field.writer import Event
from tags import quality

NOT_THERE: Final = frozenset({4, 5, 6, 10, 11})  # exceptions of a gateway, or of a device that is starting
AWAY: Final = (quality.BAD_NO_COMMUNICATION, quality.BAD_DEVICE_FAILURE, quality.UNCERTAIN_LAST_USABLE)
AWAY_MOST: Final = 600  # a register that refuses so often while others are read is none that tells anything
NOTICE_NS: Final = 1_000_000_000  # so long control may take to notice that a device restarted
_NEVER: Final = 2**62


class Watchdog:
    """Works the heartbeat register of a device, if it has one.

    Args:
        name: Of the device.
        heartbeat: `address` parsed and `every_ns`, or None.
        counter: What an earlier life of the service knew, or None.
        session: The driver's working part.
        clock: Monotonic time.
        event: Called as `event(kind, **fields)` for restarts and refusals.
        heard: Called whenever the device answered.
        restarted: Called first when the device has restarted.
        noticed: Publishes the counter: called whenever it was written, and before anything is read of a device that
            has restarted.

    Attributes:
        due_ns: The register is to be written at this monotonic time, ns.
        compare_first: Before anything is written or read: is it the device that we knew?
        away: Somebody else answered for the device lately, so many times.
        notice_ns: Nothing is polled before this monotonic time, ns, unless control has noticed the restart; 0: polled.
    """

    def __init__(
        self,
        name: str,
        heartbeat: Mapping[str, Any] | None,
        counter: Heartbeat | None,
        session: Session,
        clock: Clock,
        event: Event,
        heard: Callable[[], None],
        restarted: Callable[[], None],
        noticed: Callable[[Heartbeat], None] | None,
    ) -> None:
        self._name = name
        self._used = heartbeat is not None
        self._every_ns = int(heartbeat["every_ns"]) if heartbeat is not None else _NEVER
        self._address = heartbeat["address"] if heartbeat is not None else {}
        self._counter = counter or Heartbeat()
        self._session = session
        self._clock = clock
        self._event = event
        self._heard = heard
        self._restarted = restarted
        self._noticed = noticed or (lambda _: None)
        self._permit: Callable[[Callable[[], bool]], None] = getattr(session, "permit", lambda _: None)
        self.due_ns = 0 if self._used else _NEVER
        self.compare_first = False
        self.away = 0
        self.notice_ns = 0

    @property
    def restarts(self) -> int:
        """Restarts of the device that were noticed."""
        return self._counter.restarts

    def connected(self, now_ns: int) -> None:
        """A connection was opened."""
        if self._used:
            self.due_ns = now_ns
            self.compare_first = True

    def take(self, reading: Reading) -> None:
        """Looks at the qualities of a reading: a gateway may have answered for the device."""
        if self._counter.trusted and not self.away and reading.status.any():
            self.away = int(np.isin(reading.status, AWAY).any())

    async def beat(self, now_ns: int, allowed: Callable[[], bool]) -> None:
        """Reads the register back, then writes it when that is allowed.

        Raises:
            NoReplyError: Whether it was written is unknown.
        """
        self.due_ns = now_ns + self._every_ns
        await self.compare()
        if self.away and self._counter.trusted:
            return  # it could be back by now, without its power meanwhile, and a write would hide that
        if not allowed():
            return
        first, value = not self._counter.written, self._counter.next
        self._permit(allowed)
        try:
            await self._session.write_counter(self._address, value)
            self._counter.wrote()
            self._heard()
        except NoReplyError:
            self._counter.wrote()
            raise
        except WithdrawnError:
            return
        except RefusedError as error:
            if first:
                self._event(
                    "write",
                    device=self._name,
                    path="",
                    value=value,
                    result=error.code,
                    reason="heartbeat",
                    version=0,
                )
            return
        finally:
            self._noticed(self._counter)

    async def compare(self) -> None:
        """Reads the register back: a device that has forgotten it has restarted.

        Raises:
            NoReplyError: No right reply.
        """
        if not self._counter.written:
            return
        try:
            value = await self._session.read_counter(self._address)
        except RefusedError as error:
            if error.code in NOT_THERE and self.away < AWAY_MOST:
                self.away += 1
            else:
                self._counter.unreadable()
                self.away = 0
            return
        self._heard()
        self.away = 0
        if not self._counter.read(value):
            return
        self._restarted()
        # Control hears of it before it sees a value of after it, and its commands are for what was before.
        self._noticed(self._counter)
        self.notice_ns = self._clock.monotonic_ns() + NOTICE_NS
        self._event("service", device=self._name, state="restarted")
