"""Live values to browsers: one look at the plant for all of them, per browser only what it asked for and what changed.

At most 5 times a second; a browser that reads slowly gets the newest values when it is ready again (latest wins), and is
disconnected when it stays stuck. With no browser there is no look at the values.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

import orjson

from hmi.models import AlarmInfo, Counts
from hmi.view import View, alarm_info, counts
from scada.client import Client
from scada.requests.message import ALARM_KINDS

PERIOD_S: Final = 0.2
IDLE_S: Final = 0.4
BEAT_S: Final = 1.0
SEND_S: Final = 10.0
SOCKETS_MAX: Final = 64
TAGS_MAX: Final = 5000
AGES_MAX: Final = 16
REQUESTS_MAX: Final = 100

Row = tuple[Any, int, int, int]
Send = Callable[[str], Any]


class Socket:
    """One browser's connection: what it wants, and what it has not been sent yet.

    Args:
        send: Sends a text; waits while the network's buffer is full.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self.wanted: dict[int, str] = {}
        self.ages: list[int] = []
        self.unknown: list[str] = []
        self.fresh = False
        self.moved: set[int] = set()
        self.beat: dict[str, Any] | None = None
        self.alarms: list[AlarmInfo] | None = None
        self.requests: list[dict[str, Any]] = []
        self.wake = asyncio.Event()
        self._sequence = 0

    def ask(self, paths: Iterable[str], ages: Iterable[str], index: dict[str, int]) -> None:
        """Takes the tags that the browser wants from now on; it gets a snapshot of all of them."""
        self.unknown = [path for path in paths if path not in index]
        self.wanted = {index[path]: path for path in paths if path in index}
        self.ages = [index[path] for path in ages if path in index]
        self.moved.clear()
        self.fresh = True
        self.wake.set()

    def note_request(self, event: dict[str, Any]) -> None:
        """Queues a request's outcome; of too many the oldest are dropped."""
        self.requests = [*self.requests[1 - REQUESTS_MAX :], event]
        self.wake.set()

    def messages(self, row: Callable[[int], Row]) -> list[dict[str, Any]]:
        """What is to be sent now; afterwards nothing is."""
        out: list[dict[str, Any]] = []
        if self.fresh:
            self._sequence += 1
            rows = {path: row(i) for i, path in self.wanted.items()}
            message: dict[str, Any] = {"snapshot": rows, "n": self._sequence}
            out.append({**message, "unknown": self.unknown} if self.unknown else message)
        elif self.moved:
            self._sequence += 1
            rows = {self.wanted[i]: row(i) for i in self.moved if i in self.wanted}
            out.append({"changes": rows, "n": self._sequence})
        if self.alarms is not None:
            out.append({"alarm_list": [alarm.model_dump() for alarm in self.alarms]})
        out += [{"request": event} for event in self.requests]
        if self.beat is not None:
            ages = {self.wanted[i]: row(i)[2:] for i in self.ages if i in self.wanted}
            out.append({**self.beat, "ages": ages} if ages else self.beat)
        self.fresh = False
        self.moved = set()
        self.alarms = self.beat = None
        self.requests = []
        return out

    async def run(self, row: Callable[[int], Row]) -> None:
        """Sends until cancelled.

        Raises:
            TimeoutError: The browser takes nothing any more.
        """
        while True:
            await self.wake.wait()
            self.wake.clear()
            for message in self.messages(row):
                async with asyncio.timeout(SEND_S):
                    await self._send(orjson.dumps(message).decode())


