"""`Client`: everything that a screen, a protocol or a script may do with a running plant."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from historian.query import History
from historian.reader import open_reader
from historian.store import Samples, Store, StoreError
from scada.client import requests
from scada.client.alarms import Alarms
from scada.client.bypasses import Bypasses
from scada.client.changes import Changes
from scada.client.corrections import Corrections
from scada.client.errors import NotRunningError, SiteChangedError
from scada.client.events import EventFollower
from scada.client.forces import Forces
from scada.client.images import Images
from scada.client.losses import Losses
from scada.client.past import Past
from scada.client.records import RecordFollower
from scada.client.running import is_locked
from scada.client.services import service_states
from scada.client.types import AlarmState, Bypass, Condition, Force, Outcome, Sample, ServiceState
from scada.clock import Clock, SystemClock
from scada.datadir import DataDir
from tags.image import ImageError
from tags.model import Site, Tag, load
from tags.types import Value

_CHECK_NS: Final = 1_000_000_000


class Client(Past):
    """A running plant: read, watch, write, alarms, history.

    Cheap: `refresh` copies what changed, everything else answers from that copy. It outlives restarts of services, and of
    the whole plant as long as the site stays the same. One client belongs to one thread or event loop.

        from scada.client import Client

        with Client("/srv/water/data", user="anna", role="operator") as plant:
            print(plant.read("tank1/LT-101"))
            print(plant.write("tank1/LIC-101/SP", 2.8, reason="trial").status)
            for sample in plant.watch(["tank1/LT-101"]):
                print(sample.value, sample.quality)

    Args:
        data: The plant's data directory.
        source: Who asks: `hmi`, `opcua`, `cli`, `gateway` or `script`.
        user: In whose name, for requests.
        role: That user's role: `viewer`, `operator`, `engineer` or `admin`. Control checks it for each request.
        clock: The machine's by default.
        site: What a service has read already from `run/site.json`; None reads it.

    Attributes:
        site: The compiled site.
        tags: Its tags by path.
        tag_list: Its tags by global index, as `Changes` counts.
        index: Global index by path.
        generation: Rises when the whole plant was started again and the files were opened anew.

    Raises:
        NotRunningError: No plant runs there.
    """

    site: Site
    tags: dict[str, Tag]
    tag_list: tuple[Tag, ...]
    index: dict[str, int]

    def __init__(
        self,
        data: Path | str,
        source: str = "script",
        user: str = "",
        role: str = "viewer",
        clock: Clock | None = None,
        site: Site | None = None,
    ) -> None:
        self.data = DataDir(Path(data))
        self.source = source
        self.user = user
        self.role = role
        self.generation = 0
        self._clock = clock or SystemClock()
        self._followers: list[EventFollower] = []
        self._requests: requests.Requests | None = None
        self._alarms: Alarms | None = None
        self._forces: Forces | None = None
        self._bypasses: Bypasses | None = None
        self._losses: Losses | None = None
        self._store: Store | None = None
        self._open(site)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the plant's files."""
        self._close_parts()
        self.images.close()

    # Reading

    def refresh(self) -> None:
        """Looks at the plant: everything read afterwards is of this moment.

        Raises:
            NotRunningError: The plant was stopped.
            SiteChangedError: It was started again with another site.
        """
        now = self._clock.monotonic_ns()
        if now - self._checked_ns >= _CHECK_NS:
            self._check(now)
        self.images.refresh(now)

    def read(self, path: str) -> Sample:
        """A tag as of the last refresh.

        Raises:
            KeyError: No such tag; the message names it.
        """
        return self.sample(self._at(path))

    def read_many(self, paths: Iterable[str]) -> list[Sample]:
        """Several tags as of the last refresh, all of the same moment."""
        return [self.read(path) for path in paths]

    def sample(self, i: int) -> Sample:
        """As `read`, by global index."""
        images = self.images
        return Sample(
            images.tags[i].path,
            images.value(i),
            int(images.shown[i]),
            int(images.source_ns[i]),
            images.age_s(i),
            int(images.version[i]),
        )

    def changes(self) -> Changes:
        """A watcher of all tags for servers that push; as many as wanted, each with its own memory."""
        return Changes(lambda: self.images, self.refresh)

    def watch(self, paths: Sequence[str], period_s: float = 0.2) -> Iterator[Sample]:
        """Samples of some tags, first as they are, then each time one changes; blocks between.

        Args:
            paths: Of the tags.
            period_s: Between looks, s.
        """
        wanted = [self._at(path) for path in paths]
        changes = self.changes()
        while True:
            moved = set(changes.poll())
            yield from (self.sample(i) for i in wanted if i in moved)
            time.sleep(period_s)

    def alarms(self, *, hidden: bool = False) -> list[AlarmState]:
        """Alarms that are active or not acknowledged: unacknowledged first, then by priority, then the newest.

        Args:
            hidden: Also those that are suppressed, shelved, out of service or disabled; what people have put aside is
                listed at rest, too.
        """
        return self._alarming().current(self.images, hidden=hidden)

    def alarm(self, path: str) -> AlarmState:
        """One alarm as of the last refresh, also at rest.

        Args:
            path: Of the alarm.

        Raises:
            KeyError: There is no such alarm.
        """
        return self._alarming().one(self.images, path)

    def condition(self, path: str) -> Condition:
        """All that is known of one alarm, also at rest: its state as of the last refresh, who did what and why.

        Args:
            path: Of the alarm.

        Raises:
            KeyError: There is no such alarm.
        """
        return self._alarming().condition(self.images, path)

    def conditions(self) -> dict[str, Condition]:
        """As `condition`, of all alarms by path."""
        return self._alarming().conditions(self.images)

    def _alarming(self) -> Alarms:
        if self._alarms is None:
            self._alarms = Alarms(self.site, self.data)
        return self._alarms

    def services(self) -> list[ServiceState]:
        """The supervisor and its services."""
        return service_states(self.site, self.images)

    def why_not_connected(self) -> dict[str, str]:
        """The reason, by device, of those that do not answer; a device that nobody has reported is not in it."""
        if self._losses is None:
            self._losses = Losses(self.site, self.data)
        return self._losses.current()

    def forces(self) -> list[Force]:
        """Values that are held by hand."""
        if self._forces is None:
            self._forces = Forces(self.site, self.data)
        return self._forces.current(self.images)

    def bypasses(self) -> list[Bypass]:
        """Protections that are out of action, in the order in which they were bypassed."""
        return self._bypassed().current()

    @property
    def bypassable(self) -> dict[str, tuple[int, str]]:
        """What may be bypassed, by path: longest time, ns, and least role."""
        return self._bypassed().permitted

    def _bypassed(self) -> Bypasses:
        if self._bypasses is None:
            self._bypasses = Bypasses(self.site, self.data)
        return self._bypasses

    def follow(self, kinds: Iterable[str] | None = None, *, oldest: bool = False) -> EventFollower:
        """Events of all services from now on (or from the oldest that is still there).

        Args:
            kinds: For example `{"alarm", "request"}`; None for all.
            oldest: See above.
        """
        return EventFollower(self.data, self.images.writers, kinds, oldest=oldest)

    def follow_changes(self) -> RecordFollower:
        """Each change of each tag from now on, in order."""
        return RecordFollower(self.data, lambda: self.images)

    # Requests

    def request(
        self,
        kind: str,
        items: Sequence[requests.Item],
        reason: str = "",
        deadline_s: float = 5.0,
        for_s: float | None = None,
        user: str | None = None,
        role: str | None = None,
        *,
        id_: str | None = None,
        wait: bool = True,
    ) -> Outcome:
        """Asks control for something and waits for its final outcome.

        Args:
            kind: One of `scada.requests.message.KINDS`: `write`, `force`, `bypass`, `acknowledge`, `shelve`, ….
            items: Tag path and value; for alarms alarm path and comment, or None for the reason as the comment; for a
                bypass what is bypassed and None.
            reason: Why, for the record.
            deadline_s: Control gives up after this, s.
            for_s: How long a force, a bypass or a shelf lasts, s; a shelf without ends when the alarm is normal again.
            user: Instead of the client's.
            role: Instead of the client's.
            id_: Of the caller's making, 32 hex digits; repeating one returns its recorded outcome and does
                nothing else. None for a fresh one.
            wait: False returns at once with status `submitted`; ask `outcome` for the rest.

        Raises:
            ValueError: A value is NaN or infinite.
        """
        id_ = self._submit(kind, items, reason, deadline_s, for_s, user, role, id_)
        if not wait:
            return Outcome(id_, "submitted")
        return self._asking().wait(id_)

    async def arequest(
        self,
        kind: str,
        items: Sequence[requests.Item],
        reason: str = "",
        deadline_s: float = 5.0,
        for_s: float | None = None,
        user: str | None = None,
        role: str | None = None,
        *,
        id_: str | None = None,
    ) -> Outcome:
        """As `request`, on the running event loop; any number at once."""
        return await self._asking().await_(
            self._submit(kind, items, reason, deadline_s, for_s, user, role, id_)
        )

    def outcome(self, id_: str) -> Outcome:
        """How far a request of `request(wait=False)` has come.

        Raises:
            KeyError: Unknown, or its final outcome was already handed out.
        """
        return self._asking().outcome(id_)

    def write(self, path: str, value: Value, reason: str = "", deadline_s: float = 5.0) -> Outcome:
        """Asks control to write one tag and waits for the outcome."""
        return self.request("write", [(path, value)], reason, deadline_s)

    # History

    def history(
        self,
        path: str,
        start_ns: int,
        end_ns: int,
        limit: int = 100_000,
        *,
        before: bool = False,
        originals: bool = False,
    ) -> Samples:
        """Samples of a tag with start <= t < end.

        Args:
            path: Of the tag.
            start_ns: UTC, ns.
            end_ns: UTC, ns.
            limit: At most so many, the oldest.
            before: Put the last sample before `start_ns` first, for trends.
            originals: As they were stored; otherwise as people have corrected them since.

        Raises:
            StoreError: There is no history yet, or it cannot be read.
        """
        return self._history().raw(
            self.images.tags[self._at(path)].id, start_ns, end_ns, limit, before=before, originals=originals
        )

    def corrections(self, user: str | None = None, role: str | None = None) -> Corrections:
        """Corrects and annotates history, in the name of this client's user or of another one."""
        return Corrections(
            self.data.root,
            self.tags,
            user=self.user if user is None else user,
            role=self.role if role is None else role,
            source=self.source,
            clock=self._clock,
        )

    def events(
        self,
        start_ns: int,
        end_ns: int,
        kinds: Sequence[str] | None = None,
        limit: int = 1000,
        *,
        oldest: bool = False,
    ) -> list[dict[str, Any]]:
        """Events of the past by time: the newest `limit`, or the oldest, with start <= t < end.

        Raises:
            StoreError: There is no history yet, or it cannot be read.
        """
        return self._history().events(start_ns, end_ns, kinds, limit, oldest=oldest)

    # Inside

    def _at(self, path: str) -> int:
        try:
            return self.index[path]
        except KeyError:
            raise KeyError(f"{path}: the site {self.site.name!r} has no such tag") from None

    def _submit(
        self,
        kind: str,
        items: Sequence[requests.Item],
        reason: str,
        deadline_s: float,
        for_s: float | None,
        user: str | None,
        role: str | None,
        id_: str | None,
    ) -> str:
        body = requests.request(
            kind,
            items,
            reason=reason,
            source=self.source,
            user=self.user if user is None else user,
            role=self.role if role is None else role,
            for_s=for_s,
        )
        return self._asking().submit(body, deadline_s, id_)

    def _asking(self) -> requests.Requests:
        if self._requests is None:
            self._requests = requests.Requests(self.data, self._clock)
        return self._requests

    def _past(self) -> History:
        return History(self._history(), self.site.timezone)

    def _kept(self) -> Store:
        return self._history()

    def _tag(self, path: str) -> Tag:
        return self.images.tags[self._at(path)]

    def _history(self) -> Store:
        if self._store is None:
            self._store = open_reader(self.data.history)
        return self._store

    def _open(self, known: Site | None = None) -> None:
        advice = f"Start it with: scada run SITE --data {self.data.root}"
        if is_locked(self.data.lock) is False:
            raise NotRunningError(f"{self.data.root}: no plant is running there. {advice}")
        try:
            self._stamp = self._look_at_site()
            site = known or load(self.data.site_json.read_bytes())
            images = Images(self.data, site)
        except (OSError, ImageError) as error:
            raise NotRunningError(
                f"{self.data.root}: no plant is running there ({error}). {advice}"
            ) from error
        except ValueError as error:
            raise NotRunningError(f"{self.data.site_json}: {error}. {advice}") from error
        if self.generation and site.digest != self.site.digest:
            images.close()
            raise SiteChangedError(f"{self.data.root}: the plant was started again with a changed site")
        self.site = site
        self.images = images
        self.tags = site.by_path()
        self.tag_list = images.tags
        self.index = images.index
        self.generation += 1
        self._checked_ns = self._clock.monotonic_ns()
        self.images.refresh(self._checked_ns)

    def _look_at_site(self) -> tuple[int, int]:
        info = self.data.site_json.stat()
        return info.st_ino, info.st_mtime_ns

    def _check(self, now_ns: int) -> None:
        """Once a second: are these still the files of a running plant?"""
        self._checked_ns = now_ns
        try:
            same = self._look_at_site() == self._stamp and not self.images.replaced()
        except OSError:
            raise NotRunningError(f"{self.data.root}: the plant was stopped") from None
        if not same:
            old = self.images
            self._open()
            self._close_parts()
            old.close()
        elif all(self.images.heartbeats.dead) and is_locked(self.data.lock) is False:
            raise NotRunningError(f"{self.data.root}: the plant was stopped")

    def _close_parts(self) -> None:
        for part in (self._requests, self._alarms, self._forces, self._losses, self._store):
            if part is not None:
                part.close()
        self._requests = self._alarms = self._forces = self._bypasses = self._losses = self._store = None


__all__ = ["Client", "StoreError"]
