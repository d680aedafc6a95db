"""One device's loop: connect, write what is due, poll what is due, sleep until the next of either.

One task per device and one request at a time. Between any two requests the writes come first, stops before all; but
after a burst of writes a due poll has its turn, so that a chattering program cannot blind itself.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from scada.clock import Clock
from scada.field import commands
from scada.field.commands import Commands, Order, Output, Outputs
from scada.field.driver import NoReplyError, Quantiser, RefusedError, Session
from scada.field.heartbeat import Heartbeat
from scada.field.samples import Samples
from scada.field.sleep import Sleeper
from tags import quality, types
from tags.image import ImageReader
from tags.model import Device, Tag

Event = Callable[..., None]
WRITES_IN_A_ROW: Final = 8
NOT_THERE: Final = frozenset({4, 5, 6, 10, 11})  # exceptions of a gateway, or of a device that is starting
AWAY: Final = (quality.BAD_NO_COMMUNICATION, quality.BAD_DEVICE_FAILURE, quality.UNCERTAIN_LAST_USABLE)
AWAY_MOST: Final = 600  # a register that refuses so often while others are read is none that tells anything
NOTICE_NS: Final = 1_000_000_000  # so long control may take to notice that a device restarted
_NEVER: Final = 2**62


@dataclass(slots=True)
class _Group:
    """When one scan group is due, and how well its period is held."""

    period_ns: int
    next_ns: int
    starts: deque[int]
    position: int = 0  # of the request to send next; 0 = not begun
    good_ns: int = 0

    def achieved_ns(self, now_ns: int) -> int:
        if not self.starts:
            return 0
        mean = (self.starts[-1] - self.starts[0]) // max(1, len(self.starts) - 1)
        return max(mean, now_ns - self.starts[-1])


class Poller:
    """Works one device.

    Args:
        device: Name and heartbeat.
        tags: Its tags.
        session: The driver's working part, made with the same tags.
        samples: Where values are published.
        clock: Monotonic and UTC time.
        event: Called as `event(kind, **fields)` for connection changes and writes.
        start_ns: Delay before the first poll, so that devices do not bunch.
        heartbeat: Of an earlier life of the service, or None.
        noticed: Publishes the heartbeat: called whenever it was written, and before anything is read of a device that
            has restarted.
        look: Looks at the arming file and at control's commands; called right before anything is written.
    """

    def __init__(
        self,
        device: Device,
        tags: Sequence[Tag],
        session: Session,
        samples: Samples,
        clock: Clock,
        event: Event,
        start_ns: int = 0,
        heartbeat: Heartbeat | None = None,
        noticed: Callable[[Heartbeat], None] | None = None,
        look: Callable[[], None] | None = None,
    ) -> None:
        self.name = device.name
        self.connected = False
        self.news = False  # health changed in a way that must not wait for the next second
        self._tags = tags
        self._session = session
        self._samples = samples
        self._clock = clock
        self._event = event
        self._start_ns = start_ns
        self._groups = [_Group(period, 0, deque(maxlen=8)) for period, _ in session.periods]
        self._group_of = np.array([session.place(i)[0] for i in range(len(tags))], np.intp)
        self._sleeper = Sleeper(clock)
        self._stopping = False
        self._tried = False
        self._alive = False
        self._writes = 0
        self._heartbeat = device.heartbeat
        self._counter = heartbeat or Heartbeat()
        self._noticed = noticed or (lambda _: None)
        self._look = look or (lambda: None)
        self._beat_ns = 0
        self._compare_first = False
        self._away = 0
        self._notice_ns = 0

        self._out = np.array([i for i, tag in enumerate(tags) if tag.owner is not None], np.intp)
        self._out_of = np.full(len(tags), -1, np.intp)
        self._out_of[self._out] = np.arange(len(self._out))
        self._quantise = session.quantiser([int(i) for i in self._out])
        self._digests: dict[int, str] = {}
        self._loss_digests: dict[int, str] = {}
        self._outputs = Outputs(_declared([tags[i] for i in self._out], self._quantise, self._loss_digests))
        self._outputs.restore(samples.aux[self._out])
        self._texts = [int(i) for i in self._out if tags[i].type == types.STRING]

    # --- from the service's tick ---

    @property
    def command_paths(self) -> list[str]:
        """Paths of the command tags of the outputs, in their order."""
        return [self._tags[i].command or "" for i in self._out]

    @property
    def armed(self) -> bool:
        """Whether the device may be written to."""
        return self._outputs.armed

    def arm(self, armed: bool, user: str = "", reason: str = "") -> None:
        """Takes the word of the arming file, with who gave it and why."""
        if armed != self._outputs.armed:
            self._outputs.arm(armed)
            self.news = True
            self._event(
                "service", device=self.name, state="armed" if armed else "disarmed", user=user, reason=reason
            )
            self._sleeper.wake()

    def observe(self, image: ImageReader, rows: npt.NDArray[np.intp], alive: bool) -> None:
        """Takes control's commands from a snapshot.

        Args:
            image: Control's image, just read.
            rows: Row of each output's command.
            alive: Control's heartbeat moves.
        """
        self._alive = alive
        if not len(rows):
            return
        bits = image.value[rows].copy()
        for position in self._texts:
            out = int(self._out_of[position])
            text = image.text(int(rows[out]))
            bits[out] = _digest(text)
            self._digests[int(bits[out])] = text
        if len(self._digests) > 4 * len(self._texts) + 16:
            kept = {int(bits[int(self._out_of[p])]) for p in self._texts}
            self._digests = {key: text for key, text in self._digests.items() if key in kept}
        quantised, cannot = self._quantise(bits)
        seen = Commands(
            bits=quantised,
            usable=commands.usable(image.status[rows]) & ~cannot,
            writable=~cannot,
            drive=(image.aux[rows] & 1).astype(np.bool_),
            deadline_ns=(image.aux[rows] >> np.uint64(1)).astype(np.int64),
            silent=(image.status[rows] >> 30) >= 2,  # control is dead, or has not said anything yet
            version=image.version[rows],
            publish_ns=image.publish_ns[rows],
        )
        now = self._clock.monotonic_ns()
        self._outputs.observe(seen, alive, now)
        self._samples.acted(self._out, self._outputs.aux, now)
        self._sleeper.wake()

    def tidy(self, now_ns: int) -> None:
        """Called a few times a second: what is stale says so, and what stands still stays fresh in the image."""
        if not self.connected:
            if self._tried:
                self._samples.publish(None, now_ns)
            return
        for number, group in enumerate(self._groups):
            limit = group.period_ns + group.period_ns // 2 + self._session.timeout_ns
            if group.good_ns and now_ns - group.good_ns > limit:
                mine = np.flatnonzero(self._group_of == number)
                good = mine[(self._samples.status[mine] >> 30) == 0]
                self._samples.status[good] = quality.UNCERTAIN_LAST_USABLE
                self._samples.publish(mine, now_ns)
        self._samples.publish(self._samples.forced, now_ns)

    def health(self, now_ns: int) -> dict[str, types.Value]:
        """Values of the device's system tags, by key."""
        link = self._session.link
        p50, p99 = link.latency_ms()
        # the fastest group speaks for the device, unless another misses its period by more
        worst = max(self._groups, key=lambda g: round(g.achieved_ns(now_ns) / g.period_ns, 1), default=None)
        return {
            "connected": self.connected,
            "armed": self.armed,
            "period_asked": worst.period_ns / 1e9 if worst else 0.0,
            "period_achieved": worst.achieved_ns(now_ns) / 1e9 if worst else 0.0,
            "latency_p50": p50,
            "latency_p99": p99,
            "errors": link.errors,
            "good_age": (now_ns - link.good_ns) / 1e9 if link.good_ns else 0.0,
            "restarts": self._counter.restarts,
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
        finally:
            self._session.link.close()

    async def _connect(self) -> None:
        link = self._session.link
        now = self._clock.monotonic_ns()
        if now < link.next_try_ns:
            await self._sleeper.until(link.next_try_ns)
            return
        if not await link.connect():
            self._lost("no connection")
            return
        now = self._clock.monotonic_ns()
        self._outputs.link(True)
        first = 0 if self._tried else self._start_ns
        for group, (_, phase) in zip(self._groups, self._session.periods, strict=True):
            group.next_ns = now + first + (phase if first else 0)
            group.position = 0
        self._beat_ns = now
        self._compare_first = self._heartbeat is not None

    async def _step(self) -> None:
        """One request, or a sleep until the next is due."""
        now = self._clock.monotonic_ns()
        if self._compare_first:  # before anything is written or read: is it the device that we knew?
            self._compare_first = False
            await self._compare(now)
            return
        group = min(self._groups, key=_urgency, default=None)
        polling = group is not None and (group.position > 0 or group.next_ns <= now)
        if self._notice_ns and (now >= self._notice_ns or not self._outputs.held):
            self._notice_ns = 0
        polling = polling and not self._notice_ns
        if now >= self._outputs.next_ns and not (polling and self._writes >= WRITES_IN_A_ROW):
            orders = self._outputs.due(now)
            if (
                orders
            ):  # what was decided on an older word may have been taken back: this process may have slept
                self._look()
                orders = self._outputs.due(now)
            self._samples.acted(self._out, self._outputs.aux, now)
            if orders:
                self._writes += 1
                await self._write(orders[0])
                return
        self._writes = 0
        if self._beat_due(now):
            await self._beat(now)
        elif group is not None and polling:
            await self._poll(group, now)
        else:
            polls_ns = group.next_ns if group else _NEVER
            # polls that wait for control's notice are overdue: to sleep until them would be to turn round and round
            until = min(self._outputs.next_ns, self._notice_ns or polls_ns)
            if self._heartbeat:
                until = min(until, self._beat_ns)
            await self._sleeper.until(until)

    async def _poll(self, group: _Group, now: int) -> None:
        number = self._groups.index(group)
        if group.position == 0:
            group.starts.append(now)
        await self._session.fetch(number, group.position)
        self._heard()
        group.position += 1
        if group.position < self._session.count(number):
            return
        group.position = 0
        now = self._clock.monotonic_ns()
        if self._away and await self._still_away(number, now):
            group.next_ns = now + group.period_ns
            return
        group.good_ns = now
        behind = now - group.next_ns
        group.next_ns += group.period_ns * (1 + max(0, behind) // group.period_ns)
        self._take(number, None, now)

    def _take(self, number: int, only: int | None, now: int) -> None:
        """Publishes a reading and shows the outputs in it to the state machine."""
        reading = self._session.reading(number, only)
        self._samples.take(reading, now)
        if self._counter.trusted and not self._away and reading.status.any():
            self._away = int(np.isin(reading.status, AWAY).any())
        outs = self._out_of[reading.members]
        mine = np.flatnonzero(outs >= 0)
        if not len(mine):
            return
        bits = reading.bits[mine].copy()
        for n, position in enumerate(reading.members[mine]):
            if self._tags[position].type == types.STRING:
                bits[n] = _digest(reading.texts.get(int(position), ""))
        self._outputs.read_back(outs[mine], bits, quality.good_mask(reading.status[mine]))

    async def _still_away(self, number: int, now: int) -> bool:
        """Somebody else answered for the device lately. Its values count when it has shown the heartbeat that we wrote."""
        if np.isin(self._session.reading(number).status, AWAY).all():
            return False  # Bad is what they are
        await self._compare(now)
        return bool(self._away or self._notice_ns)

    async def _write(self, order: Order) -> None:
        position = int(self._out[order.index])
        tag = self._tags[position]
        text = ""
        if tag.type == types.STRING:
            text = self._digests.get(order.bits, self._loss_digests.get(order.bits, ""))
        result = commands.OK
        try:
            await self._session.write(position, order.bits, text)
            self._heard()
        except RefusedError as error:
            result = error.code
        except ValueError:
            result = commands.REFUSED
        except NoReplyError:
            self._written(order, tag, text, commands.UNKNOWN)
            raise
        self._written(order, tag, text, result)
        number, request = self._session.place(position)
        await self._session.fetch(number, request)  # read back at once
        self._take(number, request, self._clock.monotonic_ns())

    def _written(self, order: Order, tag: Tag, text: str, result: int) -> None:
        now = self._clock.monotonic_ns()
        self._outputs.written(order, result, now)
        self._samples.acted(self._out, self._outputs.aux, now)
        steady = self._outputs.outputs[order.index].mode in (commands.MAINTAINED, commands.REFRESH)
        if result == commands.OK and steady and tag.type in types.FLOATS and order.reason == "command":
            return  # a controller's output moves all the time; its history says it all
        value = text if tag.type == types.STRING else types.from_bits(tag.type, order.bits)
        self._event(
            "write",
            device=self.name,
            path=tag.path,
            value=value,
            result=result,
            reason=order.reason,
            version=order.version,
        )

    def _beat_due(self, now: int) -> bool:
        return bool(self._heartbeat) and now >= self._beat_ns

    async def _beat(self, now: int) -> None:
        heartbeat: Mapping[str, Any] = self._heartbeat or {}
        self._beat_ns = now + int(heartbeat["every_ns"])
        await self._compare(now)
        self._look()
        if not (self._alive and self.armed):
            return
        first, value = not self._counter.written, self._counter.next
        try:
            await self._session.write_counter(heartbeat["address"], value)
            self._counter.wrote()
            self._heard()
        except NoReplyError:
            self._counter.wrote()
            raise
        except RefusedError as error:
            if first:
                self._event(
                    "write",
                    device=self.name,
                    path="",
                    value=value,
                    result=error.code,
                    reason="heartbeat",
                    version=0,
                )
            return
        finally:
            self._noticed(self._counter)

    async def _compare(self, now: int) -> None:
        """Reads the heartbeat back: a device that has forgotten it has restarted."""
        if not self._counter.written:
            return
        heartbeat: Mapping[str, Any] = self._heartbeat or {}
        try:
            value = await self._session.read_counter(heartbeat["address"])
        except RefusedError as error:
            if error.code in NOT_THERE and self._away < AWAY_MOST:
                self._away += 1
            else:
                self._counter.unreadable()
                self._away = 0
            return
        self._heard()
        self._away = 0
        if not self._counter.read(value):
            return
        self._outputs.restarted()
        for group in self._groups:
            group.next_ns, group.position = now, 0
        # Control hears of it before it sees a value of after it, and its commands are for what was before.
        self._noticed(self._counter)
        self._notice_ns = self._clock.monotonic_ns() + NOTICE_NS
        self._event("service", device=self.name, state="restarted")

    def _heard(self) -> None:
        if not self.connected:
            self.connected = self._tried = self.news = True
            self._event("service", device=self.name, state="connected")

    def _lost(self, reason: str) -> None:
        """The link is down. One miss is forgiven when the next connection answers."""
        self._outputs.link(False)
        if self._session.link.failures < 2 and self._tried:
            return
        now = self._clock.monotonic_ns()
        if self.connected or not self._tried:
            self._samples.fail(quality.BAD_NO_COMMUNICATION, self._clock.utc_ns(), now)
            self._event("service", device=self.name, state="not connected", reason=reason)
        self.connected = False
        self._tried = self.news = True


def _urgency(group: _Group) -> tuple[bool, int]:
    """A group that was begun is finished first; then the one longest due."""
    return group.position == 0, group.next_ns


def _digest(text: str) -> int:
    """A number that stands for a text in comparisons."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _declared(tags: Sequence[Tag], quantise: Quantiser, texts: dict[int, str]) -> list[Output]:
    """The outputs as `commands` wants them; notes in `texts` what the numbers of texts stand for."""
    loss = np.zeros(len(tags), np.uint64)
    outputs = []
    for i, tag in enumerate(tags):
        write, on_loss = tag.write, tag.on_loss
        value = on_loss.value if on_loss is not None else None
        if isinstance(value, str):
            loss[i] = _digest(value)
            texts[int(loss[i])] = value
        elif value is not None:
            loss[i] = types.to_bits(tag.type, types.coerce(tag.type, value))
        mode = write.mode if write is not None else commands.MAINTAINED
        outputs.append(
            Output(
                type=tag.type,
                mode=commands.SHARED if tag.owner == "shared" else mode,
                time_ns=write.time_ns if write else 0,
                min_interval_ns=write.min_interval_ns if write else 0,
                deadband=write.deadband if write else 0.0,
                ends=tag.limits or tag.range,
                stop=write.stop if write else False,
                on_loss=on_loss.action if on_loss else "release",
                loss_delay_ns=on_loss.delay_ns if on_loss else 0,
            )
        )
    quantised, _ = quantise(loss)
    return [replace(output, loss_bits=int(bits)) for output, bits in zip(outputs, quantised, strict=True)]