class Pusher:
    """Looks at the plant for all sockets.

    Args:
        client: Its own to refresh.
        view: For alarms, services and who wrote last.
        utc_ns: The clock's.
        beat: Called at each look, at least twice a second: the service's heartbeat.
        build: Of the page; a browser with another one fetches the page anew.
    """

    def __init__(
        self, client: Client, view: View, utc_ns: Callable[[], int], beat: Callable[[], None], build: str
    ) -> None:
        self._client, self._view, self._utc_ns, self._beat, self._build = client, view, utc_ns, beat, build
        self.sockets: set[Socket] = set()
        self.refused = 0
        self._follower = client.follow({"request"})
        self._changes = client.changes()
        self._alarm_rows = {i for i, tag in enumerate(client.tag_list) if tag.kind == "alarm"}
        self._life_rows = {
            i for i, tag in enumerate(client.tag_list) if tag.path.startswith("system/supervisor/")
        }
        self._alarms: list[AlarmInfo] = []
        self._alarms_due = False
        self._counts = Counts(unacknowledged={}, active={})
        self._beats = 0
        self._beat_due = 0.0

    def add(self, socket: Socket) -> bool:
        """Lets a browser in; False when there are too many."""
        if len(self.sockets) >= SOCKETS_MAX:
            self.refused += 1
            return False
        if not self.sockets:
            self._client.refresh()
            self._changes.poll(refresh=False)
            self._take_alarms()
        self.sockets.add(socket)
        socket.alarms = self._alarms
        socket.beat = {**self._heartbeat(), "build": self._build}
        socket.wake.set()
        return True

    def remove(self, socket: Socket) -> None:
        """Forgets a browser."""
        self.sockets.discard(socket)

    async def run(self) -> None:
        """Looks until cancelled, at an even pace."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self._beat()
            self.look(loop.time())
            due = max(due + (PERIOD_S if self.sockets else IDLE_S), loop.time())
            await asyncio.sleep(due - loop.time())

    def look(self, now_s: float) -> None:
        """One look: what moved goes to whom it concerns.

        Args:
            now_s: Monotonic, s.
        """
        self.take_requests()
        if not self.sockets:
            if now_s >= self._beat_due:
                self._beat_due = now_s + BEAT_S
                self._client.refresh()
            return
        moved = set(self._changes.poll())
        alarms = None
        if (self._alarms_due or not moved.isdisjoint(self._alarm_rows)) and self._take_alarms():
            alarms = self._alarms
        self._alarms_due = False
        beat = None
        # A service that ended is told at once: it may run again before the next second.
        if now_s >= self._beat_due or not moved.isdisjoint(self._life_rows):
            self._beat_due = max(self._beat_due + BEAT_S, now_s + BEAT_S / 2)
            beat = self._heartbeat()
        for socket in self.sockets:
            hit = moved & socket.wanted.keys()
            if hit:
                socket.moved |= hit
            if beat:
                socket.beat = {**(socket.beat or {}), **beat}
            if alarms is not None:
                socket.alarms = alarms
            if hit or beat or alarms is not None:
                socket.wake.set()

    def row(self, i: int) -> Row:
        """A tag as browsers get it: value, status, source time in ms UTC, age in ms (-1 for never)."""
        sample = self._client.sample(i)
        age = -1 if sample.age_s is None else round(sample.age_s * 1000)
        return sample.value, sample.status, sample.source_ns // 1_000_000, age

    def take_requests(self) -> None:
        """Follows the outcomes of requests: who wrote last, and word of them to every page."""
        for event in self._follower.poll():
            if event["kind"] != "request":
                continue
            self._view.note(event)
            self._alarms_due |= event.get("request") in ALARM_KINDS  # a comment moves no tag
            told = {
                key: event.get(key)
                for key in ("id", "status", "items", "old", "user", "source", "reason", "request")
            }
            told |= {"reasons": event.get("reasons") or [], "t_ms": event["t"] // 1_000_000}
            for socket in self.sockets:
                socket.note_request(told)

    def _take_alarms(self) -> bool:
        states = self._client.alarms(hidden=True)
        self._counts = counts(states)
        fresh = [alarm_info(state) for state in states]
        changed = [(a.path, a.bits, a.since_ms, a.number) for a in fresh] != [
            (a.path, a.bits, a.since_ms, a.number) for a in self._alarms
        ]
        self._alarms = fresh
        return changed

    def _heartbeat(self) -> dict[str, Any]:
        self._beats += 1
        return {
            "heartbeat": self._beats,
            "utc_ms": self._utc_ns() // 1_000_000,
            "alarms": self._counts.model_dump(),
            "down": self._view.down(),
            "unarmed": self._view.unarmed(),
            "forces": len(self._client.forces()),
            "bypasses": self._bypasses(),
        }

    def _bypasses(self) -> int:
        path = "system/control/bypasses"
        value = self._client.read(path).value if path in self._client.tags else 0
        return value if isinstance(value, int) else 0
