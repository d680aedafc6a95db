"""One device's loop: connect, write what is due, poll what is due, sleep until the next of either.

One task per device. Between any two requests the writes come first, stops before all; but after a burst of writes a due
poll has its turn, so that a chattering program cannot blind itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from scada.clock import Clock
from scada.field.driver import NoReplyError, Session, WithdrawnError
from scada.field.groups import Group, Groups
from scada.field.heartbeat import Heartbeat
from scada.field.samples import Samples
from scada.field.sleep import Sleeper
from scada.field.watchdog import AWAY, Watchdog
from scada.field.writer import Event, Writer
from tags import quality, types
from tags.image import ImageReader
from tags.model import Device, Tag

NOT_CONNECTED, CONNECTED, SLOW = 0, 1, 2
WRITES_IN_A_ROW: Final = 8
LOOK_NS: Final = 50_000_000
"""`look_at_age` is called so often, ns."""
_NEVER: Final = 2**62


class Poller:
    """Works one device.

    Args:
        device: Name and heartbeat.
        tags: Its tags.
        session: The driver's working part, made with the same tags.
        samples: Where values are published.
        clock: Monotonic and UTC time.
        event: Called as `event(kind, **fields)` for connection changes and writes.
        spread: Its part of each period, 0 … 1, so that devices do not bunch.
        heartbeat: Of an earlier life of the service, or None.
        noticed: Publishes the heartbeat: called whenever it was written, and before anything is read of a device that
            has restarted.
        look: Looks at the arming file and at control's commands; called right before anything is written.

    Attributes:
        writer: Its writing half.
        groups: When its scan groups are due.
    """

    def __init__(
        self,
        device: Device,
        tags: Sequence[Tag],
        session: Session,
        samples: Samples,
        clock: Clock,
        event: Event,
        spread: float = 0.0,
        heartbeat: Heartbeat | None = None,
        noticed: Callable[[Heartbeat], None] | None = None,
        look: Callable[[], None] | None = None,
    ) -> None:
        self.name = device.name
        self.connected = False
        self.news = False  # health changed in a way that must not wait for the next second
        self._session = session
        self._samples = samples
        self._clock = clock
        self._event = event
        self._spread = spread
        self._look = look or (lambda: None)
        self.groups = Groups(session.periods, session.timeout_ns, LOOK_NS)
        self._group_of = np.array([session.place(i)[0] for i in range(len(tags))], np.intp)
        self._read_back_ns = np.zeros(len(tags), np.int64)
        self._all = np.arange(len(tags), dtype=np.intp)
        self._link_load: Callable[[], float] = getattr(session.link, "bus_load", lambda: 0.0)
        self._hurry: Callable[[Callable[[], bool]], None] = getattr(session, "hurry", lambda _: None)
        self.together: dict[int, Callable[[int], bool]] = {}
        self._beats = device.heartbeat is not None
        self._looked_at = [
            i for i, tag in enumerate(tags) if tag.owner is not None or tag.type == types.STRING
        ]
        self._made_ns = clock.monotonic_ns()
        self._writable = any(tag.owner is not None for tag in tags)
        self._sleeper = Sleeper(clock)
        self._stopping = False
        self._tried = self._started = False
        self._alive = False
        self._writes = 0
        self.writer = Writer(
            device.name, tags, session, samples, clock, event, heard=self._heard, look=self._look
        )
        self._watchdog = Watchdog(
            device.name,
            device.heartbeat,
            heartbeat,
            session,
            clock,
            event,
            self._heard,
            self._restarted,
            noticed,
        )

    # --- what is published together with others ---

    @property
    def session(self) -> Session:
        """The driver's working part."""
        return self._session

    def unwatched(self) -> list[int]:
        """Scan groups whose values nobody but the image wants: no outputs, no texts, no heartbeat register beside them."""
        if self._beats:
            return []
        busy = {self._session.place(i)[0] for i in self._looked_at}
        return [number for number in range(len(self._session.periods)) if number not in busy]

    def is_connected(self) -> bool:
        """Whether the device answers."""
        return self.connected

    def publish(self, number: int, now_ns: int) -> None:
        """Publishes a scan group by itself."""
        self._take(number, None, now_ns)

    # --- from the service's tick ---

    @property
    def command_paths(self) -> list[str]:
        """Paths of the command tags of the outputs, in their order."""
        return self.writer.command_paths

    @property
    def armed(self) -> bool:
        """Whether the device may be written to."""
        return self.writer.armed

    def arm(self, armed: bool, user: str = "", reason: str = "") -> None:
        """Takes the word of the arming file, with who gave it and why."""
        if self.writer.arm(armed, user, reason):
            self.news = True
            self._sleeper.wake()

    def observe(self, image: ImageReader, rows: npt.NDArray[np.intp], alive: bool) -> None:
        """Takes control's commands from a snapshot.

        Args:
            image: Control's image, just read.
            rows: Row of each output's command.
            alive: Control's heartbeat moves.
        """
        self._alive = alive
        if len(rows):
            self.writer.observe(image, rows, alive)
            self._sleeper.wake()
            self._hurry(self._urgent)

    def hurry(self) -> None:
        """Called at each tick where there are outputs: what is to be written waits for no poll."""
        if self._writable:
            self._hurry(self._urgent)

    def look_at_age(self, now_ns: int) -> None:
        """Called at the ticks after `groups.fresh_ns`: what has become stale says so."""
        for number, limit_ns in self.groups.stale(now_ns) if self.connected else ():
            mine = np.flatnonzero(self._group_of == number)
            good = mine[(self._samples.status[mine] >> 30) == 0]
            good = good[now_ns - self._read_back_ns[good] > limit_ns]
            if len(good):
                self._samples.status[good] = quality.UNCERTAIN_LAST_USABLE
                self._samples.publish(good, now_ns)

    def still(self, now_ns: int) -> npt.NDArray[np.intp]:
        """Positions of the tags that stand still; published a few times a second they stay fresh in the image."""
        if not self.connected:
            return self._all if self._tried else self._all[:0]
        stale = [number for number, _ in self.groups.stale(now_ns)]
        if not stale:
            return self._samples.forced if self._samples.any_forced else self._all[:0]
        found = np.isin(self._group_of, stale)
        found[self._samples.forced] = True
        return np.flatnonzero(found)

    def health(self, now_ns: int) -> dict[str, types.Value | None]:
        """Values of the device's system tags, by key; None where there is nothing to tell yet.

        Whether it answers is not known before it was asked, and no period is achieved while it does not answer.
        """
        link = self._session.link
        p50, p99 = link.latency_ms()
        asked, achieved = self.groups.period_ns(now_ns)
        slow = self.groups.slow(now_ns)
        state = (SLOW if slow else CONNECTED) if self.connected else NOT_CONNECTED
        return {
            "connected": self.connected if self._tried else None,
            "state": state if self._tried else None,
            "armed": self.armed,
            "period_asked": asked / 1e9,
            "period_achieved": achieved / 1e9 or None,
            "latency_p50": p50 or None,
            "latency_p99": p99 or None,
            "errors": link.errors,
            **{f"errors_{kind}": count for kind, count in link.errors_by_kind.items()},
            "good_age": (now_ns - (link.good_ns or self._made_ns)) / 1e9,
            "restarts": self._watchdog.restarts,
            "link_load": 100.0 * self._link_load(),
        }

    def stop(self) -> None:
        """Ends `run` after the request that is on its way."""
        self._stopping = True
        self._sleeper.wake()

    # --- the loop ---

    async def run(self) -> None:
        """Works the device until `stop`."""
        try:
            while not self._stopping:
                if not self._session.link.open:
                    await self._connect()
                    continue
                try:
                    await self._step()
                except NoReplyError as error:
                    self._lost(str(error))
                except WithdrawnError:
                    continue  # what is due now is another
        finally:
            self._session.link.close()

    async def _connect(self) -> None:
        link = self._session.link
        now = self._clock.monotonic_ns()
        if now < link.next_try_ns:
            await self._sleeper.until(link.next_try_ns)
            return
        if not await link.connect():
            self._lost(link.reason or "no connection")
            return
        now = self._clock.monotonic_ns()
        self.writer.link(True)
        if self._started:
            self.groups.again(now)
        else:
            self._started = True
            self.groups.start(now, self._spread)
            if self._tried:  # it was awaited
                self.groups.again(now)
        self._watchdog.connected(now)

    async def _step(self) -> None:
        """One request, or a sleep until the next is due."""
        now = self._clock.monotonic_ns()
        watchdog, outputs = self._watchdog, self.writer.outputs
        if watchdog.compare_first:
            watchdog.compare_first = False
            await watchdog.compare()
            return
        group = self.groups.next(now)
        polling = group is not None and (group.position > 0 or group.due_ns <= now)
        if watchdog.notice_ns and (now >= watchdog.notice_ns or not outputs.held):
            watchdog.notice_ns = 0
        polling = polling and not watchdog.notice_ns
        if now >= outputs.next_ns and not (
            (polling or self.writer.unread) and self._writes >= WRITES_IN_A_ROW
        ):
            orders = self.writer.orders(now)
            if orders:
                self._writes += 1
                await self.writer.write(orders)
                return
        if (
            self.writer.unread
        ):  # before any poll: one that was begun before the write ends with what was before it
            await self._read_back()
            return
        self._writes = 0
        if now >= watchdog.due_ns:
            await watchdog.beat(now, self._may_beat)
        elif group is not None and polling:
            await self._poll(group, now)
        else:
            polls_ns = group.due_ns if group else _NEVER
            # polls that wait for control's notice are overdue: to sleep until them would be to turn round and round
            until = min(outputs.next_ns, watchdog.notice_ns or polls_ns, watchdog.due_ns)
            await self._sleeper.until(until)

    async def _poll(self, group: Group, now: int) -> None:
        if group.position == 0:
            group.begin(now)
        group.position += await self._session.fetch(group.number, group.position)
        self._heard()
        if group.position < self._session.count(group.number):
            return
        now = self._clock.monotonic_ns()
        if self._watchdog.away and await self._still_away(group.number):
            group.put_off(now)
            return
        group.done(now)
        add = self.together.get(group.number)
        if add is None or not add(now):
            self._take(group.number, None, now)

    def _take(self, number: int, only: int | None, now: int) -> npt.NDArray[np.intp]:
        """Publishes a reading and shows it to those who judge by it; returns positions of what was read."""
        reading = self._session.reading(number, only)
        self._watchdog.take(reading)
        self._samples.take(self.writer.take(reading), now)
        return reading.members

    async def _still_away(self, number: int) -> bool:
        """Somebody else answered for the device lately. Its values count when it has shown the heartbeat that we wrote."""
        if np.isin(self._session.reading(number).status, AWAY).all():
            return False  # Bad is what they are
        await self._watchdog.compare()
        return bool(self._watchdog.away or self._watchdog.notice_ns)

    async def _read_back(self) -> None:
        """One request that brings what was written last."""
        number, request = self._session.place(self.writer.unread[0])
        await self._session.fetch(number, request, 1)
        self.writer.unread = [i for i in self.writer.unread if self._session.place(i) != (number, request)]
        now = self._clock.monotonic_ns()
        self._read_back_ns[self._take(number, request, now)] = now

    def _urgent(self) -> bool:
        """Whether a poll that waits for its turn is to let a write pass."""
        now, outputs = self._clock.monotonic_ns(), self.writer.outputs
        return self._writes < WRITES_IN_A_ROW and now >= outputs.next_ns and bool(outputs.due(now))

    def _may_beat(self) -> bool:
        self._look()
        return self._alive and self.armed

    def _restarted(self) -> None:
        """The device has lost its power: what was to be done with it, and what was read of it, is of before."""
        self.writer.outputs.restarted()
        self.groups.again(self._clock.monotonic_ns())

    def _heard(self) -> None:
        if not self.connected:
            self.connected = self._tried = self.news = True
            self._event("service", device=self.name, state="connected")

    def _lost(self, reason: str) -> None:
        """The link is down. One miss is forgiven when the next connection answers."""
        self.writer.link(False)
        if self._session.link.failures < 2 and self._tried:
            return
        now = self._clock.monotonic_ns()
        if self.connected or not self._tried:
            self.groups.forget()
            self._samples.fail(quality.BAD_NO_COMMUNICATION, self._clock.utc_ns(), now)
            self._event("service", device=self.name, state="not connected", reason=reason)
        self.connected = False
        self._tried = self.news = True
