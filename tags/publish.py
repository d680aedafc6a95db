"""A writer's image, change ring and event ring together, and the making of all files of a site.

Order matters: the ring first, then the image, so that who saw a value in the image finds it in the ring. A change is a
new value or a new status; the version moves with it, the ring gets it. A new sample that changes neither only moves the
times in the image.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from tags import quality
from tags.events import EventWriter
from tags.image import Bits, ImageWriter, Rows, Statuses, Times
from tags.mapped import ImageError
from tags.model import DEVICE, Site, Tag
from tags.ring import RingWriter, changes
from tags.slots import SlotReader, SlotWriter
from tags.types import STRING, Value, coerce, to_bits

SUPERVISOR: Final = "supervisor"
RING_SECONDS: Final = 60  # a reader may be away this long at the declared peak and loses nothing
RING_MIN, RING_MAX = 1 << 14, 1 << 23
EVENT_BYTES: Final = 1 << 20
_COUNT: Final = (1 << 32) - 1


class Publisher:
    """What a service publishes with: one writer's image, ring and event ring.

    Attributes:
        writer: Name of the service.
        tags: In row order.
        image: The image; read own values here.
        ring: The change ring.
        events: The event ring.
        epoch: Of this writer.
        rows: Row of each tag by path.
    """

    def __init__(
        self,
        run: Path,
        writer: str,
        tags: Sequence[Tag],
        epoch: int,
        *,
        utc_ns: int = 0,
        now_ns: int = 0,
        announce: bool = True,
    ) -> None:
        """Takes over a writer's files and appends all its tags, as the image has them, to the ring.

        Args:
            run: The `run/` folder of the data directory.
            writer: Name of the service.
            tags: The writer's tags: `tags[i].row == i`.
            epoch: Larger than that of any earlier writer of these files.
            utc_ns: Now, ns UTC; stamps rows that have no time yet.
            now_ns: Now, ns monotonic; likewise.
            announce: Append all tags to the ring now; False if all are put right after this.

        Raises:
            ImageError: The files are absent, or of another number of tags.
        """
        self.writer, self.tags, self.epoch = writer, tuple(tags), epoch
        self.image = ImageWriter.open(run / f"{writer}.image", epoch)
        self.ring = RingWriter.open(run / f"{writer}.ring", epoch)
        self.events = EventWriter.open(run / f"{writer}.events", epoch)
        if len(self.image.value) != len(self.tags):
            raise ImageError(
                f"{run}/{writer}.image has {len(self.image.value)} rows, the site has {len(self.tags)}"
            )
        self.rows = {tag.path: tag.row for tag in self.tags}
        self._types = [tag.type for tag in self.tags]
        self._ids: Statuses = np.array([tag.id for tag in self.tags], np.uint32)
        of_epoch = self.image.version[self.image.version >> 32 == epoch]
        self._count = int(of_epoch.max()) & _COUNT if len(of_epoch) else 0
        if announce:
            self._announce(utc_ns, now_ns)

    def put(
        self,
        rows: Rows,
        bits: Bits | int,
        status: Statuses | int,
        source_ns: Times | int,
        now_ns: int,
        aux: Bits | int | None = None,
        *,
        renew: npt.NDArray[np.bool_] | bool = False,
    ) -> None:
        """Publishes samples of many tags at once; not of strings.

        Args:
            rows: Which rows; indices without repetition, or a slice.
            bits: Value bits (`tags.types`), one for each row, or one for all.
            status: StatusCodes, likewise.
            source_ns: When the values were true, ns UTC, likewise.
            now_ns: Now, ns monotonic.
            aux: New aux words, likewise; None leaves them. A change of aux alone is not a change.
            renew: Rows that count as changed although value and status are the same (a command given again).
        """
        image = self.image
        changed = (image.value[rows] != bits) | (image.status[rows] != status) | renew
        version = None
        if changed.any():
            version = image.version[rows]  # of an index array this is a copy, of a slice a view
            version = np.where(changed, self._next_version(), version)
            where = np.flatnonzero(changed)
            self.ring.append(
                changes(
                    self._ids[rows][where],
                    _pick(status, where),
                    _pick(source_ns, where),
                    now_ns,
                    _pick(bits, where),
                    len(where),
                )
            )
        image.publish(rows, bits, status, source_ns, now_ns, version, aux)

    def put_value(
        self, row: int, value: Value, status: int, source_ns: int, now_ns: int, aux: int | None = None
    ) -> None:
        """Publishes one sample of one tag, of any type.

        Args:
            row: Its row.
            value: A value of the tag's type (`tags.types.coerce`).
            status: StatusCode.
            source_ns: When the value was true, ns UTC.
            now_ns: Now, ns monotonic.
            aux: New aux word; None leaves it.

        Raises:
            ValueError: The value is not of the tag's type.
        """
        if self._types[row] == STRING:
            self._put_text(row, str(coerce(STRING, value)), status, source_ns, now_ns, aux)
            return
        bits = to_bits(self._types[row], coerce(self._types[row], value))
        self.put(slice(row, row + 1), bits, status, source_ns, now_ns, aux)

    def put_values(
        self, items: Iterable[tuple[int, Value]], status: int, source_ns: int, now_ns: int
    ) -> None:
        """Publishes one sample of each of some tags with one status and time; strings one by one, others at once.

        Args:
            items: (row, value), each row once.
            status: StatusCode.
            source_ns: ns UTC.
            now_ns: ns monotonic.

        Raises:
            ValueError: A value is not of its tag's type; nothing but strings before it is published.
        """
        rows, bits = [], []
        for row, value in items:
            if self._types[row] == STRING:
                self.put_value(row, value, status, source_ns, now_ns)
            else:
                rows.append(row)
                bits.append(to_bits(self._types[row], coerce(self._types[row], value)))
        if rows:
            self.put(np.array(rows), np.array(bits, np.uint64), status, source_ns, now_ns)

    def put_status(self, rows: Rows, status: int, source_ns: int, now_ns: int) -> None:
        """Changes the quality of rows; their values stay."""
        self.put(rows, self.image.value[rows].copy(), status, source_ns, now_ns)

    def event(self, kind: str, utc_ns: int, **fields: Any) -> int:
        """Appends an event to the writer's event ring.

        Args:
            kind: For example `request`, `alarm`, `service`, `write`, `clock`.
            utc_ns: When, ns UTC.
            **fields: More, as JSON.

        Returns:
            Its sequence number.

        Raises:
            ValueError: More than 60 KB.
        """
        return self.events.append(orjson.dumps({"kind": kind, "t": utc_ns, "service": self.writer, **fields}))

    def beat(self) -> None:
        """Shows that the work loop runs."""
        self.image.beat()

    def close(self) -> None:
        """Lets go of the files; they stay."""
        self.image.close()
        self.ring.close()
        self.events.close()

    def _next_version(self) -> np.uint64:
        self._count += 1
        return np.uint64(self.epoch << 32 | self._count)

    def _put_text(
        self, row: int, text: str, status: int, source_ns: int, now_ns: int, aux: int | None
    ) -> None:
        image = self.image
        bits = int(image.value[row])
        where = slice(row, row + 1)
        if text == image.text(row) and bits:
            self.put(where, bits, status, source_ns, now_ns, aux)
            return
        tag = self.tags[row]
        self._text_event(tag, text, bits + 1, status, source_ns)
        self.ring.append(changes(tag.id, status, source_ns, now_ns, bits + 1, 1))
        version = int(self._next_version())
        image.publish(where, bits + 1, status, source_ns, now_ns, version, aux, {row: text})

    def _text_event(self, tag: Tag, text: str, bits: int, status: int, source_ns: int) -> None:
        self.event("string", source_ns, tag=tag.id, path=tag.path, value=text, bits=bits, status=status)

    def _announce(self, utc_ns: int, now_ns: int) -> None:
        image = self.image
        fresh = np.flatnonzero(image.source_ns == 0)
        if utc_ns and len(fresh):
            image.publish(fresh, image.value[fresh], image.status[fresh], utc_ns, now_ns)
        for tag in self.tags:
            if tag.type == STRING and image.value[tag.row]:
                row = tag.row
                self._text_event(
                    tag,
                    image.text(row),
                    int(image.value[row]),
                    int(image.status[row]),
                    int(image.source_ns[row]),
                )
        self.ring.append(
            changes(self._ids, image.status, image.source_ns, image.publish_ns, image.value, len(self.tags))
        )


def mark_dead(run: Path, writer: str, tags: Sequence[Tag], epoch: int, *, utc_ns: int, now_ns: int) -> None:
    """Makes all tags of a dead writer BadNoCommunication, in ring and image.

    Args:
        run: The `run/` folder.
        writer: Name of the service; its process must be reaped.
        tags: Its tags in row order.
        epoch: A new one.
        utc_ns: Now, ns UTC.
        now_ns: Now, ns monotonic.
    """
    with contextlib.closing(Publisher(run, writer, tags, epoch, announce=False)) as publisher:
        values = publisher.image.value.copy()
        # Renewed: rows of a writer that died inside a publish are Bad already, and the ring does not know.
        publisher.put(slice(None), values, quality.BAD_NO_COMMUNICATION, utc_ns, now_ns, renew=True)


def create_files(run: Path, site: Site, epoch: int = 0) -> None:
    """Makes all mapped files of a site before any service starts, so that no reader ever waits for one.

    Images and slots are new. Rings of the same size that are there already are kept: what nobody has read of them is
    still in them, and positions in them stay valid. Control's state is taken over: after a supervisor that was killed,
    or with a full disk, it is newer than any file.

    Args:
        run: The `run/` folder, which exists.
        site: The compiled site.
        epoch: Of the supervisor.

    Raises:
        OSError: No space or no permission.
    """
    for writer in writers(site):
        tags = site.of_writer(writer)
        strings = [tag.row for tag in tags if tag.type == STRING]
        ImageWriter.create(run / f"{writer}.image", len(tags), strings, epoch).close()
        _keep_or_create(RingWriter, run / f"{writer}.ring", ring_capacity(tags), epoch)
        _keep_or_create(
            EventWriter, run / f"{writer}.events", EVENT_BYTES * (4 if writer == "control" else 1), epoch
        )
    rows = len(site.tags)
    _keep_or_create(EventWriter, run / "control.record", max(1 << 22, rows * 2400 // 16 * 16), epoch)
    state = run / "control.state"
    kept = _state_of_before(state, epoch)
    room = (320 << 10) + 256 * rows + 1024 * len(site.blocks) + 512 * len(site.alarms)
    with contextlib.closing(SlotWriter.create(state, room, epoch)) as slots:
        if kept is not None and len(kept) <= slots.capacity:
            slots.write(kept)
    SlotWriter.create(run / "control.forces", (16 << 10) + 160 * rows, epoch).close()


def writers(site: Site) -> tuple[str, ...]:
    """All services that have an image: those of the site, those that tags name, and the supervisor."""
    return tuple(sorted({*site.services, *site.writers(), SUPERVISOR}))


def ring_capacity(tags: Sequence[Tag]) -> int:
    """Records for 60 s of the most changes that the tags can make: device tags one each poll, others one a second."""
    second = 1_000_000_000
    peak = sum(second / tag.scan_ns if tag.kind == DEVICE and tag.scan_ns else 1 for tag in tags)
    wanted = int(peak * RING_SECONDS)
    return min(RING_MAX, max(RING_MIN, 1 << wanted.bit_length()))


def _state_of_before(path: Path, epoch: int) -> bytes | None:
    """What an earlier control of this data directory left in the slots.

    Epochs rise within a data directory; slots of a later epoch belong to one that was deleted and made anew.
    """
    try:
        slots = SlotReader(path)
    except ImageError:
        return None
    with contextlib.closing(slots):
        return slots.read() if slots.epoch < epoch else None


def _keep_or_create(kind: type[RingWriter | EventWriter], path: Path, capacity: int, epoch: int) -> None:
    with contextlib.suppress(ImageError), contextlib.closing(kind(path)) as ring:
        if ring.capacity == capacity:
            return
    kind.create(path, capacity, epoch).close()


def _pick(column: Any, where: npt.NDArray[np.intp]) -> Any:
    return column[where] if isinstance(column, np.ndarray) else column
